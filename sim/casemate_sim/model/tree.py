"""The integrity tree over an image: verified reads, writes that seal, and a walk over all of it.

Level 0 are the leaves, level k the nodes above; the root is an array of counters that no adversary
can touch. What the counter in its parent says was never written is all zeros, whatever DRAM holds.
Everything takes many leaves or nodes at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from casemate.config import COUNTERS_PER_NODE, LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.model.arrays import (
    MAC_BYTES,
    macs,
    pack_counters,
    set_macs,
    unpack_counters,
)
from casemate_sim.model.errors import ExhaustedError, IntegrityError, ModelError
from casemate_sim.model.formats import COUNTER_BITS, MAC_BITS
from casemate_sim.model.tags import KIND_LEAF, metadata_macs

__all__ = ["Lines", "Tree", "VerifiedLevel", "find_root"]

Numbers = NDArray[np.uint64]
Contents = NDArray[np.uint8]

_CHILDREN = np.uint64(COUNTERS_PER_NODE)
_TRIED_AT_ONCE = 1 << 10


class Lines(Protocol):
    """Anything of which lines can be read: an image, a file."""

    def read_lines(self, addresses: Numbers) -> Contents:
        """Return whole lines: byte addresses (N,) to ``uint8`` (N, 64)."""
        ...


@dataclass(frozen=True)
class VerifiedLevel:
    """What a walk finds in one level.

    Parameters
    ----------
    level:
        0 for leaves.
    indices, contents:
        Numbers and bytes of those that were written and verify, (N,) ascending and (N, 64).
    wrong:
        Numbers of those that were written and do not verify, ascending.
    """

    level: int
    indices: Numbers
    contents: Contents
    wrong: Numbers


@dataclass
class _Step:
    """Leaves or nodes of one level on the way to the root."""

    level: int
    indices: Numbers  # ascending, each once
    counters: Numbers  # theirs, in their parents
    contents: Contents  # verified


class Tree:
    """Leaves and nodes of one engine.

    Parameters
    ----------
    config:
        The engine's configuration.
    key:
        K4.
    image:
        Content of DRAM; writes need an :class:`~casemate_sim.model.Image`.
    root:
        The root counters, ``root_counters`` of them, changed in place; all zero if None.

    Raises
    ------
    ModelError
        If `root` has another size, or the leaf's MAC has not 64 bits.
    """

    def __init__(self, config: EngineConfig, key: bytes, image: Lines,
                 root: Numbers | None = None) -> None:
        if root is None:
            root = np.zeros(config.root_counters, dtype=np.uint64)
        if root.shape != (config.root_counters,):
            raise ModelError(f"{root.shape} root counters; the configuration has "
                             f"{config.root_counters}")
        if config.leaf.mac_bits != MAC_BITS:
            raise ModelError(f"a leaf's MAC has {MAC_BITS} bits, not {config.leaf.mac_bits}")
        self.config = config
        self.root = root
        self._key = key
        self._image = image
        self._top = config.levels - 1

    def addresses(self, level: int, indices: Numbers) -> Numbers:
        """Return where leaves (level 0) or nodes lie in DRAM."""
        return np.uint64(self.config.regions[1 + level].base) + indices * np.uint64(LINE_BYTES)

    def address(self, level: int, index: int) -> int:
        """Return where a leaf (level 0) or node lies in DRAM."""
        return self.config.regions[1 + level].base + index * LINE_BYTES

    # -- reading -----------------------------------------------------------------------------

    def read(self, level: int, indices: Numbers) -> Contents:
        """Return leaves (level 0) or nodes, verified from the root down.

        Parameters
        ----------
        level:
            0 to ``config.levels - 1``.
        indices:
            Numbers in their level, shape (N,), in any order.

        Returns
        -------
        numpy.ndarray
            ``uint8``, shape (N, 64).

        Raises
        ------
        IntegrityError
            If one of them or a node above does not verify; of several the topmost, and of these
            the one of the lowest number.
        """
        unique, where = np.unique(indices, return_inverse=True)
        return self._path(level, unique)[-1].contents[where]

    def counters(self, level: int, indices: Numbers) -> Numbers:
        """Return the counters of leaves or nodes in their verified parents; see :meth:`read`."""
        unique, where = np.unique(indices, return_inverse=True)
        return self._path(level, unique, verify=False)[-1].counters[where]

    def _path(self, level: int, indices: Numbers, *, verify: bool = True) -> list[_Step]:
        """Read from the top down to `level`; without `verify` the last step is not fetched."""
        touched = [indices]
        for _ in range(level, self._top):
            touched.append(np.unique(touched[-1] // _CHILDREN))
        steps: list[_Step] = []
        for number in range(self._top, level - 1, -1):
            mine = touched[number - level]
            counters = self._counters_of(mine, steps)
            if number == level and not verify:
                contents = np.zeros((len(mine), LINE_BYTES), dtype=np.uint8)
            else:
                contents = self._fetch(number, mine, counters)
                wrong = self._wrong(number, mine, counters, contents)
                if wrong.any():
                    index = int(mine[wrong][0])
                    raise IntegrityError(number, index, self.address(number, index))
            steps.append(_Step(number, mine, counters, contents))
        return steps

    def _counters_of(self, indices: Numbers, above: list[_Step]) -> Numbers:
        if not above:
            return self.root[indices.astype(np.intp)]
        parent = above[-1]
        rows = np.searchsorted(parent.indices, indices // _CHILDREN)
        return unpack_counters(parent.contents)[rows, (indices % _CHILDREN).astype(np.intp)]

    def _fetch(self, level: int, indices: Numbers, counters: Numbers) -> Contents:
        contents = np.zeros((len(indices), LINE_BYTES), dtype=np.uint8)
        written = counters != 0
        contents[written] = self._image.read_lines(self.addresses(level, indices[written]))
        return contents

    def _wrong(self, level: int, indices: Numbers, counters: Numbers,
               contents: Contents) -> NDArray[np.bool_]:
        wrong = counters != 0
        wrong[wrong] = macs(contents[wrong]) != self._macs(
            level, indices[wrong], counters[wrong], contents[wrong])
        return wrong

    def _macs(self, level: int, indices: Numbers, counters: Numbers, contents: Contents) -> Numbers:
        return metadata_macs(self._key, KIND_LEAF + level, counters, indices,
                             np.ascontiguousarray(contents[:, :-MAC_BYTES]))

    def matching_counters(self, level: int, index: int, content: Contents,
                          counters: Numbers) -> Numbers:
        """Return those of `counters` under which a leaf's or node's MAC matches."""
        count = len(counters)
        right = self._macs(level, np.full(count, index, dtype=np.uint64), counters,
                           np.tile(content, (count, 1)))
        return counters[right == macs(content[None, :])[0]]

    # -- writing -----------------------------------------------------------------------------

    def write_leaves(self, indices: Numbers, contents: Contents) -> None:
        """Write leaves: count each of them and every node above up by one, and seal all.

        Parameters
        ----------
        indices:
            Numbers of the leaves, shape (N,), none twice.
        contents:
            ``uint8``, shape (N, 64); the last 8 bytes are replaced by the MAC.

        Raises
        ------
        IntegrityError
            If a node above does not verify; nothing has changed.
        ExhaustedError
            If a counter is the highest that there is; nothing has changed.
        """
        order = np.argsort(indices)
        steps = self._path(0, indices[order], verify=False)
        highest = np.uint64((1 << min(self.config.counter_bits, COUNTER_BITS)) - 1)
        for step in steps:
            spent = step.indices[step.counters >= highest]
            if len(spent):
                index = int(spent[0])
                raise ExhaustedError(step.level, index, self.address(step.level, index))
        for step in steps:
            step.counters = step.counters + np.uint64(1)
        self.root[steps[0].indices.astype(np.intp)] = steps[0].counters
        steps[-1].contents = contents[order].copy()
        for above, below in pairwise(steps):
            held = unpack_counters(above.contents)
            rows = np.searchsorted(above.indices, below.indices // _CHILDREN)
            held[rows, (below.indices % _CHILDREN).astype(np.intp)] = below.counters
            above.contents = pack_counters(held)
        for step in steps:
            set_macs(step.contents,
                     self._macs(step.level, step.indices, step.counters, step.contents))
            self._image.write_lines(  # pyright: ignore[reportAttributeAccessIssue]
                self.addresses(step.level, step.indices), step.contents)

    # -- all of it ---------------------------------------------------------------------------

    def walk(self) -> Iterator[VerifiedLevel]:
        """Verify everything that was ever written, level by level from the top down.

        Below a node that does not verify nothing is looked at: its counters mean nothing.
        """
        stored = self.config.regions[1 + self._top].size // LINE_BYTES
        indices = np.flatnonzero(self.root[:stored]).astype(np.uint64)
        counters = self.root[indices.astype(np.intp)]
        for level in range(self._top, -1, -1):
            contents = self._fetch(level, indices, counters)
            wrong = self._wrong(level, indices, counters, contents)
            right = VerifiedLevel(level, indices[~wrong], contents[~wrong], indices[wrong])
            yield right
            if level:
                held = unpack_counters(right.contents)
                children = right.indices[:, None] * _CHILDREN + np.arange(8, dtype=np.uint64)
                indices, counters = children[held != 0], held[held != 0]


def find_root(config: EngineConfig, key: bytes, image: Lines, highest: int = 1 << 16) -> Numbers:
    """Find the root counters of an engine that does not tell them.

    Whoever has K4 can try: a counter is right when the MAC of the node below matches.

    Parameters
    ----------
    config:
        The engine's configuration.
    key:
        K4.
    image:
        Content of DRAM after a flush.
    highest:
        The last counter that is tried.

    Returns
    -------
    numpy.ndarray
        ``uint64``, shape (``root_counters``,); 0 where no counter matches, as if the node had
        never been written.
    """
    tree = Tree(config, key, image)
    level = config.levels - 1
    stored = config.regions[-1].size // LINE_BYTES
    indices = np.arange(stored, dtype=np.uint64)
    contents = image.read_lines(tree.addresses(level, indices))
    for index in np.flatnonzero(contents.any(axis=1)).tolist():
        for first in range(1, highest + 1, _TRIED_AT_ONCE):
            counters = np.arange(first, min(first + _TRIED_AT_ONCE, highest + 1), dtype=np.uint64)
            found = tree.matching_counters(level, index, contents[index], counters)
            if len(found):
                tree.root[index] = found[0]
                break
    return tree.root
