"""The metadata unit without what leaves and nodes contain: its control, for proofs.

What is abstracted, and why that is sound:

- Contents are anything: whether a domain owns a granule, a version or counter is used up, a counter
  is zero, is decided anew each time. Real contents do a part of that.
- MACs match or do not, as they like. The checker and GMAC take and give when they like; so do the
  data path and DRAM, within the rules of ``MetadataSignature``: each line in flight has one access
  open, a write of a line waits for older accesses of it, a read for older writes.

``Environment.owed`` says whether one of these neighbours has something to do that it may put off
as long as it likes.
"""

from unittest.mock import patch

from amaranth import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.asserts import AnySeq
from amaranth.hdl import Assume, Elaboratable, Fragment
from casemate.config import CipherConfig, TreeConfig, preset
from casemate.metadata.checker import Checker
from casemate.metadata.contents import Contents, Job
from casemate.metadata.directory import Directory
from casemate.metadata.interface import Access, Outcome
from casemate.metadata.table import NodeTable
from casemate.metadata.unit import MetadataUnit

SMALLEST = preset("tiny").replace(
    root_counters=32, read_entries=2, write_entries=2, tree=TreeConfig(
        cache_sets=1, cache_ways=2, walks=1, write_backs=1, shared_gmac=True,
        multiplier_stages=0, pad_cipher=CipherConfig(pipelined=False)))
"""Leaves, a level of nodes, the root; one set of two ways; one walk and one write-back a level."""


def anything(m, *signals):
    """Let signals, views of them too, be whatever they like in each cycle."""
    for value in map(Value.cast, signals):
        m.d.comb += value.eq(AnySeq(len(value)))


class AnyContents(Contents):
    """The same jobs at the same time, with any result."""

    def elaborate(self, platform):
        m = Module()
        job, valid = Signal(self.i.payload.shape()), Signal()
        granted, spent = Signal(), Signal()
        anything(m, granted, spent, self.counter_zero, self.told_hint, self.old, self.new)
        m.d.sync += [job.eq(self.i.payload), valid.eq(self.i.valid)]
        answers, raises = (valid & (job.job == kind) for kind in (Job.ANSWER, Job.RAISE))
        m.d.comb += [
            self.counted.eq((valid & (job.job == Job.GET)) | (raises & ~spent)),
            self.counted_entry.eq(job.source), self.parent_trusted.eq(job.trusted),
            self.parent.eq(job.parent),
            self.exhausted.eq(raises & spent), self.exhausted_entry.eq(job.source),
            self.raised.eq(raises & ~spent & job.in_slot), self.raised_entry.eq(job.slot),
            self.told.eq(answers & job.hint), self.told_id.eq(job.source),
            self.cancel.eq(answers & job.write & ~granted), self.cancel_entry.eq(job.source),
            self.row.ready.eq(1), self.ready.eq(1),
        ]
        answer = self.answer.payload
        refuses = valid & (job.job == Job.REFUSE)
        outcome = Signal(Outcome)
        m.d.sync += [
            self.answer.valid.eq(refuses | (answers & (~job.hint | self.told_hint))),
            answer.hint.eq(answers & job.hint), answer.hinted.eq(refuses & job.hinted),
            answer.id.eq(job.source), outcome.eq(Mux(
                refuses, job.outcome, Mux(granted, Outcome.GRANTED, Outcome.DENIED))),
        ]
        m.d.comb += answer.outcome.eq(outcome)
        return m


class AnyChecker(Checker):
    """Checks and has stored what it likes, when it likes.

    What comes on ``row`` is a whole leaf or node.
    """

    def __init__(self, config):
        self._entries = config.node_entries
        super().__init__(config)
        self.arrived, self.padded, self.sealing, self.storing = (
            Signal(self._entries, name=name)
            for name in ("arrived", "padded", "sealing", "storing"))

    @property
    def owed(self):
        """Whether there is something to be checked, sealed or stored."""
        return ((self.arrived & self.padded) | self.sealing | self.storing).any()

    def elaborate(self, platform):
        m = Module()
        chosen, check = Signal(range(self._entries)), Signal()
        row = self.row
        anything(m, chosen, row.ready, self.pad.ready, self.seal.ready, self.check_good)
        m.d.comb += [
            Assume(chosen < self._entries),
            self.arrive.eq(row.valid & row.ready), self.arrive_entry.eq(row.payload.entry),
            self.arrive_response.eq(row.payload.response),
            check.eq((self.arrived & self.padded).bit_select(chosen, 1)),
            self.check.eq(check & AnySeq(1)), self.check_entry.eq(chosen),
            self.store.valid.eq(self.sealing.bit_select(chosen, 1) & AnySeq(1)),
            self.store.payload.entry.eq(chosen),
        ]
        for number in range(self._entries):
            for stream_, entry, done, mask in (
                    (row, row.payload.entry, self.check & (chosen == number), self.arrived),
                    (self.pad, self.pad.payload.entry, self.check & (chosen == number),
                     self.padded),
                    (self.seal, self.seal.payload.entry,
                     self.store.valid & self.store.ready & (chosen == number), self.sealing)):
                with m.If(stream_.valid & stream_.ready & (entry == number)):
                    m.d.sync += mask[number].eq(1)
                with m.Elif(done):
                    m.d.sync += mask[number].eq(0)
        return m


class SeenDirectory(Directory):
    """The directory; ``ways`` is what it knows of the first set."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self.ways = m.submodules.states.read_port(domain="comb").data
        return m


class Seen:
    """A component whose submodules are ``parts`` once it is elaborated."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self.parts = m.submodules
        return m


class SeenTable(Seen, NodeTable):
    """The table; its parts are its entries, ``walk_0_0`` and so on."""


class Unit(Seen, MetadataUnit):
    """The unit."""


class Environment(Elaboratable):
    """The unit's control between neighbours that keep the rules; a base of specifications.

    Parameters
    ----------
    config:
        With a shared GMAC.
    commands:
        Whether flush, invalidation and reclaiming happen.

    Attributes
    ----------
    unit, parts:
        The unit, and its submodules by name.
    waiting, writing:
        Lines in flight with an access that is not answered; writes that are open.
    owed, event:
        A neighbour has something to do; something happens in this cycle.
    """

    def __init__(self, config, *, commands=False):
        self.config, self._commands = config, commands
        self.unit = Unit(config)
        ids = 2**config.entry_id_bits
        self.waiting, self.writing = Signal(ids), Signal(ids)
        self.lines = [Signal(config.line_bits, name=f"line_{number}") for number in range(ids)]
        self.locked = Signal()
        self.owed, self.event = Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        with (patch("casemate.metadata.unit.Contents", AnyContents),
              patch("casemate.metadata.unit.Checker", AnyChecker),
              patch("casemate.metadata.unit.Directory", SeenDirectory),
              patch("casemate.metadata.unit.NodeTable", SeenTable)):
            m.submodules.unit = Fragment.get(unit, platform)
        self.parts = unit.parts
        m.d.comb += [Assume(~ResetSignal()), unit.data_path.gmac_loaded.eq(1),
                     unit.locked.eq(self.locked)]
        self._accesses(m)
        self._dram(m)
        self._neighbours(m)
        self.specify(m)
        return m

    def entries(self, level):
        """Return the entries of a level with their numbers; walks first."""
        tree, parts = self.config.tree, self.parts.table.parts
        peers = tree.walks + tree.write_backs
        return [(level * peers + peer, getattr(parts, f"{kind}_{level}_{peer}"))
                for peer in range(peers)
                for kind in ("walk" if peer < tree.walks else "write_back",)]

    def specify(self, m):
        """State what is to be proven."""
        raise NotImplementedError

    def _accesses(self, m):
        """Open accesses and close writes as the rules allow."""
        config, path = self.config, self.unit.data_path
        access, answer, close = path.access, path.answer, path.close
        ids, half = len(self.waiting), len(self.waiting) // 2
        line, number = access.payload.line, access.payload.id
        anything(m, access.valid, access.payload, close.valid, close.payload)
        writes = access.payload.access == Access.WRITE
        same = Cat(each == line for each in self.lines)
        upper = Const((1 << ids) - (1 << half), ids)
        used = sum(1 << each for each in range(ids) if each % half < (
            config.write_entries if each >= half else config.read_entries))
        closing = half + close.payload.entry
        m.d.comb += [
            Assume(writes == number[-1]),
            Assume(~access.valid | (Const(used, ids).bit_select(number, 1)
                                    & ~(self.waiting | self.writing).bit_select(number, 1))),
            Assume(~access.valid | ~(same & self.writing).any()),
            Assume(~access.valid | ~(same & self.waiting & Mux(writes, ~0, upper)).any()),
            Assume(~close.valid | self.writing.bit_select(closing, 1)),
        ]
        for each in range(ids):
            opened = access.valid & access.ready & (number == each)
            answered = answer.valid & (answer.payload.id == each) & ~answer.payload.hint
            confirmed = path.confirm[each] if each < config.read_entries else Const(0)
            with m.If(opened):
                m.d.sync += [self.waiting[each].eq(1), self.lines[each].eq(line)]
            with m.Elif(answered | confirmed):
                m.d.sync += self.waiting[each].eq(0)
            if each >= half:
                with m.If(answered & (answer.payload.outcome == Outcome.GRANTED)):
                    m.d.sync += self.writing[each].eq(1)
                with m.Elif(close.valid & (closing == each)):
                    m.d.sync += self.writing[each].eq(0)

    def _dram(self, m):
        """Return what is fetched, and acknowledge what is stored, at any time and in any order."""
        config, path, checker = self.config, self.unit.data_path, self.parts.checker
        entries = config.node_entries
        self.fetching = Signal(entries)
        returned, stored = Signal(range(entries)), Signal(range(entries))
        anything(m, returned, stored, path.fetch.ready, path.stored_response,
                 path.row.payload.response)
        m.d.comb += [
            Assume((returned < entries) & (stored < entries)),
            path.row.valid.eq(self.fetching.bit_select(returned, 1) & AnySeq(1)),
            path.row.payload.entry.eq(returned), path.store.ready.eq(1),
            path.stored.eq(checker.storing.bit_select(stored, 1) & AnySeq(1)),
            path.stored_entry.eq(stored),
        ]
        for number in range(entries):
            with m.If(path.fetch.valid & path.fetch.ready
                      & (path.fetch.payload.entry == number)):
                m.d.sync += self.fetching[number].eq(1)
            with m.Elif(path.row.valid & path.row.ready & (returned == number)):
                m.d.sync += self.fetching[number].eq(0)
            with m.If(path.store.valid & (path.store.payload.entry == number)):
                m.d.sync += checker.storing[number].eq(1)
            with m.Elif(path.stored & (stored == number)):
                m.d.sync += checker.storing[number].eq(0)

    def _neighbours(self, m):
        unit, parts = self.unit, self.parts
        anything(m, unit.failure.ready)
        if self._commands:
            anything(m, unit.flush, unit.invalidate, unit.reclaim.valid, unit.reclaim.payload)
        with m.If(unit.failure.valid & unit.failure.ready & unit.failure.payload.fatal):
            m.d.sync += self.locked.eq(1)
        path, table, checker = unit.data_path, parts.table, parts.checker
        waiting = [stream_.valid for stream_ in (
            path.fetch, table.pad, table.seal, unit.failure, unit.reclaim)]
        m.d.comb += [
            self.owed.eq(self.fetching.any() | checker.owed | self.writing.any()
                         | unit.flush | unit.invalidate | Cat(waiting).any()),
            self.event.eq(parts.steps.i.valid | path.access.valid | path.answer.valid
                          | path.confirm.any() | path.row.valid | path.stored | path.close.valid),
        ]


__all__ = ["SMALLEST", "AnyChecker", "AnyContents", "Environment", "anything"]
