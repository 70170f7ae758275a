"""Bundles of signals between the blocks of the write path, from the initiator's point of view."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from .layouts import chunk_layout

__all__ = ["BufferRead", "BufferWrite", "BurstOpening", "Collected", "EntryResult"]


class BufferWrite(wiring.Signature):
    """A beat for the write buffer, in a cycle with ``valid``.

    Members
    -------
    valid: Out(1)
    entry: Out(range(write_entries)), row: Out(range(rows_per_line))
    data: Out(8 * row_bytes), strobe: Out(row_bytes)
        A bit of ``strobe`` for each byte of the row.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "valid": Out(1), "entry": Out(range(config.write_entries)),
            "row": Out(range(config.rows_per_line)), "data": Out(8 * config.row_bytes),
            "strobe": Out(config.row_bytes),
        })


class BufferRead(wiring.Signature):
    """A read port of the write buffer.

    Members
    -------
    enable: Out(1), entry: Out(range(write_entries)), row: Out(range(rows_per_line))
    data: In(8 * row_bytes)
        Follows one cycle later, and stays while ``enable`` is low.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "enable": Out(1), "entry": Out(range(config.write_entries)),
            "row": Out(range(config.rows_per_line)), "data": In(8 * config.row_bytes),
        })


class Collected(wiring.Signature):
    """A chunk whose last beat was accepted in the cycle before.

    Members
    -------
    valid: Out(1)
        A pulse; comes for refused chunks too.
    entry: Out(range(write_entries))
        Meaningless for a refused chunk.
    chunk: Out(chunk_layout(config)), burst: Out(range(write_bursts))
    strobe: Out(64)
        A bit for each byte of the line.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "valid": Out(1), "entry": Out(range(config.write_entries)),
            "chunk": Out(chunk_layout(config)), "burst": Out(range(config.write_bursts)),
            "strobe": Out(LINE_BYTES),
        })


class EntryResult(wiring.Signature):
    """What became of an access to DRAM, in a cycle with ``valid``.

    Parameters
    ----------
    entries:
        Size of the table that ``index`` points into.

    Members
    -------
    valid: Out(1), index: Out(range(entries)), response: Out(2)
        ``response`` is an AXI response.
    """

    def __init__(self, entries: int):
        super().__init__({"valid": Out(1), "index": Out(range(entries)), "response": Out(2)})


class BurstOpening(wiring.Signature):
    """A host write burst begins, in a cycle with ``valid`` and ``ready``.

    Members
    -------
    valid: Out(1), ready: In(1), id: Out(id_bits)
    number: In(range(write_bursts))
        The number that the burst gets.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "valid": Out(1), "ready": In(1), "id": Out(config.id_bits),
            "number": In(range(config.write_bursts)),
        })
