"""Cores that other people wrote, as they come from PyPI, behind one interface."""

from __future__ import annotations

import re
from abc import abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from amaranth import ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from casemate.config import EngineConfig

from casemate_sim.cpu.hardware.line_cache import LineCache
from casemate_sim.cpu.hardware.single_beats import SingleBeats
from casemate_sim.cpu.hardware.wishbone import Arbiter, Wishbone
from casemate_sim.toolchain import ToolError

__all__ = ["CORES", "Core", "PicoRV32", "VexRiscv", "find_core"]


class Core(wiring.Component):
    """A core with one bus; starts at the first byte of the data window when its reset ends.

    Members
    -------
    bus : Out(Wishbone())
        Instructions and data.
    run : In(1)
        Low: the core is in reset.
    interrupt : In(1)
        Level of the only interrupt.
    """

    name: ClassVar[str]
    """What the command line calls it."""
    package: ClassVar[str]
    """The Python package that holds its Verilog."""
    file: ClassVar[str]
    """The file in its folder ``verilog``."""
    kind: ClassVar[int]
    """How it traps, see `devices.Register.CORE`."""
    description: ClassVar[str]
    """For tables."""

    bus: wiring.PureInterface
    run: Signal
    interrupt: Signal

    def __init__(self, base: int):
        self._base = base
        super().__init__({"bus": Out(Wishbone()), "run": In(1), "interrupt": In(1)})

    @classmethod
    @abstractmethod
    def adapter(cls, config: EngineConfig, domain: int) -> LineCache | SingleBeats:
        """Return what stands between its bus and the engine."""

    @classmethod
    def verilog(cls) -> str:
        """Return its Verilog.

        Raises
        ------
        ToolError
            If its package is not installed, or holds another core than is known.
        """
        module = cls.package.replace("-", "_")
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ToolError(f"the core {cls.name} is not installed; install the Python package: "
                            f"pip install {cls.package}, or all that is needed to run programs: "
                            "pip install 'casemate[cpu]'")
        return (Path(spec.origin).parent / "verilog" / cls.file).read_text()


class VexRiscv(Core):
    """VexRiscv: RV32IM, five stages, 4 KiB caches for instructions and data, written through."""

    name = "vexriscv"
    package = "pythondata-cpu-vexriscv"
    file = "VexRiscv_Full.v"
    kind = 0
    description = "RV32IM, five stages, caches of 4 KiB for instructions and for data; behind " \
                  "them a write-back cache of 8 KiB with lines of 64 bytes"

    cache_bytes = 8192
    """Size of the cache of whole lines that writes back: that of LiteX, where the core lives."""

    _END_OF_BURST = 0b111
    """CTI of the last word. An error there would stick to the line that is fetched next (the loader
    of the instruction cache forgets errors too early); a line is refused with all of its words."""

    _NOT_CONNECTED = re.compile(r"assign (?P<bus>[id])Bus_rsp_payload_error = 1'b0;")

    @classmethod
    def adapter(cls, config: EngineConfig, domain: int) -> LineCache:
        """Return a write-back cache."""
        return LineCache(config, size=cls.cache_bytes, domain=domain)

    @classmethod
    def verilog(cls) -> str:
        """Return its Verilog, in which the two error pins of its buses are connected.

        The core has access faults, but its Wishbone bridge leaves ERR open: an answer counts in the
        cycle behind ACK, like the data.
        """
        text, count = cls._NOT_CONNECTED.subn(
            r"reg \g<bus>Bus_error_regNext;"
            r" always @(posedge clk) \g<bus>Bus_error_regNext <= \g<bus>BusWishbone_ERR;"
            r" assign \g<bus>Bus_rsp_payload_error = \g<bus>Bus_error_regNext;", super().verilog())
        if count != 2:
            raise ToolError(f"{cls.package} holds another VexRiscv than the one that is known: "
                            f"{count} open error pins instead of 2; install the version of "
                            "requirements.lock")
        return text

    def elaborate(self, platform) -> Module:
        """Instantiate it and let its two buses share one."""
        m = Module()
        m.submodules.arbiter = arbiter = Arbiter()
        connect(m, arbiter.bus, flipped(self.bus))
        pins = {}
        for name, bus in (("iBus", arbiter.first), ("dBus", arbiter.second)):
            pins |= {f"o_{name}Wishbone_{pin}": getattr(bus, member) for pin, member in (
                ("CYC", "cyc"), ("STB", "stb"), ("WE", "we"), ("ADR", "adr"), ("SEL", "sel"),
                ("DAT_MOSI", "dat_w"))}
            cti = Signal(3, name=f"{name}_cti")
            pins |= {f"o_{name}Wishbone_CTI": cti, f"i_{name}Wishbone_ACK": bus.ack | bus.err,
                     f"i_{name}Wishbone_ERR": bus.err & (cti != self._END_OF_BURST),
                     f"i_{name}Wishbone_DAT_MISO": bus.dat_r}
        m.submodules.core = Instance(
            "VexRiscv", i_clk=ClockSignal(), i_reset=ResetSignal() | ~self.run,
            i_externalResetVector=Const(self._base, 32), i_timerInterrupt=0,
            i_softwareInterrupt=0, i_externalInterruptArray=self.interrupt, **pins)
        return m


class PicoRV32(Core):
    """PicoRV32: RV32IM, one instruction in several cycles, no caches."""

    name = "picorv32"
    package = "pythondata-cpu-picorv32"
    file = "picorv32.v"
    kind = 1
    description = "RV32IM, no pipeline and no caches: every instruction and every access to data " \
                  "is a burst of one word"

    _INTERRUPT_OFFSET = 0x10
    """Bytes from the first instruction to the one for interrupts; see programs/start.S."""
    _INTERRUPT = 3
    """Number of the interrupt: the core has the first three itself."""

    @classmethod
    def adapter(cls, config: EngineConfig, domain: int) -> SingleBeats:
        """Return what makes single beats."""
        return SingleBeats(config, domain=domain)

    def elaborate(self, platform) -> Module:
        """Instantiate it."""
        m = Module()
        bus = self.bus
        byte_address, interrupts = Signal(32), Signal(32)
        valid, strobes = Signal(), Signal(4)
        m.d.comb += [
            bus.cyc.eq(valid), bus.stb.eq(valid), bus.we.eq(strobes != 0), bus.sel.eq(strobes),
            bus.adr.eq(byte_address[2:]), interrupts[self._INTERRUPT].eq(self.interrupt),
        ]
        m.submodules.core = Instance(
            "picorv32", i_clk=ClockSignal(), i_resetn=~ResetSignal() & self.run,
            p_ENABLE_MUL=Const(1, 1), p_ENABLE_FAST_MUL=Const(1, 1), p_ENABLE_DIV=Const(1, 1),
            p_BARREL_SHIFTER=Const(1, 1), p_ENABLE_IRQ=Const(1, 1),
            p_ENABLE_IRQ_TIMER=Const(0, 1), p_LATCHED_IRQ=Const(0x7, 32),
            p_PROGADDR_RESET=Const(self._base, 32),
            p_PROGADDR_IRQ=Const(self._base + self._INTERRUPT_OFFSET, 32),
            o_mem_valid=valid, i_mem_ready=bus.ack | bus.err, o_mem_addr=byte_address,
            o_mem_wdata=bus.dat_w, o_mem_wstrb=strobes, i_mem_rdata=bus.dat_r,
            i_irq=interrupts)
        return m


CORES: dict[str, type[Core]] = {core.name: core for core in (VexRiscv, PicoRV32)}
"""All cores by name."""


def find_core(name: str) -> type[Core]:
    """Return the core called `name`.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those that exist.
    """
    if name not in CORES:
        raise ValueError(f"no core is called {name!r}; there are {', '.join(CORES)}")
    return CORES[name]
