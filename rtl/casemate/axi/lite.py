"""AXI4-Lite: bundle with the standard's names, and the subordinate in front of the registers.

ARM IHI 0022, AXI4-Lite. The exported Verilog calls the signals ``s_axil_awaddr`` and so on.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .signature import Response

__all__ = ["LITE_DATA_BITS", "LiteSignature", "LiteSubordinate", "RegisterBusSignature"]

LITE_DATA_BITS = 32
"""Width of a register and of WDATA and RDATA."""

_BYTES = LITE_DATA_BITS // 8
_OFFSET_BITS = (_BYTES - 1).bit_length()


class LiteSignature(wiring.Signature):
    """An AXI4-Lite bus of 32 data bits from the manager's point of view.

    Parameters
    ----------
    address_bits:
        Width of the byte addresses, 3 to 64.

    Members
    -------
    awaddr, awprot, awvalid, awready
        Write address channel.
    wdata, wstrb, wvalid, wready
        Write data channel.
    bresp, bvalid, bready
        Write response channel.
    araddr, arprot, arvalid, arready
        Read address channel.
    rdata, rresp, rvalid, rready
        Read data channel.
    """

    def __init__(self, address_bits: int = 12):
        if not 3 <= address_bits <= 64:
            raise ValueError(f"address_bits must be 3 to 64, not {address_bits}")
        self.address_bits = address_bits
        super().__init__({
            "awaddr": Out(address_bits), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
            "wdata": Out(LITE_DATA_BITS), "wstrb": Out(_BYTES), "wvalid": Out(1), "wready": In(1),
            "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            "araddr": Out(address_bits), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
            "rdata": In(LITE_DATA_BITS), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
        })

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiteSignature) and self.address_bits == other.address_bits


class RegisterBusSignature(wiring.Signature):
    """One access to a register in a cycle with ``read`` or ``write``, never both.

    Members
    -------
    address: Out(address_bits - 2)
        Number of the 32-bit register, valid while an access is pending.
    known: In(1), wait: In(1), read_data: In(32)
        Combinational from ``address``: whether there is such a register, whether the access must
        wait, what is read.
    read: Out(1), write: Out(1)
        The access happens in this cycle. Neither comes for an address that is not known.
    write_data: Out(32), write_mask: Out(32)
        Only bits with a 1 in the mask, which covers whole bytes, are written.
    """

    def __init__(self, address_bits: int = 12):
        self.address_bits = address_bits
        super().__init__({
            "address": Out(address_bits - _OFFSET_BITS), "known": In(1), "wait": In(1),
            "read_data": In(LITE_DATA_BITS), "read": Out(1), "write": Out(1),
            "write_data": Out(LITE_DATA_BITS), "write_mask": Out(LITE_DATA_BITS),
        })

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegisterBusSignature) and self.address_bits == other.address_bits


class LiteSubordinate(wiring.Component):
    """Turns AXI4-Lite transactions into accesses to registers, one after another.

    Address and data of a write may come in any order. A response follows the last of them by two
    cycles at the earliest; a channel takes nothing new until the access that it fed has happened,
    and an access waits until the host took the response before. An address that is not known is
    answered with SLVERR and zero data. The two lowest address bits and AxPROT are ignored.

    Members
    -------
    i: In(LiteSignature(address_bits))
    o: Out(RegisterBusSignature(address_bits))
    """

    def __init__(self, address_bits: int = 12):
        self._address_bits = address_bits
        super().__init__({
            "i": In(LiteSignature(address_bits)), "o": Out(RegisterBusSignature(address_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        host, bus = self.i, self.o
        write_address = Signal(len(bus.address), reset_less=True)
        read_address = Signal(len(bus.address), reset_less=True)
        strobe = Signal(_BYTES, reset_less=True)
        data = Signal(LITE_DATA_BITS, reset_less=True)
        held = {channel: Signal(name=f"{channel}_held") for channel in ("aw", "w", "ar")}
        m.d.comb += [
            host.awready.eq(~held["aw"]), host.wready.eq(~held["w"]),
            host.arready.eq(~held["ar"]),
        ]
        with m.If(host.awvalid & host.awready):
            m.d.sync += [held["aw"].eq(1), write_address.eq(host.awaddr[_OFFSET_BITS:])]
        with m.If(host.wvalid & host.wready):
            m.d.sync += [held["w"].eq(1), data.eq(host.wdata), strobe.eq(host.wstrb)]
        with m.If(host.arvalid & host.arready):
            m.d.sync += [held["ar"].eq(1), read_address.eq(host.araddr[_OFFSET_BITS:])]

        # A write leaves at least one cycle behind it for a read, so that neither starves.
        writing = Signal()
        reading = Signal()
        m.d.comb += [
            writing.eq(held["aw"] & held["w"] & ~host.bvalid),
            reading.eq(held["ar"] & ~host.rvalid & ~writing),
            bus.address.eq(read_address),
            bus.write_data.eq(data),
            bus.write_mask.eq(sum(
                (strobe[byte].replicate(8) << 8 * byte) for byte in range(_BYTES))),
            bus.write.eq(writing & ~bus.wait & bus.known),
            bus.read.eq(reading & ~bus.wait & bus.known),
        ]
        with m.If(writing):
            m.d.comb += bus.address.eq(write_address)

        with m.If(host.bready):
            m.d.sync += host.bvalid.eq(0)
        with m.If(host.rready):
            m.d.sync += host.rvalid.eq(0)
        response = Signal(Response)
        m.d.comb += response.eq(Response.SLVERR)
        with m.If(bus.known):
            m.d.comb += response.eq(Response.OKAY)
        with m.If(writing & ~bus.wait):
            m.d.sync += [
                held["aw"].eq(0), held["w"].eq(0), host.bvalid.eq(1), host.bresp.eq(response)]
        with m.If(reading & ~bus.wait):
            m.d.sync += [
                held["ar"].eq(0), host.rvalid.eq(1), host.rresp.eq(response),
                host.rdata.eq(0)]
            with m.If(bus.known):
                m.d.sync += host.rdata.eq(bus.read_data)
        return m
