"""Starts the cryptography of lines whose version is known: the tweak and the pad of the tag."""

from amaranth import Module, Signal
from amaranth.hdl import Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..modes.gmac import COUNTER_BITS, INDEX_BITS, KIND_BITS
from .versioned_tweaks import versioned_tweak_layout

__all__ = ["KIND_LINE", "Preparation", "pad_request_layout", "version_layout"]

KIND_LINE = 1
"""Kind of a line in the IV of its tag (docs/formats.md)."""


def version_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a line in flight and its version; ``tweak``: it is encrypted, or decrypted."""
    return data.StructLayout({
        "id": config.entry_id_bits, "line": config.line_bits,
        "slot": range(config.domain_slots), "version": config.leaf.version_bits, "tweak": 1,
    })


def pad_request_layout(entries: int, keys: int) -> data.StructLayout:
    """Layout of the requests of a ``Gmac`` with so many entries and keys."""
    return data.StructLayout({
        "entry": range(entries), "key": range(keys), "kind": KIND_BITS, "counter": COUNTER_BITS,
        "index": INDEX_BITS,
    })


class Preparation(wiring.Component):
    """Hands each line to the tweak cipher, if it needs one, and to the pad cipher.

    Parameters
    ----------
    config:
        The engine's configuration.
    entries:
        Entries of the ``Gmac``; an entry's number is the lower bits of the line's ID.
    depth:
        Lines that may wait here. With 0, ``i`` waits until both have taken the line.

    Members
    -------
    i: In(stream.Signature(version_layout(config)))
    tweak: Out(stream.Signature(versioned_tweak_layout(config)))
    pad: Out(stream.Signature(pad_request_layout(entries, config.domain_slots)))
    """

    i: stream.Interface
    tweak: stream.Interface
    pad: stream.Interface

    def __init__(self, config: EngineConfig, *, entries: int, depth: int):
        self._layout, self._depth = version_layout(config), depth
        super().__init__({
            "i": In(stream.Signature(self._layout)),
            "tweak": Out(stream.Signature(versioned_tweak_layout(config))),
            "pad": Out(stream.Signature(pad_request_layout(entries, config.domain_slots))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(self._layout)
        valid, ready = Signal(), Signal()
        if self._depth:
            m.submodules.queue = queue = SyncFIFO(
                width=Shape.cast(self._layout).width, depth=self._depth)
            m.d.comb += [
                queue.w_en.eq(self.i.valid), queue.w_data.eq(self.i.payload),
                self.i.ready.eq(queue.w_rdy), queue.r_en.eq(ready),
                valid.eq(queue.r_rdy), line.eq(queue.r_data),
            ]
        else:
            m.d.comb += [valid.eq(self.i.valid), self.i.ready.eq(ready),
                         line.eq(self.i.payload)]
        tweak_taken, pad_taken = Signal(), Signal()  # by one of the two, while the other waits
        tweak_done, pad_done = Signal(), Signal()
        pad = self.pad.payload
        m.d.comb += [
            self.tweak.valid.eq(valid & line.tweak & ~tweak_taken),
            self.pad.valid.eq(valid & ~pad_taken),
            tweak_done.eq(~line.tweak | tweak_taken | self.tweak.ready),
            pad_done.eq(pad_taken | self.pad.ready),
            ready.eq(tweak_done & pad_done),
            *(self.tweak.payload[name].eq(line[name])
              for name in ("id", "line", "slot", "version")),
            pad.entry.eq(line.id), pad.key.eq(line.slot), pad.kind.eq(KIND_LINE),
            pad.counter.eq(line.version), pad.index.eq(line.line),
        ]
        with m.If(valid):
            m.d.sync += [tweak_taken.eq(tweak_done & ~ready), pad_taken.eq(pad_done & ~ready)]
        return m
