"""The host's AXI4 subordinate port: admits bursts to their domains and splits them into chunks."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .. import axi
from ..axi.burst import BurstSplitter
from ..axi.signature import Burst
from ..config import DOMAIN_BITS, EngineConfig
from ..domain.slots import LookupSignature
from .bundles import BurstOpening
from .layouts import chunk_layout
from .read_return import read_beat_layout
from .write_bursts import write_response_layout
from .write_collector import write_beat_layout

__all__ = ["USER_BITS", "HostPort", "host_signature"]

USER_BITS = DOMAIN_BITS + 1
"""Width of AWUSER and ARUSER: the domain ID, and above it the write's `claim` bit."""


def host_signature(config: EngineConfig) -> axi.Signature:
    """Signature of the host's bus, from the host's point of view."""
    return axi.Signature(
        data_bits=config.data_bits, address_bits=config.address_bits, id_bits=config.id_bits,
        user_bits=USER_BITS)


class HostPort(wiring.Component):
    """Address channels to chunks (latency 1 cycle); data and response channels pass through.

    A burst is refused (SLVERR, zero data, no DRAM access) when no usable slot belongs to its
    domain, when its type is FIXED, or, chunk by chunk, outside the data window. AxLOCK is ignored:
    an exclusive access is done like any other and answered OKAY, never EXOKAY. WLAST is ignored,
    because AWLEN says the same. With a tree, a burst of a locked slot is refused too. With a key
    manager, a burst whose domain is in no slot waits until it is known what becomes of it.

    Members
    -------
    axi: In(host_signature(config))
    read_lookup, write_lookup: Out(LookupSignature(config))
        To ``DomainSlots``.
    lock: In(domain_slots)
        Slots whose domains are refused; with a tree only.
    read: Out(stream.Signature(chunk_layout(config)))
        Chunks to read.
    write: Out(stream.Signature(chunk_layout(config)))
        Chunks to write.
    write_burst: Out(range(write_bursts))
        Number of the burst that the chunk on ``write`` belongs to.
    bursts: Out(BurstOpening(config))
        To ``WriteBursts``.
    w: Out(stream.Signature(write_beat_layout(config)))
    b: In(stream.Signature(write_response_layout(config)))
    r: In(stream.Signature(read_beat_layout(config)))
    idle: Out(1)
        No burst is being split.
    """

    read: stream.Interface
    write: stream.Interface
    w: stream.Interface
    b: stream.Interface
    r: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "axi": In(host_signature(config)),
            "read_lookup": Out(LookupSignature(config)),
            "write_lookup": Out(LookupSignature(config)),
            "read": Out(stream.Signature(chunk_layout(config))),
            "write": Out(stream.Signature(chunk_layout(config))),
            "write_burst": Out(range(config.write_bursts)),
            "bursts": Out(BurstOpening(config)),
            "w": Out(stream.Signature(write_beat_layout(config))),
            "b": In(stream.Signature(write_response_layout(config))),
            "r": In(stream.Signature(read_beat_layout(config))),
            "idle": Out(1),
            **({} if config.tree is None else {"lock": In(config.domain_slots)}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        m.submodules.reads = reads = BurstSplitter(self._config)
        m.submodules.writes = writes = BurstSplitter(self._config)
        for prefix, splitter, lookup, chunks in (
                ("ar", reads, self.read_lookup, self.read),
                ("aw", writes, self.write_lookup, self.write)):
            channel = {name: getattr(axi, prefix + name) for name in (
                "addr", "len", "size", "burst", "id", "user", "cache", "prot", "qos")}
            command = splitter.i.payload
            m.d.comb += [
                command.address.eq(channel["addr"]), command.length.eq(channel["len"]),
                command.size.eq(channel["size"]), command.burst.eq(channel["burst"]),
                command.id.eq(channel["id"]),
                command.attributes.cache.eq(channel["cache"]),
                command.attributes.prot.eq(channel["prot"]),
                command.attributes.qos.eq(channel["qos"]),
                lookup.domain.eq(channel["user"][:DOMAIN_BITS]),
                command.slot.eq(lookup.slot), command.encrypt.eq(lookup.encrypt),
                command.refused.eq(~lookup.known | (channel["burst"] == Burst.FIXED.value)),
            ]
            if self._config.tree is not None:
                m.d.comb += [
                    command.authenticate.eq(lookup.authenticate),
                    command.domain.eq(lookup.domain), command.claim.eq(channel["user"][-1]),
                ]
                with m.If(self.lock.bit_select(lookup.slot, 1)):
                    m.d.comb += command.refused.eq(1)
            wiring.connect(m, splitter.o, wiring.flipped(chunks))

        read_valid, write_valid = axi.arvalid, axi.awvalid
        read_ready, write_ready = reads.i.ready, writes.i.ready
        if self._config.keys is not None:
            # A burst whose domain has no slot waits for one; bursts behind it wait with it.
            read_valid = read_valid & ~self.read_lookup.wait
            write_valid = write_valid & ~self.write_lookup.wait
            read_ready = read_ready & ~self.read_lookup.wait
            write_ready = write_ready & ~self.write_lookup.wait
            for lookup, prefix in ((self.read_lookup, "ar"), (self.write_lookup, "aw")):
                valid, ready = getattr(axi, f"{prefix}valid"), getattr(axi, f"{prefix}ready")
                m.d.comb += [lookup.valid.eq(valid), lookup.taken.eq(valid & ready)]
        m.d.comb += [
            reads.i.valid.eq(read_valid), axi.arready.eq(read_ready),
            writes.i.valid.eq(write_valid & self.bursts.ready),
            axi.awready.eq(write_ready & self.bursts.ready),
            self.bursts.valid.eq(write_valid & writes.i.ready), self.bursts.id.eq(axi.awid),
            self.w.valid.eq(axi.wvalid), axi.wready.eq(self.w.ready),
            self.w.payload.data.eq(axi.wdata), self.w.payload.strobe.eq(axi.wstrb),
            axi.bvalid.eq(self.b.valid), self.b.ready.eq(axi.bready),
            axi.bid.eq(self.b.payload.id), axi.bresp.eq(self.b.payload.response),
            axi.rvalid.eq(self.r.valid), self.r.ready.eq(axi.rready),
            axi.rid.eq(self.r.payload.id), axi.rdata.eq(self.r.payload.data),
            axi.rresp.eq(self.r.payload.response), axi.rlast.eq(self.r.payload.last),
            self.idle.eq(~self.read.valid & ~self.write.valid),
        ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += self.write_burst.eq(self.bursts.number)
        return m
