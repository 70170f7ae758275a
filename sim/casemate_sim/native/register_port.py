"""Single accesses to the engine's registers."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi.lite import LITE_DATA_BITS, LiteSignature

__all__ = ["REGISTER_BITS", "RegisterPort"]

REGISTER_BITS = LITE_DATA_BITS
"""Width of a register."""


class RegisterPort(wiring.Component):
    """Makes one access after another on an AXI4-Lite bus.

    Parameters
    ----------
    address_bits:
        Width of the byte addresses.

    Members
    -------
    valid : In(1), write : In(1), address : In(address_bits), value : In(32)
        An access, in one cycle in which `ready` is high.
    ready : Out(1)
        There was no access, or its answer is there.
    result : Out(32), response : Out(2)
        The answer: what was read, and RRESP or BRESP.
    bus : Out(LiteSignature(address_bits))
        The bus.
    """

    bus: wiring.PureInterface
    valid: Signal
    write: Signal
    address: Signal
    value: Signal
    ready: Signal
    result: Signal
    response: Signal

    def __init__(self, address_bits: int):
        super().__init__({
            "valid": In(1), "write": In(1), "address": In(address_bits), "value": In(REGISTER_BITS),
            "ready": Out(1, init=1), "result": Out(REGISTER_BITS), "response": Out(2),
            "bus": Out(LiteSignature(address_bits)),
        })

    def elaborate(self, platform) -> Module:
        """Build the registers of the address and data channels."""
        m = Module()
        bus = self.bus
        m.d.comb += [bus.bready.eq(1), bus.rready.eq(1), bus.wstrb.eq(~0),
                     bus.araddr.eq(bus.awaddr)]
        for channel in ("aw", "w", "ar"):
            with m.If(getattr(bus, f"{channel}ready")):
                m.d.sync += getattr(bus, f"{channel}valid").eq(0)
        with m.If(self.valid):
            m.d.sync += [
                self.ready.eq(0), bus.awaddr.eq(self.address), bus.wdata.eq(self.value),
                bus.awvalid.eq(self.write), bus.wvalid.eq(self.write), bus.arvalid.eq(~self.write),
            ]
        with m.Elif(bus.bvalid):
            m.d.sync += [self.ready.eq(1), self.response.eq(bus.bresp)]
        with m.Elif(bus.rvalid):
            m.d.sync += [self.ready.eq(1), self.response.eq(bus.rresp), self.result.eq(bus.rdata)]
        return m
