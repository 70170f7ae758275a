"""Bits that change in DRAM: one, several, a row of them."""

from __future__ import annotations

import random
from typing import ClassVar

from casemate.config import LINE_BYTES

from .attack import DATA_ATTACK, METADATA_ATTACK, Attack
from .dram import Dram, flipped
from .scene import Scene

__all__ = ["FLIPS", "ROW_BYTES", "FlipData", "FlipLeaf", "FlipNode", "RowHammer"]

ROW_BYTES = 8192
"""Bytes of a row of DRAM: what hammering its neighbours disturbs."""


def flip(dram: Dram, address: int, bit: int) -> None:
    """Change one bit of the 64 bytes at an address."""
    dram.write_line(address, flipped(dram.read_line(address), bit))


class FlipData(Attack):
    """One bit of the target line."""

    name = "flip_data"
    description = "One bit of a data line changes."
    expected = DATA_ATTACK
    count: ClassVar[tuple[int, int]] = (1, 1)

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.bits = rng.sample(range(8 * LINE_BYTES), rng.randint(*self.count))

    def strike(self, dram: Dram) -> None:
        """Flip."""
        address = self.scene.line_address(self.scene.target)
        for bit in self.bits:
            flip(dram, address, bit)


class FlipDataMulti(FlipData):
    """Several bits of the target line."""

    name = "flip_data_multi"
    description = "2 to 64 bits of a data line change."
    count = (2, 64)


class FlipLeaf(Attack):
    """One bit of a field of the target's leaf."""

    field: ClassVar[str]
    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        line = scene.target if rng.random() < 0.7 else scene.sibling
        self.bit = rng.choice(scene.leaf_bits(self.field, line))

    def strike(self, dram: Dram) -> None:
        """Flip."""
        flip(dram, self.scene.address(0, self.scene.target), self.bit)


class FlipVersion(FlipLeaf):
    """A version."""

    name, field = "flip_version", "version"
    description = "One bit of the version of a line, its own or its neighbour's, changes."


class FlipTag(FlipLeaf):
    """A tag."""

    name, field = "flip_tag", "tag"
    description = "One bit of the tag of a line, its own or its neighbour's, changes."


class FlipOwner(FlipLeaf):
    """The owner."""

    name, field = "flip_owner", "owner"
    description = "One bit of the owner of a granule changes."


class FlipValid(FlipLeaf):
    """A valid bit."""

    name, field = "flip_valid", "valid"
    description = "The valid bit of a line, its own or its neighbour's, changes."


class FlipLeafMac(FlipLeaf):
    """A leaf's MAC."""

    name, field = "flip_leaf_mac", "mac"
    description = "One bit of the MAC of a leaf changes."


class FlipNode(Attack):
    """One bit of a field of a node above the target."""

    field: ClassVar[str]
    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.level = rng.randrange(1, scene.levels) if scene.levels > 1 else 0
        bits = scene.node_bits(self.field, max(1, self.level), scene.target)
        self.bit = rng.choice(bits)

    def strike(self, dram: Dram) -> None:
        """Flip."""
        if self.level:
            flip(dram, self.scene.address(self.level, self.scene.target), self.bit)


class FlipCounter(FlipNode):
    """A counter."""

    name, field = "flip_counter", "counter"
    description = "One bit of a counter on the path of a line changes."


class FlipZeros(FlipNode):
    """The bits that must be zero."""

    name, field = "flip_zeros", "zeros"
    description = "One of the zero bits of a node on the path of a line changes."


class FlipNodeMac(FlipNode):
    """A node's MAC."""

    name, field = "flip_node_mac", "mac"
    description = "One bit of the MAC of a node on the path of a line changes."


class RowHammer(Attack):
    """Bits all over a row of DRAM and its neighbours."""

    name = "rowhammer"
    description = "2 to 16 bits change in a row of 8 KiB, of data or of metadata."
    expected = DATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.address = rng.choice([scene.line_address(scene.target)] * 2
                                  + scene.path(scene.target))
        self.count = rng.randint(2, 16)
        self._rng = random.Random(rng.getrandbits(64))

    def strike(self, dram: Dram) -> None:
        """Flip bits in lines of the row that hold something; one of them is surely looked at."""
        row = self.address // ROW_BYTES
        there = [address for address in dram.addresses() if address // ROW_BYTES == row]
        for number in range(self.count):
            address = self._rng.choice(there) if number and there else self.address
            bit = self._rng.randrange(8 * LINE_BYTES)
            flip(dram, address, bit)


FLIPS: tuple[type[Attack], ...] = (
    FlipData, FlipDataMulti, FlipVersion, FlipTag, FlipOwner, FlipValid, FlipLeafMac, FlipCounter,
    FlipZeros, FlipNodeMac, RowHammer)
"""All of them."""
