"""Everything around the exported engine in a cocotb test: clock, reset, both buses, scoreboard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import cocotb
from casemate.config import LINE_BYTES, EngineConfig
from casemate.csr.registers import block
from casemate.engine.keys import KeyName
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiMaster, AxiRam
from cocotbext.axi.sparse_memory import SparseMemory

from casemate_sim.back_pressure import BackPressure
from casemate_sim.bursts import BOUNDARY_BYTES
from casemate_sim.coverage import Coverage
from casemate_sim.host_agent import HostAgent, HostMonitor
from casemate_sim.memory_agent import MemoryAgent
from casemate_sim.model import Image
from casemate_sim.scoreboard import Scoreboard

__all__ = ["Harness"]

_COVERAGE: dict[str, Coverage] = {}


class Harness:
    """One engine under test, compared with the golden model all the time.

    ``await start()`` comes first, ``await finish()`` last.

    Parameters
    ----------
    dut:
        Simulated top module.
    config:
        The configuration that it was built from.
    seed:
        Decides everything that is random.
    dram:
        ``agent``: our memory, which reorders and fails; ``ram``: cocotbext-axi's.
    host:
        ``bursts``: our bursts on cocotbext-axi's channels; ``master``: its ``AxiMaster``;
        ``none``: the test drives the pins.
    profile:
        Back-pressure of all channels, ``mixed`` for a random choice, or a profile for some.

    Attributes
    ----------
    random:
        For the test's own choices.
    host:
        `HostAgent`, if there is one.
    master:
        ``AxiMaster``, if there is one.
    agent:
        `MemoryAgent`, if there is one.
    memory:
        The DRAM's back door.
    scoreboard, coverage:
        See these.
    base, size:
        Range of the data window that was filled with random bytes.
    keys:
        Keys of each domain that was loaded, by name.
    registers:
        Manager of the registers' bus, if there is a tree.
    """

    host: HostAgent
    master: Any
    agent: MemoryAgent
    registers: Any

    def __init__(self, dut, config: EngineConfig, seed: object, *, dram: str = "agent",
                 host: str = "bursts", profile: str | Mapping[str, str] = "always") -> None:
        self.dut = dut
        self.config = config
        self.random = Random(str(seed))
        self.coverage = _COVERAGE.setdefault(config.name, Coverage(config))
        self.base = config.data_base
        self.size = 16 * BOUNDARY_BYTES
        self.keys: dict[int, dict[str, bytes]] = {}
        self.memory = SparseMemory(2**config.address_bits)
        self._fill()
        self.scoreboard = Scoreboard(config, self.image(), self.memory.read, self.coverage)
        self._pressure = (
            BackPressure.of_all(profile, self.random, self.coverage) if isinstance(profile, str)
            else BackPressure(profile, self.random, self.coverage))
        for name in ("key_valid", "slot_valid"):
            getattr(dut, name).value = 0
        self._engine_key: bytes | None = None  # K4, as long as the engine has it
        if config.tree is not None:
            self.registers = AxiLiteMaster(
                AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        dut.rst.value = 1
        Clock(dut.clk, 2, unit="ns").start()
        self._connect_memory(dram)
        self._connect_host(host)
        self._monitor = HostMonitor(dut, config, self.scoreboard, self.coverage, self._pressure)

    def _fill(self) -> None:
        """Put random bytes into the range under test, and beside the window where there is room."""
        window = self.config.regions[0]
        for address in range(self.base, self.base + self.size, BOUNDARY_BYTES):
            self.memory.write(address, self.random.randbytes(BOUNDARY_BYTES))
        for address in (window.base - BOUNDARY_BYTES, window.end):
            if 0 <= address < 2**self.config.address_bits:
                self.memory.write(address, self.random.randbytes(BOUNDARY_BYTES))

    def _connect_memory(self, kind: str) -> None:
        if kind == "ram":
            ram: Any = AxiRam(AxiBus.from_prefix(self.dut, "m_axi"), self.dut.clk, self.dut.rst,
                              size=self.memory.size, mem=self.memory)
            for channel, sink in (("aw", ram.write_if.aw_channel), ("w", ram.write_if.w_channel),
                                  ("b", ram.write_if.b_channel), ("ar", ram.read_if.ar_channel),
                                  ("r", ram.read_if.r_channel)):
                sink.set_pause_generator(self._pressure.generator(f"m_axi.{channel}"))
            return
        self.agent = MemoryAgent(self.dut, self.config, self.memory, self.random,
                                 self.scoreboard.faults, self.coverage, self._pressure)

    def _connect_host(self, kind: str) -> None:
        if kind == "none":
            return
        if kind == "master":
            self.master = AxiMaster(AxiBus.from_prefix(self.dut, "s_axi"), self.dut.clk,
                                    self.dut.rst)
            write, read = self.master.write_if, self.master.read_if
            channels = {"aw": write.aw_channel, "w": write.w_channel, "b": write.b_channel,
                        "ar": read.ar_channel, "r": read.r_channel}
        else:
            self.host = HostAgent(self.dut)
            channels = {name: getattr(self.host, name) for name in ("aw", "w", "b", "ar", "r")}
        for name, channel in channels.items():
            sends = name in ("aw", "w", "ar")
            channel.set_pause_generator(self._pressure.generator(
                f"s_axi.{name}", (lambda channel=channel: not channel.empty()) if sends else None))

    # -- clock and reset ---------------------------------------------------------------------

    @property
    def cycle(self) -> int:
        """Cycles since the start."""
        return self._monitor.cycle

    async def cycles(self, count: int = 1) -> None:
        """Wait some cycles."""
        await ClockCycles(self.dut.clk, count)

    async def start(self) -> None:
        """Reset the engine for the first time."""
        await self.cycles(3)
        self.dut.rst.value = 0
        await self.cycles(2)

    async def reset(self) -> None:
        """Reset engine and buses, whatever is in flight; slots and keys must be loaded again."""
        self.dut.rst.value = 1
        self.dut.key_valid.value = 0
        self.dut.slot_valid.value = 0
        await self.cycles(1)  # what was transferred until now counts
        self.scoreboard.reset()
        if hasattr(self, "host"):
            self.host.forget()
        await self.cycles(2)
        self.scoreboard.recover()
        self.keys.clear()
        self._engine_key = None
        self.dut.rst.value = 0
        await self.cycles(2)

    # -- domains -----------------------------------------------------------------------------

    async def load_domain(self, slot: int, domain: int, mode: str, *,
                          authenticate: bool | None = None,
                          keys: Mapping[str, bytes] | None = None) -> None:
        """Give a slot to a domain and load its keys, random ones unless `keys` are given.

        Parameters
        ----------
        slot:
            Domain slot.
        domain:
            12-bit domain ID.
        mode:
            ``plain``, ``xts``, ``integrity`` or ``full``.
        authenticate:
            The mode bit, if it is to be another than the mode's: without a tree the engine refuses
            it.
        keys:
            Keys by name. The engine's own, K4, is loaded once.
        """
        size = self.config.aes_bits // 8
        encrypt = mode in ("xts", "full")
        if authenticate is None:
            authenticate = mode in ("integrity", "full")
        if keys is None:
            keys = {name.name: self.random.randbytes(size) for name in KeyName}
        keys = dict(keys)
        if self._engine_key is not None:
            keys["K4"] = self._engine_key
        self.keys[domain] = keys
        for name, key in keys.items():
            if name != "K4" or self._engine_key is None:
                await self._load_key(slot, KeyName[name], key)
        self._engine_key = keys.get("K4")
        dut = self.dut
        for name, value in (("slot", slot), ("enable", 1), ("domain", domain),
                            ("encrypt", encrypt), ("authenticate", authenticate),
                            ("valid", 1)):
            getattr(dut, f"slot_{name}").value = int(value)
        await self.cycles(1)
        dut.slot_valid.value = 0
        await self.cycles(1)
        self.scoreboard.set_domain(slot, domain, encrypt=encrypt,
                                   authenticate=authenticate, keys=keys)

    async def _load_key(self, slot: int, name: KeyName, key: bytes) -> None:
        dut = self.dut
        dut.key_slot.value = slot
        dut.key_name.value = name.value
        dut.key_key.value = int.from_bytes(key, "little")
        dut.key_valid.value = 1
        edge = RisingEdge(dut.clk)
        await edge
        while not dut.key_ready.value:
            await edge
        dut.key_valid.value = 0
        await self._until_idle(2000)

    async def _until_idle(self, patience: int) -> None:
        edge = RisingEdge(self.dut.clk)
        await edge
        for _ in range(patience):
            await edge
            if self.dut.idle.value:
                return
        raise AssertionError(f"the engine is not idle after {patience} cycles in which nothing "
                             "was asked of it")

    # -- end ---------------------------------------------------------------------------------

    def image(self) -> Image:
        """Return a copy of the DRAM's content."""
        return Image((address, bytes(page)) for address, page in self.memory.segs.items())

    async def drain(self) -> None:
        """Wait until every burst is answered."""
        edge = RisingEdge(self.dut.clk)
        while self.scoreboard.pending or self._sending():
            await edge

    def _sending(self) -> bool:
        if not hasattr(self, "host"):
            return not self.master.write_if.idle() or not self.master.read_if.idle()
        return any(not channel.idle() for channel in (self.host.aw, self.host.w, self.host.ar))

    async def read_register(self, name: str) -> int:
        """Return what a register holds."""
        return await self.registers.read_dword(self._offset(name))

    async def write_register(self, name: str, value: int) -> None:
        """Write a register."""
        await self.registers.write_dword(self._offset(name), value)

    def _offset(self, name: str) -> int:
        offsets = {register.name: register.offset for register in block(self.config).registers}
        return offsets[name]

    async def flush(self, *, invalidate: bool = False) -> None:
        """Write all that the metadata cache has changed to DRAM."""
        await self.write_register("command", 2 if invalidate else 1)
        while await self.read_register("command"):
            pass

    async def finish(self) -> None:
        """Wait until all is answered, and compare all of DRAM with the model."""
        await self.drain()
        await self._until_idle(1000)  # lines whose other half nobody asked for
        if self.config.tree is not None:
            await self.flush()
        self.scoreboard.finish(self.image())
        self.coverage.add("tests")
        self.coverage.add("lines compared", len(self.memory.segs) * BOUNDARY_BYTES // LINE_BYTES)
        target = os.environ.get("CASEMATE_COVERAGE")
        if target:
            self.coverage.save(Path(target))
        cocotb.log.info("%d cycles", self.cycle)
