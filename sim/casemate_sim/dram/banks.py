"""State of the banks: open rows, when each command is next allowed, refresh."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.dram.layouts import TIMING, Geometry

__all__ = ["Banks"]


class Banks(wiring.Component):
    """Follows every command and says what is allowed in this cycle.

    All outputs are registers' values; a command given in a cycle counts from the next one on.

    Parameters
    ----------
    geometry:
        Widths.

    Members
    -------
    timing : In(TIMING)
        Timings, constant while the model runs.
    column : In(Geometry.column_command)
        Column access issued in this cycle; it occupies the data bus for ``columns + 1`` cycles.
    row : In(Geometry.row_command)
        Activate or precharge issued in this cycle.
    open : Out(banks)
        Banks with an open row.
    open_row : Out(row_bits), an array over banks
        The open row of each.
    column_ready : Out(banks)
        A column command of the open row is allowed by the bank.
    activate_ready : Out(banks)
        The bank is closed and may open a row (tRP, tRC, tRRD, tFAW).
    precharge_ready : Out(banks)
        The bank is open and may be closed (tRAS, tRTP, tWR).
    read_ready, write_ready : Out(1)
        The data bus takes a read, a write (burst length, turnaround).
    refreshing : Out(1)
        A refresh closes all rows at the end of this cycle; no row is open afterwards.
    busy : Out(1)
        A refresh is due or under way: no column or row command is allowed.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        banks = geometry.banks
        super().__init__({
            "timing": In(TIMING), "column": In(geometry.column_command),
            "row": In(geometry.row_command), "open": Out(banks),
            "open_row": Out(geometry.row_bits).array(banks), "column_ready": Out(banks),
            "activate_ready": Out(banks), "precharge_ready": Out(banks), "read_ready": Out(1),
            "write_ready": Out(1), "refreshing": Out(1), "busy": Out(1),
        })

    def _elaborate_bus(self, m: Module) -> None:
        occupied, to_write, to_read = Signal(8), Signal(8), Signal(8)
        for counter in (occupied, to_write, to_read):
            with m.If(counter != 0):
                m.d.sync += counter.eq(counter - 1)
        last = self.column.columns
        with m.If(self.column.valid):
            m.d.sync += occupied.eq(last)
            with m.If(self.column.write):
                m.d.sync += to_read.eq((last + self.timing.t_wtr)[:8])
            with m.Else():
                m.d.sync += to_write.eq((last + self.timing.t_rtw)[:8])
        m.d.comb += [
            self.read_ready.eq((occupied == 0) & (to_read <= 1)),
            self.write_ready.eq((occupied == 0) & (to_write <= 1)),
        ]

    def _elaborate_activates(self, m: Module, activate) -> Signal:
        """Return a signal that allows an activate: tRRD and tFAW."""
        spacing = Signal(8)
        window = Array(Signal(8, name=f"window_{i}") for i in range(4))
        oldest = Signal(2)
        for counter in (spacing, *window):
            with m.If(counter != 0):
                m.d.sync += counter.eq(counter - 1)
        with m.If(activate):
            m.d.sync += [
                spacing.eq(Mux(self.timing.t_rrd == 0, 0, self.timing.t_rrd - 1)),
                window[oldest].eq(Mux(self.timing.t_faw == 0, 0, self.timing.t_faw - 1)),
                oldest.eq(oldest + 1),
            ]
        allowed = Signal()
        m.d.comb += allowed.eq((spacing == 0) & (window[oldest] == 0))
        return allowed

    def _elaborate_refresh(self, m: Module, idle) -> None:
        """Close all rows once every bank allows it, then wait tRP and tRFC."""
        elapsed, wait = Signal(16), Signal(16)
        due = Signal()
        with m.If(self.timing.t_refi != 0):
            m.d.sync += elapsed.eq(elapsed + 1)
            with m.If(elapsed + 1 >= self.timing.t_refi):
                m.d.sync += [elapsed.eq(0), due.eq(1)]
        with m.FSM():
            with m.State("RUN"):
                m.d.comb += self.busy.eq(due)
                with m.If(due & idle):
                    m.d.comb += self.refreshing.eq(1)
                    m.d.sync += [due.eq(0), wait.eq(self.timing.t_rp + self.timing.t_rfc - 1)]
                    m.next = "REFRESH"
            with m.State("REFRESH"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait <= 1):
                    m.next = "RUN"

    def elaborate(self, platform) -> Module:
        """Build the counters of each bank and those that all banks share."""
        m = Module()
        timing, column, row = self.timing, self.column, self.row
        activate = row.valid & row.activate
        self._elaborate_bus(m)
        activates_allowed = self._elaborate_activates(m, activate)

        quiet = []
        for bank in range(self._geometry.banks):
            to_activate = Signal(8, name=f"to_activate_{bank}")
            to_column = Signal(8, name=f"to_column_{bank}")
            to_precharge = Signal(8, name=f"to_precharge_{bank}")
            for counter in (to_activate, to_column, to_precharge):
                with m.If(counter != 0):
                    m.d.sync += counter.eq(counter - 1)
            with m.If(row.valid & (row.bank == bank)):
                m.d.sync += self.open[bank].eq(row.activate)
                with m.If(row.activate):
                    m.d.sync += [
                        self.open_row[bank].eq(row.row),
                        to_activate.eq(timing.t_rc - (timing.t_rc != 0)),
                        to_column.eq(timing.t_rcd - (timing.t_rcd != 0)),
                        to_precharge.eq(timing.t_ras - (timing.t_ras != 0)),
                    ]
                with m.Elif(timing.t_rp > to_activate):
                    m.d.sync += to_activate.eq(timing.t_rp - 1)
            with m.If(column.valid & ~column.bankless & (column.bank == bank)):
                after = Signal(9, name=f"after_{bank}")
                m.d.comb += after.eq(column.columns
                                     + Mux(column.write, timing.t_wtp, timing.t_rtp))
                with m.If(after > to_precharge):
                    m.d.sync += to_precharge.eq(after - 1)
            with m.If(self.refreshing):
                m.d.sync += self.open[bank].eq(0)
            m.d.comb += [
                self.column_ready[bank].eq(self.open[bank] & (to_column == 0)),
                self.activate_ready[bank].eq(
                    ~self.open[bank] & (to_activate == 0) & activates_allowed),
                self.precharge_ready[bank].eq(self.open[bank] & (to_precharge == 0)),
            ]
            quiet.append(~self.open[bank] | (to_precharge == 0))
        self._elaborate_refresh(m, Cat(quiet).all())
        return m
