"""Placement of a program's virtual pages in the data window."""

from __future__ import annotations

import numpy as np
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

__all__ = ["PAGE_BYTES", "SMALLEST_WINDOW", "KeptAddresses", "PageError", "PageTable"]

PAGE_BYTES = 4096
"""Bytes of a page."""

SMALLEST_WINDOW = 1 << 16
"""Bytes of the smallest data window that an engine has."""

_LINES_PER_PAGE = np.uint64(PAGE_BYTES // LINE_BYTES)


class PageError(ValueError):
    """More pages than the window has; the message names both."""


def _check_window(window_bytes: int | None) -> None:
    if window_bytes is not None and (
            window_bytes < SMALLEST_WINDOW or window_bytes & (window_bytes - 1)):
        raise PageError(f"a window of {window_bytes} bytes is not possible: a power of two of at "
                        f"least {SMALLEST_WINDOW}")


class PageTable:
    """Give each virtual page, when it is first touched, the next free page of the window.

    Parameters
    ----------
    window_bytes:
        Size of the window, a power of two of at least ``SMALLEST_WINDOW``; None to let it grow.
    seed:
        Give out the window's pages in an order shuffled by this seed, instead of ascending; needs
        `window_bytes`.
    """

    def __init__(self, window_bytes: int | None = None, seed: int | None = None) -> None:
        _check_window(window_bytes)
        if seed is not None and window_bytes is None:
            raise PageError("shuffled pages need a window of a given size")
        self._window_bytes = window_bytes
        self._order = None
        if seed is not None and window_bytes is not None:
            self._order = np.random.default_rng(seed).permutation(window_bytes // PAGE_BYTES)
        self._known = np.empty(0, np.uint64)  # virtual page numbers, ascending
        self._given = np.empty(0, np.uint64)  # where each lies

    @property
    def pages(self) -> int:
        """Pages given out so far."""
        return len(self._known)

    @property
    def window_bytes(self) -> int:
        """Size of the window: as given, or the least power of two that holds all pages so far."""
        if self._window_bytes is not None:
            return self._window_bytes
        return max(SMALLEST_WINDOW, 1 << (self.pages * PAGE_BYTES - 1).bit_length())

    def place(self, line: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Translate virtual line numbers to those of the window, shape (N,), in order of touch.

        Raises
        ------
        PageError
            If the window has no page left.
        """
        page = line // _LINES_PER_PAGE
        found, first, inverse = np.unique(page, return_index=True, return_inverse=True)
        fresh = np.flatnonzero(~np.isin(found, self._known, assume_unique=True))
        if len(fresh):
            self._add(found[fresh[np.argsort(first[fresh])]])
        where = self._given[np.searchsorted(self._known, found)]
        return where[inverse] * _LINES_PER_PAGE + line % _LINES_PER_PAGE

    def _add(self, pages: NDArray[np.uint64]) -> None:
        """Give places to `pages`, in this order."""
        total = self.pages + len(pages)
        if self._window_bytes is not None and total * PAGE_BYTES > self._window_bytes:
            raise PageError(f"the program touches more than the {self._window_bytes // PAGE_BYTES} "
                            f"pages of a window of {self._window_bytes} bytes")
        given = np.arange(self.pages, total, dtype=np.uint64)
        if self._order is not None:
            given = self._order[given].astype(np.uint64)
        known, given = np.r_[self._known, pages], np.r_[self._given, given]
        order = np.argsort(known)
        self._known, self._given = known[order], given[order]


class KeptAddresses:
    """Stand where a :class:`PageTable` does and leave every address where it is.

    Parameters
    ----------
    window_bytes:
        Size of the window, a power of two of at least ``SMALLEST_WINDOW``; None to let it grow.
    """

    def __init__(self, window_bytes: int | None = None) -> None:
        _check_window(window_bytes)
        self._window_bytes = window_bytes
        self._end = 0

    @property
    def window_bytes(self) -> int:
        """Size of the window: as given, or the least power of two that holds all lines so far."""
        if self._window_bytes is not None:
            return self._window_bytes
        return max(SMALLEST_WINDOW, 1 << max(self._end - 1, 0).bit_length())

    def place(self, line: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return `line` as it is.

        Raises
        ------
        PageError
            If a line lies outside a window of a given size.
        """
        self._end = max(self._end, (int(line.max(initial=0)) + 1) * LINE_BYTES)
        if self._window_bytes is not None and self._end > self._window_bytes:
            raise PageError(f"address {self._end - LINE_BYTES:#x} lies outside a window of "
                            f"{self._window_bytes} bytes")
        return line
