"""Payloads that travel between the blocks of the engine, derived from the configuration."""

from amaranth import Value
from amaranth.hdl import ValueLike
from amaranth.lib import data

from ..config import DOMAIN_BITS, LINE_BYTES, EngineConfig

__all__ = [
    "OFFSET_BITS", "attributes_layout", "chunk_layout", "cipher_row_layout", "command_layout",
    "line_layout", "memory_beat_layout", "next_offset", "ownership_fields", "request_layout",
    "row_layout",
]

OFFSET_BITS = (LINE_BYTES - 1).bit_length()
"""Width of a byte's position in its line."""


def attributes_layout() -> data.StructLayout:
    """Layout of what passes from the host's address channel to the DRAM's: CACHE, PROT, QOS."""
    return data.StructLayout({"cache": 4, "prot": 3, "qos": 4})


def ownership_fields(config: EngineConfig) -> dict[str, int]:
    """Fields of commands and chunks that matter with a tree only.

    ``authenticate`` is the domain's mode bit, ``claim`` the bit of AWUSER.
    """
    return {} if config.tree is None else {"authenticate": 1, "domain": DOMAIN_BITS, "claim": 1}


def command_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of one AXI burst, admitted to a domain's slot.

    ``refused`` marks a burst that is answered with SLVERR and touches no memory.
    """
    return data.StructLayout({
        "address": config.address_bits, "length": 8, "size": 3, "burst": 2, "id": config.id_bits,
        "slot": range(config.domain_slots), "encrypt": 1, "refused": 1,
        "attributes": attributes_layout(), **ownership_fields(config),
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
        "attributes": attributes_layout(), **ownership_fields(config),
    })


def line_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of what the blocks with keys must know of an authenticated line in flight."""
    return data.StructLayout({
        "line": config.line_bits, "slot": range(config.domain_slots), "encrypt": 1,
        "domain": DOMAIN_BITS, "claim": 1,
    })


def request_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a line to be fetched or written; ``id`` names the entry that waits for it."""
    return data.StructLayout({
        "id": config.entry_id_bits, "line": config.line_bits, "attributes": attributes_layout(),
    })


def row_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a row of a fetched line on its way to the entry that asked for it.

    ``response`` is the DRAM's RRESP; ``data`` is zero where that is an error.
    """
    return data.StructLayout({
        "id": config.entry_id_bits, "row": range(config.rows_per_line), "response": 2,
        "data": 8 * config.row_bytes,
    })


def cipher_row_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a row on its way to the decryption; the tag is the row's RRESP."""
    return data.StructLayout({
        "data": 8 * config.row_bytes, "row": range(config.rows_per_line),
        "entry": range(2**config.entry_id_bits), "tag": 2, "key": range(config.domain_slots),
    })


def memory_beat_layout(config: EngineConfig, id_bits: int) -> data.StructLayout:
    """One beat of the DRAM's read data channel, without RLAST."""
    return data.StructLayout({"id": id_bits, "data": config.data_bits, "response": 2})


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
