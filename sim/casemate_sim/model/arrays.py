"""Many leaves or nodes at once, as arrays; one at a time they are in ``formats``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from casemate.config import COUNTERS_PER_NODE, LINE_BYTES, LeafShape
from numpy.typing import NDArray

from casemate_sim.model.formats import COUNTER_BITS, FormatError

__all__ = ["MAC_BYTES", "LeafArray", "macs", "pack_counters", "set_macs", "unpack_counters"]

MAC_BYTES = 8
"""A leaf's or node's MAC is its last 8 bytes."""

_WORD_BITS = 64


def _take(bits: NDArray[np.uint8], first: int, count: int, width: int) -> NDArray[np.uint64]:
    """Return `count` fields of `width` bits from bit `first` on, (N, count)."""
    fields = bits[:, first:first + count * width].reshape(len(bits), count, width)
    words = np.zeros((len(bits), count, _WORD_BITS), dtype=np.uint8)
    words[:, :, :width] = fields
    return np.packbits(words, axis=2, bitorder="little").view("<u8")[:, :, 0]


def _put(bits: NDArray[np.uint8], first: int, width: int, name: str,
         values: NDArray[np.uint64]) -> int:
    """Store fields of `width` bits from bit `first` on; return the first bit behind them."""
    if width < _WORD_BITS and (values >> np.uint64(width)).any():
        raise FormatError(f"a value of {name} does not fit {width} bits")
    words = np.ascontiguousarray(values, dtype="<u8").view(np.uint8)
    words = words.reshape(*values.shape, _WORD_BITS // 8)
    fields = np.unpackbits(words, axis=2, bitorder="little")[:, :, :width]
    behind = first + values.shape[1] * width
    bits[:, first:behind] = fields.reshape(len(bits), behind - first)
    return behind


@dataclass
class LeafArray:
    """Fields of N leaves without their MACs.

    Parameters
    ----------
    versions, tags:
        ``uint64``, shape (N, lines of a leaf).
    owner:
        ``uint64``, shape (N,).
    valid:
        ``bool``, shape (N, lines of a leaf).
    """

    versions: NDArray[np.uint64]
    tags: NDArray[np.uint64]
    owner: NDArray[np.uint64]
    valid: NDArray[np.bool_]

    @classmethod
    def unpack(cls, contents: NDArray[np.uint8], shape: LeafShape) -> LeafArray:
        """Take leaves apart: `contents` is ``uint8``, shape (N, 64)."""
        bits = np.unpackbits(contents, axis=1, bitorder="little")
        lines = shape.lines
        tags = lines * shape.version_bits
        owner = tags + lines * shape.tag_bits
        return cls(versions=_take(bits, 0, lines, shape.version_bits),
                   tags=_take(bits, tags, lines, shape.tag_bits),
                   owner=_take(bits, owner, 1, shape.owner_bits)[:, 0],
                   valid=_take(bits, owner + shape.owner_bits, lines, 1).astype(bool))

    def pack(self, shape: LeafShape) -> NDArray[np.uint8]:
        """Return the leaves, ``uint8``, shape (N, 64), with MACs of zero.

        Raises
        ------
        FormatError
            If a field does not fit; the message names it.
        """
        bits = np.zeros((len(self.owner), 8 * LINE_BYTES), dtype=np.uint8)
        place = 0
        for name, width, values in (
                ("versions", shape.version_bits, self.versions),
                ("tags", shape.tag_bits, self.tags),
                ("owner", shape.owner_bits, self.owner[:, None]),
                ("valid", 1, self.valid.astype(np.uint64))):
            place = _put(bits, place, width, name, values)
        return np.packbits(bits, axis=1, bitorder="little")


def unpack_counters(contents: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the counters of N nodes, (N, 8)."""
    bits = np.unpackbits(contents, axis=1, bitorder="little")
    return _take(bits, 0, COUNTERS_PER_NODE, COUNTER_BITS)


def pack_counters(counters: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return N nodes with these counters, ``uint8``, (N, 64), with MACs of zero."""
    bits = np.zeros((len(counters), 8 * LINE_BYTES), dtype=np.uint8)
    _put(bits, 0, COUNTER_BITS, "counters", counters)
    return np.packbits(bits, axis=1, bitorder="little")


def macs(contents: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the MACs that N leaves or nodes carry."""
    return np.ascontiguousarray(contents[:, -MAC_BYTES:]).view("<u8")[:, 0]


def set_macs(contents: NDArray[np.uint8], values: NDArray[np.uint64]) -> None:
    """Put MACs into N leaves or nodes."""
    contents[:, -MAC_BYTES:] = values.astype("<u8")[:, None].view(np.uint8)
