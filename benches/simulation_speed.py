"""Simulated cycles per second: native, against Python at every beat, against Amaranth's simulator.

All three simulate the same engine under the same kind of load, one after the other in one run, and
processor time is what counts, so that their ratios mean something on any machine, busy or not.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from amaranth.sim import Simulator
from casemate.config import EngineConfig
from casemate.top import Casemate
from casemate_sim.build_cocotb import build_cocotb, run_cocotb
from casemate_sim.figures import Figure
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import simulate
from casemate_sim.simulation_result import Result
from casemate_sim.tenant import DOMAIN
from casemate_sim.workload import generate
from common import Report, config_of

NATIVE_LINES = 60_000
PYTHON_LINES = 800
AMARANTH_CYCLES = 200


def _native(config: EngineConfig) -> tuple[Result, float]:
    records = generate("random", count=NATIVE_LINES, footprint_bytes=64 << 10, seed=1,
                       read_share=0.5)
    started = time.process_time()
    result = simulate(records, config=config, mode="xts", dram="fixed-latency",
                      player=PlayerConfig(outstanding_reads=16, outstanding_writes=16))
    return result, result.cycles / (time.process_time() - started)


def _python_driven(config: EngineConfig) -> float:
    program = build_cocotb(config, optimise="-O2")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "speed.json"
        outcome, = run_cocotb(
            program, ["cocotb_speed"], folder=Path(folder), seed=1, paths=[Path(__file__).parent],
            environment={"CASEMATE_LINES": str(PYTHON_LINES), "CASEMATE_RESULT": str(result)})
        if not outcome.passed:
            raise RuntimeError(f"the run driven from Python failed: {outcome.message}")
        measured = json.loads(result.read_text())
    return measured["cycles"] / measured["seconds"]


def _amaranth(config: EngineConfig) -> float:
    """Write random lines with Amaranth's simulator, as unit tests do."""
    rng = random.Random(1)
    engine = Casemate(config)
    elapsed = 0.0

    async def bench(ctx):
        nonlocal elapsed
        s, m = engine.s_axi, engine.m_axi
        beats = config.beats_per_line
        ctx.set(engine.slot.payload, {"slot": 0, "enable": 1, "domain": DOMAIN, "encrypt": 1})
        ctx.set(engine.slot.valid, 1)
        await ctx.tick()
        ctx.set(engine.slot.valid, 0)
        for port, value in ((s.awvalid, 1), (s.wvalid, 1), (s.bready, 1), (m.awready, 1),
                            (m.wready, 1), (s.awlen, beats - 1), (s.awburst, 1),
                            (s.awsize, (config.data_bits // 8).bit_length() - 1),
                            (s.awuser, DOMAIN), (s.wstrb, -1)):
            ctx.set(port, value)
        sent, waiting = 0, []
        started = time.process_time()
        for _ in range(AMARANTH_CYCLES):
            ctx.set(s.awaddr, rng.randrange(config.lines) * 64)
            ctx.set(s.wdata, rng.getrandbits(config.data_bits))
            ctx.set(s.wlast, sent % beats == beats - 1)
            ctx.set(m.bvalid, bool(waiting))
            ctx.set(m.bid, waiting[0] if waiting else 0)
            _, _, moved, asked, entry, answered = await ctx.tick().sample(
                s.wready, m.awvalid, m.awid, m.bvalid & m.bready)
            sent += moved
            waiting += [entry] * asked
            del waiting[:answered]
        elapsed = time.process_time() - started
        if sent < AMARANTH_CYCLES // 8:
            raise RuntimeError(f"only {sent} beats were taken in {AMARANTH_CYCLES} cycles")

    simulator = Simulator(engine)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return AMARANTH_CYCLES / elapsed


def figures(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Measure all three; the native run is repeated behind the others and the slower one counts."""
    report("native")
    _native(config)  # builds
    result, first = _native(config)
    report("driven from Python: cocotb and cocotbext-axi")
    python = _python_driven(config)
    report("Amaranth's simulator")
    amaranth = _amaranth(config)
    report("native, again")
    native = min(first, _native(config)[1])
    shared = config_of(result) | {"workload": "random", "mode": "xts"}
    yield Figure(name="sim.native.cycles_per_second", value=round(native), unit="1/s",
                 config=shared)
    yield Figure(name="sim.native_over_python_driven", value=native / python, unit="1",
                 target=">= 20", config=shared | {"python_driven_cycles_per_second": round(python)})
    yield Figure(name="sim.native_over_amaranth", value=native / amaranth, unit="1",
                 config=shared | {"amaranth_cycles_per_second": round(amaranth, 1)})
