"""Chooses between reads and writes and issues their commands."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.dram.banks import Banks
from casemate_sim.dram.layouts import TIMING, Geometry
from casemate_sim.dram.queue import RequestQueue

__all__ = ["Scheduler"]


class Scheduler(wiring.Component):
    """Two request queues, the banks, and one command decision per cycle.

    In a cycle at most one column access starts and at most one row command is issued (a 1:4
    controller has four command phases for them). Reads and writes run in groups. Reads go on until
    ``write_high`` writes wait (and ``group`` reads are done) or no read is left; writes until
    ``write_low`` are left, or ``group`` are done, with a read waiting, or none is left.

    A read of a line whose write still waits is answered from the write queue: it takes its turn on
    the data bus, but no bank.

    Latency from a transfer on `i_read` to `o_read`, idle: 1 cycle if the row is open, plus tRCD if
    the bank is closed, plus tRP and tRCD if another row is open.

    Parameters
    ----------
    geometry:
        Widths.
    depth:
        Requests in each queue.

    Members
    -------
    timing : In(TIMING)
        Timings.
    i_read, i_write : In(stream.Signature(Geometry.request))
        Requests.
    o_read : Out(stream.Signature(Geometry.burst))
        Reads in the cycle of their (first) column command; none is issued while not ready.
    o_write : Out(1)
        A write's column access starts.
    idle : Out(1)
        No request waits.
    """

    def __init__(self, geometry: Geometry, *, depth: int = 16):
        self._geometry = geometry
        self._depth = depth
        super().__init__({
            "timing": In(TIMING), "i_read": In(stream.Signature(geometry.request)),
            "i_write": In(stream.Signature(geometry.request)),
            "o_read": Out(stream.Signature(geometry.burst)), "o_write": Out(1), "idle": Out(1),
        })

    def elaborate(self, platform) -> Module:
        """Build the queues, the banks and the decision."""
        m = Module()
        m.submodules.banks = banks = Banks(self._geometry)
        m.submodules.reads = reads = RequestQueue(self._geometry, depth=self._depth, ordered=True)
        m.submodules.writes = writes = RequestQueue(self._geometry, depth=self._depth,
                                                    ordered=False)
        m.d.comb += banks.timing.eq(self.timing)
        for queue in (reads, writes):
            m.d.comb += [
                queue.starvation.eq(self.timing.starvation), queue.open.eq(banks.open),
                queue.column_ready.eq(banks.column_ready),
                queue.activate_ready.eq(banks.activate_ready),
                queue.precharge_ready.eq(banks.precharge_ready), queue.row.eq(banks.row),
                queue.refreshing.eq(banks.refreshing),
                *(queue.open_row[i].eq(banks.open_row[i]) for i in range(self._geometry.banks)),
            ]
        wiring.connect(m, wiring.flipped(self.i_read), reads.i)
        wiring.connect(m, wiring.flipped(self.i_write), writes.i)
        m.d.comb += [
            writes.line.eq(self.i_read.p.burst.line), reads.line.eq(0),
            reads.i.p.bankless.eq(writes.holds_line | ~self.timing.rows),
            writes.i.p.bankless.eq(~self.timing.rows),
            self.idle.eq((reads.level == 0) & (writes.level == 0)),
        ]

        writing = self._elaborate_grouping(m, reads, writes)
        m.d.comb += [
            self.o_read.valid.eq(~writing & ~banks.busy & reads.column_request & banks.read_ready),
            self.o_read.p.eq(reads.column.burst),
            reads.take.eq(self.o_read.valid & self.o_read.ready),
            self.o_write.eq(writing & ~banks.busy & writes.column_request & banks.write_ready),
            writes.take.eq(self.o_write),
            banks.column.valid.eq(reads.take | writes.take),
            banks.column.write.eq(writing),
        ]
        for name in ("bank", "columns", "bankless"):
            m.d.comb += banks.column[name].eq(
                Mux(writing, writes.column[name], reads.column[name]))
        with m.If(writing):
            m.d.comb += banks.row.eq(writes.row_request)
        with m.Else():
            m.d.comb += banks.row.eq(reads.row_request)
        with m.If(banks.busy):
            m.d.comb += banks.row.valid.eq(0)
        return m

    def _elaborate_grouping(self, m: Module, reads: RequestQueue, writes: RequestQueue) -> Signal:
        """Return whether writes have their turn."""
        writing = Signal()
        done = Signal(8)
        group_over = Signal()
        m.d.comb += group_over.eq(done >= self.timing.group)
        with m.If((reads.take | writes.take) & ~group_over):
            m.d.sync += done.eq(done + 1)
        with m.If(writing):
            enough = (writes.level <= self.timing.write_low) | group_over
            with m.If((writes.level == 0) | ((reads.level != 0) & enough)):
                m.d.sync += [writing.eq(0), done.eq(0)]
        with m.Else():
            forced = (writes.level >= self.timing.write_high) & group_over
            with m.If((writes.level != 0) & ((reads.level == 0) | forced)):
                m.d.sync += [writing.eq(1), done.eq(0)]
        return writing
