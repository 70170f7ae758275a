"""The table of lines being read: hazards against writes, requests to DRAM."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS, EngineConfig
from ..metadata.interface import Access, access_layout
from ..streams import Picker
from .free import lowest_free
from .layouts import chunk_layout, request_layout

__all__ = ["ReadTable"]


class ReadTable(wiring.Component):
    """One entry for each chunk that is being read; its index is the AXI ID towards DRAM.

    An entry is taken in the cycle of the transfer on ``i``; when no write of the same line is
    ahead of it, its request leaves in that same cycle. A read that came after a write of its line
    waits until that write's response has come from DRAM, because AXI4 orders nothing between the
    two. Reads of one line do not wait for each other. Reads of an authenticated domain ask for
    their line's metadata under the same conditions.

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
    access: Out(stream.Signature(access_layout(config)))
        Metadata to be looked up; with a tree only. May change while it is not ready.
    answered: In(read_entries)
        A pulse when an access is answered; with a tree only.
    pending: Out(read_entries), lines: Out(line_bits).array(read_entries)
        Entries whose line has not fully come, or whose access is not answered, and their line
        numbers.
    settled: Out(read_entries)
        A pulse with the last that an entry is pending for.
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
    settled: Signal
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
            "settled": Out(reads),
            "idle": Out(1),
            **({} if config.tree is None else {
                "access": Out(stream.Signature(access_layout(config))),
                "answered": In(reads),
            }),
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
        ready = Cat(~blockers[i].any() for i in range(n))
        m.d.comb += waiting.requests.eq(unsent & ready)
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

        m.d.comb += self.settled.eq(self.received)
        if config.tree is not None:
            self._elaborate_accesses(m, take, at_once, ready)

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
                with m.If(self.settled[i]):
                    m.d.sync += self.pending[i].eq(0)
                with m.If(waiting.o.valid & waiting.o.ready & (waiting.o.payload == i)):
                    m.d.sync += unsent[i].eq(0)
        return m

    def _elaborate_accesses(self, m: Module, take: Signal, at_once: Signal,
                            ready: Value) -> None:
        """Ask for the metadata of lines of authenticated domains."""
        config, chunk, index = self._config, self.i.payload, self.taken
        n = config.read_entries
        place = data.StructLayout({"line": config.line_bits, "domain": DOMAIN_BITS})
        m.submodules.places = places = Memory(shape=place, depth=n, init=[])
        write, read = places.write_port(), places.read_port(domain="comb")
        unasked, unanswered, unreceived = Signal(n), Signal(n), Signal(n)
        m.submodules.asking = asking = Picker(n)
        now = Signal()
        access = self.access.payload
        m.d.comb += [
            write.en.eq(take), write.addr.eq(index),
            write.data.line.eq(chunk.line), write.data.domain.eq(chunk.domain),
            read.addr.eq(asking.o.payload),
            asking.requests.eq(unasked & ready), asking.o.ready.eq(self.access.ready),
            now.eq(at_once & chunk.authenticate),
            self.access.valid.eq(asking.o.valid | now), access.access.eq(Access.READ),
            access.id.eq(Mux(asking.o.valid, asking.o.payload, index)),
            access.line.eq(Mux(asking.o.valid, read.data.line, chunk.line)),
            access.domain.eq(Mux(asking.o.valid, read.data.domain, chunk.domain)),
            self.settled.eq((self.received & ~(unanswered & ~self.answered))
                            | (self.answered & ~(unreceived & ~self.received))),
        ]
        taken, asked = Signal(n), Signal(n)
        authenticated = Signal()
        asks_now = now & ~asking.o.valid & self.access.ready
        m.d.comb += [
            taken.eq(Mux(take, 1 << index, 0)),
            asked.eq(Mux(asking.o.valid & asking.o.ready, 1 << asking.o.payload, 0)),
            authenticated.eq(chunk.authenticate & ~chunk.refused),
        ]
        m.d.sync += [
            unasked.eq((unasked & ~asked & ~taken) | Mux(authenticated & ~asks_now, taken, 0)),
            unanswered.eq((unanswered & ~self.answered & ~taken)
                          | Mux(authenticated, taken, 0)),
            unreceived.eq((unreceived & ~self.received & ~taken) | Mux(chunk.refused, 0, taken)),
        ]
