"""An answer has the version that was stored last where it looks; counters go up by one, always.

Wherever leaves and nodes are moved meanwhile, and whatever DRAM brings; with cache and slots in one
RAM, and in two.
"""

import pytest
from amaranth import Array, Cat, Const, Module, Mux, ResetSignal, Signal
from amaranth.hdl import Assert, Assume, Elaboratable
from casemate.config import LeafShape
from casemate.metadata.contents import Contents, Job
from casemate.metadata.interface import Outcome
from casemate.metadata.layouts import COUNTER_FIELD_BITS
from casemate.rams import WORDS_IN_LUTS
from casemate_sim.formal import SWEEPING, assert_formal
from metadata_control import SMALLEST, anything

CONFIG = SMALLEST.replace(leaf=LeafShape(version_bits=2, tag_bits=4), counter_bits=2)
"""One set of two ways, four entries; versions and counters of two bits."""

ROOT = 9
"""The counter of the root that is watched."""


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
        anything(m, contents.i.valid, given, contents.close,
                 contents.row.valid, row, contents.look_entry)
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
        looked = Signal(range(ways + entries))
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
        counter_job = kinds[Job.GET] | kinds[Job.RAISE]
        m.d.comb += [
            Assume(~leaf_job | is_leaf.bit_select(looked, 1)),
            Assume(~counter_job | job.in_root | ~is_leaf.bit_select(looked, 1)),
            Assume(~(kinds[Job.CLOSE] | kinds[Job.RECLAIM]) | ~job.in_slot),
            Assume(~(kinds[Job.ANSWER] & job.write) | ~job.in_slot),
            Assume(~kinds[Job.FILL] | job.in_slot), Assume(~kinds[Job.EVICT] | ~job.in_slot),
            Assume(~(valid & job.in_root) | (counter_job & ~job.in_slot)),
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
        counts = counter_job & Mux(job.in_root, roots, here)
        m.d.comb += [
            Assert(~(counts & kinds[Job.RAISE]) | (contents.exhausted == spent)),
            Assert(~(counts & kinds[Job.RAISE]) | (contents.counted == ~spent)),
        ]
        # The counter that the entry is told, as the checker sees it.
        entry_old, entry_new, known = Signal(counter_bits), Signal(counter_bits), Signal()
        with m.If(contents.counted & (contents.counted_entry == 0)):
            m.d.sync += [known.eq(counts), entry_old.eq(old), entry_new.eq(raised)]
        m.d.comb += Assert(~(known & (contents.look_entry == 0)) | (
            (contents.old[:counter_bits] == entry_old)
            & (contents.new[:counter_bits] == entry_new)))
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


@pytest.mark.parametrize("place", [0, pytest.param(3, marks=pytest.mark.verify)])
@pytest.mark.parametrize("words", [
    pytest.param(WORDS_IN_LUTS, id="together"), pytest.param(0, id="apart")])
def test_an_answer_has_the_version_that_was_stored_last(place, words, monkeypatch):
    monkeypatch.setattr("casemate.metadata.storage.WORDS_IN_LUTS", words)
    assert_formal(ContentsSpec(place), mode="prove", engine=SWEEPING,
                  name=f"contents-{place}-{words}")
