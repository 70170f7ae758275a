"""The AXI4 manager port towards the DRAM controller."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .. import axi
from ..axi.signature import Burst
from ..config import LINE_BYTES, EngineConfig
from ..streams import Holder, Register
from .bundles import EntryResult
from .layouts import memory_beat_layout, request_layout
from .write_sender import write_row_layout

__all__ = ["MemoryPort", "line_signature", "memory_signature"]


def memory_signature(config: EngineConfig) -> axi.Signature:
    """Signature of the DRAM's bus, from the engine's point of view."""
    return axi.Signature(
        data_bits=config.data_bits, address_bits=config.address_bits,
        id_bits=config.memory_id_bits)


def line_signature(config: EngineConfig) -> axi.Signature:
    """Signature of a bus for lines only; without a tree it is the DRAM's."""
    return axi.Signature(
        data_bits=config.data_bits, address_bits=config.address_bits,
        id_bits=config.entry_id_bits)


class MemoryPort(wiring.Component):
    """Whole lines only: INCR bursts of 64 bytes, aligned; one ID for each entry of the tables.

    Read requests leave in the cycle in which they come, or one later with ``register_requests``.
    Responses are taken at once; the channel of read data waits for the router.

    Members
    -------
    axi: Out(line_signature(config))
    fill, read: In(stream.Signature(request_layout(config)))
        Lines to fetch; fills go first. Ready does not depend on the DRAM in the same cycle.
    beat: Out(stream.Signature(memory_beat_layout(config, config.entry_id_bits)))
        Read data.
    address: In(stream.Signature(request_layout(config)))
        Lines to write.
    drain: In(stream.Signature({"data", "entry", "row"}))
        Their rows, in the order of ``address``.
    encrypt: In(write_entries)
        Entries whose whole line is written; of the others, only the bytes with a strobe.
    strobe_entry: Out(range(write_entries)), strobe: In(64)
        Look-up of an entry's strobes, combinational.
    locked: In(1)
        With a tree: nothing of the entry that is looked up is written.
    stored: Out(EntryResult(write_entries))
        The DRAM's response to an entry's write.
    """

    fill: stream.Interface
    read: stream.Interface
    beat: stream.Interface
    address: stream.Interface
    drain: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        entry = range(config.write_entries)
        request = request_layout(config)
        super().__init__({
            "axi": Out(line_signature(config)),
            "fill": In(stream.Signature(request)), "read": In(stream.Signature(request)),
            "beat": Out(stream.Signature(memory_beat_layout(config, config.entry_id_bits))),
            "address": In(stream.Signature(request)),
            "drain": In(stream.Signature(write_row_layout(config))),
            "encrypt": In(config.write_entries),
            "strobe_entry": Out(entry), "strobe": In(LINE_BYTES),
            "stored": Out(EntryResult(config.write_entries)),
            **({} if config.tree is None else {"locked": In(1)}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._elaborate_reads(m)
        self._elaborate_writes(m)
        return m

    def _drive_address(self, m: Module, prefix: str, request: stream.Interface) -> None:
        """Drive an address channel from a stream of requests."""
        config, axi, payload = self._config, self.axi, request.payload
        m.d.comb += [
            getattr(axi, prefix + name).eq(value) for name, value in (
                ("valid", request.valid), ("id", payload.id),
                ("addr", config.data_base | payload.line << (LINE_BYTES - 1).bit_length()),
                ("len", config.beats_per_line - 1),
                ("size", (config.data_bits // 8 - 1).bit_length()),
                ("burst", Burst.INCR.value), ("cache", payload.attributes.cache),
                ("prot", payload.attributes.prot), ("qos", payload.attributes.qos))
        ]
        m.d.comb += request.ready.eq(getattr(axi, prefix + "ready"))

    def _elaborate_reads(self, m: Module) -> None:
        axi = self.axi
        shape = request_layout(self._config)
        stage = Register(shape) if self._config.register_requests else Holder(shape)
        m.submodules.reads = stage
        m.d.comb += [
            stage.i.valid.eq(self.fill.valid | self.read.valid),
            stage.i.payload.eq(self.read.payload),
            self.fill.ready.eq(stage.i.ready),
            self.read.ready.eq(stage.i.ready & ~self.fill.valid),
            self.beat.valid.eq(axi.rvalid), axi.rready.eq(self.beat.ready),
            self.beat.payload.id.eq(axi.rid), self.beat.payload.data.eq(axi.rdata),
            self.beat.payload.response.eq(axi.rresp),
        ]
        with m.If(self.fill.valid):
            m.d.comb += stage.i.payload.eq(self.fill.payload)
        self._drive_address(m, "ar", stage.o)

    def _elaborate_writes(self, m: Module) -> None:
        config, axi = self._config, self.axi
        self._drive_address(m, "aw", self.address)

        # A bus narrower than an AES block takes several beats for a row.
        parts = config.row_bytes * 8 // config.data_bits
        part, last_part = Signal(range(parts)), Signal()
        row = self.drain.payload
        strobes = Signal(LINE_BYTES)
        m.d.comb += [
            last_part.eq(part == parts - 1),
            axi.wvalid.eq(self.drain.valid), self.drain.ready.eq(axi.wready & last_part),
            axi.wdata.eq(row.data.word_select(part, config.data_bits)
                         if parts > 1 else row.data),
            self.strobe_entry.eq(row.entry),
            strobes.eq(self.strobe | self.encrypt.bit_select(row.entry, 1).replicate(LINE_BYTES)),
            axi.wstrb.eq(strobes.word_select(
                Cat(part, row.row) if parts > 1 else row.row, config.data_bits // 8)
                if config.beats_per_line > 1 else strobes),
            axi.wlast.eq(last_part & (row.row == config.rows_per_line - 1)),
            axi.bready.eq(1),
            self.stored.valid.eq(axi.bvalid), self.stored.index.eq(axi.bid),
            self.stored.response.eq(axi.bresp),
        ]
        if config.tree is not None:
            # A beat that DRAM has seen and not yet taken must stay as it is.
            stalled, kept, nothing = Signal(), Signal(), Signal()
            m.d.comb += nothing.eq(Mux(stalled, kept, self.locked))
            m.d.sync += [stalled.eq(axi.wvalid & ~axi.wready), kept.eq(nothing)]
            with m.If(nothing):
                m.d.comb += [axi.wdata.eq(0), axi.wstrb.eq(0)]
        if parts > 1:
            with m.If(axi.wvalid & axi.wready):
                m.d.sync += part.eq(part + 1)
