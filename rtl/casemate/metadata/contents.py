"""What leaves and nodes contain, and what is done to them."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import COUNTERS_PER_NODE, DOMAIN_BITS, LINE_BYTES, EngineConfig
from .entry import peer_count
from .interface import Outcome, answer_layout, close_layout, node_row_layout
from .layouts import COUNTER_FIELD_BITS, leaf_layout, node_layout
from .root import Root, RootDoor
from .storage import SlotRead, Storage
from .table import entry_shape

__all__ = ["Contents", "Job", "job_layout"]


class Job(enum.Enum, shape=3):
    """What is done to a leaf or node that was looked up."""

    ANSWER = 0
    """An access is answered, from its leaf."""
    REFUSE = 1
    """An access is answered without looking."""
    CLOSE = 2
    """A line's version and tag are stored."""
    GET = 3
    """An entry gets its counter."""
    RAISE = 4
    """An entry's counter is raised."""
    FILL = 5
    """An entry's slot is copied into the cache."""
    EVICT = 6
    """A way of the cache is copied into an entry's slot."""
    RECLAIM = 7
    """A leaf loses its owner, and none of its lines is valid any more."""


def job_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a job.

    What was looked up lies in the cache at ``line``, or, with ``in_slot``, in the slot ``slot``
    (as zeros with ``zero``), or, with ``in_root``, in the root. ``line`` and ``slot`` are also what
    FILL, which has ``in_slot``, and EVICT write. ``trusted`` and ``parent`` concern GET;
    ``outcome`` and ``response`` REFUSE. ``source`` is the line in flight or the entry that asks.
    ``hint``: of ANSWER, of a leaf that is not verified. ``hinted``: of REFUSE.
    """
    assert config.tree is not None
    return data.StructLayout({
        "job": Job, "line": range(config.tree.cache_sets * config.tree.cache_ways),
        "slot": entry_shape(config), "in_slot": 1, "in_root": 1, "zero": 1,
        "root": range(config.root_counters),
        "source": max(config.entry_id_bits, (config.node_entries - 1).bit_length()),
        "place": range(max(8, config.leaf.lines)),
        "write": 1, "domain": DOMAIN_BITS, "claim": 1,
        "trusted": 1, "parent": range(peer_count(config)), "outcome": Outcome, "response": 2,
        "hint": 1, "hinted": 1,
    })


class Contents(wiring.Component):
    """Takes one job per cycle; does it in the next cycle; the one behind it sees the result.

    Members
    -------
    i: In(stream.Signature(job_layout(config), always_ready=True))
    close: In(close_layout(config))
        What a CLOSE stores, in the cycle of its job.
    answer: Out(stream.Signature(answer_layout(config), always_ready=True))
        Two cycles after the job.
    told: Out(1), told_id: Out(entry_id_bits), told_hint: Out(1)
        An access for which a hint was looked for; whether it got one.
    cancel: Out(1), cancel_entry: Out(range(write_entries))
        A write is not granted; one cycle after the job, as all that follows.
    counted: Out(1), counted_entry: Out, counter_zero: Out(1), parent_trusted, parent: Out
        An entry has its counter.
    exhausted: Out(1), exhausted_entry: Out
        An entry cannot have its counter raised.
    raised: Out(1), raised_entry: Out
        The slot in which a counter was raised.
    look_entry: In, old: Out(52), new: Out(52)
        The counter that an entry got, and a write-back's raised one; combinational.
    row: In(stream.Signature(node_row_layout(config)))
        Rows from DRAM, for the slots.
    read: In(SlotRead(config))
    ready: Out(1)
        The root is.
    door: In(RootDoor(config))
    """

    i: stream.Interface
    answer: stream.Interface
    row: stream.Interface

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        entry = entry_shape(config)
        super().__init__({
            "i": In(stream.Signature(job_layout(config), always_ready=True)),
            "close": In(close_layout(config)),
            "answer": Out(stream.Signature(answer_layout(config), always_ready=True)),
            "told": Out(1), "told_id": Out(config.entry_id_bits), "told_hint": Out(1),
            "cancel": Out(1), "cancel_entry": Out(range(config.write_entries)),
            "counted": Out(1), "counted_entry": Out(entry), "counter_zero": Out(1),
            "parent_trusted": Out(1), "parent": Out(range(peer_count(config))),
            "exhausted": Out(1), "exhausted_entry": Out(entry),
            "raised": Out(1), "raised_entry": Out(entry),
            "look_entry": In(entry), "old": Out(COUNTER_FIELD_BITS),
            "new": Out(COUNTER_FIELD_BITS),
            "row": In(stream.Signature(node_row_layout(config))),
            "read": In(SlotRead(config)), "ready": Out(1), "door": In(RootDoor(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.storage = storage = Storage(self._config)
        m.submodules.root = root = Root(self._config)
        wiring.connect(m, wiring.flipped(self.door), root.door)
        wiring.connect(m, wiring.flipped(self.row), storage.row)
        wiring.connect(m, wiring.flipped(self.read), storage.read)

        # The cycle of the job: everything that it may need is read.
        job, valid = Signal(job_layout(self._config)), Signal()
        close = Signal(close_layout(self._config))
        given = self.i.payload
        m.d.sync += [job.eq(given), valid.eq(self.i.valid), close.eq(self.close)]
        m.d.comb += [
            storage.look.line.eq(given.line), storage.look.slot.eq(given.slot),
            storage.look.in_slot.eq(given.in_slot), root.enable.eq(1), root.index.eq(given.root),
            self.ready.eq(root.ready),
        ]

        # The next cycle. What is only copied passes the way of what is changed, as it is.
        fills, evicts, stores = (
            valid & kind for kind in (
                job.job == Job.FILL, job.job == Job.EVICT,
                (job.job == Job.CLOSE) | (job.job == Job.RECLAIM)))
        held = Signal(8 * LINE_BYTES)
        m.d.comb += held.eq(Mux(job.in_slot & job.zero, 0, storage.held))
        self._access(m, valid, job, held)
        self._count(m, valid, job, held, root)

        claims = valid & (job.job == Job.ANSWER) & self._claims
        raising, raises = self._raising, self._raises
        m.d.comb += [
            storage.to.line.eq(job.line), storage.to.slot.eq(job.slot),
            storage.to.in_slot.eq(evicts | (raising & job.in_slot)),
            storage.changed.eq(self._change(m, job, close, held)),
            storage.write.eq(fills | evicts | stores | claims | (raises & ~job.in_root)),
            # Whether a counter can be raised, a granule claimed, is known too late for the bus.
            storage.needed.eq(fills | evicts | stores | (raising & ~job.in_root) | (
                valid & (job.job == Job.ANSWER) & job.write & job.claim)),
            self.raised.eq(raises & job.in_slot), self.raised_entry.eq(job.slot),
        ]
        return m

    def _access(self, m: Module, valid: Value, job: data.View, held: Signal) -> None:
        """Answer accesses."""
        config = self._config
        shape = config.leaf
        before = Signal(leaf_layout(config))
        place = job.place[:(shape.lines - 1).bit_length()]
        owned, version, self._claims = Signal(), Signal(shape.version_bits), Signal()
        m.d.comb += [
            before.eq(held), version.eq(before.version[place]),
            owned.eq(before.owner == job.domain[:shape.owner_bits]),
            self._claims.eq(job.write & job.claim & (before.owner == 0) & (job.domain != 0)),
        ]
        answer = Signal(answer_layout(config), reset_less=True)
        m.d.comb += self.answer.payload.eq(answer)
        outcome = Signal(Outcome)
        with m.If(job.job == Job.REFUSE):
            m.d.comb += outcome.eq(job.outcome)
        with m.Elif(~((owned & (job.domain != 0)) | self._claims)):
            m.d.comb += outcome.eq(Outcome.DENIED)
        with m.Elif(job.write & version.all()):
            m.d.comb += outcome.eq(Outcome.EXHAUSTED)
        with m.Else():
            m.d.comb += outcome.eq(Outcome.GRANTED)
        line_valid = before.valid.bit_select(place, 1)
        m.d.comb += [
            self.told.eq(valid & (job.job == Job.ANSWER) & job.hint), self.told_id.eq(job.source),
            self.told_hint.eq((outcome == Outcome.GRANTED) & line_valid),
        ]
        m.d.sync += [
            self.answer.valid.eq(valid & (
                ((job.job == Job.ANSWER) & (~job.hint | self.told_hint))
                | (job.job == Job.REFUSE))),
            answer.hint.eq((job.job == Job.ANSWER) & job.hint),
            answer.hinted.eq((job.job == Job.REFUSE) & job.hinted),
            answer.id.eq(job.source), answer.outcome.eq(outcome),
            answer.response.eq(job.response), answer.version.eq(version),
            answer.tag.eq(before.tag[place]),
            answer.line_valid.eq(line_valid),
        ]
        m.d.comb += [
            self.cancel.eq(valid & (job.job == Job.ANSWER) & job.write
                           & (outcome != Outcome.GRANTED)),
            self.cancel_entry.eq(job.source),
        ]

    def _count(self, m: Module, valid: Value, job: data.View, held: Signal, root: Root) -> None:
        """Give entries their counters; raise counters."""
        config = self._config
        counters = data.StructLayout({"old": COUNTER_FIELD_BITS, "new": COUNTER_FIELD_BITS})
        m.submodules.counters = memory = Memory(
            shape=counters, depth=config.node_entries, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        before = Signal(node_layout())
        old, new, spent = Signal(COUNTER_FIELD_BITS), Signal(COUNTER_FIELD_BITS), Signal()
        self._raising, self._raises = Signal(), Signal()
        self._raised = Signal(COUNTER_FIELD_BITS)
        place = job.place[:3]
        m.d.comb += [
            before.eq(held), self._raised.eq(new),
            old.eq(Mux(job.in_root, root.counter, before.counter[place])), new.eq(old + 1),
            spent.eq(old[:config.counter_bits].all()),
            self._raising.eq(valid & (job.job == Job.RAISE)),
            self._raises.eq(self._raising & ~spent),
            root.write.eq(self._raises & job.in_root), root.value.eq(new),
            self.counted.eq((valid & (job.job == Job.GET)) | self._raises),
            self.counted_entry.eq(job.source), self.counter_zero.eq(old == 0),
            self.parent_trusted.eq(job.trusted), self.parent.eq(job.parent),
            self.exhausted.eq(self._raising & spent), self.exhausted_entry.eq(job.source),
            write.en.eq(self.counted), write.addr.eq(job.source),
            write.data.old.eq(old), write.data.new.eq(new),
            read.addr.eq(self.look_entry), self.old.eq(read.data.old), self.new.eq(read.data.new),
        ]

    def _change(self, m: Module, job: data.View, close: data.View, held: Signal) -> Value:
        """Store versions and tags, owners, counters: one choice for each bit of `held`.

        What is put in for a bit does not depend on where in the leaf or node it goes.
        """
        config = self._config
        leaf, node = leaf_layout(config), node_layout()
        leaf_value, leaf_mask = (Signal(leaf, name=f"leaf_{name}") for name in ("value", "mask"))
        node_value, node_mask = (Signal(node, name=f"node_{name}") for name in ("value", "mask"))
        closes = job.job == Job.CLOSE
        for place in range(config.leaf.lines):
            chosen = closes & (close.place == place)
            m.d.comb += [
                leaf_value.version[place].eq(close.version), leaf_value.tag[place].eq(close.tag),
                leaf_value.valid[place].eq(closes),
                leaf_mask.version[place].eq(chosen.replicate(config.leaf.version_bits)),
                leaf_mask.tag[place].eq(chosen.replicate(config.leaf.tag_bits)),
                leaf_mask.valid[place].eq(chosen | (job.job == Job.RECLAIM)),
            ]
        m.d.comb += [
            leaf_value.owner.eq(Mux(job.job == Job.ANSWER, job.domain, 0)),
            leaf_mask.owner.eq(((job.job == Job.ANSWER) | (job.job == Job.RECLAIM)).replicate(
                config.leaf.owner_bits)),
        ]
        for place in range(COUNTERS_PER_NODE):
            chosen = (job.job == Job.RAISE) & (job.place[:3] == place)
            m.d.comb += [
                node_value.counter[place].eq(self._raised),
                node_mask.counter[place].eq(chosen.replicate(COUNTER_FIELD_BITS)),
            ]
        value, mask = Signal(8 * LINE_BYTES), Signal(8 * LINE_BYTES)
        m.d.comb += [
            value.eq(Mux(job.job == Job.RAISE, node_value.as_value(), leaf_value.as_value())),
            mask.eq(leaf_mask.as_value() | node_mask.as_value()),
        ]
        return (held & ~mask) | (value & mask)
