"""Payloads that travel between the blocks of the engine, derived from the configuration."""

from amaranth import Value
from amaranth.hdl import ValueLike
from amaranth.lib import data

from ..config import LINE_BYTES, EngineConfig

__all__ = [
    "OFFSET_BITS", "attributes_layout", "chunk_layout", "command_layout", "next_offset",
    "request_layout", "row_layout",
]

OFFSET_BITS = (LINE_BYTES - 1).bit_length()
"""Width of a byte's position in its line."""


def attributes_layout() -> data.StructLayout:
    """Layout of what passes from the host's address channel to the DRAM's: CACHE, PROT, QOS."""
    return data.StructLayout({"cache": 4, "prot": 3, "qos": 4})


def command_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of one AXI burst, admitted to a domain's slot.

    ``refused`` marks a burst that is answered with SLVERR and touches no memory.
    """
    return data.StructLayout({
        "address": config.address_bits, "length": 8, "size": 3, "burst": 2, "id": config.id_bits,
        "slot": range(config.domain_slots), "encrypt": 1, "refused": 1,
        "attributes": attributes_layout(),
    })


def chunk_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of the part of a burst that lies in one line.

    ``line`` is the line number; ``offset`` the first beat's position in the line, in bytes;
    ``beats`` the number of beats less one; ``wrap`` the mask of the position's bits that count
    (all ones unless the burst wraps inside the line); ``last`` marks the burst's last chunk.
    """
    return data.StructLayout({
        "line": config.line_bits, "offset": OFFSET_BITS, "size": 3, "wrap": OFFSET_BITS,
        "beats": OFFSET_BITS, "last": 1, "id": config.id_bits,
        "slot": range(config.domain_slots), "encrypt": 1, "refused": 1,
        "attributes": attributes_layout(),
    })


def request_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a line to be fetched or written; ``id`` names the entry that waits for it."""
    return data.StructLayout({
        "id": config.memory_id_bits, "line": config.line_bits, "attributes": attributes_layout(),
    })


def row_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a row of a fetched line on its way to the entry that asked for it.

    ``response`` is the DRAM's RRESP; ``data`` is zero where that is an error.
    """
    return data.StructLayout({
        "id": config.memory_id_bits, "row": range(config.rows_per_line), "response": 2,
        "data": 8 * config.row_bytes,
    })


def next_offset(offset: ValueLike, size: ValueLike, wrap: ValueLike) -> Value:
    """Position in the line of the beat behind the one at `offset` (AXI4, burst address equations).

    Parameters
    ----------
    offset:
        Position of a beat in its line, in bytes; need not be aligned for the first beat.
    size:
        AxSIZE.
    wrap:
        Mask of the bits that count: the wrap container's size less one, or all ones.
    """
    offset, wrap = Value.cast(offset), Value.cast(wrap)
    step = (1 << Value.cast(size))[:OFFSET_BITS + 1]
    aligned = offset & ~(step - 1)[:OFFSET_BITS]
    return ((offset & ~wrap) | ((aligned + step) & wrap))[:OFFSET_BITS]
