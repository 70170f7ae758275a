"""The table of lines being read: hazards against writes, requests to DRAM."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..streams import Picker
from .free import lowest_free
from .layouts import chunk_layout, request_layout

__all__ = ["ReadTable"]


class ReadTable(wiring.Component):
    """One entry for each chunk that is being read; its index is the AXI ID towards DRAM.

    An entry is taken in the cycle of the transfer on ``i``; when no write of the same line is
    ahead of it, its request leaves in that same cycle. A read that came after a write of its line
    waits until that write's response has come from DRAM, because AXI4 orders nothing between the
    two. Reads of one line do not wait for each other.

    Members
    -------
    i: In(stream.Signature(chunk_layout(config)))
        Chunks to read. Not ready while the table is full.
    taken: Out(range(read_entries))
        The entry that a transfer on ``i`` takes.
    request: Out(stream.Signature(request_layout(config)))
        Lines to fetch. May change while it is not ready (see ``streams.Holder``).
    received: In(read_entries)
        One bit pulses when the last beat of an entry's line has come.
    release: In(read_entries)
        One bit pulses when an entry is done with: it is free in the next cycle.
    pending: Out(read_entries), lines: Out(line_bits).array(read_entries)
        Entries whose line has not fully come, and their line numbers.
    writes: In(write_entries), write_lines: In(line_bits).array(write_entries)
        Writes that are ahead of whatever is taken in this cycle, and their line numbers.
    written: In(write_entries)
        One bit pulses when a write's response has come.
    idle: Out(1)
        No entry is in use.
    """

    i: stream.Interface
    taken: Signal
    request: stream.Interface
    received: Signal
    release: Signal
    pending: Signal
    writes: Signal
    written: Signal
    idle: Signal

    def __init__(self, config: EngineConfig):
        self._config = config
        reads, writes = config.read_entries, config.write_entries
        super().__init__({
            "i": In(stream.Signature(chunk_layout(config))),
            "taken": Out(range(reads)),
            "request": Out(stream.Signature(request_layout(config))),
            "received": In(reads),
            "release": In(reads),
            "pending": Out(reads), "lines": Out(config.line_bits).array(reads),
            "writes": In(writes), "write_lines": In(config.line_bits).array(writes),
            "written": In(writes),
            "idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n, writes = config.read_entries, config.write_entries
        chunk = self.i.payload

        used = Signal(n)
        unsent = Signal(n)  # the request is still to be made
        blockers = [Signal(writes, name=f"blockers_{i}") for i in range(n)]

        free, index = lowest_free(m, used)
        m.d.comb += [self.i.ready.eq(free), self.taken.eq(index), self.idle.eq(~used.any())]
        take = Signal()
        m.d.comb += take.eq(self.i.valid & self.i.ready)

        same_line = Signal(writes)
        m.d.comb += same_line.eq(
            Cat(line == chunk.line for line in self.write_lines) & self.writes & ~self.written)

        m.submodules.waiting = waiting = Picker(n)
        m.d.comb += waiting.requests.eq(
            unsent & Cat(~blockers[i].any() for i in range(n)))
        held = Signal(request_layout(config))
        m.submodules.held = memory = Memory(shape=request_layout(config), depth=n, init=[])
        held_write, held_read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            held_write.addr.eq(index), held_write.en.eq(take),
            held_write.data.id.eq(index), held_write.data.line.eq(chunk.line),
            held_write.data.attributes.eq(chunk.attributes),
            held_read.addr.eq(waiting.o.payload), held.eq(held_read.data),
        ]

        at_once = Signal()
        m.d.comb += [
            at_once.eq(take & ~chunk.refused & ~same_line.any()),
            self.request.valid.eq(waiting.o.valid | at_once),
            self.request.payload.eq(Mux(waiting.o.valid, held, held_write.data)),
            waiting.o.ready.eq(self.request.ready),
        ]
        sent_at_once = at_once & ~waiting.o.valid & self.request.ready

        for i in range(n):
            taken = take & (index == i)
            with m.If(taken):
                m.d.sync += [
                    used[i].eq(1),
                    unsent[i].eq(~chunk.refused & ~sent_at_once),
                    self.pending[i].eq(~chunk.refused),
                    self.lines[i].eq(chunk.line),
                    blockers[i].eq(same_line),
                ]
            with m.Else():
                m.d.sync += blockers[i].eq(blockers[i] & ~self.written)
                with m.If(self.release[i]):
                    m.d.sync += used[i].eq(0)
                with m.If(self.received[i]):
                    m.d.sync += self.pending[i].eq(0)
                with m.If(waiting.o.valid & waiting.o.ready & (waiting.o.payload == i)):
                    m.d.sync += unsent[i].eq(0)
        return m
