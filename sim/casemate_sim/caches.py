"""Cache hierarchy between a program's accesses and DRAM, simulated by pycachesim.

Every level is write-back with true LRU replacement and 64-byte lines. The first allocates on a
write; a deeper one is written whole lines only and takes them without fetching. pycachesim
(https://github.com/RRZE-HPC/pycachesim) counts hits and misses but hands out no addresses, so the
memory behind the last level is one more of its caches, which keeps nothing and prints each load and
store that reaches it; that print-out is what this module reads.
"""

from __future__ import annotations

import contextlib
import operator
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

from casemate_sim.toolchain import ToolError
from casemate_sim.trace import CacheLevel

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["HIERARCHIES", "CacheError", "CacheFilter", "CachesimMissingError", "parse_hierarchy"]

KIB, MIB = 2**10, 2**20

HIERARCHIES: dict[str, tuple[CacheLevel, ...]] = {
    "desktop": (
        CacheLevel(name="L1", size=32 * KIB, ways=8),
        CacheLevel(name="L2", size=256 * KIB, ways=8),
        CacheLevel(name="L3", size=2 * MIB, ways=16),
    ),
    "embedded": (
        CacheLevel(name="L1", size=16 * KIB, ways=4),
        CacheLevel(name="L2", size=128 * KIB, ways=8),
    ),
}
"""Named hierarchies: one core's share of a desktop processor, and a small Linux-class processor."""


class CacheError(ValueError):
    """A cache hierarchy is impossible or pycachesim is missing; the message says what to do."""


class CachesimMissingError(CacheError, ToolError):
    """pycachesim is not installed; the message says how to get it."""


def parse_hierarchy(text: str) -> tuple[CacheLevel, ...]:
    """Read a hierarchy: a name of ``HIERARCHIES``, or ``SIZE:WAYS`` of each level, L1 first.

    Sizes may end with K or M, as in ``32K:8,256K:8,2M:16``.

    Raises
    ------
    CacheError
        If it is neither, or a level is impossible; the message names the level.
    """
    if text in HIERARCHIES:
        return HIERARCHIES[text]
    levels = []
    for number, part in enumerate(text.split(","), start=1):
        size, _, ways = part.strip().partition(":")
        factor = {"K": KIB, "M": MIB}.get(size[-1:].upper(), 1)
        digits = size[:-1] if factor > 1 else size
        if not (digits.isdecimal() and ways.isdecimal()):
            raise CacheError(f"cache level {part!r} is not SIZE:WAYS, as in 32K:8; hierarchies "
                             f"with a name are {', '.join(HIERARCHIES)}")
        levels.append(CacheLevel(name=f"L{number}", size=factor * int(digits), ways=int(ways)))
    for level in levels:
        _sets(level)
    return tuple(levels)


def _sets(level: CacheLevel) -> int:
    sets, rest = divmod(level.size, LINE_BYTES * level.ways) if level.ways > 0 else (0, 1)
    if rest or sets < 1 or sets & (sets - 1):
        raise CacheError(f"{level.name} of {level.size} bytes in {level.ways} ways is not possible:"
                         f" size / ({LINE_BYTES} * ways) must be a power of two")
    return sets


class _Memory:
    """Stand for ``sys.stdout`` while pycachesim prints, and note what it says of the memory level.

    What another thread prints meanwhile, such as a progress bar, reaches the real one.
    """

    def __init__(self) -> None:
        self.events: list[tuple[int, int, bool]] = []
        """Items left to do, line, whether it is a write-back."""
        self.items: Iterator[object] = iter(())
        self._thread = threading.get_ident()
        self._real = sys.stdout

    @contextlib.contextmanager
    def listening(self, items: Iterator[object]) -> Iterator[None]:
        """Note what is printed while `items` are worked off."""
        self.events, self.items = [], items
        self._thread, self._real = threading.get_ident(), sys.stdout
        with contextlib.redirect_stdout(cast("TextIO", self)):
            yield

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def write(self, text: str) -> int:
        """Note one event, if it is one."""
        if threading.get_ident() != self._thread:
            return self._real.write(text)
        if text.startswith(("MEM LOAD=", "MEM STORE=")):
            place = text.index(" cl_id=") + 7
            line = int(text[place:text.index(" ", place)])
            self.events.append((operator.length_hint(self.items), line, text[4] == "S"))
        return len(text)


class CacheFilter:
    """Pass accesses through the caches; what leaves the last level comes out.

    Parameters
    ----------
    hierarchy:
        The levels, first level first, one at least.

    Raises
    ------
    CacheError
        If a level is impossible or pycachesim is not installed.
    """

    def __init__(self, hierarchy: Sequence[CacheLevel]) -> None:
        try:
            from cachesim import Cache, CacheSimulator, MainMemory
        except ImportError:
            raise CachesimMissingError("pycachesim is not installed; `pip install "
                                       "'casemate[record]'` does it") from None
        if not hierarchy:
            raise CacheError("a cache hierarchy has one level at least")
        self.hierarchy = tuple(hierarchy)
        self._first_sets = _sets(hierarchy[0])
        below = Cache("MEM", 1, 1, LINE_BYTES, "LRU", write_back=False, write_allocate=False)
        below.backend.verbosity = 4  # prints every load and store
        self._levels = []
        for number, level in reversed(list(enumerate(hierarchy))):
            below = Cache(level.name, _sets(level), level.ways, LINE_BYTES, "LRU", write_back=True,
                          write_allocate=number == 0, load_from=below, store_to=below)
            self._levels.insert(0, below)
        self._simulator = CacheSimulator(below, MainMemory())
        self._memory = _Memory()

    def filter(self, line: NDArray[np.uint64], write: NDArray[np.bool_]) -> tuple[
            NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
        """Pass accesses, in order, through the caches.

        Parameters
        ----------
        line:
            Line that each access touches, shape (N,).
        write:
            Whether it writes, shape (N,).

        Returns
        -------
        cause, line, write : numpy.ndarray
            Of each line that leaves or enters the last level, in order: index of the access that
            caused it, the line, and whether it is written back (else it is read).
        """
        chosen, merged = self._drop_certain_hits(line, write)
        addresses = (line[chosen] << np.uint64(6)).tolist()
        # A store that hits does not make a line the most recent in pycachesim: a load before it
        # does.
        items = [((address,), (address,) if stores else None)
                 for address, stores in zip(addresses, merged.tolist(), strict=True)]
        iterator = iter(items)
        with self._memory.listening(iterator):
            self._simulator.loadstore(iterator)
        events = np.array(self._memory.events, dtype=np.int64).reshape(-1, 3)
        cause = chosen[len(items) - 1 - events[:, 0]]
        return cause, events[:, 1].astype(np.uint64), events[:, 2].astype(bool)

    def _drop_certain_hits(self, line: NDArray[np.uint64], write: NDArray[np.bool_]) -> tuple[
            NDArray[np.int64], NDArray[np.bool_]]:
        """Merge accesses that find their line the most recent one of its set in the first level.

        Such an access hits and changes nothing but the dirty bit, so it is merged with the access
        before it to that set. Returns the indices that are left and whether each writes.
        """
        if not len(line):
            return np.empty(0, np.int64), np.empty(0, bool)
        index_set = line % np.uint64(self._first_sets)
        narrow = np.uint16 if self._first_sets <= 1 << 16 else np.uint64
        order = np.argsort(index_set.astype(narrow), kind="stable")
        sorted_line = line[order]
        begins = np.flatnonzero(np.r_[True, sorted_line[1:] != sorted_line[:-1]])
        merged = np.logical_or.reduceat(write[order], begins)
        chosen = order[begins]
        back = np.argsort(chosen)
        return chosen[back].astype(np.int64), merged[back]

    def misses(self) -> dict[str, int]:
        """Return how often each level missed so far, by pycachesim's own counters."""
        return {level.name: int(cache.backend.MISS_count)
                for level, cache in zip(self.hierarchy, self._levels, strict=True)}

    def write_backs(self) -> dict[str, int]:
        """Return how many lines each level wrote back so far, by pycachesim's own counters."""
        return {level.name: int(cache.backend.EVICT_count)
                for level, cache in zip(self.hierarchy, self._levels, strict=True)}
