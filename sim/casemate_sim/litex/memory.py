"""Main memory of a SoC, protected: cache, engine, LiteDRAM."""

from __future__ import annotations

from typing import Any

from casemate.config import EngineConfig
from litedram.frontend.axi import LiteDRAMAXI2Native
from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect.csr import CSRStatus
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from migen import If, Signal

from .engine import Engine
from .line_cache import LineCache

__all__ = ["ProtectedMemory", "add_protected_memory"]


class ProtectedMemory(LiteXModule):
    """Memory behind the engine, for one bus whose accesses belong to one domain.

    Accesses of the cached window go through a write-back cache, so that the engine reads and writes
    whole lines. The direct window shows the same memory without the cache: through it a program
    claims granules before the cache reads them. A program that uses both for the same line keeps
    them in step itself.

    A cache cannot tell which access an error belongs to: from the first error on, every access of
    the cached window fails until reset. Errors of the direct window concern their access only.

    Parameters
    ----------
    config:
        The engine's configuration; it needs a tree (for its registers).
    port:
        A native port of LiteDRAM, read and write, as wide as the engine's bus.
    domain:
        The domain of all accesses.
    cache_bytes:
        Size of the cache, a power of two of at least two lines.

    Attributes
    ----------
    engine:
        The engine; its pins for keys or fuses, and entropy are still to be driven.
    cached, direct:
        Wishbone, 32 bits.
    error:
        An access is answered with ``err`` in this cycle.
    failed:
        CSR: 1 once the cached window has failed.
    ev:
        Events: ``interrupt`` of the engine, ``integrity`` and ``fatal`` alerts.
    """

    def __init__(self, config: EngineConfig, port: Any, *, domain: int,
                 cache_bytes: int = 8192) -> None:
        if config.tree is None:
            raise ValueError("a configuration without a tree has no registers: give it one")
        if port.data_width != config.data_bits:
            raise ValueError(f"the port has {port.data_width} bits, the engine {config.data_bits}")
        self.engine = engine = Engine(config)
        self.failed = CSRStatus(description="The cached window has failed, until reset.")
        self.cache = cache = LineCache(engine.host, base=config.data_base, size=config.data_bytes,
                                       domain=domain, cache_bytes=cache_bytes)
        self.cached, self.direct = cache.cached, cache.direct
        self.error = Signal()
        self.comb += [self.error.eq(self.cached.err | self.direct.err),
                      self.failed.status.eq(cache.failed)]

        self.frontend = LiteDRAMAXI2Native(engine.memory, port)

        self.ev = EventManager()
        self.ev.interrupt = EventSourceLevel(description="The engine's interrupt.")
        self.ev.integrity = EventSourceLevel(description="DRAM was tampered with.")
        self.ev.fatal = EventSourceLevel(description="Keys, fuses, entropy or counters failed.")
        self.ev.finalize()
        self.comb += [
            self.ev.interrupt.trigger.eq(engine.pins["irq"]),
            self.ev.integrity.trigger.eq(engine.pins["alert_integrity"]),
            self.ev.fatal.trigger.eq(engine.pins["alert_fatal"]),
        ]


def add_protected_memory(
    soc: Any, config: EngineConfig, *, domain: int = 1, cache_bytes: int = 8192,
    registers: int = 0x9000_0000, direct: int = 0xA000_0000, reset_on_error: bool = True,
) -> ProtectedMemory:
    """Give a SoC its main memory: behind an engine, in LiteDRAM.

    Call it behind ``soc.add_sdram(..., with_soc_interconnect=False)``. The SoC gets the region
    `main_ram`, the regions `casemate_direct` and `casemate_registers`, the CSRs and the interrupt
    ``casemate``, and the engine's Verilog among its sources.

    Parameters
    ----------
    soc:
        A ``LiteXSoC`` with a Wishbone bus of 32 bits and ``soc.sdram``.
    config:
        The engine; its regions must fit the DRAM.
    domain, cache_bytes:
        See ``ProtectedMemory``.
    registers, direct:
        Where registers and direct window lie on the bus: in a region that the CPU does not cache.
    reset_on_error:
        An access that is answered with an error resets the CPU. VexRiscv, as packaged for LiteX,
        needs that: it ignores ``err`` and would wait, and after the bus's timeout go on with ones.

    Raises
    ------
    ValueError
        If the engine's regions do not fit the DRAM.
    """
    settings = soc.sdram.controller.settings
    geometry = settings.geom
    size = 2 ** (geometry.bankbits + geometry.rowbits + geometry.colbits) \
        * settings.phy.nranks * settings.phy.databits // 8
    for region in config.regions:
        if region.end > size:
            raise ValueError(f"{region.name} ends at {region.end:#x}, the DRAM at {size:#x}: "
                             "choose a smaller data_bytes")
    memory = ProtectedMemory(config, soc.sdram.crossbar.get_port(data_width=config.data_bits),
                             domain=domain, cache_bytes=cache_bytes)
    memory.engine.add_sources(soc.platform)
    soc.add_module("casemate", memory)
    if soc.irq.enabled:
        soc.irq.add("casemate", use_loc_if_exists=True)
    if reset_on_error:
        # The last assignment wins over the SoC controller's.
        soc.comb += If(memory.error, soc.cpu.reset.eq(1))
    soc.bus.add_slave("main_ram", memory.cached, region=SoCRegion(
        origin=soc.mem_map["main_ram"], size=config.data_bytes, mode="rwx"))
    soc.bus.add_slave("casemate_direct", memory.direct, region=SoCRegion(
        origin=direct, size=config.data_bytes, cached=False))
    soc.bus.add_slave("casemate_registers", memory.engine.registers, region=SoCRegion(
        origin=registers, size=1 << 12, cached=False))
    return memory
