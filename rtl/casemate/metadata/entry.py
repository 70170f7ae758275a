"""One leaf or node on its way from or to DRAM."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .interface import Failure
from .layouts import index_bits

__all__ = ["EntryState", "NodeEntry", "peer_count"]


def peer_count(config: EngineConfig) -> int:
    """Entries of one level: first its walks, then its write-backs."""
    assert config.tree is not None
    return config.tree.walks + config.tree.write_backs


class EntryState(wiring.Signature):
    """What others may know of an entry, from its own point of view.

    Members
    -------
    active: Out(1)
        It holds a leaf or node.
    index: Out
        Its number in its level.
    readable: Out(1)
        Its content may be looked at, though perhaps not trusted yet.
    here: Out(1)
        DRAM has sent something that counts, and nothing speaks against it yet.
    trusted: Out(1)
        It is verified, and so is all above it.
    failed: Out(1), response: Out(2)
        It did not verify, or DRAM answered with the error ``response``, here or above.
    zero: Out(1)
        Whatever was fetched, the content is zero.
    open: Out(1)
        Counters in it may be raised.
    pressed: Out(1)
        Of a walk: somebody waits for it to leave, or for its place.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "active": Out(1), "index": Out(index_bits(config)), "readable": Out(1), "here": Out(1),
            "trusted": Out(1), "failed": Out(1), "response": Out(2), "zero": Out(1),
            "open": Out(1), "pressed": Out(1),
        })


class NodeEntry(wiring.Component):
    """A walk, which brings a leaf or node into the cache, or a write-back, which takes it to DRAM.

    A walk fetches at once, although its parent may have to be fetched too, and asks for its counter
    in the parent. The counter of a parent that is not trusted yet starts the check, but only a
    trusted parent makes the entry trusted. A write-back is born with a changed leaf or node out of
    the cache, or, as a path update, fetches one that is not in the cache because a counter in it
    must be raised. It raises its own counter, is sealed under it, written, and gone. So an entry
    waits only for entries of the level above: nothing can wait in a circle.

    Parameters
    ----------
    level:
        Level of all leaves or nodes that it ever holds.
    write_back:
        Whether it is a write-back.

    Members
    -------
    state: Out(EntryState(config))
    allocate: In(1), allocate_index: In, allocate_fetch: In(1), allocate_fetched: In(1)
        It gets a leaf or node, which is to be fetched (and is being so already) or, for a
        write-back, is written into its slot in this cycle or the next.
    request: Out(1), take: In(1)
        It wants its counter, and that can be had or its waiting has an end; the request is on its
        way.
    park: In(1), park_on: In(range(peers + 1))
        The request must wait for a peer of the level above, or (``peers``) for a free one.
    counted: In(1), counter_zero: In(1), parent_trusted: In(1), parent: In(range(peers))
        The counter is known; of a write-back, both the old and the raised one.
    bound: Out(peers)
        The peer of the level above that it waited for, until it has its counter.
    starving: Out(1)
        It waits for a free peer of the level above.
    children: In(1), pressing: In(1)
        A walk of the level below is bound to this one, which must not leave; a write-back is, or a
        walk of the level below is starving.
    poison: In(1), poison_response: In(2)
        The parent has failed.
    peers: In(EntryState(config)) for each, peer_free: In(1)
        Entries of the level above; whether one of the same kind is free.
    fetch: Out(1), fetch_take: In(1), fetch_skip: In(1), skip: Out(1)
        It wants to be fetched, or, with ``skip``, does not any more.
    arrive: In(1), arrive_response: In(2)
        The last row has come; gathered response.
    pad: Out(1), pad_take: In(1)
        The check wants its pad.
    check: In(1), check_good: In(1)
        The MAC was compared.
    raised: In(1)
        A counter in it was raised, its slot was written.
    leave: Out(1), leave_take: In(1), stay: In(1)
        A walk is over; that is known; it must ask again.
    seal: Out(1), seal_take: In(1)
        A write-back is ready to be sealed and written.
    free: In(1)
        It is let go.
    stored: In(1)
        It is in DRAM: a write-back is over.
    unstored: In(1), exhausted: In(1)
        DRAM answered its write with an error; the counter that it wanted raised is the highest.
    report: Out(1), report_take: In(1), report_failure: Out(Failure)
        It has failed: a walk by itself, a write-back for whatever reason.
    """

    def __init__(self, config: EngineConfig, *, level: int, write_back: bool):
        self._config, self._level, self._write_back = config, level, write_back
        self._top = level == config.levels - 1
        self._peers = 0 if self._top else peer_count(config)
        n = max(1, self._peers)
        super().__init__({
            "state": Out(EntryState(config)),
            "allocate": In(1), "allocate_index": In(index_bits(config)), "allocate_fetch": In(1),
            "allocate_fetched": In(1),
            "request": Out(1), "take": In(1), "bound": Out(n), "starving": Out(1),
            "children": In(1), "pressing": In(1),
            "park": In(1), "park_on": In(range(n + 1)),
            "counted": In(1), "counter_zero": In(1), "parent_trusted": In(1),
            "parent": In(range(n)), "poison": In(1), "poison_response": In(2),
            "peer_active": In(n), "peer_readable": In(n), "peer_trusted": In(n),
            "peer_failed": In(n), "peer_open": In(n),
            "peer_response": In(data.ArrayLayout(2, n)), "peer_free": In(1),
            "fetch": Out(1), "fetch_take": In(1), "fetch_skip": In(1), "skip": Out(1),
            "arrive": In(1), "arrive_response": In(2),
            "pad": Out(1), "pad_take": In(1), "check": In(1), "check_good": In(1),
            "raised": In(1), "leave": Out(1), "leave_take": In(1), "stay": In(1),
            "seal": Out(1), "seal_take": In(1), "free": In(1),
            "stored": In(1), "unstored": In(1), "exhausted": In(1),
            "report": Out(1), "report_take": In(1), "report_failure": Out(Failure),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = self.state
        wanting, known, zero = Signal(), Signal(), Signal()
        unfetched, arrived, unpadded, checked, good = (Signal() for _ in range(5))
        error = Signal(2)  # DRAM's own answer
        above, waiting, parent = Signal(), Signal(), Signal.like(self.parent)
        poisoned, poison = Signal(), Signal(2)
        fetched = Signal()  # it was asked for, so rows and a check will come
        changed, closed, ripe, sealing = (Signal() for _ in range(4))
        leaving = Signal()
        parked, park_on = Signal(), Signal.like(self.park_on)
        spent, lost, reported = Signal(), Signal(), Signal()

        # Trust comes from above.
        settled = arrived & (~fetched | checked)
        own_error, own_mac = Signal(), Signal()
        born = Signal()  # out of the cache: trusted from the beginning
        m.d.comb += [
            own_error.eq(state.active & fetched & arrived & error[1] & ~(known & zero)),
            own_mac.eq(state.active & fetched & known & above & ~zero & checked & ~good
                       & ~error[1]),
            state.failed.eq(state.active & (poisoned | own_error | own_mac)),
            state.response.eq(Mux(poisoned, poison, Mux(own_error, error, 0))),
            state.trusted.eq(state.active & (born | (
                known & above & settled & (zero | (good & ~error[1]))))),
            state.zero.eq(zero & known),
            # Not before the counter is known: below a counter of zero, DRAM's content is void.
            state.here.eq(state.active & known & ~zero & fetched & arrived & ~error[1]
                          & ~state.failed),
            state.readable.eq(state.active & ~state.failed & (born | (
                known & (zero | (arrived & ~error[1]))))),
            self.fetch.eq(unfetched), self.pad.eq(unpadded & fetched & (known | poisoned)),
            self.skip.eq((known & zero) | poisoned),
            self.report_failure.eq(Mux(spent, Failure.EXHAUSTED, Mux(
                own_error | lost | state.response[1], Failure.BUS_ERROR, Failure.MAC))),
        ]
        if self._write_back:
            m.d.comb += [
                self.report.eq((state.failed | spent | lost) & ~reported),
                state.open.eq(state.trusted & ~born & ~closed),
                self.seal.eq(closed & ripe & ~sealing & ~state.failed),
            ]
            # A counter may just be being raised: it is in the slot a cycle later.
            with m.If(state.trusted & known & (born | changed)):
                m.d.sync += closed.eq(1)
            m.d.sync += ripe.eq(closed)
        else:
            m.d.comb += self.report.eq((own_error | own_mac) & ~poisoned & ~reported)
            m.d.comb += self.leave.eq(
                state.active & (state.trusted | state.failed) & settled & ~waiting
                & ~self.children & ~leaving)

        # The request for the counter.
        bound = Signal()
        m.d.comb += [
            self.bound.eq(Mux(bound & state.active, 1 << park_on, 0)),
            self.starving.eq(state.active & wanting & parked & (park_on == self._peers)),
            state.pressed.eq(self.pressing),
        ]
        with m.If(self.counted | self.poison | self.allocate):
            m.d.sync += bound.eq(0)
        with m.If(self.park):
            m.d.sync += bound.eq(self.park_on != self._peers)
        if self._peers:
            ended = self.peer_failed | ~self.peer_active
            reason = ended | (self.peer_open if self._write_back else self.peer_readable)
            with m.If(park_on == self._peers):
                m.d.comb += self.request.eq(wanting & (~parked | self.peer_free))
            with m.Else():
                m.d.comb += self.request.eq(wanting & (~parked | reason.bit_select(park_on, 1)))
                # Remembered: the peer may be taken again before this one's turn.
                with m.If(reason.bit_select(park_on, 1)):
                    m.d.sync += parked.eq(0)
            with m.If(waiting & self.peer_failed.bit_select(parent, 1)):
                m.d.sync += [waiting.eq(0), poisoned.eq(1), poison.eq(self.peer_response[parent])]
            with m.Elif(waiting & self.peer_trusted.bit_select(parent, 1)):
                m.d.sync += [waiting.eq(0), above.eq(1)]
        else:
            m.d.comb += self.request.eq(wanting)
        with m.If(self.take):
            m.d.sync += [wanting.eq(0), parked.eq(0)]
        with m.If(self.park):
            m.d.sync += [wanting.eq(1), parked.eq(1), park_on.eq(self.park_on)]
        with m.If(self.poison):
            m.d.sync += [poisoned.eq(1), poison.eq(self.poison_response)]
        with m.If(self.counted):
            m.d.sync += [
                known.eq(1), zero.eq(self.counter_zero & ~born), above.eq(self.parent_trusted),
                waiting.eq(~self.parent_trusted), parent.eq(self.parent),
            ]

        with m.If(self.fetch_take):
            m.d.sync += [unfetched.eq(0), fetched.eq(1)]
        with m.If(self.fetch_skip):
            m.d.sync += [unfetched.eq(0), arrived.eq(1)]
        with m.If(self.arrive):
            m.d.sync += [arrived.eq(1), error.eq(self.arrive_response)]
        with m.If(self.pad_take):
            m.d.sync += unpadded.eq(0)
        with m.If(self.check):
            m.d.sync += [checked.eq(1), good.eq(self.check_good)]
        with m.If(self.raised):
            m.d.sync += [changed.eq(1), zero.eq(0), good.eq(1), error.eq(0)]
        with m.If(self.seal_take):
            m.d.sync += sealing.eq(1)
        with m.If(self.leave_take):
            m.d.sync += leaving.eq(1)
        with m.If(self.stay):
            m.d.sync += leaving.eq(0)
        with m.If(self.exhausted):
            m.d.sync += spent.eq(1)
        with m.If(self.unstored):
            m.d.sync += lost.eq(1)
        with m.If(self.report_take):
            m.d.sync += reported.eq(1)
        with m.If(self.allocate):
            m.d.sync += [
                state.active.eq(1), state.index.eq(self.allocate_index),
                born.eq(~self.allocate_fetch), fetched.eq(self.allocate_fetched),
                unfetched.eq(self.allocate_fetch & ~self.allocate_fetched),
                arrived.eq(~self.allocate_fetch), wanting.eq(1), parked.eq(0),
                unpadded.eq(self.allocate_fetch),
                *(flag.eq(0) for flag in (
                    known, zero, checked, good, error, above, waiting, poisoned, changed, closed,
                    ripe, sealing, leaving, spent, lost, reported)),
            ]
        with m.Elif(self.free | self.stored):
            m.d.sync += [state.active.eq(0), wanting.eq(0), unfetched.eq(0)]
        return m
