"""Where contents lie: the cache's lines, and the slots of the entries."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from ..rams import IN_BLOCK_RAM, WORDS_IN_LUTS, read_next
from .interface import node_row_layout
from .table import entry_shape

__all__ = ["SlotRead", "Storage", "place_layout"]


def place_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a place: in the cache at ``line``, or with ``in_slot`` in the slot ``slot``."""
    assert config.tree is not None
    return data.StructLayout({
        "line": range(config.tree.cache_sets * config.tree.cache_ways),
        "slot": entry_shape(config), "in_slot": 1})


class SlotRead(wiring.Signature):
    """A read port for a row of a slot; its data follow one cycle later and stay without ``enable``.

    Members
    -------
    enable: Out(1), entry: Out, row: Out(range(rows_per_line)), data: In(8 * row_bytes)
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "enable": Out(1), "entry": Out(entry_shape(config)),
            "row": Out(range(config.rows_per_line)), "data": In(8 * config.row_bytes),
        })


class Storage(wiring.Component):
    """Reads one place and writes one place in each cycle; rows from DRAM go in between.

    A RAM in LUTs has 16 words, however few are used. If that is enough for lines and slots
    together, they share one, and rows wait for whatever else is written; otherwise the cache has a
    RAM of its own, and rows wait only for what is written to slots.

    Members
    -------
    look: In(place_layout(config)), held: Out(512)
        What lies at a place, one cycle later, with what is written in the cycle of ``look``.
    to: In(place_layout(config)), changed: In(512), write: In(1)
        What is written, and where.
    needed: In(1)
        There may be a ``write``, which is known late; without it there is none.
    row: In(stream.Signature(node_row_layout(config)))
        Rows from DRAM, for the slots.
    read: In(SlotRead(config))
        A row that is written in the cycle of ``enable`` reads as anything.
    """

    row: stream.Interface

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        self._lines = config.tree.cache_sets * config.tree.cache_ways
        place = place_layout(config)
        super().__init__({
            "look": In(place), "held": Out(8 * LINE_BYTES), "to": In(place),
            "changed": In(8 * LINE_BYTES), "write": In(1), "needed": In(1),
            "row": In(stream.Signature(node_row_layout(config))), "read": In(SlotRead(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        together = self._lines + config.node_entries <= WORDS_IN_LUTS
        rows = config.rows_per_line
        row, blocked = self.row.payload, Signal()
        entry, words, slot_rows = Signal(entry_shape(config)), Signal(8 * LINE_BYTES), Signal(rows)
        arrives = Signal(rows)
        m.d.comb += [
            blocked.eq(self.needed if together else self.needed & self.to.in_slot),
            self.row.ready.eq(~blocked),
            entry.eq(Mux(blocked, self.to.slot, row.entry)),
            words.eq(Mux(blocked, self.changed, row.data.replicate(rows))),
            arrives.eq(Mux(self.row.valid & self.row.ready, 1 << row.row, 0)),
            slot_rows.eq((self.write & self.to.in_slot).replicate(rows) | arrives),
        ]
        if together:
            self._elaborate_together(m, blocked, entry, words, arrives)
        else:
            self._elaborate_apart(m, entry, words, slot_rows)
        self._elaborate_rows(m, entry, words, slot_rows)
        return m

    def _elaborate_together(self, m: Module, blocked: Signal, entry: Signal, words: Signal,
                            arrives: Signal) -> None:
        """Keep lines, and behind them slots, in one RAM."""
        m.submodules.places = places = Memory(
            shape=8 * LINE_BYTES, depth=self._lines + self._config.node_entries, init=[])
        write = places.write_port(granularity=8 * self._config.row_bytes)
        look = places.read_port(transparent_for=[write])
        m.d.comb += [
            look.addr.eq(Mux(
                self.look.in_slot, self._lines + self.look.slot, self.look.line)),
            self.held.eq(look.data),
            write.en.eq(self.write.replicate(len(arrives)) | arrives), write.data.eq(words),
            write.addr.eq(Mux(
                blocked & ~self.to.in_slot, self.to.line, self._lines + entry)),
        ]

    def _elaborate_apart(self, m: Module, entry: Signal, words: Signal,
                         slot_rows: Signal) -> None:
        """Keep lines in one RAM, slots in another."""
        row_bits = 8 * self._config.row_bytes
        m.submodules.lines = lines = Memory(shape=8 * LINE_BYTES, depth=self._lines, init=[])
        m.submodules.slots = slots = Memory(
            shape=8 * LINE_BYTES, depth=self._config.node_entries, init=[])
        line_write, slot_write = lines.write_port(), slots.write_port(granularity=row_bits)
        line_read = lines.read_port(transparent_for=[line_write])
        slot_read = slots.read_port(transparent_for=[slot_write])
        in_slot = Signal()
        m.d.sync += in_slot.eq(self.look.in_slot)
        m.d.comb += [
            line_read.addr.eq(self.look.line), slot_read.addr.eq(self.look.slot),
            self.held.eq(Mux(in_slot, slot_read.data, line_read.data)),
            line_write.addr.eq(self.to.line), line_write.data.eq(self.changed),
            line_write.en.eq(self.write & ~self.to.in_slot),
            slot_write.addr.eq(entry), slot_write.data.eq(words), slot_write.en.eq(slot_rows),
        ]

    def _elaborate_rows(self, m: Module, entry: Signal, words: Signal, slot_rows: Signal) -> None:
        """Keep the slots once more, to be read by rows: a RAM in LUTs has one port to read."""
        config = self._config
        row_bits = 8 * config.row_bytes
        # The block RAMs of the ciphers that are not there have room for it.
        in_block_ram = self._tree.shared_cipher and not self._tree.pad_cipher.pipelined
        read_row = Signal(range(config.rows_per_line))
        with m.If(self.read.enable):
            m.d.sync += read_row.eq(self.read.row)
        for number in range(config.rows_per_line):
            m.submodules[f"rows_{number}"] = memory = Memory(
                shape=row_bits, depth=config.node_entries, init=[],
                attrs=IN_BLOCK_RAM if in_block_ram else {})
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(entry), write.data.eq(words.word_select(number, row_bits)),
                write.en.eq(slot_rows[number]),
            ]
            data_now = read_next(m, memory, self.read.entry, self.read.enable)
            with m.If(read_row == number):
                m.d.comb += self.read.data.eq(data_now)
