"""The hardware of a simulation in which a core runs a program."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from amaranth import Module
from amaranth.lib import wiring
from casemate.config import EngineConfig

from casemate_sim.cpu.hardware.cores import Core
from casemate_sim.cpu.hardware.devices import Devices
from casemate_sim.cpu.hardware.wishbone import Decoder
from casemate_sim.native.library import Host
from casemate_sim.native.memory_system import MemorySystem
from casemate_sim.tenant import DOMAIN

__all__ = ["CpuTop", "host_of"]

_HERE = Path(__file__).parent


class CpuTop(MemorySystem):
    """A core with its devices in front of a `MemorySystem`.

    Parameters
    ----------
    core:
        The core.
    config, bare, banks:
        See `MemorySystem`.
    """

    def __init__(self, core: type[Core], config: EngineConfig, bare: bool, banks: int):
        self._core = core
        super().__init__(config, bare=bare, banks=banks, members={})

    def elaborate(self, platform) -> Module:
        """Connect the core to devices and memory."""
        m = Module()
        config = self._config
        m.submodules.core = core = self._core(config.data_base)
        m.submodules.decoder = decoder = Decoder()
        m.submodules.devices = devices = Devices(core=self._core.kind)
        m.submodules.adapter = adapter = self._core.adapter(config, DOMAIN)
        self.elaborate_memory(m, adapter.axi)
        wiring.connect(m, core.bus, decoder.bus)
        wiring.connect(m, decoder.memory, adapter.bus)
        wiring.connect(m, decoder.devices, devices.bus)
        m.d.sync += core.run.eq(self.run)
        m.d.comb += [
            devices.handle.eq(self.handle), devices.run.eq(core.run),
            devices.write_failed.eq(adapter.write_failed), core.interrupt.eq(devices.interrupt),
        ]
        return m


def host_of(core: type[Core]) -> Host:
    """Return what `build_library` needs to build a simulation with `core`."""
    return Host(
        name=core.name, top=partial(CpuTop, core), folder=_HERE, verilog=core.verilog,
        sources=(_HERE / "casemate_cpu.cpp", _HERE / "casemate_cpu.sv"))
