"""The core: when each record of a trace is due."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.player.layouts import RECORD, SETTINGS

__all__ = ["FRACTION_BITS", "Core"]

FRACTION_BITS = 8
"""Binary places of the instruction count."""

POSITION_BITS = 24
"""Bits of an instruction number that are kept with a read; twice the window fits."""


class Core(wiring.Component):
    """Runs through the instructions between the records and lets each record go in its turn.

    The core executes ``rate`` instructions per cycle. It stands still at a record that cannot go
    (too many in flight, or a dependence), and when it is ``window`` instructions past the oldest
    outstanding read. A record whose predecessors are through goes in the cycle in which the core
    reaches it: at most one record per cycle.

    Members
    -------
    settings : In(SETTINGS)
        Settings.
    run : In(1)
        The core runs.
    i : In(stream.Signature(RECORD))
        The trace.
    o : Out(stream.Signature(RECORD))
        Records that are due, to the read or the write port.
    position : Out(24)
        Instruction number of the record on `o`, modulo 2**24.
    outstanding : In(1)
        Some read is outstanding.
    oldest : In(24)
        Instruction number of the oldest outstanding read.
    previous_done : In(1)
        The data of the read issued last are back.
    reads_full, writes_full : In(1)
        As many are in flight as may be.
    instructions : Out(48)
        Instructions executed.
    stalled_window, stalled_record : Out(1)
        The core stands still for its window, for a record.
    waiting : Out(1)
        There is a record that did not go yet.
    """

    def __init__(self):
        super().__init__({
            "settings": In(SETTINGS), "run": In(1), "i": In(stream.Signature(RECORD)),
            "o": Out(stream.Signature(RECORD)), "position": Out(POSITION_BITS),
            "outstanding": In(1), "oldest": In(POSITION_BITS), "previous_done": In(1),
            "reads_full": In(1), "writes_full": In(1), "instructions": Out(48),
            "stalled_window": Out(1), "stalled_record": Out(1), "waiting": Out(1),
        })

    def elaborate(self, platform) -> Module:
        """Build the instruction counter and the register of the current record."""
        m = Module()
        record = Signal(RECORD)
        due = Signal(48)
        count = Signal(48 + FRACTION_BITS)
        m.d.comb += self.instructions.eq(count >> FRACTION_BITS)

        reached, allowed = Signal(), Signal()
        m.d.comb += [
            reached.eq(self.instructions >= due),
            allowed.eq(Mux(record.write, ~self.writes_full, ~self.reads_full)
                       & (~record.dependent | self.previous_done)),
            self.o.valid.eq(self.run & self.waiting & reached & allowed),
            self.o.p.eq(record), self.position.eq(due),
        ]
        goes = self.o.valid & self.o.ready
        m.d.comb += self.i.ready.eq(self.run & (goes | ~self.waiting))
        with m.If(self.i.ready):
            m.d.sync += self.waiting.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += [record.eq(self.i.p), due.eq(due + self.i.p.distance)]

        past = Signal(POSITION_BITS)
        m.d.comb += [
            past.eq(self.instructions - self.oldest),
            self.stalled_window.eq(self.outstanding & ~past[-1] & (past >= self.settings.window)),
            self.stalled_record.eq(self.waiting & reached & ~goes),
        ]
        with m.If(self.run & self.waiting & ~self.stalled_window & ~self.stalled_record):
            m.d.sync += count.eq(count + self.settings.rate)
        return m
