"""Single accesses to lines through the engine, as the host's processor would make them."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi
from casemate.config import DOMAIN_BITS, LINE_BYTES, EngineConfig

from casemate_sim.native.memory_system import host_signature
from casemate_sim.native.register_port import REGISTER_BITS

__all__ = ["WORDS_PER_LINE", "LinePort"]

WORDS_PER_LINE = LINE_BYTES * 8 // REGISTER_BITS
"""Words of 32 bits in a line."""


class LinePort(wiring.Component):
    """Reads or writes one line at a time; its content lies in a buffer.

    Members
    -------
    line : In(32), domain : In(12), claim : In(1)
        Number of the line in the data window, and on whose behalf; constant while busy.
    read, write : In(1)
        Pulses, not while busy: a line is read into the buffer, or written from it.
    busy : Out(1)
        An access goes on.
    response : Out(2)
        Its response, the worst of all beats.
    word : In(4), value : In(32), put : In(1), content : Out(32)
        A word of the buffer: what it holds in this cycle, and a new value. Not while busy.
    bus : Out(host_signature(config))
        The bus.
    """

    bus: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "line": In(32), "domain": In(DOMAIN_BITS), "claim": In(1), "read": In(1),
            "write": In(1), "busy": Out(1), "response": Out(2), "word": In(range(WORDS_PER_LINE)),
            "value": In(REGISTER_BITS), "put": In(1), "content": Out(REGISTER_BITS),
            "bus": Out(host_signature(config)),
        })

    def elaborate(self, platform: object) -> Module:
        """Build the buffer, which beats shift through, and the bus."""
        m = Module()
        bus, config = self.bus, self._config
        beats, width = config.beats_per_line, config.data_bits
        buffer = Signal(8 * LINE_BYTES)
        left = Signal(range(beats))
        address = Const(config.data_base, config.address_bits) + (self.line << 6)
        m.d.comb += [
            bus.araddr.eq(address), bus.awaddr.eq(address), bus.aruser.eq(self.domain),
            bus.awuser.eq(Cat(self.domain, self.claim)),
            *(getattr(bus, f"{channel}{name}").eq(value) for channel in ("ar", "aw")
              for name, value in (("len", beats - 1), ("size", (width // 8).bit_length() - 1),
                                  ("burst", axi.Burst.INCR), ("cache", 0b0011))),
            bus.wdata.eq(buffer[:width]), bus.wstrb.eq(~0), bus.wlast.eq(left == 0),
            bus.rready.eq(1), bus.bready.eq(1),
            self.content.eq(buffer.word_select(self.word, REGISTER_BITS)),
        ]
        for channel in ("ar", "aw"):
            with m.If(getattr(bus, f"{channel}ready")):
                m.d.sync += getattr(bus, f"{channel}valid").eq(0)
        with m.If(self.put):
            m.d.sync += buffer.word_select(self.word, REGISTER_BITS).eq(self.value)
        with m.If(self.read | self.write):
            m.d.sync += [self.busy.eq(1), self.response.eq(axi.Response.OKAY),
                         bus.arvalid.eq(self.read), bus.awvalid.eq(self.write),
                         bus.wvalid.eq(self.write), left.eq(beats - 1)]
        beat = bus.wvalid & bus.wready
        with m.If(beat | bus.rvalid):
            m.d.sync += [buffer.eq(Cat(buffer[width:], Mux(bus.rvalid, bus.rdata, buffer[:width]))),
                         left.eq(left - 1)]
        with m.If(beat & bus.wlast):
            m.d.sync += bus.wvalid.eq(0)
        with m.If(bus.bvalid):
            m.d.sync += [self.busy.eq(0), self.response.eq(bus.bresp)]
        with m.If(bus.rvalid):
            m.d.sync += self.busy.eq(~bus.rlast)
            with m.If(bus.rresp > self.response):
                m.d.sync += self.response.eq(bus.rresp)
        return m
