"""Reports of accesses that were refused and of lines that did not verify."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS, EngineConfig

__all__ = ["ReportKind", "Reports", "report_layout"]

_DEPTH = 4


class ReportKind(enum.Enum, shape=2):
    """What happened."""

    ACCESS = 0
    """The domain does not own the granule."""
    LINE = 1
    """A line's tag does not match: its data, or its version, are not what was written."""
    EXHAUSTED = 2
    """A line's version is the highest that there is: the write was refused."""


def report_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a report. ``write``: it happened to a write, or to the fetch for its merge."""
    return data.StructLayout({
        "kind": ReportKind, "slot": range(config.domain_slots), "domain": DOMAIN_BITS,
        "line": config.line_bits, "write": 1,
    })


class Reports(wiring.Component):
    """Two queues of 4 reports each; what finds its queue full is lost.

    Members
    -------
    access, line: In(stream.Signature(report_layout(config), always_ready=True))
        Reports of accesses, and of lines that did not verify.
    o: Out(stream.Signature(report_layout(config)))
        Lines that did not verify go first.
    lost: Out(1)
        A report was lost since reset.
    """

    access: stream.Interface
    line: stream.Interface
    o: stream.Interface
    lost: Signal

    def __init__(self, config: EngineConfig):
        self._layout = report_layout(config)
        reports = stream.Signature(self._layout, always_ready=True)
        super().__init__({
            "access": In(reports), "line": In(reports),
            "o": Out(stream.Signature(self._layout)), "lost": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self._layout.size
        m.submodules.accesses = accesses = SyncFIFO(width=width, depth=_DEPTH)
        m.submodules.lines = lines = SyncFIFO(width=width, depth=_DEPTH)
        for queue, source in ((accesses, self.access), (lines, self.line)):
            m.d.comb += [queue.w_en.eq(source.valid), queue.w_data.eq(source.payload)]
            with m.If(source.valid & ~queue.w_rdy):
                m.d.sync += self.lost.eq(1)
        # The choice stays until its report is taken.
        chosen_line, stays = Signal(), Signal()
        kept = Signal()
        m.d.comb += [
            chosen_line.eq(Mux(stays, kept, lines.r_rdy)),
            self.o.valid.eq(accesses.r_rdy | lines.r_rdy),
            self.o.payload.eq(Mux(chosen_line, lines.r_data, accesses.r_data)),
            lines.r_en.eq(self.o.ready & chosen_line),
            accesses.r_en.eq(self.o.ready & ~chosen_line),
        ]
        m.d.sync += [stays.eq(self.o.valid & ~self.o.ready), kept.eq(chosen_line)]
        return m
