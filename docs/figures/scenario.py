"""Three transactions on an idle engine in Amaranth's simulator, recorded cycle by cycle.

Host and memory are testbenches; what a signal was in a cycle is read from the simulator's waveform,
so that a diagram shows what the RTL did.
"""

from __future__ import annotations

import tempfile
from collections import deque
from pathlib import Path

import numpy as np
from amaranth.sim import Simulator, SimulatorContext
from casemate.config import LINE_BYTES, EngineConfig
from casemate.engine.keys import KeyName
from casemate.top import Casemate
from casemate_sim.model.crypto import xts_encrypt

__all__ = ["MEMORY_LATENCY", "PLAIN", "XTS", "Recording", "encrypted", "run"]

K1, K2 = bytes(range(16)), bytes(range(16, 32))
PLAIN, XTS = 1, 2
"""Domain IDs."""

MEMORY_LATENCY = 16
"""Latency of the memory in the pictures, in cycles."""


def encrypted(line: int, data: bytes) -> bytes:
    """Return what DRAM holds of a line of the encrypting domain, by the golden model."""
    tweak = np.frombuffer(line.to_bytes(16, "little"), dtype=np.uint8)[None]
    unit = np.frombuffer(data, dtype=np.uint8)[None]
    return xts_encrypt(K1, K2, tweak, unit).tobytes()


class Recording:
    """What the engine's upper signals were in every cycle.

    Attributes
    ----------
    cycles:
        One dictionary for each cycle: full name to value just before the clock edge.
    """

    def __init__(self, wave: Path):
        self.cycles: list[dict[str, int]] = []
        names: dict[str, list[str]] = {}
        scopes: list[str] = []
        values: dict[str, int] = {}
        changes: dict[str, int] = {}

        def close() -> None:
            if changes.get("clk") and not values.get("clk"):
                self.cycles.append(dict(values))
            values.update(changes)
            changes.clear()

        with wave.open() as file:
            for words in map(str.split, file):
                match words:
                    case ["$scope", _, name, _]:
                        scopes.append(name)
                    case ["$upscope", _]:
                        scopes.pop()
                    case ["$var", _, _, code, name, *_] if len(scopes) <= 5:
                        names.setdefault(code, []).append(".".join((*scopes[2:], name)))
                    case [word] if word[0] == "#":
                        close()
                    case [word] if word[0] in "01":
                        changes.update((name, int(word[0])) for name in names.get(word[1:], ()))
                    case [word, code] if word[0] == "b":
                        changes.update((name, int(word[1:], 2)) for name in names.get(code, ()))
        close()

    def first(self, name: str, start: int = 0, skip: int = 0) -> int:
        """Return the first cycle from `start` in which a bit is set, but for `skip` such cycles."""
        hits = (i for i in range(start, len(self.cycles)) if self.cycles[i][name])
        for _ in range(skip):
            next(hits)
        return next(hits)


class _Memory:
    """A memory with a fixed latency on the engine's `m_axi`."""

    def __init__(self, axi: object, content: dict[int, bytes], latency: int):
        self._axi = axi
        self._content = content
        self._latency = latency

    async def reads(self, ctx: SimulatorContext) -> None:
        """Answer reads, one line after the other."""
        axi, cycle = self._axi, 0
        due: deque[tuple[int, int, int]] = deque()
        beats: deque[tuple[int, int, bool]] = deque()
        ctx.set(axi.arready, 1)
        while True:
            if due and due[0][0] <= cycle and not beats:
                _, line, name = due.popleft()
                data = self._content[line]
                beats.extend((name, int.from_bytes(data[i:i + 16], "little"), i == 48)
                             for i in range(0, LINE_BYTES, 16))
            ctx.set(axi.rvalid, bool(beats))
            if beats:
                name, value, last = beats[0]
                ctx.set(axi.rid, name)
                ctx.set(axi.rdata, value)
                ctx.set(axi.rlast, last)
            _, _, taken, valid, address, name = await ctx.tick().sample(
                axi.rready, axi.arvalid, axi.araddr, axi.arid)
            cycle += 1
            if beats and taken:
                beats.popleft()
            if valid:
                due.append((cycle + self._latency - 1, address // LINE_BYTES, name))

    async def writes(self, ctx: SimulatorContext) -> None:
        """Take writes and answer them."""
        axi, cycle = self._axi, 0
        names: deque[int] = deque()
        due: deque[int] = deque()
        ctx.set(axi.awready, 1)
        ctx.set(axi.wready, 1)
        while True:
            answer = bool(due) and due[0] <= cycle
            ctx.set(axi.bvalid, answer)
            if answer:
                ctx.set(axi.bid, names[0])
            _, _, valid, name, data_valid, last = await ctx.tick().sample(
                axi.awvalid, axi.awid, axi.wvalid, axi.wlast)
            cycle += 1
            if answer:
                due.popleft()
                names.popleft()
            if valid:
                names.append(name)
            if data_valid and last:
                due.append(cycle + self._latency - 1)


async def _transfer(ctx: SimulatorContext, valid: object, ready: object) -> None:
    ctx.set(valid, 1)
    await ctx.tick().until(ready)
    ctx.set(valid, 0)


async def _set_up(ctx: SimulatorContext, engine: Casemate) -> None:
    """Load the keys and give slot 0 to the plain domain, slot 1 to the encrypting one."""
    for name, key in ((KeyName.K1, K1), (KeyName.K2, K2)):
        ctx.set(engine.key.payload, {"slot": 1, "name": name, "key": int.from_bytes(key, "little")})
        await _transfer(ctx, engine.key.valid, engine.key.ready)
    await ctx.tick().until(engine.idle)
    for slot, domain, encrypt in ((0, PLAIN, 0), (1, XTS, 1)):
        ctx.set(engine.slot.payload, {"slot": slot, "enable": 1, "domain": domain,
                                      "encrypt": encrypt, "authenticate": 0})
        ctx.set(engine.slot.valid, 1)
        await ctx.tick()
    ctx.set(engine.slot.valid, 0)


def run(config: EngineConfig, lines: dict[int, bytes], patch: bytes,
        latency: int = MEMORY_LATENCY) -> Recording:
    """Read the first line, read the second, change the start of the third; idle in between.

    Parameters
    ----------
    config:
        An engine with a 128-bit bus and AES-128.
    lines:
        Three line numbers with what DRAM holds; the first is the plain domain's.
    patch:
        16 bytes for the start of the third line; the first 8 are written.
    latency:
        Of the memory, in cycles: from a request's transfer to its first beat, and from the last
        write beat to the response.
    """
    engine = Casemate(config)
    axi = engine.s_axi
    memory = _Memory(engine.m_axi, lines, latency)

    async def host(ctx: SimulatorContext) -> None:
        await _set_up(ctx, engine)
        plain, xts, partial = lines
        for channel in ("ar", "aw"):
            ctx.set(getattr(axi, f"{channel}size"), 4)
            ctx.set(getattr(axi, f"{channel}burst"), 1)
        ctx.set(axi.rready, 1)
        ctx.set(axi.bready, 1)
        for line, domain in ((plain, PLAIN), (xts, XTS)):
            await ctx.tick().repeat(4)
            ctx.set(axi.araddr, line * LINE_BYTES)
            ctx.set(axi.aruser, domain)
            ctx.set(axi.arlen, 3)
            await _transfer(ctx, axi.arvalid, axi.arready)
            await ctx.tick().until(axi.rvalid & axi.rlast)
        await ctx.tick().repeat(4)
        ctx.set(axi.awaddr, partial * LINE_BYTES)
        ctx.set(axi.awuser, XTS)
        ctx.set(axi.wdata, int.from_bytes(patch, "little"))
        ctx.set(axi.wstrb, 0xFF)
        ctx.set(axi.wlast, 1)
        ctx.set(axi.wvalid, 1)
        await _transfer(ctx, axi.awvalid, axi.awready)
        await ctx.tick().until(axi.wready)
        ctx.set(axi.wvalid, 0)
        await ctx.tick().until(axi.bvalid)
        await ctx.tick().repeat(3)

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(memory.reads, background=True)
    simulator.add_testbench(memory.writes, background=True)
    simulator.add_testbench(host)
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "wave.vcd"
        with simulator.write_vcd(str(wave)):
            simulator.run()
        return Recording(wave)
