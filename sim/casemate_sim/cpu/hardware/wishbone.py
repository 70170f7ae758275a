"""Wishbone, as cores have it, and what shares and splits such a bus."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DEVICE_BIT", "WORD_BITS", "Arbiter", "Decoder", "Wishbone"]

WORD_BITS = 32
"""Width of the data."""

DEVICE_BIT = 31
"""Bit of a byte address that is set in the devices' half of the addresses."""


class Wishbone(wiring.Signature):
    """A classic 32-bit Wishbone bus (revision B4) from the manager's point of view.

    A transfer happens in a cycle with `cyc`, `stb` and one of `ack` and `err`. Bursts are transfers
    behind each other.

    Members
    -------
    cyc, stb, we : Out(1)
        Request; write.
    adr : Out(30)
        Number of the word.
    dat_w : Out(32), sel : Out(4)
        What to write, and which of its bytes.
    ack, err : In(1)
        Done; refused.
    dat_r : In(32)
        What was read.
    """

    def __init__(self):
        super().__init__({
            "cyc": Out(1), "stb": Out(1), "we": Out(1), "adr": Out(30), "dat_w": Out(WORD_BITS),
            "sel": Out(WORD_BITS // 8), "ack": In(1), "err": In(1), "dat_r": In(WORD_BITS),
        })


_REQUEST = ("cyc", "stb", "we", "adr", "dat_w", "sel")


class Arbiter(wiring.Component):
    """Two managers on one bus; the second, which has the data, goes first.

    Whoever has the bus keeps it for its transfer; no latency.

    Members
    -------
    first, second : In(Wishbone())
        From the managers.
    bus : Out(Wishbone())
        To what they share.
    """

    first: wiring.PureInterface
    second: wiring.PureInterface
    bus: wiring.PureInterface

    def __init__(self):
        super().__init__({"first": In(Wishbone()), "second": In(Wishbone()),
                          "bus": Out(Wishbone())})

    def elaborate(self, platform) -> Module:
        """Build the choice."""
        m = Module()
        first, second, bus = self.first, self.second, self.bus
        waiting, owner, chosen = Signal(), Signal(), Signal()
        m.d.comb += chosen.eq(Mux(waiting, owner, second.cyc & second.stb))
        m.d.sync += [waiting.eq(bus.cyc & bus.stb & ~bus.ack & ~bus.err), owner.eq(chosen)]
        m.d.comb += [getattr(bus, name).eq(Mux(chosen, getattr(second, name), getattr(first, name)))
                     for name in _REQUEST]
        for manager, has_it in ((first, ~chosen), (second, chosen)):
            m.d.comb += [manager.ack.eq(bus.ack & has_it), manager.err.eq(bus.err & has_it),
                         manager.dat_r.eq(bus.dat_r)]
        return m


class Decoder(wiring.Component):
    """Sends accesses to the devices' half of the addresses to the devices; no latency.

    Members
    -------
    bus : In(Wishbone())
        From the core.
    memory, devices : Out(Wishbone())
        To either.
    """

    bus: wiring.PureInterface
    memory: wiring.PureInterface
    devices: wiring.PureInterface

    def __init__(self):
        super().__init__({"bus": In(Wishbone()), "memory": Out(Wishbone()),
                          "devices": Out(Wishbone())})

    def elaborate(self, platform) -> Module:
        """Build the choice."""
        m = Module()
        bus = self.bus
        wanted = bus.adr[DEVICE_BIT - 2]
        for side, chosen in ((self.memory, ~wanted), (self.devices, wanted)):
            m.d.comb += [getattr(side, name).eq(getattr(bus, name)) for name in _REQUEST[2:]]
            m.d.comb += [side.cyc.eq(bus.cyc & chosen), side.stb.eq(bus.stb & chosen)]
        m.d.comb += [getattr(bus, name).eq(Mux(
            wanted, getattr(self.devices, name), getattr(self.memory, name)))
            for name in ("ack", "err", "dat_r")]
        return m
