"""Content that appears at another place (splice) or at another time (replay)."""

from __future__ import annotations

import random
from collections.abc import Iterable

from .attack import DATA_ATTACK, METADATA_ATTACK, Attack
from .dram import Dram
from .scene import Scene

__all__ = ["MOVES", "Replay", "Splice"]


class Splice(Attack):
    """Swaps contents of DRAM."""

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return the addresses that are swapped."""
        raise NotImplementedError

    def strike(self, dram: Dram) -> None:
        """Swap."""
        for first, second in self.pairs():
            one, two = dram.read_line(first), dram.read_line(second)
            dram.write_line(first, two)
            dram.write_line(second, one)


class SpliceLines(Splice):
    """Two lines."""

    name = "splice_lines"
    description = "Two data lines are swapped: of one granule, or of two."
    expected = DATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.other = rng.choice((scene.sibling, scene.cousin, scene.stranger))

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return the lines."""
        yield self.scene.line_address(self.scene.target), self.scene.line_address(self.other)


class SpliceLeaves(Splice):
    """Two leaves."""

    name = "splice_leaves"
    description = "Two leaves are swapped."
    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.other = rng.choice((scene.cousin, scene.stranger))

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return the leaves."""
        yield self.scene.address(0, self.scene.target), self.scene.address(0, self.other)


class SpliceGranules(SpliceLeaves):
    """Two granules with their leaves."""

    name = "splice_granules"
    description = "Two granules are swapped, each with its leaf."
    expected = DATA_ATTACK

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return the leaves and all lines that they describe."""
        yield from super().pairs()
        count = self.scene.config.leaf.lines
        first, second = (line // count * count for line in (self.scene.target, self.other))
        for place in range(count):
            yield self.scene.line_address(first + place), self.scene.line_address(second + place)


class SpliceNodes(Splice):
    """Two nodes of one level."""

    name = "splice_nodes"
    description = "Two nodes of one level are swapped."
    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        levels = [level for level in range(1, scene.levels)
                  if scene.index(level, scene.target) != scene.index(level, scene.stranger)]
        self.level = rng.choice(levels) if levels else 0

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return the nodes."""
        if self.level:
            yield (self.scene.address(self.level, self.scene.target),
                   self.scene.address(self.level, self.scene.stranger))


class SpliceLevels(Splice):
    """A leaf and a node, or nodes of two levels."""

    name = "splice_levels"
    description = "A leaf or node is swapped with the one above it."
    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.level = rng.randrange(scene.levels - 1) if scene.levels > 1 else -1

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return parent and child."""
        if self.level >= 0:
            yield (self.scene.address(self.level, self.scene.target),
                   self.scene.address(self.level + 1, self.scene.target))


class SpliceLineLeaf(Splice):
    """A line and its leaf."""

    name = "splice_line_leaf"
    description = "A data line is swapped with its leaf."
    expected = DATA_ATTACK

    def pairs(self) -> Iterable[tuple[int, int]]:
        """Return line and leaf."""
        yield (self.scene.line_address(self.scene.target),
               self.scene.address(0, self.scene.target))


class Replay(Attack):
    """Puts old contents back."""

    expected = DATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self._old: dict[int, bytes] = {}

    def places(self, dram: Dram) -> Iterable[int]:
        """Return the addresses whose content is kept and put back."""
        raise NotImplementedError

    def observe(self, dram: Dram) -> None:
        """Keep the contents."""
        self._old = {address: dram.read_line(address) for address in self.places(dram)}

    def strike(self, dram: Dram) -> None:
        """Put them back."""
        for address, content in self._old.items():
            dram.write_line(address, content)


class ReplayLine(Replay):
    """A line."""

    name = "replay_line"
    description = "A data line holds again what it held before."

    def places(self, dram: Dram) -> Iterable[int]:
        """Return the line."""
        return [self.scene.line_address(self.scene.target)]


class ReplayLeaf(Replay):
    """A leaf."""

    name = "replay_leaf"
    description = "A leaf holds again what it held before; the data lines do not."
    expected = METADATA_ATTACK

    def places(self, dram: Dram) -> Iterable[int]:
        """Return the leaf."""
        return [self.scene.address(0, self.scene.target)]


class ReplayLineLeaf(Replay):
    """A line and its leaf."""

    name = "replay_line_leaf"
    description = "A granule and its leaf hold again what they held before."

    def places(self, dram: Dram) -> Iterable[int]:
        """Return the lines of the granule and the leaf."""
        count = self.scene.config.leaf.lines
        first = self.scene.target // count * count
        return [*(self.scene.line_address(first + place) for place in range(count)),
                self.scene.address(0, self.scene.target)]


class ReplayPath(ReplayLineLeaf):
    """A line and everything above it."""

    name = "replay_path"
    description = "A granule, its leaf and all nodes above hold again what they held before."

    def places(self, dram: Dram) -> Iterable[int]:
        """Return the granule and the path."""
        return [*super().places(dram), *self.scene.path(self.scene.target)[1:]]


class ReplayDram(Replay):
    """Everything."""

    name = "replay_dram"
    description = "All of DRAM holds again what it held before."

    def places(self, dram: Dram) -> Iterable[int]:
        """Return all that was ever touched."""
        return dram.addresses()


MOVES: tuple[type[Attack], ...] = (
    SpliceLines, SpliceLeaves, SpliceGranules, SpliceNodes, SpliceLevels, SpliceLineLeaf,
    ReplayLine, ReplayLeaf, ReplayLineLeaf, ReplayPath, ReplayDram)
"""All of them."""
