"""The write buffer: lines as the host wrote them, filled up with what DRAM held."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from ..rams import IN_BLOCK_RAM, read_next
from .bundles import BufferRead, BufferWrite, Collected, EntryResult
from .layouts import row_layout

__all__ = ["WriteBuffer"]


class WriteBuffer(wiring.Component):
    """One line for each write entry, with its strobes.

    Written by the collector, byte by byte, and by fills, which touch only the bytes that the host
    did not write. A fill has precedence: ``blocked`` tells the collector. Reading takes one cycle.

    Members
    -------
    write: In(BufferWrite(config))
        Beats from the collector.
    blocked: Out(1)
        A fill uses the write port in this cycle.
    collected: In(Collected(config))
        The strobes of a line that was collected.
    row: In(row_layout(config)), row_valid: In(1)
        A row of a fill; ``row.id`` names the entry.
    filled: Out(EntryResult(write_entries))
        In the cycle of a fill's last row: which entry, and the first error of its rows.
    read: In(BufferRead(config))
    blank: In(write_entries)
        Entries of which bytes without a strobe are read as zeros, not as what the buffer held
        before: of whatever domain that was, it must not be seen on the bus.
    strobe_entry: In, strobe: Out(64)
        The strobes of a line, combinational.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        entry = range(config.write_entries)
        super().__init__({
            "write": In(BufferWrite(config)), "blocked": Out(1),
            "collected": In(Collected(config)),
            "row": In(row_layout(config)), "row_valid": In(1),
            "filled": Out(EntryResult(config.write_entries)), "read": In(BufferRead(config)),
            "strobe_entry": In(entry), "strobe": Out(LINE_BYTES),
            "blank": In(config.write_entries),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n, rows = config.write_entries, config.rows_per_line
        m.submodules.lines = lines = Memory(
            shape=8 * config.row_bytes, depth=n * rows, init=[], attrs=IN_BLOCK_RAM)
        write = lines.write_port(granularity=8)
        read = read_next(m, lines, self.read.entry * rows + self.read.row, self.read.enable)
        m.submodules.strobes = strobes = Memory(shape=LINE_BYTES, depth=n, init=[])
        strobes_write = strobes.write_port()
        fill_strobe, send_strobe = (strobes.read_port(domain="comb") for _ in range(2))

        entry = Signal(range(n))
        kept = Signal(config.row_bytes)  # bytes of the fill's row that the host wrote
        m.d.comb += [
            strobes_write.en.eq(self.collected.valid & ~self.collected.chunk.refused),
            strobes_write.addr.eq(self.collected.entry),
            strobes_write.data.eq(self.collected.strobe),
            send_strobe.addr.eq(self.strobe_entry), self.strobe.eq(send_strobe.data),
            entry.eq(self.row.id), fill_strobe.addr.eq(entry),
            kept.eq(fill_strobe.data.word_select(self.row.row, config.row_bytes)
                    if rows > 1 else fill_strobe.data),
            self.blocked.eq(self.row_valid),
        ]
        with m.If(self.row_valid):
            m.d.comb += [
                write.addr.eq(entry * rows + self.row.row), write.data.eq(self.row.data),
                write.en.eq(~kept),
            ]
        with m.Else():
            m.d.comb += [
                write.addr.eq(self.write.entry * rows + self.write.row),
                write.data.eq(self.write.data),
                write.en.eq(Mux(self.write.valid, self.write.strobe, 0)),
            ]

        read_strobe = strobes.read_port(domain="comb")
        written = Signal(config.row_bytes, reset_less=True)
        m.d.comb += [
            read_strobe.addr.eq(self.read.entry),
            self.read.data.eq(read & Cat(bit.replicate(8) for bit in written)),
        ]
        with m.If(self.read.enable):
            m.d.sync += written.eq(
                (read_strobe.data.word_select(self.read.row, config.row_bytes)
                 if rows > 1 else read_strobe.data)
                | (~self.blank.bit_select(self.read.entry, 1)).replicate(config.row_bytes))

        errors = [Signal(2, name=f"error_{i}") for i in range(n)]
        response = Signal(2)
        for i in range(n):
            with m.If(entry == i):
                m.d.comb += response.eq(Mux(errors[i].any(), errors[i], self.row.response))
            with m.If(self.row_valid & (entry == i)):
                m.d.sync += errors[i].eq(Mux(self.filled.valid, 0, response))
        m.d.comb += [
            self.filled.valid.eq(self.row_valid & (self.row.row == rows - 1)),
            self.filled.index.eq(entry), self.filled.response.eq(response),
        ]
        return m
