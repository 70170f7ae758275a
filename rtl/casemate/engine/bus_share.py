"""Lines, leaves and nodes on one bus to DRAM."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..axi.signature import Burst, Response
from ..config import EngineConfig
from ..metadata.interface import node_request_layout, node_row_layout
from .assemble import assembled_row
from .layouts import memory_beat_layout
from .memory_port import line_signature, memory_signature

__all__ = ["BusShare"]

_CACHE = 0b0011
"""AxCACHE of leaves and nodes: normal memory, not cacheable, bufferable."""

_LINES_AHEAD = 8


class BusShare(wiring.Component):
    """Latency 0 cycles on every channel; leaves and nodes go first.

    The top bit of an ID marks a leaf or node. Write data follow in the order in which addresses
    were offered to DRAM; at most 8 addresses are ahead of their data. Data of lines wait until
    their address is offered, not until it is taken.

    Members
    -------
    lines: In(line_signature(config))
        The bus of the lines.
    axi: Out(memory_signature(config))
        The DRAM's bus.
    fetch, row, store, drain, stored, stored_entry, stored_response:
        As in ``MetadataSignature``.
    """

    fetch: stream.Interface
    row: stream.Interface
    store: stream.Interface
    drain: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        requests = stream.Signature(node_request_layout(config))
        rows = stream.Signature(node_row_layout(config))
        entry = range(max(2, config.node_entries))
        super().__init__({
            "lines": In(line_signature(config)), "axi": Out(memory_signature(config)),
            "fetch": In(requests), "row": Out(rows), "store": In(requests), "drain": In(rows),
            "stored": Out(1), "stored_entry": Out(entry), "stored_response": Out(2),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._share_addresses(m, "ar", self.fetch, Const(1))
        self._share_writes(m)
        self._part_reads(m)
        axi, lines = self.axi, self.lines
        m.d.comb += [
            axi.bready.eq(1),
            lines.bvalid.eq(axi.bvalid & ~axi.bid[-1]), lines.bid.eq(axi.bid),
            lines.bresp.eq(axi.bresp),
            self.stored.eq(axi.bvalid & axi.bid[-1]), self.stored_entry.eq(axi.bid),
            self.stored_response.eq(Mux(axi.bresp == Response.EXOKAY.value,
                                        Response.OKAY.value, axi.bresp)),
        ]
        return m

    def _share_addresses(self, m: Module, channel: str, request: stream.Interface,
                         room: Signal | Const) -> tuple[Signal, Signal]:
        """Drive an address channel; an address that was offered stays.

        Returns whether an address is offered for the first time, and whether it is a node's.
        """
        config = self._config
        ours = {name: getattr(self.axi, channel + name) for name in (
            "valid", "ready", "id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")}
        theirs = {name: getattr(self.lines, channel + name) for name in ours}
        held, kept, node, offered = Signal(), Signal(), Signal(), Signal()
        top = 1 << (config.memory_id_bits - 1)
        m.d.comb += [
            node.eq(Mux(held, kept, request.valid)),
            ours["valid"].eq(Mux(node, request.valid, theirs["valid"]) & (held | room)),
            offered.eq(ours["valid"] & ~held),
            request.ready.eq(node & ours["ready"] & (held | room)),
            theirs["ready"].eq(~node & ours["ready"] & (held | room)),
        ]
        m.d.sync += [held.eq(ours["valid"] & ~ours["ready"]), kept.eq(node)]
        with m.If(node):
            m.d.comb += [
                ours["id"].eq(top | request.payload.entry),
                ours["addr"].eq(request.payload.address),
                ours["len"].eq(config.beats_per_line - 1),
                ours["size"].eq((config.data_bits // 8 - 1).bit_length()),
                ours["burst"].eq(Burst.INCR.value), ours["cache"].eq(_CACHE),
            ]
        with m.Else():
            m.d.comb += [ours[name].eq(theirs[name])
                         for name in ours if name not in ("valid", "ready")]
        return offered, node

    def _share_writes(self, m: Module) -> None:
        """Offer addresses, and let data through in the same order."""
        config, axi, lines = self._config, self.axi, self.lines
        m.submodules.order = order = SyncFIFO(width=1, depth=_LINES_AHEAD)
        offered, node_address = self._share_addresses(m, "aw", self.store, order.w_rdy)
        m.d.comb += [order.w_en.eq(offered), order.w_data.eq(node_address)]

        parts = config.row_bytes * 8 // config.data_bits
        part, last_part = Signal(range(parts)), Signal()
        row = self.drain.payload
        node = order.r_data[0]
        m.d.comb += [
            last_part.eq(part == parts - 1),
            axi.wvalid.eq(order.r_rdy & Mux(node, self.drain.valid, lines.wvalid)),
            lines.wready.eq(order.r_rdy & ~node & axi.wready),
            self.drain.ready.eq(order.r_rdy & node & axi.wready & last_part),
            axi.wdata.eq(lines.wdata), axi.wstrb.eq(lines.wstrb), axi.wlast.eq(lines.wlast),
            order.r_en.eq(axi.wvalid & axi.wready & axi.wlast),
        ]
        with m.If(node):
            m.d.comb += [
                axi.wdata.eq(row.data.word_select(part, config.data_bits)
                             if parts > 1 else row.data),
                axi.wstrb.eq(-1),
                axi.wlast.eq(last_part & (row.row == config.rows_per_line - 1)),
            ]
            if parts > 1:
                with m.If(axi.wvalid & axi.wready):
                    m.d.sync += part.eq(part + 1)

    def _part_reads(self, m: Module) -> None:
        """Hand beats to the lines, or to the metadata as rows."""
        config, axi, lines = self._config, self.axi, self.lines
        node, transfer = axi.rid[-1], Signal()
        entry_bits = len(self.row.payload.entry)
        beat = Signal(memory_beat_layout(config, entry_bits))
        m.d.comb += [
            transfer.eq(axi.rvalid & axi.rready & node),
            beat.eq(Cat(axi.rid[:entry_bits], axi.rdata, axi.rresp)),
            lines.rvalid.eq(axi.rvalid & ~node), lines.rid.eq(axi.rid),
            lines.rdata.eq(axi.rdata), lines.rresp.eq(axi.rresp), lines.rlast.eq(axi.rlast),
        ]
        row = assembled_row(m, config, ids=1 << entry_bits, beat=beat, transfer=transfer)
        m.d.comb += [
            self.row.valid.eq(axi.rvalid & node & row.complete),
            self.row.payload.entry.eq(beat.id), self.row.payload.row.eq(row.number),
            self.row.payload.response.eq(row.response), self.row.payload.data.eq(row.data),
            axi.rready.eq(Mux(node, self.row.ready | ~row.complete, lines.rready)),
        ]
