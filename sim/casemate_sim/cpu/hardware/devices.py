"""What a program has beside its memory: a terminal, the clock, and its end."""

from amaranth import ClockSignal, Instance, Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.cpu.hardware.wishbone import WORD_BITS, Wishbone

__all__ = ["BASE", "Devices", "Register"]

BASE = 0xf000_0000
"""Byte address of the first register; programs/casemate.h has the same."""


class Register(enum.Enum, shape=3):
    """Numbers of the 32-bit registers."""

    CONSOLE = 0
    """Written: a character for the terminal."""
    EXIT = 1
    """Written: the program is over, with this exit code."""
    CYCLE_LOW = 2
    """Read: cycles since the core started, bits 31 to 0; keeps the others for `CYCLE_HIGH`."""
    CYCLE_HIGH = 3
    """Read: bits 63 to 32 as of the last `CYCLE_LOW`."""
    WRITE_FAILED = 4
    """Read: 1 if a write was refused since this was written last."""
    CORE = 5
    """Read: 0 if the core has the privileged architecture's traps, 1 if it has PicoRV32's."""


class Devices(wiring.Component):
    """Registers at `BASE` and above; every access is answered in its cycle.

    Parameters
    ----------
    core:
        What `Register.CORE` reads as.

    Members
    -------
    bus : In(Wishbone())
        From the core; the four bytes of a write count together.
    handle : In(64)
        The harness's C++ object.
    run : In(1)
        The core runs: cycles are counted.
    write_failed : In(1)
        A write was refused, in this cycle.
    interrupt : Out(1)
        Level of `Register.WRITE_FAILED`.
    """

    bus: wiring.PureInterface
    handle: Signal
    run: Signal
    write_failed: Signal
    interrupt: Signal

    def __init__(self, *, core: int):
        self._core = core
        super().__init__({"bus": In(Wishbone()), "handle": In(64), "run": In(1),
                          "write_failed": In(1), "interrupt": Out(1)})

    def elaborate(self, platform) -> Module:
        """Build the registers; terminal and end are in cpu/hardware/casemate_cpu.sv."""
        m = Module()
        bus = self.bus
        cycle, high = Signal(2 * WORD_BITS), Signal(WORD_BITS)
        access, register = Signal(), Signal(Register)
        m.d.comb += [access.eq(bus.cyc & bus.stb), register.eq(bus.adr[:3]), bus.ack.eq(access)]
        m.d.sync += cycle.eq(cycle + self.run)
        strobes = {}
        for name in ("console", "end"):
            strobes[name] = Signal(name=f"{name}_strobe")
        with m.Switch(register):
            with m.Case(Register.CONSOLE):
                m.d.comb += strobes["console"].eq(access & bus.we)
            with m.Case(Register.EXIT):
                m.d.comb += strobes["end"].eq(access & bus.we)
            with m.Case(Register.CYCLE_LOW):
                m.d.comb += bus.dat_r.eq(cycle)
                with m.If(access & ~bus.we):
                    m.d.sync += high.eq(cycle[WORD_BITS:])
            with m.Case(Register.CYCLE_HIGH):
                m.d.comb += bus.dat_r.eq(high)
            with m.Case(Register.WRITE_FAILED):
                m.d.comb += bus.dat_r.eq(self.interrupt)
                with m.If(access & bus.we):
                    m.d.sync += self.interrupt.eq(0)
            with m.Case(Register.CORE):
                m.d.comb += bus.dat_r.eq(self._core)
        with m.If(self.write_failed):
            m.d.sync += self.interrupt.eq(1)
        m.submodules.console = Instance(
            "casemate_console", i_clk=ClockSignal(), i_handle=self.handle,
            i_character=strobes["console"], i_finish=strobes["end"], i_value=bus.dat_w)
        return m
