"""Latency histogram in on-die RAM."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.player.layouts import LATENCY_BITS

__all__ = ["Histogram"]


class Histogram(wiring.Component):
    """Counts latencies exactly, one per cycle; the last bin holds all that are as long or longer.

    Members
    -------
    i : In(stream.Signature(16, always_ready=True))
        Latencies in cycles.
    bin : In(10)
        Bin to read, while nothing arrives on `i`.
    count : Out(32)
        Its count, one cycle later.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(16, always_ready=True)), "bin": In(LATENCY_BITS),
            "count": Out(32),
        })

    def elaborate(self, platform) -> Module:
        """Build the read, increment, write sequence."""
        m = Module()
        m.submodules.bins = bins = memory.Memory(shape=32, depth=1 << LATENCY_BITS, init=[])
        write = bins.write_port()
        read = bins.read_port(transparent_for=(write,))
        last = (1 << LATENCY_BITS) - 1
        chosen, pending = Signal(LATENCY_BITS), Signal()
        m.d.comb += [
            chosen.eq(Mux(self.i.p > last, last, self.i.p)),
            read.addr.eq(Mux(self.i.valid, chosen, self.bin)), read.en.eq(1),
            write.en.eq(pending), write.data.eq(read.data + 1), self.count.eq(read.data),
        ]
        m.d.sync += [pending.eq(self.i.valid), write.addr.eq(chosen)]
        return m
