"""The trace player: core, read port, write port and statistics in one component."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi

from casemate_sim.player.core import Core
from casemate_sim.player.histogram import Histogram
from casemate_sim.player.layouts import LATENCY_BITS, RECORD, SETTINGS
from casemate_sim.player.reads import ReadPort
from casemate_sim.player.writes import WritePort

__all__ = ["COUNTERS", "HISTOGRAMS", "Player"]

COUNTERS = data.StructLayout({
    "cycles": 48, "instructions": 48, "reads": 48, "writes": 48, "read_beats": 48,
    "write_beats": 48, "errors": 48, "window_stalls": 48, "record_stalls": 48,
})
"""Counts since reset: cycles of the run, instructions executed, reads and writes answered, data
beats, error responses, cycles in which the core stood still for its window or for a record."""

HISTOGRAMS = ("read_first", "read_last", "write")
"""Latency histograms, in the order of the port ``histogram``."""


class Player(wiring.Component):
    """Plays a trace on an AXI4 bus and counts what happens.

    Synthesizable. Sustains one line per ``max(beats of a line, 1)`` cycles in each direction at the
    same time, and one record per cycle in total.

    Parameters
    ----------
    bus:
        Signature of the host's bus.

    Members
    -------
    settings : In(SETTINGS)
        Settings, constant while it runs.
    run : In(1)
        Play.
    end : In(1)
        The trace has no further record (and none is valid on `i`).
    i : In(stream.Signature(RECORD))
        The trace.
    bus : Out(axi.Signature)
        The bus.
    done : Out(1)
        The trace is at its end and everything is answered.
    counters : Out(COUNTERS)
        Counts.
    histogram : In(2)
        Histogram to read (see `HISTOGRAMS`), when done.
    bin : In(10)
        Bin to read.
    count : Out(32)
        Its count, one cycle later.
    """

    bus: wiring.PureInterface

    def __init__(self, bus: axi.Signature):
        self._signature = bus
        super().__init__({
            "settings": In(SETTINGS), "run": In(1), "end": In(1),
            "i": In(stream.Signature(RECORD)), "bus": Out(bus), "done": Out(1),
            "counters": Out(COUNTERS), "histogram": In(2), "bin": In(LATENCY_BITS),
            "count": Out(32),
        })

    def elaborate(self, platform) -> Module:
        """Connect the parts and count."""
        m = Module()
        m.submodules.core = core = Core()
        m.submodules.reads = reads = ReadPort(self._signature)
        m.submodules.writes = writes = WritePort(self._signature)
        histograms = {name: Histogram() for name in HISTOGRAMS}
        for name, histogram in histograms.items():
            m.submodules[f"{name}_histogram"] = histogram
            m.d.comb += histogram.bin.eq(self.bin)

        for member in self._signature.members:
            port = getattr(self.bus, member)
            if member in ("awready", "wready", "arready") or member[0] in "br":
                if member in ("bready", "rready"):
                    m.d.comb += port.eq(getattr(writes.bus if member[0] == "b" else reads.bus,
                                                member))
                else:
                    for part in (reads, writes):
                        m.d.comb += getattr(part.bus, member).eq(port)
            else:
                m.d.comb += port.eq(getattr((reads if member[:2] == "ar" else writes).bus, member))

        now = Signal(16)
        m.d.sync += now.eq(now + 1)
        wiring.connect(m, wiring.flipped(self.i), core.i)
        is_write = core.o.p.write
        m.d.comb += [
            core.settings.eq(self.settings), reads.settings.eq(self.settings),
            writes.settings.eq(self.settings), core.run.eq(self.run),
            reads.now.eq(now), writes.now.eq(now),
            reads.i.p.eq(core.o.p), reads.i.valid.eq(core.o.valid & ~is_write),
            writes.i.p.eq(core.o.p), writes.i.valid.eq(core.o.valid & is_write),
            core.o.ready.eq(Mux(is_write, writes.i.ready, reads.i.ready)),
            reads.position.eq(core.position), core.outstanding.eq(reads.outstanding),
            core.oldest.eq(reads.oldest), core.previous_done.eq(reads.previous_done),
            core.reads_full.eq(reads.full), core.writes_full.eq(writes.full),
            self.done.eq(self.run & self.end & ~core.waiting & ~reads.outstanding
                         & ~writes.outstanding),
        ]
        wiring.connect(m, reads.first, histograms["read_first"].i)
        wiring.connect(m, reads.last, histograms["read_last"].i)
        wiring.connect(m, writes.latency, histograms["write"].i)
        with m.Switch(self.histogram):
            for index, name in enumerate(HISTOGRAMS):
                with m.Case(index):
                    m.d.comb += self.count.eq(histograms[name].count)

        running = self.run & ~self.done
        for name, event in {
            "cycles": running, "reads": reads.last.valid, "writes": writes.latency.valid,
            "read_beats": reads.beat, "write_beats": writes.beat,
            "window_stalls": running & core.stalled_window,
            "record_stalls": running & core.stalled_record,
        }.items():
            counter = Signal(48, name=name)
            m.d.comb += self.counters[name].eq(counter)
            with m.If(event):
                m.d.sync += counter.eq(counter + 1)
        errors = Signal(48)
        m.d.sync += errors.eq(errors + reads.error + writes.error)
        m.d.comb += [self.counters.errors.eq(errors),
                     self.counters.instructions.eq(core.instructions)]
        return m
