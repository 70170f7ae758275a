"""A core without caches in front of the engine: each access is a burst of one beat."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi.signature import Burst
from casemate.config import EngineConfig

from casemate_sim.cpu.hardware.wishbone import WORD_BITS, Wishbone
from casemate_sim.native.memory_system import host_signature

__all__ = ["SingleBeats"]

_WORD_BYTES = WORD_BITS // 8


class SingleBeats(wiring.Component):
    """Makes each transfer of a core's bus a burst of one word on AXI4, one at a time.

    Parameters
    ----------
    config:
        The engine's configuration.
    domain:
        Domain ID of the traffic.

    Members
    -------
    bus : In(Wishbone())
        From the core; answered in the cycle of the response.
    axi : Out(host_signature(config))
        To the engine.
    write_failed : Out(1)
        High for a cycle: an access was refused. The core does not look at `err`.
    """

    bus: wiring.PureInterface
    axi: wiring.PureInterface
    write_failed: Signal

    def __init__(self, config: EngineConfig, *, domain: int):
        self._config = config
        self._domain = domain
        super().__init__({"bus": In(Wishbone()), "axi": Out(host_signature(config)),
                          "write_failed": Out(1)})

    def elaborate(self, platform) -> Module:
        """Build the request and the answer."""
        m = Module()
        bus, axi = self.bus, self.axi
        lanes = self._config.data_bits // WORD_BITS
        lane = Signal(range(lanes))
        asked, begin, answered, error = Signal(), Signal(), Signal(), Signal()
        m.d.comb += lane.eq(bus.adr)
        for channel in ("aw", "ar"):
            m.d.comb += [
                getattr(axi, f"{channel}addr").eq(Cat(Const(0, 2), bus.adr)),
                getattr(axi, f"{channel}size").eq((_WORD_BYTES - 1).bit_length()),
                getattr(axi, f"{channel}burst").eq(Burst.INCR.value),
                getattr(axi, f"{channel}user").eq(self._domain),
            ]
        m.d.comb += [
            begin.eq(bus.cyc & bus.stb & ~asked), axi.rready.eq(1), axi.bready.eq(1),
            axi.wdata.eq(bus.dat_w.replicate(lanes)), axi.wlast.eq(1),
            axi.wstrb.word_select(lane, _WORD_BYTES).eq(bus.sel),
            answered.eq(axi.rvalid | axi.bvalid),
            error.eq((axi.rvalid & axi.rresp[1]) | (axi.bvalid & axi.bresp[1])),
            bus.ack.eq(answered & ~error), bus.err.eq(answered & error),
            bus.dat_r.eq(axi.rdata.word_select(lane, WORD_BITS)),
            self.write_failed.eq(bus.err),
        ]
        for channel in ("aw", "w", "ar"):
            with m.If(getattr(axi, f"{channel}ready")):
                m.d.sync += getattr(axi, f"{channel}valid").eq(0)
        with m.If(begin):
            m.d.sync += [asked.eq(1), axi.awvalid.eq(bus.we), axi.wvalid.eq(bus.we),
                         axi.arvalid.eq(~bus.we)]
        with m.Elif(answered):
            m.d.sync += asked.eq(0)
        return m
