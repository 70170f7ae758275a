"""Brings the accesses of reads and of writes into one stream."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..config import EngineConfig
from ..metadata.interface import access_layout
from ..streams import Holder

__all__ = ["AccessQueue"]


class AccessQueue(wiring.Component):
    """Latency 0 cycles, one access per cycle; of a read and a write in one cycle, in turn.

    The tables hold what waits, so that there is a place for every entry. An access that was handed
    over here is the one that the metadata see next, whatever comes later.

    Members
    -------
    read, write: In(stream.Signature(access_layout(config)))
        May change while they are not ready. Ready does not depend on ``o`` in the same cycle.
    o: Out(stream.Signature(access_layout(config)))
        To the metadata.
    """

    read: stream.Interface
    write: stream.Interface
    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._layout = access_layout(config)
        accesses = stream.Signature(self._layout)
        super().__init__({"read": In(accesses), "write": In(accesses), "o": Out(accesses)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = Holder(self._layout)
        connect(m, stage.o, flipped(self.o))
        wrote = Signal()  # the last access was a write's
        write = Signal()
        m.d.comb += [
            write.eq(self.write.valid & ~(wrote & self.read.valid)),
            stage.i.valid.eq(self.read.valid | self.write.valid),
            stage.i.payload.eq(Mux(write, self.write.payload, self.read.payload)),
            self.write.ready.eq(stage.i.ready & write),
            self.read.ready.eq(stage.i.ready & ~write),
        ]
        with m.If(stage.i.valid & stage.i.ready):
            m.d.sync += wrote.eq(write)
        return m
