"""The control of the metadata unit cannot get stuck, and keeps one copy of each leaf and node.

Whoever looks sees the newest of its copies. Leaves: proven for all time. Nodes, and that nobody
waits for ever: for so many cycles from reset.
An access that misses is answered in cycle 14 at the earliest, a flushed leaf is in DRAM in
cycle 29 (``test_what_happens_within_the_depth``). ``metadata_control`` says what is abstracted.
"""

from itertools import combinations

import pytest
from amaranth import Array, Cat, Mux, Signal
from amaranth.hdl import Assert, Assume, Cover
from casemate.metadata.contents import Job
from casemate.metadata.interface import Outcome
from casemate_sim.formal import assert_formal
from metadata_control import SMALLEST, Environment

WATCHED = 0x5A
"""The leaf that is watched, or the node above it: what is proven of one is true of all, for
nothing depends on a number but whether it equals another, and which node is its parent."""


class NeverStuck(Environment):
    """When nobody has anything to do, every access is answered and everything is at its place."""

    def specify(self, m):
        still = Signal(range(8))
        with m.If(self.owed | self.event):
            m.d.sync += still.eq(0)
        with m.Elif(still != 7):
            m.d.sync += still.eq(still + 1)
        m.d.comb += [
            Assert(~(still == 7) | ~self.waiting.any()),
            Assert(~(still == 7) | self.locked | self.unit.idle),
        ]


class Reached(Environment):
    """What fits into the depths of the bounded proofs."""

    def specify(self, m):
        answer, path = self.unit.data_path.answer, self.unit.data_path
        m.d.comb += [
            Cover(answer.valid & (answer.payload.outcome == Outcome.GRANTED)),
            Cover(path.stored & ~path.stored_response[1]),
        ]


class Watching(Environment):
    """Sees where a leaf or node is: in a way of the cache, or held by an entry of its level."""

    def __init__(self, config, *, level, **options):
        super().__init__(config, **options)
        self.level = level

    def watch(self, m):
        """Return flags: for each way, for each entry of the level."""
        index = WATCHED >> (3 * self.level)
        ways = Signal(self.config.tree.cache_ways)
        held = Signal(len(self.entries(self.level)))
        m.d.comb += [
            ways.eq(Cat(state.valid & (state.level == self.level) & (state.index == index)
                        for state in self.parts.directory.ways)),
            held.eq(Cat(entry.state.active & (entry.state.index == index)
                        for _, entry in self.entries(self.level))),
        ]
        return ways, held


    def facts(self, m):
        """Return what holds in every cycle."""
        raise NotImplementedError

    def specify(self, m):
        m.d.comb += [Assert(fact) for fact in self.facts(m)]


class OneCopy(Watching):
    """A leaf or node is at one place."""

    def facts(self, m):
        return [~(one & other) for one, other in combinations(Cat(*self.watch(m)), 2)]


class NothingLost(Watching):
    """What was changed stays until DRAM has it: step by step."""

    def facts(self, m):
        parts, path, tree = self.parts, self.unit.data_path, self.config.tree
        ways, held = self.watch(m)
        job, valid = parts.steps.job.payload, parts.steps.job.valid
        dirty, write_backs = Signal.like(ways), Signal(tree.write_backs)
        m.d.comb += [
            dirty.eq(ways & Cat(state.dirty for state in parts.directory.ways)),
            write_backs.eq(held >> tree.walks),
        ]
        # Everything that changes a way marks it; a close is another matter, see below.
        changed = Signal.like(ways)
        in_cache = ((job.job == Job.RECLAIM) | ((job.job == Job.ANSWER) & job.write & ~job.in_slot)
                    | ((job.job == Job.RAISE) & ~job.in_slot & ~job.in_root))
        m.d.comb += changed.eq(Mux(valid & in_cache, ways & (1 << job.line), 0))
        stored = Cat(path.stored & ~path.stored_response[1] & (path.stored_entry == number)
                     for number, _ in self.entries(self.level)[tree.walks:])
        before, were, marked, done = (
            Signal.like(value) for value in (dirty, write_backs, changed, stored))
        m.d.sync += [before.eq(dirty), were.eq(write_backs), marked.eq(changed), done.eq(stored)]
        facts = [
            ~before.any() | (dirty == before) | write_backs.any(),
            ~(were & ~done & ~write_backs).any(),
            ~(marked & ~dirty).any(),
        ]
        # A counter is raised in a slot only while a write-back holds it.
        for peer, (number, entry) in enumerate(self.entries(self.level)):
            raised = valid & (job.job == Job.RAISE) & job.in_slot & (job.slot == number)
            allowed = entry.state.active & entry.state.open if peer >= tree.walks else 0
            facts.append(~raised | allowed)
        if self.level:
            return facts
        # The leaf of an open write stays where it is, changed, from the cycle of its pin.
        pinned, pin = Signal.like(ways), Signal.like(ways)
        look = parts.steps.i.payload
        m.d.comb += pin.eq(Mux(parts.pins.pin & (look.index == WATCHED),
                               1 << parts.pins.pin_way, 0))
        m.d.sync += pinned.eq((parts.pins.pinned & dirty) | pin)
        return [*facts, ~(pinned & ~dirty).any()]


class Newest(OneCopy):
    """Whoever is answered, changes or counts looks at the newest leaf or node that there is.

    Of a MAC that matches it is taken that what came from DRAM is what was sealed under that
    counter. ``settled``: what was sealed under the present counter is the newest. That there is one
    copy is taken from its own proof.
    """

    def specify(self, m):
        m.d.comb += [Assume(fact) for fact in self.facts(m)]
        ways, held = self.watch(m)
        job, valid = self.parts.steps.job.payload, self.parts.steps.job.valid
        kinds = {kind: valid & (job.job == kind) for kind in Job}
        self._settled = Signal(init=1)
        entries = [self._entry(m, peer, held[peer], kinds)
                   for peer in range(len(self.entries(self.level)))]
        newest = Signal(len(held))
        way_newest, slot_newest = Signal(len(ways)), Signal(len(held))
        way, slot = Signal(len(ways)), Signal(len(held))
        m.d.comb += [
            way.eq(1 << job.line),
            slot.eq(Cat(job.slot == number for number, _ in self.entries(self.level))),
            newest.eq(Cat(Mux(fetched, here & entry.state.trusted, copied)
                          for (_, entry), fetched, here, copied in zip(
                              self.entries(self.level), entries, held, slot_newest,
                              strict=True))),
        ]
        # Where a job looks, and whether the newest is there.
        in_way = ~job.in_slot & ~job.in_root
        here = Mux(job.in_slot, (slot & held).any(), (way & ways).any() & in_way)
        right = Mux(job.in_slot, (slot & newest).any(), (way & way_newest).any() & in_way)
        leaves = kinds[Job.ANSWER] | kinds[Job.CLOSE] | kinds[Job.RECLAIM]
        counts = kinds[Job.GET] | kinds[Job.RAISE]
        changes = (kinds[Job.CLOSE] | kinds[Job.RECLAIM] | kinds[Job.RAISE]
                   | (kinds[Job.ANSWER] & job.write))
        changed = changes & here
        for mask, places in ((way_newest, way), (slot_newest, slot)):
            is_slot = mask is slot_newest
            with m.If(changed):
                m.d.sync += mask.eq(mask & Mux(job.in_slot == is_slot, places, 0))
        with m.If(changed):
            m.d.sync += self._settled.eq(0)
        with m.If(kinds[Job.FILL]):
            m.d.sync += way_newest.eq(Mux((slot & newest).any(), way_newest | way,
                                          way_newest & ~way))
        with m.If(kinds[Job.EVICT]):
            m.d.sync += slot_newest.eq(Mux((way & way_newest).any(), slot_newest | slot,
                                           slot_newest & ~slot))
        wrong_level = counts if self.level == 0 else leaves
        trusted = Mux(kinds[Job.ANSWER], ~job.hint, job.trusted | ~kinds[Job.GET])
        m.d.comb += [
            Assert(~(wrong_level & here)),
            Assert(~((leaves | counts) & here & trusted) | right),
            Assert((way_newest & ways) == ways),
        ]
        if self.level == 0:
            self._asked(m, kinds, here)

    def _asked(self, m, kinds, here):
        """Each access is answered from its own leaf, each write closed in it."""
        job, look = self.parts.steps.job.payload, self.parts.steps.i.payload
        close = self.unit.data_path.close.payload
        bits = (self.config.leaf.lines - 1).bit_length()
        closing, line = Signal(self.config.line_bits), Signal(self.config.line_bits)
        half = len(self.waiting) // 2
        m.d.sync += closing.eq(Array(self.lines)[half + close.entry])
        m.d.comb += [
            line.eq(Mux(kinds[Job.CLOSE], closing, Array(self.lines)[job.source])),
            Assert(~(kinds[Job.ANSWER] | kinds[Job.CLOSE])
                   | (here == (line[bits:] == WATCHED))),
            Assert(~kinds[Job.ANSWER] | (look.place[:bits] == line[:bits])),
        ]

    def _entry(self, m, peer, held, kinds):
        """Follow an entry of the level; return whether it was fetched."""
        table, job = self.parts.table, self.parts.steps.job.payload
        number, entry = self.entries(self.level)[peer]
        fetched, counted, sealed = (
            Signal(name=f"{name}_{peer}") for name in ("fetched", "counted", "sealed"))
        counts = (kinds[Job.GET] | kinds[Job.RAISE]) & (job.source == number)
        seals = table.seal.valid & table.seal.ready & (table.seal.payload.entry == number)
        with m.If(table.allocate & (table.pool_entry == number)):
            m.d.sync += [fetched.eq(table.allocate_fetch), counted.eq(0), sealed.eq(0)]
        with m.If(counts):
            m.d.sync += counted.eq(1)
        with m.If(counts & kinds[Job.RAISE] & held):
            m.d.sync += self._settled.eq(0)
        with m.If(seals):
            m.d.sync += sealed.eq(1)
        with m.If(seals & held):
            m.d.sync += self._settled.eq(1)
        walk = peer < self.config.tree.walks
        m.d.comb += [
            # The counter that it gets is that of the newest.
            Assert(~(counts & held & fetched) | self._settled),
            Assert(~(counts & held) | ~counted),
            Assert(~(seals & held) | (counted & ~sealed & (entry.state.trusted))),
        ]
        if walk:
            m.d.comb += Assert(~(held & counted & ~entry.state.failed) | self._settled)
        return fetched


def check(spec, name, depth):
    """Prove a specification for so many cycles from reset, or for all time without `depth`."""
    if depth is None:
        assert_formal(spec, mode="prove", name=name, timeout=3600)
    else:
        assert_formal(spec, mode="bmc", engine="abc bmc3", depth=depth, name=name, timeout=1800)


DEEP = (pytest.mark.verify, pytest.mark.deep)
DEPTHS = [(0, None), (1, 32), pytest.param(0, 32, marks=pytest.mark.verify)]
"""Levels, and depths: (0, 32) finds a bug sooner than the proof for all time."""


@pytest.mark.parametrize("depth", [26, pytest.param(34, marks=DEEP)])
def test_nobody_waits_for_ever(depth):
    check(NeverStuck(SMALLEST, commands=True), "stuck", depth)


@pytest.mark.parametrize(("level", "depth"), DEPTHS)
def test_a_leaf_or_node_is_at_one_place(level, depth):
    check(OneCopy(SMALLEST, level=level, commands=True), f"one-copy-{level}", depth)


@pytest.mark.parametrize(("level", "depth"), DEPTHS)
def test_what_was_changed_is_not_lost(level, depth):
    check(NothingLost(SMALLEST, level=level, commands=True), f"nothing-lost-{level}", depth)


@pytest.mark.parametrize(("level", "depth"), [
    (0, 14), (1, 14), *(pytest.param(level, depth, marks=DEEP)
                        for level, depth in ((0, None), (0, 20), (1, 24)))])
def test_whoever_looks_sees_the_newest(level, depth):
    check(Newest(SMALLEST, level=level, commands=True), f"newest-{level}", depth)


@pytest.mark.verify
def test_what_happens_within_the_depth():
    assert_formal(Reached(SMALLEST, commands=True), mode="cover", depth=32, name="control-reached")
