"""Small blocks proven for all time, by induction (``abc pdr``)."""

import pytest
from amaranth import Array, Cat, Module, Mux, ResetSignal, Signal
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable
from amaranth.lib.wiring import connect, flipped
from casemate.axi.id_queues import IdQueues
from casemate.engine.free import lowest_free
from casemate.engine.id_order import IdOrder
from casemate.streams import Holder, Picker, Register
from casemate_sim.formal import ProofError, assert_formal


class StageSpec(Elaboratable):
    """What goes in comes out, once and in order; the output is stable until its transfer."""

    def __init__(self, stage):
        self.stage = stage

    def elaborate(self, platform):
        m = Module()
        m.submodules.stage = stage = self.stage
        i, o = stage.i, stage.o
        accept, deliver = i.valid & i.ready, o.valid & o.ready
        inside, payload = Signal(), Signal(4)  # an item that was accepted and not delivered
        stalled, shown = Signal(), Signal(4)
        m.d.comb += [i.valid.eq(AnySeq(1)), i.payload.eq(AnySeq(4)), o.ready.eq(AnySeq(1))]
        with m.If(accept):
            m.d.sync += payload.eq(i.payload)
        m.d.sync += [
            inside.eq(inside + accept - deliver), stalled.eq(o.valid & ~o.ready),
            shown.eq(o.payload),
        ]
        m.d.comb += [
            Assume(~ResetSignal()),
            Assert(~inside | (o.valid & (o.payload == payload))),
            Assert(~o.valid | inside | (accept & (o.payload == i.payload))),
            Assert(~(inside & accept & ~deliver)),
            Assert(~stalled | (o.valid & (o.payload == shown))),
        ]
        return m


@pytest.mark.parametrize("stage", [Register, Holder])
def test_a_stage_loses_and_invents_nothing(stage):
    assert_formal(StageSpec(stage(4)), mode="prove", name=stage.__name__)


def test_a_stage_that_holds_nothing_is_found():
    class Wire(Holder):
        def elaborate(self, platform):
            m = Module()
            connect(m, flipped(self.i), flipped(self.o))
            m.d.comb += self.i.ready.eq(1)
            return m

    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(StageSpec(Wire(4)), mode="prove")


class PickerSpec(Elaboratable):
    """Only requesters are chosen; a request waits for one transfer of each other at most."""

    def __init__(self, requesters):
        self.requesters = requesters

    def elaborate(self, platform):
        m = Module()
        n = self.requesters
        m.submodules.picker = picker = Picker(n)
        o = picker.o
        transfer = o.valid & o.ready
        served, requested = Signal(n), Signal(n)
        waiting = AnyConst(range(n))
        others = Signal(range(n + 3))  # served since `waiting` began to request
        stalled, shown = Signal(), Signal(range(n))
        m.d.comb += [
            picker.requests.eq(AnySeq(n)), o.ready.eq(AnySeq(1)),
            # A request stays until it was served and is gone in the next cycle.
            Assume((requested & ~picker.requests) == 0), Assume((served & picker.requests) == 0),
            Assume(waiting < n), Assume(~ResetSignal()),
        ]
        chosen = Signal(n)
        m.d.comb += chosen.eq(Mux(transfer, 1 << o.payload, 0))
        m.d.sync += [
            served.eq(chosen), requested.eq(picker.requests & ~chosen),
            stalled.eq(o.valid & ~o.ready), shown.eq(o.payload),
            others.eq(Mux(picker.requests.bit_select(waiting, 1) & ~chosen.bit_select(waiting, 1),
                          others + transfer, 0)),
        ]
        m.d.comb += [
            Assert(~o.valid | picker.requests.bit_select(o.payload, 1)),
            Assert(~stalled | (o.valid & (o.payload == shown))),
            Assert(others <= n - 1),
        ]
        return m


@pytest.mark.parametrize("requesters", [1, 3, 4])
def test_a_picker_serves_each_requester_in_turn(requesters):
    assert_formal(PickerSpec(requesters), mode="prove", name=f"Picker{requesters}")


class FreeSpec(Elaboratable):
    """The lowest entry that is not used."""

    def elaborate(self, platform):
        m = Module()
        used = Signal(8)
        free, index = lowest_free(m, used)
        m.d.comb += [
            used.eq(AnySeq(8)), Assert(free == (used != 0xFF)),
            Assert(~free | ~used.bit_select(index, 1)),
            *(Assert(~free | (index <= i) | used[i]) for i in range(8)),
        ]
        return m


def test_the_lowest_free_entry_is_free_and_none_below_it_is():
    assert_formal(FreeSpec(), mode="prove")


class IdOrderSpec(Elaboratable):
    """An entry waits as long as an older one with its ID is in the table."""

    def __init__(self, entries):
        self.entries = entries

    def elaborate(self, platform):
        m = Module()
        n = self.entries
        m.submodules.order = order = IdOrder(n, 1)
        used, ids = Signal(n), Array(Signal(name=f"known_id_{i}") for i in range(n))
        # Bit j of older[i]: entry j was in the table with the ID of i before i came.
        older = [Signal(n, name=f"older_{i}") for i in range(n)]
        leaving = Mux(order.remove, 1 << order.remove_index, 0)
        m.d.comb += [
            order.add.eq(AnySeq(1)), order.add_index.eq(AnySeq(range(n))),
            order.add_id.eq(AnySeq(1)), order.remove.eq(AnySeq(1)),
            order.remove_index.eq(AnySeq(range(n))), order.look_index.eq(AnySeq(range(n))),
            Assume(~ResetSignal()), Assume(order.add_index < n), Assume(order.remove_index < n),
            Assume(~order.add | ~used.bit_select(order.add_index, 1)),
            Assume(~order.remove | (used & ~order.waiting).bit_select(order.remove_index, 1)),
        ]
        same = Cat(used[j] & (ids[j] == order.add_id) for j in range(n))
        m.d.sync += used.eq((used & ~leaving) | Mux(order.add, 1 << order.add_index, 0))
        for i in range(n):
            with m.If(order.add & (order.add_index == i)):
                m.d.sync += [ids[i].eq(order.add_id), older[i].eq(same & ~leaving)]
            with m.Else():
                m.d.sync += older[i].eq(older[i] & ~leaving)
            m.d.comb += Assert(~used[i] | (order.waiting[i] == older[i].any()))
        looked_at = order.look_index
        follows = Cat((older[i] == (1 << looked_at)) & used[i] for i in range(n))
        m.d.comb += Assert(~(used & ~order.waiting).bit_select(looked_at, 1)
                           | (order.follows == follows))
        return m


def test_an_entry_waits_exactly_for_older_ones_of_its_id():
    assert_formal(IdOrderSpec(3), mode="prove")


class IdQueuesSpec(Elaboratable):
    """Each ID's queue, against a shift register for one ID, whichever it is."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.queues = queues = IdQueues(id_bits=1, depth=2, shape=1)
        watched = AnyConst(1)
        count, oldest, newest = Signal(2), Signal(), Signal()
        m.d.comb += [
            queues.push.eq(AnySeq(1)), queues.push_id.eq(AnySeq(1)),
            queues.push_value.eq(AnySeq(1)), queues.id.eq(AnySeq(1)), queues.pop.eq(AnySeq(1)),
            Assume(~queues.push | ~queues.full), Assume(~queues.pop | queues.any),
        ]
        push = queues.push & (queues.push_id == watched)
        pop = queues.pop & (queues.id == watched)
        m.d.sync += count.eq(count + push - pop)
        with m.If(pop):
            m.d.sync += oldest.eq(newest)
        with m.If(push):
            with m.If(count - pop == 0):
                m.d.sync += oldest.eq(queues.push_value)
            with m.Else():
                m.d.sync += newest.eq(queues.push_value)
        m.d.comb += [
            Assert((queues.push_id != watched) | (queues.full == (count == 2))),
            Assert((queues.id != watched) | (queues.any == (count != 0))),
            Assert((queues.id != watched) | (count == 0) | (queues.front == oldest)),
        ]
        return m


def test_queues_of_ids_keep_what_is_pushed_through_resets():
    assert_formal(IdQueuesSpec(), mode="prove")
