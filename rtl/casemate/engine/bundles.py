"""Bundles of signals between the blocks of the write path, from the initiator's point of view."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from .layouts import chunk_layout

__all__ = [
    "BufferRead", "BufferWrite", "BurstOpening", "Collected", "EntryResult", "Verdict",
    "WriteAuthentication",
]


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


class Verdict(wiring.Signature):
    """What became of the check of a line from DRAM, in a cycle with ``valid``.

    Members
    -------
    valid: Out(1), id: Out(entry_id_bits)
    passed: Out(1)
        The line may be released.
    response: Out(2)
        Response of the whole line; OKAY without ``passed``: the line is zeros.
    tampered: Out(1)
        The tag did not match.
    dropped: Out(1)
        No rows of the line come out of the decryption: they never went in.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "valid": Out(1), "id": Out(config.entry_id_bits), "passed": Out(1),
            "response": Out(2), "tampered": Out(1), "dropped": Out(1),
        })


class WriteAuthentication(wiring.Signature):
    """What the table of writes and ``AuthenticatedWrites`` tell each other, from the table's view.

    Members
    -------
    clear: Out(write_entries)
        Entries with something to store that wait for nothing older of their line.
    authenticate, partial: Out(write_entries)
        Entries of domains that authenticate; entries of which not every byte is written.
    ending: Out(1), ending_index: Out(range(write_entries))
        An entry ends without having stored anything, or because all its parts are done.
    busy: In(1)
        No entry may end in this cycle.
    fillable, sendable: In(write_entries)
        Entries whose line is to be fetched; that may be sent.
    void: In(write_entries)
        Entries whose line was fetched and did not pass.
    closed: In(write_entries)
        Entries whose version and tag are in their leaf.
    denied: In(EntryResult(write_entries))
        An entry whose access was refused.
    judged: In(EntryResult(write_entries))
        The verdict on an entry's fetched line.
    """

    def __init__(self, config: EngineConfig):
        n = config.write_entries
        super().__init__({
            "clear": Out(n), "authenticate": Out(n), "partial": Out(n),
            "ending": Out(1), "ending_index": Out(range(n)), "busy": In(1),
            "fillable": In(n), "sendable": In(n), "void": In(n), "closed": In(n),
            "denied": In(EntryResult(n)), "judged": In(EntryResult(n)),
        })
