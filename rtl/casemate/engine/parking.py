"""Rows of encrypted lines that came before their tweak, kept until it is there."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..rams import IN_BLOCK_RAM, read_next
from ..streams import Picker
from .layouts import cipher_row_layout

__all__ = ["Parking"]


class Parking(wiring.Component):
    """One line for each entry. Rows are always accepted, so that they never hold up the DRAM.

    Once a row of a line was parked, all that follow it must be. They leave, in order, when the
    line's last row has come and its tweak is known: latency 3 cycles from then, one row per cycle.

    Members
    -------
    row: In(cipher_row_layout(config)), park: In(1)
        A row to be kept. An error of its response is not: whoever checks the line has seen it.
    parked: Out(2 ** entry_id_bits)
        Entries with a row in here.
    received: In(2 ** entry_id_bits)
        A pulse with the last row of an entry's line.
    tweaked: In(2 ** entry_id_bits)
        Entries whose tweak is known.
    taken: In(2 ** entry_id_bits)
        Entries that are taken for another line: what is in here of the old one is forgotten.
    o: Out(stream.Signature(cipher_row_layout(config)))
        Rows to be decrypted.
    """

    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        ids = 2**config.entry_id_bits
        super().__init__({
            "row": In(cipher_row_layout(config)), "park": In(1), "parked": Out(ids),
            "received": In(ids), "tweaked": In(ids), "taken": In(ids),
            "o": Out(stream.Signature(cipher_row_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        ids, rows = 2**config.entry_id_bits, config.rows_per_line
        m.submodules.lines = lines = Memory(
            shape=8 * config.row_bytes, depth=ids * rows, init=[], attrs=IN_BLOCK_RAM)
        start = data.StructLayout({"row": range(rows), "key": range(config.domain_slots)})
        m.submodules.starts = starts = Memory(shape=start, depth=ids, init=[])
        write = lines.write_port()
        start_write, start_read = starts.write_port(), starts.read_port(domain="comb")
        m.submodules.choice = choice = Picker(ids)
        chosen = choice.o.payload

        entry = self.row.entry
        whole = Signal(ids)
        first = Signal()
        m.d.comb += [
            first.eq(self.park & ~self.parked.bit_select(entry, 1)),
            write.en.eq(self.park), write.data.eq(self.row.data),
            write.addr.eq(entry * rows + self.row.row),
            start_write.en.eq(first), start_write.addr.eq(entry),
            start_write.data.row.eq(self.row.row), start_write.data.key.eq(self.row.key),
            choice.requests.eq(self.parked & whole & self.tweaked),
            start_read.addr.eq(chosen),
        ]
        left = Signal(ids)
        m.d.comb += left.eq(Mux(choice.o.valid & choice.o.ready, 1 << chosen, 0) | self.taken)
        m.d.sync += [
            self.parked.eq((self.parked | Mux(self.park, 1 << entry, 0)) & ~left),
            whole.eq((whole | self.received) & ~left),
        ]

        # `row_now` is being read, `fetched` describes what was.
        begun, counted, row_now = Signal(), Signal(range(rows)), Signal(range(rows))
        fetched = Signal(cipher_row_layout(config), reset_less=True)
        advance = Signal()
        data_now = read_next(m, lines, chosen * rows + row_now, advance)
        m.d.comb += [
            row_now.eq(Mux(begun, counted, start_read.data.row)),
            advance.eq(~self.o.valid | self.o.ready),
            choice.o.ready.eq(advance & (row_now == rows - 1)),
            self.o.payload.eq(fetched), self.o.payload.data.eq(data_now),
        ]
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(choice.o.valid), fetched.row.eq(row_now),
                fetched.entry.eq(chosen), fetched.key.eq(start_read.data.key),
            ]
            with m.If(choice.o.valid):
                m.d.sync += [
                    begun.eq(row_now != rows - 1), counted.eq(row_now + 1 if rows > 1 else 0)]
        return m
