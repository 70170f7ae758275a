"""Structures of the trace player, and the data that it writes."""

from amaranth import Cat, Const, Mux, Value
from amaranth.lib import data

__all__ = [
    "BLOCK_BITS", "LATENCY_BITS", "LINE_BITS", "MAXIMUM_IDS", "MAXIMUM_OUTSTANDING", "RECORD",
    "RING_BITS", "SETTINGS", "write_beat",
]

LINE_BITS = 42
"""Width of a line number: 2**46 bytes of data window."""

SEQUENCE_BITS = 32
"""Width of a write's sequence number, which counts from 1."""

BLOCK_BITS = 128
"""Bits of a self-identifying block of write data."""

MAXIMUM_OUTSTANDING = 64
"""Most reads, and most writes, in flight."""

RING_BITS = 6
"""Width of a read's place in the ring; places are freed in the order of issue."""

MAXIMUM_IDS = 16
"""Most AXI IDs per direction."""

LATENCY_BITS = 10
"""Width of a latency bin; the last bin holds everything from 1023 cycles on."""

RECORD = data.StructLayout({"line": LINE_BITS, "distance": 32, "write": 1, "dependent": 1})
"""One access: line number in the data window, instructions since the previous record, whether it
writes, whether it waits for the previous read's data."""

SETTINGS = data.StructLayout({
    "base": LINE_BITS,
    "reads": range(MAXIMUM_OUTSTANDING + 1),
    "writes": range(MAXIMUM_OUTSTANDING + 1),
    "rate": 16,
    "window": 20,
    "id_mask": range(MAXIMUM_IDS),
    "domain": 12,
})
"""Run-time inputs: first line of the data window (address / 64), most reads and writes in flight,
instructions per cycle in 1/256, most instructions past the oldest outstanding read, number of IDs
minus one (the number is a power of two), domain ID for AxUSER."""


def write_beat(line: Value, sequence: Value, beat: Value, data_bits: int) -> Value:
    """Return the data of one write beat; every 16-byte block says which write it belongs to.

    Bits of block b of a line: 0..47 line number; 48..63 low half of the sequence number; 64..95 the
    sequence number; 96..97 b; 98..127 the line number's low 30 bits, inverted.

    Parameters
    ----------
    line:
        Line number in the data window, 42 bits.
    sequence:
        Sequence number of the write, 32 bits.
    beat:
        Which beat of the line.
    data_bits:
        Width of a beat: 64, 128, 256 or 512.
    """
    low = Cat(line[:LINE_BITS], Const(0, 48 - LINE_BITS), sequence[:16])

    def high(block: Value) -> Value:
        return Cat(sequence[:SEQUENCE_BITS], block[0], block[1], ~line[:30])

    if data_bits == 64:
        return Mux(beat[0], high(beat[1:3]), low)
    blocks = data_bits // BLOCK_BITS
    return Cat(Cat(low, high((beat * blocks + i)[:2])) for i in range(blocks))
