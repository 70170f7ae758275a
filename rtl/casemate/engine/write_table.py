"""The table of lines being written: hazards, fills of partial lines, the order of their steps."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..axi.signature import Response
from ..config import EngineConfig
from ..streams import Picker
from .bundles import Collected, EntryResult, WriteAuthentication
from .free import lowest_free
from .layouts import chunk_layout, request_layout

__all__ = ["WriteTable"]


class WriteTable(wiring.Component):
    """One entry for each chunk that is being written; its index is part of the AXI ID to DRAM.

    A write takes its place in the order of its line when its last beat was collected, not before:
    a host may hold back write data until it has read something else, the same line included.
    From then on it waits until older reads of its line have their data and older writes of its line
    have their response; reads that come later wait for it (see ``ReadTable``). An encrypted line
    that was not written as a whole is first filled: fetched, decrypted and merged under the
    strobes. A fill that fails reaches the writer as its response, and nothing is stored. A chunk
    without any strobe stores nothing either.

    Lines of authenticated domains have further steps, see ``AuthenticatedWrites``.

    Members
    -------
    free: Out(1), free_index: Out(range(write_entries))
        An entry that may be taken.
    take: In(1), chunk: In(chunk_layout(config))
        ``free_index`` is taken.
    collected: In(Collected(config))
        Chunks that are complete; refused ones are ignored.
    tweaked: In(write_entries)
        The entry's tweak is known.
    fill: Out(stream.Signature(request_layout(config)))
        Lines to fetch for a merge.
    filled: In(EntryResult(write_entries))
        The entry's line was fetched and merged; ``response`` gathers the DRAM's RRESP.
    send: Out(stream.Signature(range(write_entries)))
        Entries whose line is complete in the write buffer: to be encrypted and written.
    announce: In(stream.Signature(range(write_entries)))
        Entries whose address is due.
    address: Out(stream.Signature(request_layout(config)))
        The same entries as write requests, combinational.
    stored: In(EntryResult(write_entries))
        The DRAM's response to an entry's write.
    result: Out(EntryResult(write_bursts))
        What a chunk's burst is told.
    encrypt: Out(write_entries)
        Entries of domains that encrypt.
    authentication: Out(WriteAuthentication(config))
        With a tree: the further steps of authenticated lines.
    pending, read_lines: In
        As from ``ReadTable``; ``received`` pulses when an entry is no longer pending.
    writes: Out(write_entries), lines: Out(line_bits).array(write_entries), written:
        Out(write_entries)
        For ``ReadTable``: writes in order, their lines, and a pulse when one is over.
    lock: In(domain_slots)
        With a tree: slots whose writes are answered SLVERR.
    idle: Out(1)
        No entry is in use.
    """

    fill: stream.Interface
    announce: stream.Interface
    address: stream.Interface
    send: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        entry = range(config.write_entries)
        super().__init__({
            "free": Out(1), "free_index": Out(entry),
            "take": In(1), "chunk": In(chunk_layout(config)),
            "collected": In(Collected(config)),
            "tweaked": In(config.write_entries),
            "fill": Out(stream.Signature(request_layout(config))),
            "filled": In(EntryResult(config.write_entries)),
            "send": Out(stream.Signature(entry)),
            "announce": In(stream.Signature(entry)),
            "address": Out(stream.Signature(request_layout(config))),
            "stored": In(EntryResult(config.write_entries)),
            "result": Out(EntryResult(config.write_bursts)),
            "encrypt": Out(config.write_entries),
            "pending": In(config.read_entries), "received": In(config.read_entries),
            "read_lines": In(config.line_bits).array(config.read_entries),
            "writes": Out(config.write_entries), "written": Out(config.write_entries),
            "lines": Out(config.line_bits).array(config.write_entries),
            "idle": Out(1),
            **({} if config.tree is None else {
                "authentication": Out(WriteAuthentication(config)),
                "lock": In(config.domain_slots)}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n = config.write_entries
        tree = config.tree is not None
        steps: Any = getattr(self, "authentication", None)
        stored = Signal(n)  # the DRAM's response has come, before the write was closed
        early = Signal()  # the write that DRAM has done is not closed
        line = self.collected.chunk.line

        used, ordered = Signal(n), Signal(n)
        partial, filling, whole = Signal(n), Signal(n), Signal(n)
        over = Signal(n)  # nothing is to be stored: no strobe, or the fill has failed
        sent = Signal(n)
        responses = [Signal(2, name=f"response_{i}", reset_less=True) for i in range(n)]
        reads_ahead = [Signal(config.read_entries, name=f"reads_ahead_{i}") for i in range(n)]
        writes_ahead = [Signal(n, name=f"writes_ahead_{i}") for i in range(n)]

        free, index = lowest_free(m, used)
        m.d.comb += [self.free.eq(free), self.free_index.eq(index), self.idle.eq(~used.any())]

        # Taking a place in the line's order.
        entering = Signal(n)
        same_reads, same_writes = Signal(config.read_entries), Signal(n)
        m.d.comb += [
            entering.eq(Mux(self.collected.valid & ~self.collected.chunk.refused,
                            1 << self.collected.entry, 0)),
            same_reads.eq(Cat(other == line for other in self.read_lines)
                          & self.pending & ~self.received),
            same_writes.eq(Cat(other == line for other in self.lines) & ordered & ~self.written),
            self.writes.eq(ordered | entering),
        ]

        # The steps of a write, each with a round-robin choice among those that are ready for it.
        m.submodules.fill_choice = fill_choice = Picker(n)
        m.submodules.send_choice = send_choice = Picker(n)
        m.submodules.over_choice = over_choice = Picker(n)
        ahead = Cat(reads_ahead[i].any() | writes_ahead[i].any() for i in range(n))
        tweaked = self.tweaked | ~self.encrypt
        m.d.comb += [
            fill_choice.requests.eq(ordered & partial & ~filling & ~over & ~ahead),
            send_choice.requests.eq(ordered & (~partial | whole) & ~over & ~sent & ~ahead
                                    & tweaked),
            over_choice.requests.eq(ordered & over & tweaked),
        ]
        if tree:
            m.d.comb += [
                steps.clear.eq(ordered & ~over & ~ahead), steps.partial.eq(partial),
                fill_choice.requests.eq(ordered & partial & ~filling & ~over & ~ahead
                                        & (steps.fillable | ~steps.authenticate)),
                send_choice.requests.eq(
                    ordered & ~over & ~sent & ~ahead
                    & ((steps.authenticate & steps.sendable)
                       | (~steps.authenticate & (~partial | whole) & tweaked))),
                over_choice.requests.eq(
                    ordered & ((over & (tweaked | steps.authenticate))
                               | (stored & steps.closed))),
            ]
        wiring.connect(m, send_choice.o, wiring.flipped(self.send))

        m.submodules.held = held = Memory(shape=request_layout(config), depth=n, init=[])
        held_write = held.write_port()
        to_fill, to_write = (held.read_port(domain="comb") for _ in range(2))
        m.d.comb += [
            held_write.en.eq(self.take), held_write.addr.eq(index),
            held_write.data.id.eq(1 << (config.entry_id_bits - 1) | index),
            held_write.data.line.eq(self.chunk.line),
            held_write.data.attributes.eq(self.chunk.attributes),
            to_fill.addr.eq(fill_choice.o.payload),
            self.fill.valid.eq(fill_choice.o.valid), self.fill.payload.eq(to_fill.data),
            fill_choice.o.ready.eq(self.fill.ready),
            to_write.addr.eq(self.announce.payload),
            self.address.valid.eq(self.announce.valid), self.address.payload.eq(to_write.data),
            self.announce.ready.eq(self.address.ready),
        ]

        # The end of a write: the DRAM's response has precedence over one that stored nothing.
        kept = {"burst": range(config.write_bursts)}
        if tree:
            kept["slot"] = range(config.domain_slots)
        m.submodules.bursts = bursts = Memory(
            shape=data.StructLayout(kept), depth=n, init=[])
        bursts_write, bursts_read = bursts.write_port(), bursts.read_port(domain="comb")
        done, finished = Signal(range(n)), Signal()
        m.d.comb += [
            bursts_write.en.eq(self.collected.valid & ~self.collected.chunk.refused),
            bursts_write.addr.eq(self.collected.entry),
            bursts_write.data.burst.eq(self.collected.burst),
            finished.eq(self.stored.valid),
            done.eq(Mux(finished, self.stored.index, over_choice.o.payload)),
            over_choice.o.ready.eq(~finished),
            self.result.valid.eq(finished | (over_choice.o.valid & over_choice.o.ready)),
            bursts_read.addr.eq(done), self.result.index.eq(bursts_read.data.burst),
            self.written.eq(Mux(self.result.valid, 1 << done, 0)),
        ]
        for i in range(n):
            with m.If(done == i):
                m.d.comb += self.result.response.eq(responses[i])
        with m.If(finished):
            m.d.comb += self.result.response.eq(self.stored.response)
        if tree:
            m.d.comb += [
                early.eq((steps.authenticate & ~steps.closed).bit_select(self.stored.index, 1)),
                finished.eq(self.stored.valid & ~early),
                over_choice.o.ready.eq(~finished & ~steps.busy),
                steps.ending.eq(over_choice.o.valid & over_choice.o.ready),
                steps.ending_index.eq(over_choice.o.payload),
                bursts_write.data.slot.eq(self.collected.chunk.slot),
            ]
            with m.If(self.lock.bit_select(bursts_read.data.slot, 1)):
                m.d.comb += self.result.response.eq(Response.SLVERR.value)

        for i in range(n):
            with m.If(self.take & (index == i)):
                m.d.sync += [
                    used[i].eq(1), ordered[i].eq(0), sent[i].eq(0), filling[i].eq(0),
                    whole[i].eq(0), over[i].eq(0),
                    self.lines[i].eq(self.chunk.line), self.encrypt[i].eq(self.chunk.encrypt),
                ]
            with m.Elif(self.written[i]):
                m.d.sync += [used[i].eq(0), ordered[i].eq(0)]
            with m.If(entering[i]):
                m.d.sync += [
                    ordered[i].eq(1),
                    partial[i].eq(self.collected.chunk.encrypt & ~self.collected.strobe.all()),
                    over[i].eq(~self.collected.strobe.any()),
                    responses[i].eq(Response.OKAY.value),
                    reads_ahead[i].eq(same_reads), writes_ahead[i].eq(same_writes),
                ]
            with m.Else():
                m.d.sync += [
                    reads_ahead[i].eq(reads_ahead[i] & ~self.received),
                    writes_ahead[i].eq(writes_ahead[i] & ~self.written),
                ]
            with m.If(fill_choice.o.valid & fill_choice.o.ready & (fill_choice.o.payload == i)):
                m.d.sync += filling[i].eq(1)
            filled = self.filled.valid & (self.filled.index == i)
            with m.If(filled & ~steps.authenticate[i] if tree else filled):
                m.d.sync += [
                    whole[i].eq(~self.filled.response[1]), over[i].eq(self.filled.response[1]),
                    responses[i].eq(self.filled.response),
                ]
            with m.If(send_choice.o.valid & send_choice.o.ready & (send_choice.o.payload == i)):
                m.d.sync += sent[i].eq(1)
            if tree:
                self._elaborate_entry(m, i, over=over[i], partial=partial[i], stored=stored[i],
                                      early=early, response=responses[i], entering=entering[i])
        return m

    def _elaborate_entry(self, m: Module, i: int, *, over: Value, partial: Value, stored: Value,
                         early: Value, response: Value, entering: Value) -> None:
        """Add what an authenticated line's entry does otherwise."""
        steps = self.authentication
        denied, judged = steps.denied, steps.judged
        with m.If(self.take & (self.free_index == i)):
            m.d.sync += [steps.authenticate[i].eq(self.chunk.authenticate), stored.eq(0)]
        with m.If(entering & steps.authenticate[i]):
            m.d.sync += partial.eq(~self.collected.strobe.all())
        with m.If(denied.valid & (denied.index == i)):
            m.d.sync += [over.eq(1), response.eq(denied.response)]
        with m.If(judged.valid & (judged.index == i)):
            m.d.sync += response.eq(judged.response)
        with m.If(steps.void[i]):
            m.d.sync += over.eq(1)
        with m.If(self.stored.valid & (self.stored.index == i) & early):
            m.d.sync += [stored.eq(1), response.eq(self.stored.response)]
