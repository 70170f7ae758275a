"""Computes the tags of lines on their way to DRAM."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig
from ..modes.gmac import Gmac
from .preparation import pad_request_layout
from .write_sender import write_row_layout

__all__ = ["Sealer", "tag_layout"]


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
    round_key: In(RoundKeyWrite(domain_slots)), loaded: Out(domain_slots)
        K3.
    """

    row: stream.Interface
    pad: stream.Interface
    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        keys = config.domain_slots
        super().__init__({
            "row": In(stream.Signature(write_row_layout(config, key=True), always_ready=True)),
            "pad": In(stream.Signature(pad_request_layout(config.write_entries, keys))),
            "o": Out(stream.Signature(tag_layout(config), always_ready=True)),
            "round_key": In(RoundKeyWrite(keys)), "loaded": Out(keys),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        tree = config.tree
        assert tree is not None
        rows = config.rows_per_line
        m.submodules.gmac = gmac = Gmac(
            tree.pad_cipher, aes_bits=config.aes_bits, lanes=config.lanes,
            keys=config.domain_slots, entries=config.write_entries,
            stages=tree.multiplier_stages, tag=0,
            erasable=config.keys is not None)
        wiring.connect(m, wiring.flipped(self.round_key), gmac.round_key)
        wiring.connect(m, wiring.flipped(self.pad), gmac.request)
        row = Signal(write_row_layout(config, key=True))
        given = gmac.row.payload
        m.d.comb += [
            self.loaded.eq(gmac.loaded),
            given.data.eq(row.data), given.row.eq(row.row), given.key.eq(row.key),
            given.entry.eq(row.entry), given.first.eq(row.row == 0),
            given.last.eq(row.row == rows - 1),
            self.o.valid.eq(gmac.o.valid), self.o.payload.entry.eq(gmac.o.payload.entry),
            self.o.payload.tag.eq(gmac.o.payload.mac),
        ]
        if rows > 1:
            m.d.comb += [gmac.row.valid.eq(self.row.valid), row.eq(self.row.payload)]
        else:
            # Lines of one row must wait while tags leave that waited for their pad.
            m.submodules.queue = queue = SyncFIFO(
                width=write_row_layout(config, key=True).size, depth=config.write_entries)
            m.d.comb += [
                queue.w_en.eq(self.row.valid), queue.w_data.eq(self.row.payload),
                gmac.row.valid.eq(queue.r_rdy), row.eq(queue.r_data),
                queue.r_en.eq(gmac.row.ready),
            ]
        return m
