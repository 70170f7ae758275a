"""Content of external DRAM: sparse, zero wherever it was never written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

__all__ = ["PAGE_BYTES", "Image"]

PAGE_BYTES = 4096
"""Unit of allocation; a whole number of lines."""


class Image:
    """Sparse byte array of 2**64 bytes.

    Parameters
    ----------
    pages:
        Initial content: (address, bytes) pairs in any size and order; later ones win.
    """

    def __init__(self, pages: Iterable[tuple[int, bytes]] = ()) -> None:
        self._pages: dict[int, NDArray[np.uint8]] = {}
        for address, content in pages:
            self.write(address, content)

    def _page(self, number: int) -> NDArray[np.uint8]:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = np.zeros(PAGE_BYTES, dtype=np.uint8)
        return page

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes from `address` on."""
        parts = []
        end = address + length
        while address < end:
            number, offset = divmod(address, PAGE_BYTES)
            size = min(PAGE_BYTES - offset, end - address)
            page = self._pages.get(number)
            parts.append(bytes(size) if page is None else page[offset:offset + size].tobytes())
            address += size
        return b"".join(parts)

    def write(self, address: int, content: bytes) -> None:
        """Store `content` from `address` on."""
        done = 0
        while done < len(content):
            number, offset = divmod(address + done, PAGE_BYTES)
            size = min(PAGE_BYTES - offset, len(content) - done)
            self._page(number)[offset:offset + size] = np.frombuffer(
                content, dtype=np.uint8, count=size, offset=done)
            done += size

    def read_lines(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return whole lines.

        Parameters
        ----------
        addresses:
            Byte addresses, each a multiple of 64, shape (N,).

        Returns
        -------
        numpy.ndarray
            ``uint8``, shape (N, 64).
        """
        lines = np.zeros((len(addresses), LINE_BYTES), dtype=np.uint8)
        for number, places, rows in self._by_page(addresses):
            page = self._pages.get(number)
            if page is not None:
                lines[places] = page.reshape(-1, LINE_BYTES)[rows]
        return lines

    def write_lines(self, addresses: NDArray[np.uint64], lines: NDArray[np.uint8]) -> None:
        """Store whole lines: `lines` is ``uint8``, shape (N, 64); no address may occur twice."""
        for number, places, rows in self._by_page(addresses):
            self._page(number).reshape(-1, LINE_BYTES)[rows] = lines[places]

    @staticmethod
    def _by_page(addresses: NDArray[np.uint64]) -> Iterator[
            tuple[int, NDArray[np.intp], NDArray[np.uint64]]]:
        """Of each page that `addresses` touch: its number, where in `addresses`, which rows."""
        if (addresses % np.uint64(LINE_BYTES)).any():
            raise ValueError(f"an address is not a multiple of {LINE_BYTES}")
        numbers = addresses // np.uint64(PAGE_BYTES)
        rows = addresses % np.uint64(PAGE_BYTES) // np.uint64(LINE_BYTES)
        order = np.argsort(numbers, kind="stable")
        starts = np.flatnonzero(np.diff(numbers[order])) + 1
        for places in np.split(order, starts):
            if len(places):
                yield int(numbers[places[0]]), places, rows[places]

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield (address, 4096 bytes) of every page ever written, in order of address."""
        for number in sorted(self._pages):
            yield number * PAGE_BYTES, self._pages[number].tobytes()

    def first_difference(self, other: Image) -> tuple[int, int, int] | None:
        """Compare with `other`.

        Returns
        -------
        tuple or None
            Address of the first byte that differs, that byte here, that byte there; None if equal.
        """
        empty = np.zeros(PAGE_BYTES, dtype=np.uint8)
        for number in sorted(self._pages.keys() | other._pages.keys()):
            here = self._pages.get(number, empty)
            there = other._pages.get(number, empty)
            different = np.flatnonzero(here != there)
            if len(different):
                offset = int(different[0])
                return number * PAGE_BYTES + offset, int(here[offset]), int(there[offset])
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        return self.first_difference(other) is None

    __hash__ = None  # pyright: ignore[reportAssignmentType]
