"""DRAM timings in cycles of the memory controller.

The controller runs at a quarter of the DRAM's clock (1:4): one controller cycle is eight transfers,
so a DDR device of burst length 8 moves exactly one beat of the AXI bus per controller cycle and
column command. A 128-bit bus is a 16-bit wide channel, a 512-bit bus a 64-bit wide one.

Sources of the presets
----------------------
* JEDEC JESD79-3F (DDR3), table 'DDR3-1066 speed bins', bin 1066F (7-7-7): tRCD = tRP = 13.125 ns,
  tRAS = 37.5 ns, tRC = 50.625 ns, CL 7, CWL 6; tWR 15 ns, tRTP max(4 clocks, 7.5 ns), tWTR
  max(4 clocks, 7.5 ns), tRRD max(4 clocks, 10 ns) and tFAW 50 ns for 2 KiB pages; tRFC 160 ns
  (2 Gbit), tREFI 7.8 us.
* JEDEC JESD79-4 (DDR4), bin 2400R (16-16-16): tRCD = tRP = 13.32 ns, tRAS = 32 ns, CL 16, CWL 12;
  tWR 15 ns, tRTP max(4 clocks, 7.5 ns), tWTR_L max(4 clocks, 7.5 ns), tRRD_L max(4 clocks, 6.4 ns)
  and tFAW max(28 clocks, 30 ns) for 2 KiB pages; tRFC1 350 ns (8 Gbit), tREFI 7.8 us.
* The same values for real parts in LiteDRAM (commit f9b75e0) ``litedram/modules.py``:
  MT41J128M16 and MT40A512M16.
* PHY: cycles from the read command to its data are ``ceil(CL / 4) + 6`` in LiteDRAM's
  ``phy/s7ddrphy.py`` (Artix-7, DDR3 1:4), ``ceil(CL / 4) + 5`` in ``phy/usddrphy.py`` (UltraScale,
  DDR4 1:4). (The 1:2 PHY of the ECP5, ``phy/ecp5ddrphy.py``, has ``ceil(CL / 2) + 10``.)
* Controller: six registers on the way of a read in LiteDRAM: the AR buffer and the buffered
  read-data FIFO (2) of ``frontend/axi.py``, the look-ahead FIFO and the command buffer of
  ``core/bankmachine.py``, the command register of ``core/multiplexer.py``. The first of them is
  the model's own request queue.

Bank groups of DDR4 are not modelled (nor are they in LiteDRAM): a controller spreads a line's
columns over the groups, so that tCCD_S holds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

__all__ = ["PRESETS", "DramTiming", "timing_preset"]

COLUMNS_PER_ROW = 128
"""Bursts of length 8 in an open row: 1024 columns, both generations."""

CLOCK_RATIO = 4
"""DRAM clocks per controller cycle."""

CONTROLLER_REGISTERS = 5
"""Registers of the controller on a read's way, without the request queue."""


@dataclass(frozen=True, kw_only=True)
class DramTiming:
    """Timing of one channel; every `t_*` and latency is in controller cycles.

    Between two commands at cycles `a` and `b` a timing `t` means ``b >= a + t``. An access to a
    line issues one column command per bus beat, in consecutive cycles; times 'after' an access
    count from its last one.

    Parameters
    ----------
    name:
        For reports.
    clock_mhz:
        Frequency of the controller, for reports in nanoseconds and bytes per second.
    banks:
        Banks of the channel, a power of two from 2 to 32.
    t_rcd:
        Activate to column command of the bank.
    t_rp:
        Precharge to activate of the bank.
    t_ras:
        Activate to precharge of the bank.
    t_rc:
        Activate to activate of the bank.
    t_rtp:
        After a read, to precharge of the bank.
    t_wtp:
        After a write, to precharge of the bank: CWL, the burst and tWR.
    t_rtw:
        After a read, to a write, any bank.
    t_wtr:
        After a write, to a read, any bank.
    t_rrd:
        Activate to activate, any bank.
    t_faw:
        Window that holds at most four activates.
    t_refi:
        Interval between refreshes, 0 for none.
    t_rfc:
        Refresh to the next command.
    read_latency:
        Read column command to the first beat on the AXI bus, at least 2: CAS latency, PHY and the
        controller's return path.
    rows:
        False: there are no banks and rows, every access goes at once (`fixed-latency`).
    write_high:
        Waiting writes at which a group of writes starts.
    write_low:
        Waiting writes at which it ends, if reads wait.
    group:
        Most lines of one kind in a group while the other kind waits.
    starvation:
        Accesses that may overtake the oldest request; then it goes first.
    """

    name: str = "custom"
    clock_mhz: float
    banks: int = 8
    t_rcd: int
    t_rp: int
    t_ras: int
    t_rc: int
    t_rtp: int
    t_wtp: int
    t_rtw: int
    t_wtr: int
    t_rrd: int
    t_faw: int
    t_refi: int
    t_rfc: int
    read_latency: int
    rows: bool = True
    write_high: int = 12
    write_low: int = 4
    group: int = 16
    starvation: int = 16

    def __post_init__(self) -> None:
        if self.banks not in (2, 4, 8, 16, 32):
            raise ValueError(f"banks must be 2, 4, 8, 16 or 32, not {self.banks}")
        if not 2 <= self.read_latency <= 1000:
            raise ValueError(f"read_latency must be 2 to 1000 cycles, not {self.read_latency}")
        for name in ("t_rcd", "t_rp", "t_ras", "t_rc", "t_rtp", "t_wtp", "t_rtw", "t_wtr",
                     "t_rrd", "t_faw"):
            if not 0 <= getattr(self, name) <= 200:
                raise ValueError(f"{name} must be 0 to 200 cycles, not {getattr(self, name)}")
        for name in ("t_refi", "t_rfc"):
            if not 0 <= getattr(self, name) <= 60000:
                raise ValueError(f"{name} must be 0 to 60000 cycles, not {getattr(self, name)}")
        if self.t_refi and not 2 <= self.t_rfc < self.t_refi:
            raise ValueError(f"t_rfc must be 2 to t_refi - 1 cycles, not {self.t_rfc}")
        if not 0 <= self.write_low < self.write_high <= 16:
            raise ValueError("write_low and write_high must satisfy 0 <= low < high <= 16, not "
                             f"{self.write_low} and {self.write_high}")
        for name in ("group", "starvation"):
            if not 1 <= getattr(self, name) <= 255:
                raise ValueError(f"{name} must be 1 to 255, not {getattr(self, name)}")

    @classmethod
    def from_jedec(
        cls, *, name: str, transfers: Fraction, cl: int, cwl: int, t_rcd: float, t_rp: float,
        t_ras: float, t_wr: float, t_rtp: tuple[int, float], t_wtr: tuple[int, float],
        t_rrd: tuple[int, float], t_faw: tuple[int, float], t_rfc: float, t_refi: float,
        phy: int, banks: int = 8,
    ) -> DramTiming:
        """Round a speed bin up to controller cycles.

        Parameters
        ----------
        transfers:
            Millions of transfers per second.
        cl, cwl:
            CAS latency and CAS write latency in DRAM clocks.
        t_rcd, t_rp, t_ras, t_wr, t_rfc, t_refi:
            Nanoseconds.
        t_rtp, t_wtr, t_rrd, t_faw:
            The larger of DRAM clocks and nanoseconds.
        phy:
            Controller cycles that the PHY adds to the CAS latency.
        """
        clock_ns = Fraction(2000) / transfers
        burst = 4

        def clocks(value: float | tuple[int, float]) -> int:
            least, ns = value if isinstance(value, tuple) else (0, value)
            return max(least, ceil(Fraction(str(ns)) / clock_ns))

        def cycles(count: int) -> int:
            return ceil(Fraction(count, CLOCK_RATIO))

        return cls(
            name=name, clock_mhz=float(transfers / 2 / CLOCK_RATIO), banks=banks,
            t_rcd=cycles(clocks(t_rcd)), t_rp=cycles(clocks(t_rp)), t_ras=cycles(clocks(t_ras)),
            t_rc=cycles(clocks(t_ras) + clocks(t_rp)), t_rtp=cycles(clocks(t_rtp)),
            t_wtp=cycles(cwl + burst + clocks(t_wr)),
            # JESD79-3F 4.13.2.4 and 4.14.5, in clocks between the two commands
            t_rtw=cycles(cl - cwl + burst + 2), t_wtr=cycles(cwl + burst + clocks(t_wtr)),
            t_rrd=cycles(clocks(t_rrd)), t_faw=cycles(clocks(t_faw)),
            t_refi=floor(Fraction(str(t_refi)) / clock_ns / CLOCK_RATIO),
            t_rfc=cycles(clocks(t_rfc)),
            read_latency=cycles(cl) + phy + CONTROLLER_REGISTERS)

    def as_dict(self) -> dict[str, object]:
        """All parameters as plain JSON values."""
        return dataclasses.asdict(self)

    def replace(self, **changes: object) -> DramTiming:
        """Return a copy with `changes` applied, validated again."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]


PRESETS: dict[str, DramTiming] = {
    timing.name: timing
    for timing in (
        DramTiming.from_jedec(
            name="ddr3-1066", transfers=Fraction(3200, 3), cl=7, cwl=6, t_rcd=13.125, t_rp=13.125,
            t_ras=37.5, t_wr=15, t_rtp=(4, 7.5), t_wtr=(4, 7.5), t_rrd=(4, 10), t_faw=(0, 50),
            t_rfc=160, t_refi=7800, phy=6),
        DramTiming.from_jedec(
            name="ddr4-2400", transfers=Fraction(2400), cl=16, cwl=12, t_rcd=13.32, t_rp=13.32,
            t_ras=32, t_wr=15, t_rtp=(4, 7.5), t_wtr=(4, 7.5), t_rrd=(4, 6.4), t_faw=(28, 30),
            t_rfc=350, t_refi=7800, phy=5),
        # Not a real memory: 30 cycles for everybody, to tell the engine's own effects apart.
        DramTiming(
            name="fixed-latency", clock_mhz=133.3, t_rcd=0, t_rp=0, t_ras=0, t_rc=0, t_rtp=0,
            t_wtp=0, t_rtw=0, t_wtr=0, t_rrd=0, t_faw=0, t_refi=0, t_rfc=0, read_latency=30,
            rows=False),
    )
}
"""Named timings."""


def timing_preset(name: str) -> DramTiming:
    """Return the timing called `name`.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those that exist.
    """
    if name not in PRESETS:
        raise ValueError(f"no DRAM timing is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
