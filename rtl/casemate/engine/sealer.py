"""Computes the tags of lines on their way to DRAM."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..modes.gmac import GmacPort
from .preparation import pad_request_layout
from .write_sender import write_row_layout

__all__ = ["Sealer", "line_seal_port", "tag_layout"]


def line_seal_port(config: EngineConfig) -> GmacPort:
    """Port to the unit that makes the tags of lines to DRAM."""
    return GmacPort(lanes=config.lanes, keys=config.domain_slots, entries=config.write_entries,
                    tag=0)


def tag_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a line's tag, as the leaf keeps it."""
    return data.StructLayout({
        "entry": range(config.write_entries), "tag": config.leaf.tag_bits})


class Sealer(wiring.Component):
    """One row per cycle, each line's rows in order; a tag for each line.

    Latency: that of ``Gmac`` from a line's last row, if the pad was asked for in time. Rows are
    always accepted.

    Members
    -------
    row: In(stream.Signature(write_row_layout(config, key=True), always_ready=True))
        Rows as they go to DRAM; the key is the slot.
    pad: In(stream.Signature(pad_request_layout(write_entries, domain_slots)))
        One for each line whose rows come.
    o: Out(stream.Signature(tag_layout(config), always_ready=True))
        Tags.
    gmac: Out(line_seal_port(config))
        Who makes the tags.
    """

    row: stream.Interface
    pad: stream.Interface
    o: stream.Interface
    gmac: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        self._config = config
        keys = config.domain_slots
        super().__init__({
            "row": In(stream.Signature(write_row_layout(config, key=True), always_ready=True)),
            "pad": In(stream.Signature(pad_request_layout(config.write_entries, keys))),
            "o": Out(stream.Signature(tag_layout(config), always_ready=True)),
            "gmac": Out(line_seal_port(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, gmac = self._config, self.gmac
        rows = config.rows_per_line
        assert config.tree is not None
        wiring.connect(m, wiring.flipped(self.pad), wiring.flipped(gmac.request))
        row = Signal(write_row_layout(config, key=True))
        given = gmac.row.payload
        m.d.comb += [
            given.data.eq(row.data), given.row.eq(row.row), given.key.eq(row.key),
            given.entry.eq(row.entry), given.first.eq(row.row == 0),
            given.last.eq(row.row == rows - 1),
            self.o.valid.eq(gmac.o.valid), self.o.payload.entry.eq(gmac.o.payload.entry),
            self.o.payload.tag.eq(gmac.o.payload.mac),
        ]
        if rows > 1 and config.tree.multiplier_stages:
            m.d.comb += [gmac.row.valid.eq(self.row.valid), row.eq(self.row.payload)]
        else:
            # Lines of one row must wait while tags leave that waited for their pad, others while a
            # multiplier works digit by digit.
            m.submodules.queue = queue = SyncFIFO(
                width=write_row_layout(config, key=True).size, depth=config.write_entries * rows)
            m.d.comb += [
                queue.w_en.eq(self.row.valid), queue.w_data.eq(self.row.payload),
                gmac.row.valid.eq(queue.r_rdy), row.eq(queue.r_data),
                queue.r_en.eq(gmac.row.ready),
            ]
        return m
