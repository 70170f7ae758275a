"""Layout of the 64-byte metadata lines: leaf and node, packed and unpacked.

Bit 0 is the least significant bit of the 64 bytes read as a little-endian integer. A field's
position follows from the shape, in this order: versions, tags, owner, valid bits, zero bits, MAC.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from casemate.config import COUNTERS_PER_NODE, LINE_BYTES, LeafShape

__all__ = ["COUNTER_BITS", "MAC_BITS", "FormatError", "Leaf", "Node"]

COUNTER_BITS = 52
"""Width of a node's counters."""

MAC_BITS = 64
"""Width of a node's MAC."""


class FormatError(ValueError):
    """Bytes that are no leaf or node, or a field that does not fit; the message names it."""


class _Packer:
    """Lay fields side by side, from bit 0 up."""

    def __init__(self) -> None:
        self.value = 0
        self.position = 0

    def put(self, name: str, value: int, width: int) -> None:
        if not 0 <= value < 1 << width:
            raise FormatError(f"{name} = {value:#x} does not fit {width} bits")
        self.value |= value << self.position
        self.position += width

    def put_all(self, name: str, values: tuple[int, ...], count: int, width: int) -> None:
        if len(values) != count:
            raise FormatError(f"{len(values)} values of {name} instead of {count}")
        for index, value in enumerate(values):
            self.put(f"{name}[{index}]", value, width)

    def finish(self, mac: int, mac_bits: int) -> bytes:
        self.position = 8 * LINE_BYTES - mac_bits
        self.put("mac", mac, mac_bits)
        return self.value.to_bytes(LINE_BYTES, "little")


class _Unpacker:
    """Take fields off, from bit 0 up."""

    def __init__(self, content: bytes, what: str) -> None:
        if len(content) != LINE_BYTES:
            raise FormatError(f"a {what} has {LINE_BYTES} bytes, not {len(content)}")
        self.what = what
        self.value = int.from_bytes(content, "little")
        self.position = 0

    def take(self, width: int) -> int:
        value = self.value >> self.position & (1 << width) - 1
        self.position += width
        return value

    def take_all(self, count: int, width: int) -> tuple[int, ...]:
        return tuple(self.take(width) for _ in range(count))

    def finish(self, mac_bits: int) -> int:
        zeros = 8 * LINE_BYTES - mac_bits - self.position
        if self.take(zeros):
            raise FormatError(f"the {zeros} unused bits before the MAC of a {self.what} "
                              "are not zero")
        return self.take(mac_bits)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """Metadata of one granule of lines.

    Parameters
    ----------
    versions:
        Write counter of each line.
    tags:
        Tag of each line; byte 0 of the tag is its least significant.
    owner:
        Domain ID that owns the granule; 0 is nobody.
    valid:
        Of each line, whether it was written since it was claimed.
    mac:
        MAC over the bytes before it; byte 0 is its least significant.
    shape:
        Widths and counts of the fields.
    """

    versions: tuple[int, ...]
    tags: tuple[int, ...]
    owner: int
    valid: tuple[bool, ...]
    mac: int
    shape: LeafShape = field(default_factory=LeafShape)

    def pack(self) -> bytes:
        """Return the leaf's 64 bytes.

        Raises
        ------
        FormatError
            If a field does not fit its width or there are too many or too few of them.
        """
        shape = self.shape
        packer = _Packer()
        packer.put_all("versions", self.versions, shape.lines, shape.version_bits)
        packer.put_all("tags", self.tags, shape.lines, shape.tag_bits)
        packer.put("owner", self.owner, shape.owner_bits)
        packer.put_all("valid", tuple(map(int, self.valid)), shape.lines, 1)
        return packer.finish(self.mac, shape.mac_bits)

    @classmethod
    def unpack(cls, content: bytes, shape: LeafShape | None = None) -> Leaf:
        """Take 64 bytes apart.

        Raises
        ------
        FormatError
            If there are not 64 bytes, or unused bits are not zero.
        """
        shape = shape or LeafShape()
        unpacker = _Unpacker(content, "leaf")
        versions = unpacker.take_all(shape.lines, shape.version_bits)
        tags = unpacker.take_all(shape.lines, shape.tag_bits)
        owner = unpacker.take(shape.owner_bits)
        valid = tuple(map(bool, unpacker.take_all(shape.lines, 1)))
        return cls(versions=versions, tags=tags, owner=owner, valid=valid,
                   mac=unpacker.finish(shape.mac_bits), shape=shape)


@dataclass(frozen=True, kw_only=True)
class Node:
    """Inner node of the tree: the counters of its eight children, and its MAC."""

    counters: tuple[int, ...]
    mac: int

    def pack(self) -> bytes:
        """Return the node's 64 bytes.

        Raises
        ------
        FormatError
            If a counter or the MAC does not fit, or there are not eight counters.
        """
        packer = _Packer()
        packer.put_all("counters", self.counters, COUNTERS_PER_NODE, COUNTER_BITS)
        return packer.finish(self.mac, MAC_BITS)

    @classmethod
    def unpack(cls, content: bytes) -> Node:
        """Take 64 bytes apart.

        Raises
        ------
        FormatError
            If there are not 64 bytes, or unused bits are not zero.
        """
        unpacker = _Unpacker(content, "node")
        counters = unpacker.take_all(COUNTERS_PER_NODE, COUNTER_BITS)
        return cls(counters=counters, mac=unpacker.finish(MAC_BITS))
