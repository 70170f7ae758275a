"""The example: a VexRiscv whose main memory lies encrypted and authenticated in SDRAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from casemate.config import (
    KIB,
    MIB,
    EngineConfig,
    FuseConfig,
    KeyManagerConfig,
    preset,
)
from litedram.frontend.wishbone import LiteDRAMWishbone2Native
from litedram.modules import MT48LC16M16
from litex.soc.integration.common import get_mem_data
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect import wishbone

from casemate_sim.model.fuses import Device, encode_device
from casemate_sim.modes import with_tree

from .firmware import FIRMWARE
from .memory import add_protected_memory
from .stand_ins import StandInsInstance

__all__ = ["DOMAIN", "ROOT_KEY", "ExampleSoC", "demonstration_fuses", "example_config",
           "sdram_module"]

DOMAIN = 1
"""The domain that the CPU belongs to. Domain 0 could not authenticate."""

ROOT_KEY = bytes(range(32))
"""Of the demonstration: no secret."""

_PROBE = 0xB000_0000
_DRAM_BYTES = 32 * MIB
_ROM_BYTES = 32 * KIB


def example_config() -> EngineConfig:
    """Return a small engine with fuses for 32 MiB of SDRAM: 16 MiB of protected memory.

    One cipher and one GMAC serve everything: the SoC must be routed, too.
    """
    small = with_tree(preset("tiny"))
    assert small.tree is not None
    return small.replace(
        name="litex", data_bytes=16 * MIB, root_counters=1024, register_requests=True,
        keys=KeyManagerConfig(domains=16, fuses=FuseConfig()),
        tree=replace(small.tree, cache_sets=16))


def demonstration_fuses() -> list[int]:
    """Return fuses of a device in production whose root key everybody knows."""
    return encode_device(Device(
        life_cycle="production", device=b"LiteX example   ", serial=b"00000001",
        key_size=128, root_key=ROOT_KEY))


def sdram_module(clock_hz: float) -> MT48LC16M16:
    """Return the SDRAM: 32 MiB behind 16 bits, one command a cycle."""
    return MT48LC16M16(clock_hz, "1:1")


class ExampleSoC(SoCCore):
    """CPU, ROM with the demonstration, SDRAM behind the engine; and a probe at the SDRAM.

    The probe is a second window, on the SDRAM as it is: it plays whoever sits at the memory's
    pins. A SoC that protects anything has none.

    Parameters
    ----------
    platform:
        LiteX platform.
    clock_hz:
        Frequency of the clock ``sys``.
    crg:
        Makes the clock.
    phy:
        The SDRAM's.
    fuses:
        Words of the fuses.
    seed:
        See ``StandIns``.
    folder:
        Takes the generated Verilog of the stand-ins.
    firmware:
        Content of the ROM.
    options:
        Of ``SoCCore``.
    """

    # The program is built for these, whatever else a target has.
    csr_map: ClassVar[dict[str, int]] = {"ctrl": 0, "uart": 1, "sdram": 2, "casemate": 3}
    interrupt_map: ClassVar[dict[str, int]] = {"uart": 0, "casemate": 1}

    def __init__(self, platform: Any, *, clock_hz: float, crg: Any, phy: Any,
                 fuses: Sequence[int], seed: int | None, folder: Path,
                 firmware: Path = FIRMWARE, **options: Any) -> None:
        self.crg = crg
        config = example_config()
        super().__init__(
            platform, clock_hz, cpu_type="vexriscv", cpu_variant="standard",
            integrated_rom_init=get_mem_data(str(firmware), endianness="little", data_width=32),
            integrated_rom_size=_ROM_BYTES, integrated_sram_size=8192,
            ident="Casemate", with_timer=False, **options)
        self.sdrphy = phy
        self.add_sdram("sdram", phy=phy, module=sdram_module(clock_hz),
                       with_soc_interconnect=False)
        memory = add_protected_memory(self, config, domain=DOMAIN)
        self.stand_ins = StandInsInstance(memory.engine, fuses, seed=seed)
        self.stand_ins.add_sources(platform, folder)
        self.comb += memory.engine.pins["tamper"].eq(0)

        probe = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.probe = LiteDRAMWishbone2Native(
            probe, self.sdram.crossbar.get_port(), base_address=_PROBE)
        self.bus.add_slave("probe", probe, region=SoCRegion(
            origin=_PROBE, size=_DRAM_BYTES, cached=False))
