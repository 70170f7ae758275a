"""AXI4 bundles with the standard's own signal names (ARM IHI 0022, AXI4).

The exported Verilog calls them ``s_axi_awaddr``, ``m_axi_rdata`` and so on, because every member's
path is joined with an underscore.
"""

from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Burst", "Response", "Signature"]


class Burst(enum.Enum, shape=2):
    """AxBURST."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class Response(enum.Enum, shape=2):
    """xRESP."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class Signature(wiring.Signature):
    """An AXI4 bus from the manager's point of view.

    Parameters
    ----------
    data_bits:
        Width of WDATA and RDATA in bits, a power of two from 8 to 1024.
    address_bits:
        Width of the addresses in bits.
    id_bits:
        Width of every ID in bits.
    user_bits:
        Width of AWUSER and ARUSER in bits; 0 leaves them out.

    Members
    -------
    awid, awaddr, awlen, awsize, awburst, awlock, awcache, awprot, awqos, awuser, awvalid, awready
        Write address channel.
    wdata, wstrb, wlast, wvalid, wready
        Write data channel.
    bid, bresp, bvalid, bready
        Write response channel.
    arid, araddr, arlen, arsize, arburst, arlock, arcache, arprot, arqos, aruser, arvalid, arready
        Read address channel.
    rid, rdata, rresp, rlast, rvalid, rready
        Read data channel.
    """

    def __init__(self, *, data_bits: int, address_bits: int, id_bits: int, user_bits: int = 0):
        if data_bits not in (8, 16, 32, 64, 128, 256, 512, 1024):
            raise ValueError(f"data_bits must be a power of two from 8 to 1024, not {data_bits}")
        self.data_bits = data_bits
        self.address_bits = address_bits
        self.id_bits = id_bits
        self.user_bits = user_bits
        members = {}
        for channel in ("aw", "ar"):
            members |= {
                f"{channel}id": Out(id_bits), f"{channel}addr": Out(address_bits),
                f"{channel}len": Out(8), f"{channel}size": Out(3), f"{channel}burst": Out(2),
                f"{channel}lock": Out(1), f"{channel}cache": Out(4), f"{channel}prot": Out(3),
                f"{channel}qos": Out(4), f"{channel}valid": Out(1), f"{channel}ready": In(1),
            }
            if user_bits:
                members[f"{channel}user"] = Out(user_bits)
        members |= {
            "wdata": Out(data_bits), "wstrb": Out(data_bits // 8), "wlast": Out(1),
            "wvalid": Out(1), "wready": In(1),
            "bid": In(id_bits), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            "rid": In(id_bits), "rdata": In(data_bits), "rresp": In(2), "rlast": In(1),
            "rvalid": In(1), "rready": Out(1),
        }
        super().__init__(members)

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Signature)
                and (self.data_bits, self.address_bits, self.id_bits, self.user_bits)
                == (other.data_bits, other.address_bits, other.id_bits, other.user_bits))
