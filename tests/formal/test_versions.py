"""No version of a line is used twice, and nothing unverified is sealed: for all time.

Three proofs, which ``test_metadata_control`` joins: an open write's leaf stays where it is.

- ``WritesSpec``: a line has one write open at a time, which is sealed once, under the version
  behind the one of its answer, and closed once, with that version.
- ``ContentsSpec``: an answer tells the version that was stored last where it looks, wherever leaves
  were moved meanwhile; a counter that is raised is the one behind the last.
- ``test_metadata_control.Newest``: where it looks is the newest leaf that there is.
"""

import pytest
from amaranth import Array, Cat, Const, Module, Mux, ResetSignal, Signal
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Cover, Elaboratable
from amaranth.lib.wiring import connect
from casemate.config import LeafShape
from casemate.engine.authenticated_writes import AuthenticatedWrites
from casemate.engine.write_table import WriteTable
from casemate.metadata.contents import Contents, Job
from casemate.metadata.interface import Outcome
from casemate.metadata.layouts import COUNTER_FIELD_BITS
from casemate_sim.formal import SWEEPING, assert_formal
from metadata_control import SMALLEST, anything

CONFIG = SMALLEST.replace(leaf=LeafShape(version_bits=2, tag_bits=4), counter_bits=2)
"""Two writes in flight; versions and counters of two bits."""

LINE, SLOT = 0x2A5, 1
"""The line and the slot of the domain that are watched."""

ROOT = 9
"""The counter of the root that is watched."""


class WritesSpec(Elaboratable):
    """Table of writes and their authentication, between neighbours that keep the rules.

    Slots are locked for ever: what becomes of a write of a locked slot is counted as nothing, for
    no data of it leaves (``MemoryPort.locked``).
    """

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = WriteTable(CONFIG)
        m.submodules.writes = writes = AuthenticatedWrites(CONFIG)
        connect(m, table.authentication, writes.table)
        self.table, self.writes = table, writes
        m.d.comb += Assume(~ResetSignal())
        n = CONFIG.write_entries
        collected = table.collected
        for port in (
                table.take, table.chunk, collected.valid, collected.entry, collected.chunk,
                collected.strobe, table.tweaked, table.fill.ready, table.filled.valid,
                table.filled.index, table.filled.response, table.send.ready, table.stored.valid,
                table.stored.index, table.stored.response, table.pending, table.received,
                *table.read_lines, table.lock, writes.access.ready, writes.answer.valid,
                writes.answer.payload, writes.verdict.valid, writes.verdict.id,
                writes.verdict.passed, writes.verdict.response, writes.seal.ready,
                writes.sealable, writes.tag.valid, writes.tag.payload):
            anything(m, port.as_value() if hasattr(port, "as_value") else port)
        m.d.comb += [
            writes.take.eq(table.take), writes.take_index.eq(table.free_index),
            writes.chunk.eq(table.chunk), writes.lock.eq(table.lock),
            writes.filled.valid.eq(table.filled.valid),
            writes.filled.index.eq(table.filled.index),
        ]
        locks = Signal(CONFIG.domain_slots)
        m.d.sync += locks.eq(table.lock)
        m.d.comb += [
            Assume(~table.take | (table.free & ~table.chunk.refused)),
            Assume((table.lock & locks) == locks),
            *(Assume(index < n) for index in (
                collected.entry, table.filled.index, table.stored.index, writes.answer.payload.id[:-1],
                writes.verdict.id[:-1], writes.tag.payload.entry)),
        ]
        # The version of the watched line, and whether its slot has sealed under the next one.
        self.version, self.sealed = Signal(CONFIG.leaf.version_bits), Signal()
        entries = [self._entry(m, number) for number in range(n)]
        opened = sum(entry["line"] & (entry["waiting"] | entry["open"]) for entry in entries)
        m.d.comb += Assert(opened <= 1)
        return m

    def _entry(self, m, number):
        """Follow one entry, assume what its neighbours keep to, and state what it keeps to."""
        table, writes = self.table, self.writes
        answer, close, seal = writes.answer.payload, writes.close, writes.seal
        names = ("used", "collected", "line", "slot", "encrypt", "authenticate", "waiting", "open",
                 "valid", "partial", "filling", "filled", "judged", "passed", "sealing", "sent", "tagged",
                 "stored")
        now = {name: Signal(name=f"{name}_{number}") for name in names}
        line, slot = (Signal(CONFIG.line_bits, name=f"place_{number}"),
                      Signal(range(CONFIG.domain_slots), name=f"key_{number}"))

        def here(valid, index):
            return valid & (index == number)

        write = len(answer.id) - 1
        taken = here(table.take, table.free_index)
        arrives = here(table.collected.valid & ~table.collected.chunk.refused,
                       table.collected.entry)
        asks = here(writes.access.valid & writes.access.ready, writes.access.payload.id[:write])
        answered = here(writes.answer.valid & answer.id[-1], answer.id[:write])
        fills = here(table.fill.valid & table.fill.ready, table.fill.payload.id[:write])
        filled = here(table.filled.valid, table.filled.index)
        judged = here(writes.verdict.valid & writes.verdict.id[-1], writes.verdict.id[:write])
        seals = here(seal.valid & seal.ready, seal.payload.id[:write])
        sends = here(table.send.valid & table.send.ready, table.send.payload)
        tagged = here(writes.tag.valid, writes.tag.payload.entry)
        closes = here(close.valid, close.payload.entry)
        stored = here(table.stored.valid, table.stored.index)
        chunk, granted = table.collected.chunk, answer.outcome == Outcome.GRANTED
        locked = table.lock.bit_select(slot, 1)
        m.d.comb += [
            Assume(~arrives | (now["used"] & ~now["collected"] & (chunk.line == line) & (
                chunk.slot == slot) & (chunk.encrypt == now["encrypt"]))),
            Assume(~answered | (now["waiting"] & ~answer.hint & ~answer.hinted)),
            Assume(~(answered & granted & now["line"]) | (answer.version == self.version)),
            Assume(~filled | (now["filling"] & ~now["filled"])),
            Assume(~judged | (now["filling"] & ~now["judged"] & now["authenticate"])),
            Assume(~tagged | (now["sent"] & now["sealing"] & ~now["tagged"])),
            Assume(~stored | (now["sent"] & ~now["stored"])),
        ]
        sets = {
            "collected": arrives, "waiting": asks, "open": answered & granted,
            "valid": answered & answer.line_valid, "filling": fills, "filled": filled,
            "judged": judged,
            "passed": judged & writes.verdict.passed, "sealing": seals, "sent": sends,
            "tagged": tagged, "stored": stored,
            "partial": arrives & ~table.collected.strobe.all(),
        }
        for name, event in sets.items():
            with m.If(event):
                m.d.sync += now[name].eq(1)
        with m.If(answered):
            m.d.sync += now["waiting"].eq(0)
        with m.If(closes):
            m.d.sync += now["open"].eq(0)
        with m.If(table.written[number]):
            m.d.sync += now["used"].eq(0)
        with m.If(taken):
            m.d.sync += [
                *(signal.eq(0) for name, signal in now.items() if name in sets),
                now["used"].eq(1), line.eq(table.chunk.line), slot.eq(table.chunk.slot),
                now["line"].eq(table.chunk.line == LINE), now["slot"].eq(table.chunk.slot == SLOT),
                now["encrypt"].eq(table.chunk.encrypt),
                now["authenticate"].eq(table.chunk.authenticate),
            ]
        next_version = (self.version + 1)[:len(self.version)]
        watched = now["line"] & now["slot"]
        with m.If(closes & now["line"] & close.payload.store):
            m.d.sync += [self.version.eq(close.payload.version), self.sealed.eq(0)]
        with m.If(seals & watched):
            m.d.sync += self.sealed.eq(1)
        m.d.comb += [
            Assert(~asks | (now["authenticate"] & ~now["waiting"] & ~now["open"])),
            # Sealed once, while it is open, under the next version; over what was verified.
            Assert(~seals | (now["open"] & ~now["sealing"] & (seal.payload.slot == slot) & (
                seal.payload.line == line))),
            Assert(~seals | ~now["partial"] | ~now["valid"] | now["passed"]),
            Assert(~(seals & watched) | locked | (
                ~self.sealed & (seal.payload.version == next_version))),
            # Nothing goes to DRAM under a version that was not prepared.
            Assert(~(sends & now["authenticate"]) | now["sealing"]),
            # Closed once; with the version under which it was sealed, if it was.
            Assert(~closes | now["open"]),
            Assert(~(closes & close.payload.store) | (now["sealing"] & (
                close.payload.place == line[:len(close.payload.place)]))),
            Assert(~(closes & close.payload.store & now["line"]) | (
                close.payload.version == next_version)),
            Assert(~(closes & now["sealing"] & ~close.payload.store) | locked),
            Assert(~table.written[number] | ~now["open"] | closes),
        ]
        return now


class WritesReached(WritesSpec):
    """The watched line is written."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += Cover(self.version == 1)
        return m


class ContentsSpec(Elaboratable):
    """What is done to leaves and nodes, wherever they lie, against one field of each place.

    Each place (way of the cache, slot of an entry) holds a leaf or a node, as it was brought there;
    the version of the leaf's, or the counter of the node's, watched child is followed, and so is
    one counter of the root. Rows from DRAM are anything.

    Parameters
    ----------
    place:
        The line of a leaf and child of a node that is watched.
    """

    def __init__(self, place):
        self._place = place

    def elaborate(self, platform):
        m = Module()
        config, place = CONFIG, self._place
        m.submodules.contents = contents = Contents(config)
        given, row, answer = contents.i.payload, contents.row.payload, contents.answer.payload
        anything(m, contents.i.valid, given.as_value(), contents.close.as_value(),
                 contents.row.valid, row.as_value(), contents.look_entry)
        ways, entries = config.tree.cache_ways, config.node_entries
        peers = config.tree.walks + config.tree.write_backs
        job, valid, close = Signal.like(given), Signal(), Signal.like(contents.close)
        m.d.sync += [job.eq(given), valid.eq(contents.i.valid), close.eq(contents.close)]
        m.d.comb += [
            Assume(~ResetSignal()),
            Assume(~contents.i.valid | contents.ready),
            Assume((given.line < ways) & (given.slot < entries) & (row.entry < entries)),
        ]
        # Where the job looks; places are the ways of the cache, then the slots.
        place_bits = range(ways + entries)
        looked, written = Signal(place_bits), Signal(place_bits)
        is_leaf = Signal(ways + entries)
        version_bits, counter_bits = config.leaf.version_bits, config.counter_bits
        versions = Array(Signal(version_bits, name=f"version_{each}")
                         for each in range(ways + entries))
        counters = Array(Signal(counter_bits, name=f"counter_{each}")
                         for each in range(ways + entries))
        root, roots = Signal(counter_bits), job.in_root & (job.root == ROOT)
        way_is_leaf = Signal(ways)
        m.d.comb += [
            looked.eq(Mux(job.in_slot, ways + job.slot, job.line)),
            is_leaf.eq(Cat(way_is_leaf, Const((1 << peers) - 1, entries))),
        ]
        nothing = job.in_slot & job.zero
        version = Mux(nothing, 0, versions[looked])
        counter = Mux(nothing, 0, counters[looked])
        here = (job.place == place)
        kinds = {kind: valid & (job.job == kind) for kind in Job}
        leaf_job = kinds[Job.ANSWER] | kinds[Job.CLOSE] | kinds[Job.RECLAIM]
        node_job = (kinds[Job.GET] | kinds[Job.RAISE]) & ~job.in_root
        m.d.comb += [
            Assume(~leaf_job | is_leaf.bit_select(looked, 1)),
            Assume(~node_job | ~is_leaf.bit_select(looked, 1)),
            Assume(~(kinds[Job.CLOSE] | kinds[Job.RECLAIM]) | ~job.in_slot),
            Assume(~(kinds[Job.ANSWER] & job.write) | ~job.in_slot),
            Assume(~kinds[Job.FILL] | job.in_slot), Assume(~kinds[Job.EVICT] | ~job.in_slot),
            Assume(~(valid & job.in_root) | (node_kind(kinds) & ~job.in_slot)),
            # A leaf goes to an entry of leaves.
            Assume(~kinds[Job.EVICT] | (is_leaf.bit_select(looked, 1)
                                        == is_leaf.bit_select(ways + job.slot, 1))),
        ]
        # What changes, as the jobs say.
        raised, spent = Signal(counter_bits), Signal()
        old = Mux(job.in_root, root, counter)
        m.d.comb += [raised.eq(old + 1), spent.eq(old.all())]
        with m.If(contents.row.valid & contents.row.ready):
            self._arrive(m, row, versions, counters, ways)
        with m.If(kinds[Job.FILL]):
            m.d.sync += [versions[job.line].eq(version), counters[job.line].eq(counter),
                         way_is_leaf.bit_select(job.line, 1).eq(is_leaf.bit_select(looked, 1))]
        with m.If(kinds[Job.EVICT]):
            m.d.sync += [versions[ways + job.slot].eq(version),
                         counters[ways + job.slot].eq(counter)]
        with m.If(kinds[Job.CLOSE] & (close.place == place)):
            m.d.sync += versions[looked].eq(close.version)
        # Whichever is raised, the node is written as a whole.
        with m.If(kinds[Job.RAISE] & contents.counted & ~job.in_root):
            m.d.sync += counters[looked].eq(Mux(here, raised, counter))
        with m.If(kinds[Job.RAISE] & roots & ~spent):
            m.d.sync += root.eq(raised)
        # What is told of it.
        told, said = Signal(version_bits), Signal()
        m.d.sync += [told.eq(version), said.eq(kinds[Job.ANSWER] & here)]
        granted = contents.answer.valid & (answer.outcome == Outcome.GRANTED)
        wrote = Signal()
        m.d.sync += wrote.eq(job.write)
        m.d.comb += [
            Assert(~(said & granted) | (answer.version == told)),
            Assert(~(said & granted & wrote) | ~told.all()),
        ]
        counts = node_kind(kinds) & Mux(job.in_root, roots, here)
        m.d.comb += [
            Assert(~(counts & kinds[Job.RAISE]) | (contents.exhausted == spent)),
            Assert(~(counts & kinds[Job.RAISE]) | (contents.counted == ~spent)),
        ]
        # The counter that the entry is told, as the checker sees it.
        entry_old, entry_new, known = Signal(counter_bits), Signal(counter_bits), Signal()
        with m.If(contents.counted & (contents.counted_entry == 0)):
            m.d.sync += [known.eq(counts), entry_old.eq(old), entry_new.eq(raised)]
        m.d.comb += Assert(~(known & (contents.look_entry == 0)) | (
            (contents.old[:counter_bits] == entry_old) & (contents.new[:counter_bits] == entry_new)))
        return m

    def _arrive(self, m, row, versions, counters, ways):
        """A row brings a part of the watched fields."""
        row_bits = 8 * CONFIG.row_bytes
        for fields, bits, offset in (
                (versions, CONFIG.leaf.version_bits, CONFIG.leaf.version_bits * self._place),
                (counters, CONFIG.counter_bits, COUNTER_FIELD_BITS * self._place)):
            for bit in range(bits):
                number, low = divmod(offset + bit, row_bits)
                with m.If(row.row == number):
                    m.d.sync += fields[ways + row.entry][bit].eq(row.data[low])


def node_kind(kinds):
    """Return whether a job concerns counters."""
    return kinds[Job.GET] | kinds[Job.RAISE]


def test_a_write_is_sealed_once_under_the_next_version():
    assert_formal(WritesSpec(), mode="prove", name="writes")


def test_writes_happen_within_the_proof():
    assert_formal(WritesReached(), mode="cover", depth=15, name="writes-reached")


@pytest.mark.parametrize("place", [0, pytest.param(3, marks=pytest.mark.verify)])
def test_an_answer_has_the_version_that_was_stored_last(place):
    assert_formal(ContentsSpec(place), mode="prove", engine=SWEEPING, name=f"contents-{place}")
