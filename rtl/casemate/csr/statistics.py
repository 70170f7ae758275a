"""Event counters of 64 bits that share one adder."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["COUNTER_BITS", "Statistics"]

COUNTER_BITS = 64
"""Width of a counter."""


class Statistics(wiring.Component):
    """Counts an event of each kind in every cycle; shows the counts of one moment.

    Each counter is a small one in registers that is emptied, once a round, into a large one in RAM.
    A snapshot or clearing begins between two rounds, for all counters in the same cycle, and is
    done within two rounds of ``counters + 1`` cycles. After reset everything is zero.

    Parameters
    ----------
    counters:
        Number of counters, at least 2.

    Members
    -------
    events: In(counters)
    snapshot: In(1), clear: In(1)
        Pulses. In the same moment, the snapshot shows what was cleared.
    busy: Out(1)
        From the cycle after the pulse until it is done; ``count`` means nothing.
    index: In(range(counters)), count: Out(64)
        A counter of the last snapshot, combinational.
    """

    events: Signal
    snapshot: Signal
    clear: Signal
    busy: Signal
    index: Signal
    count: Signal

    def __init__(self, counters: int):
        self._counters = counters
        super().__init__({
            "events": In(counters), "snapshot": In(1), "clear": In(1), "busy": Out(1),
            "index": In(range(counters)), "count": Out(COUNTER_BITS),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n = self._counters
        m.submodules.totals = totals = Memory(shape=COUNTER_BITS, depth=n, init=[])
        m.submodules.taken = taken = Memory(shape=COUNTER_BITS, depth=n, init=[])
        total_read, total_write = totals.read_port(domain="comb"), totals.write_port()
        taken_read, taken_write = taken.read_port(domain="comb"), taken.write_port()
        m.d.comb += [taken_read.addr.eq(self.index), self.count.eq(taken_read.data)]

        # A small counter gets one event in each cycle of a round, the turn between included.
        small = Array(Signal(bits_for(n + 1), name=f"small_{i}") for i in range(n))
        held = Array(Signal(bits_for(n + 1), name=f"held_{i}") for i in range(n))
        visited = Signal(range(n))
        turn = Signal(init=1)
        wanted = {"snapshot": Signal(init=1, name="snapshot_wanted"),
                  "clear": Signal(name="clear_wanted")}
        active = {name: Signal(name=f"{name}_active") for name in wanted}
        # RAM keeps what it held before reset.
        fresh = Signal(init=1)
        old = Signal(COUNTER_BITS)
        m.d.comb += [
            self.busy.eq(wanted["snapshot"] | wanted["clear"]
                         | active["snapshot"] | active["clear"]),
            total_read.addr.eq(visited), total_write.addr.eq(visited),
            taken_write.addr.eq(visited),
            old.eq(Mux(fresh, 0, total_read.data)),
            total_write.en.eq(~turn), total_write.data.eq(
                Mux(active["clear"], 0, old) + small[visited]),
            taken_write.en.eq(~turn & active["snapshot"]),
            taken_write.data.eq(old + held[visited]),
        ]
        for i in range(n):
            with m.If(turn):
                m.d.sync += held[i].eq(small[i])
            with m.If(Mux(turn, wanted["clear"], visited == i)):
                m.d.sync += small[i].eq(self.events[i])
            with m.Else():
                m.d.sync += small[i].eq(small[i] + self.events[i])
        with m.If(turn):
            m.d.sync += [turn.eq(0), visited.eq(0)]
            for name, signal in wanted.items():
                m.d.sync += [active[name].eq(signal), signal.eq(0)]
        with m.Elif(visited == n - 1):
            m.d.sync += [turn.eq(1), fresh.eq(0)]
            m.d.sync += [signal.eq(0) for signal in active.values()]
        with m.Else():
            m.d.sync += visited.eq(visited + 1)
        for name, pulse in (("snapshot", self.snapshot), ("clear", self.clear)):
            with m.If(pulse):
                m.d.sync += wanted[name].eq(1)
        return m
