"""Structures of the DRAM model: timing inputs, requests, commands, address map.

Address map, from the top: row, bank, column (LiteDRAM's default ``ROW_BANK_COL``): consecutive
lines fill an open row, the next row's worth lies in the next bank. A row number has as many bits as
the address leaves over, so a window of any size works.
"""

from dataclasses import dataclass

from amaranth import Mux, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data
from casemate.axi.signature import Burst

from casemate_sim.dram.timing import COLUMNS_PER_ROW, DramTiming

__all__ = ["TIMING", "Geometry", "columns_of_burst", "next_offset", "timing_values"]

OFFSET_BITS = 6
"""Bits of a byte's place in its 64-byte line."""

TIMING = data.StructLayout({
    "t_rcd": 8, "t_rp": 8, "t_ras": 8, "t_rc": 8, "t_rtp": 8, "t_wtp": 8, "t_rtw": 8, "t_wtr": 8,
    "t_rrd": 8, "t_faw": 8, "t_refi": 16, "t_rfc": 16, "read_latency": 16, "rows": 1,
    "write_high": 5, "write_low": 5, "group": 8, "starvation": 8,
})
"""Run-time inputs of the model, the fields of `DramTiming` of the same names."""


def timing_values(timing: DramTiming) -> dict[str, int]:
    """Return the values of `TIMING`'s fields for `timing`."""
    return {name: int(getattr(timing, name)) for name in TIMING.members}


@dataclass(frozen=True)
class Geometry:
    """Widths that follow from the bus and the number of banks.

    Parameters
    ----------
    data_bits:
        Width of the data bus in bits: 64 to 512.
    address_bits:
        Width of the AXI addresses in bits.
    id_bits:
        Width of the AXI IDs in bits.
    banks:
        Number of banks, a power of two.
    """

    data_bits: int
    address_bits: int
    id_bits: int
    banks: int = 8

    @property
    def beats(self) -> int:
        """Beats, and column commands, of a 64-byte line."""
        return 512 // self.data_bits

    @property
    def beat_bits(self) -> int:
        """Bits of a byte's place in its beat."""
        return (self.data_bits // 8).bit_length() - 1

    @property
    def row_lines(self) -> int:
        """Lines in an open row."""
        return COLUMNS_PER_ROW // self.beats

    @property
    def line_bits(self) -> int:
        """Width of a line's address."""
        return self.address_bits - OFFSET_BITS

    @property
    def bank_bits(self) -> int:
        """Width of a bank number."""
        return (self.banks - 1).bit_length()

    @property
    def row_bits(self) -> int:
        """Width of a row number."""
        return self.line_bits - self.bank_bits - (self.row_lines - 1).bit_length()

    def bank(self, line: Value) -> Value:
        """Bank of a line address."""
        low = (self.row_lines - 1).bit_length()
        return line[low:low + self.bank_bits]

    def row(self, line: Value) -> Value:
        """Row of a line address."""
        return line[(self.row_lines - 1).bit_length() + self.bank_bits:]

    @property
    def burst(self) -> data.StructLayout:
        """An accepted AXI burst."""
        return data.StructLayout({
            "id": self.id_bits, "line": self.line_bits, "offset": OFFSET_BITS, "length": 8,
            "size": 3, "burst": Burst})

    @property
    def request(self) -> data.StructLayout:
        """A waiting request; ``columns`` is one less than its column commands."""
        return data.StructLayout({
            "bank": self.bank_bits, "row": self.row_bits, "columns": 3, "bankless": 1,
            "burst": self.burst})

    @property
    def column_command(self) -> data.StructLayout:
        """A column access as the banks see it."""
        return data.StructLayout({
            "valid": 1, "write": 1, "bankless": 1, "bank": self.bank_bits, "columns": 3})

    @property
    def row_command(self) -> data.StructLayout:
        """An activate or a precharge of one bank."""
        return data.StructLayout({
            "valid": 1, "activate": 1, "bank": self.bank_bits, "row": self.row_bits})


def next_offset(burst: Value, size: Value, length: Value, offset: Value) -> Value:
    """Place in its line of the beat behind the one at `offset` (AXI4, IHI 0022, A3.4.1)."""
    bytes_per_beat = (1 << size)[:OFFSET_BITS + 1]
    aligned = offset & ~(bytes_per_beat - 1)[:OFFSET_BITS]
    following = (aligned + bytes_per_beat)[:OFFSET_BITS]
    wrap = (((length[:4] + 1) << size) - 1)[:OFFSET_BITS]
    return Mux(burst == Burst.FIXED.value, offset,
               Mux(burst == Burst.WRAP.value, (offset & ~wrap) | (following & wrap), following))


def columns_of_burst(geometry: Geometry, burst: ValueLike) -> Value:
    """One less than the column commands that a burst inside one line needs."""
    view = data.View(geometry.burst, Value.cast(burst))
    low, kind = geometry.beat_bits, Value.cast(view.burst)
    spread = ((view.length + 1) << view.size)[:OFFSET_BITS + 1] - 1
    aligned = view.offset & ~((1 << view.size) - 1)[:OFFSET_BITS]
    last = (aligned + spread)[:OFFSET_BITS]
    increasing = (last >> low) - (view.offset >> low)
    return Mux(kind == Burst.FIXED.value, 0,
               Mux(kind == Burst.WRAP.value, spread >> low, increasing))[:3]
