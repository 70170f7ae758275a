"""Simulates a trace: player, engine or bare wire, and DRAM, cycle by cycle, natively.

``simulate`` is the whole interface, ``prepare`` its first half; the pieces are in `native`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from casemate.config import EngineConfig
from numpy.typing import NDArray

from casemate_sim.dram.timing import DramTiming, timing_preset
from casemate_sim.modes import AUTHENTICATED, MODES, config_of_mode, encrypts
from casemate_sim.native import PATIENCE
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulation_result import Progress, Result
from casemate_sim.tenant import DOMAIN, keys_of_seed, open_domain
from casemate_sim.toolchain import package_versions, toolchain
from casemate_sim.trace import RECORD

if TYPE_CHECKING:
    from casemate_sim.native.simulation import NativeSimulation

__all__ = ["PreparedRun", "check_records", "create_simulation", "prepare", "simulate"]

_HANG_CYCLES = 1_000_000


def create_simulation(
    config: EngineConfig, mode: str, timing: DramTiming, *, player: PlayerConfig | None = None,
    seed: int = 0, wave: str | None = None, interval: int = 1024,
    lines: NDArray[np.uint64] | None = None,
) -> NativeSimulation:
    """Build (or find) the model and return it ready to run: reset, settings, keys, slot, memory.

    `prepare` does this; tests and benches that need the back door start here. In ``integrity`` and
    ``full`` the memory has been in use for long, and the metadata cache is empty.

    Parameters
    ----------
    config, mode, player, seed:
        See `prepare`.
    timing:
        The DRAM.
    wave:
        ``"vcd"`` or ``"fst"`` to be able to write a waveform.
    interval:
        Cycles between samples of the bandwidth.
    lines:
        In ``integrity`` and ``full``: lines that the domain has written before, each once; none by
        default. They hold ``write_data`` of sequence number 0. All others belong to nobody, but
        those in the same granules.
    """
    from casemate_sim.native.library import build_library
    from casemate_sim.native.simulation import NativeSimulation

    if mode not in MODES:
        raise ValueError(f"no mode is called {mode!r}; there are {', '.join(MODES)}")
    config = config_of_mode(config, mode)
    settings = (player or PlayerConfig()).settings(config)
    simulation = NativeSimulation(
        build_library(config, bare=mode == "bare", banks=timing.banks, wave=wave))
    simulation.configure(settings, timing, interval=interval)
    if mode != "bare":
        keys = keys_of_seed(seed, config)
        open_domain(simulation, config, mode, keys)
        if mode in AUTHENTICATED:
            _fill(simulation, config, keys, mode,
                  np.zeros(0, np.uint64) if lines is None else lines)
    return simulation


def _fill(simulation: NativeSimulation, config: EngineConfig, keys: Mapping[str, bytes],
          mode: str, lines: NDArray[np.uint64]) -> None:
    """Fill a memory with sealed lines, and clear the statistics."""
    from casemate_sim.native.control import Control
    from casemate_sim.native.simulation import write_data
    from casemate_sim.warm import sealed_memory

    image, root = sealed_memory(config, keys, DOMAIN, lines,
                                write_data(lines, np.zeros(len(lines), np.uint64)),
                                encrypt=encrypts(mode))
    for address, content in image.pages():
        simulation.write_memory(address, content)
    simulation.load_root(root)
    simulation.check_all_reads()
    Control(simulation, config).clear_statistics()
    simulation.wait_idle()


def check_records(records: NDArray, config: EngineConfig) -> None:
    """Check that a trace can be played on `config`; raise ValueError if not."""
    if records.dtype != RECORD:
        raise ValueError(f"records must have the dtype of casemate_sim.trace.RECORD, not "
                         f"{records.dtype}")
    if len(records) == 0:
        raise ValueError("the trace has no record")
    largest = int(records["line"].max())
    if largest >= config.lines:
        raise ValueError(
            f"the trace reaches line {largest:#x}, but the data window of configuration "
            f"{config.name!r} has {config.lines:#x} lines ({config.data_bytes} bytes)")


def _play(simulation: NativeSimulation, total: int, progress: Callable[[Progress], None] | None,
          started: float) -> bool:
    """Run until everything is done; return whether Ctrl-C ended it."""
    from casemate_sim.native.model import FIRST_STEP, SimulationError, next_step

    step, quiet, before = FIRST_STEP, 0, (-1, -1, -1)
    try:
        while True:
            begun = time.monotonic()
            done = simulation.run(step)
            elapsed = time.monotonic() - begun
            if progress is not None:
                progress(Progress(simulation.records_taken, total, simulation.cycle,
                                  time.monotonic() - started))
            if done:
                return False
            counters = simulation.counters()
            now = (counters["reads"], counters["writes"], counters["instructions"])
            quiet = quiet + step if now == before else 0
            before = now
            if quiet > _HANG_CYCLES:
                raise SimulationError(
                    f"nothing happened for {quiet} cycles: {now[0]} reads and {now[1]} writes were "
                    f"answered, {simulation.records_taken} of {total} records taken")
            step = next_step(step, elapsed)
    except KeyboardInterrupt:
        return True


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """A simulation with everything loaded, which `prepare` returned; it plays once.

    Attributes
    ----------
    simulation:
        Model and DRAM; closed by `play`.
    records, config, mode, timing, player, seed, wave, keep_image, interval:
        See `prepare`; the configuration is that of the mode.
    build_seconds:
        How long all this took.
    """

    simulation: NativeSimulation
    records: NDArray
    config: EngineConfig
    mode: str
    timing: DramTiming
    player: PlayerConfig
    seed: int
    wave: Path | None
    keep_image: bool
    interval: int
    build_seconds: float

    def play(self, progress: Callable[[Progress], None] | None = None) -> Result:
        """Play the trace and measure; in any thread, while others play other runs in theirs.

        Parameters
        ----------
        progress:
            Called at least twice a second. It may raise KeyboardInterrupt, which ends the run as
            Ctrl-C does: what was measured so far is the result.

        Raises
        ------
        SimulationError
            If an assertion of the RTL fails or nothing moves any more.
        """
        from casemate_sim.native.control import Control
        from casemate_sim.native.simulation import write_data
        from casemate_sim.native.waves import write_save_files

        config, mode = self.config, self.mode
        with self.simulation as simulation:
            first_cycle = simulation.cycle
            started = time.monotonic()
            interrupted = _play(simulation, len(self.records), progress, started)
            seconds = time.monotonic() - started
            simulated, slept = simulation.cycle - first_cycle, simulation.slept
            counters = simulation.counters()
            report = simulation.check()
            beat_bytes = config.data_bits // 8
            samples = simulation.samples()
            samples[1:, 1:] -= samples[:-1, 1:].copy()
            samples[:, 1:] *= np.uint64(beat_bytes)
            samples[:, 0] -= np.uint64(first_cycle)
            image = expected = metadata = root = None
            alarms: list[str] = []
            if mode in AUTHENTICATED:
                control = Control(simulation, config)
                metadata, alarms = control.statistics(), control.alarms()
                # Also without an image: a flush finds what was cached and does not fit.
                if not interrupted and not control.locked:
                    control.flush()
                    alarms += control.alarms()
                    root = simulation.root_counters(config.root_counters)
            if self.keep_image:
                image = dict(simulation.pages())
                lines, sequences = simulation.written()
                expected = (lines, np.full(len(lines), DOMAIN, dtype=np.uint16),
                            write_data(lines, sequences))
            played = simulation.records_taken
            latency = {name: simulation.histogram(name) for name in (
                "read_first", "read_last", "write")}
        if self.wave is not None:
            write_save_files(self.wave)
        return Result(
            mode=mode, config=config.name, config_digest=config.digest, dram=self.timing,
            player=self.player, seed=self.seed, records=len(self.records), records_played=played,
            cycles=counters["cycles"], instructions=counters["instructions"],
            reads=counters["reads"], writes=counters["writes"],
            bytes_read=counters["read_beats"] * beat_bytes,
            bytes_written=counters["write_beats"] * beat_bytes,
            error_responses=counters["errors"], window_stalls=counters["window_stalls"],
            record_stalls=counters["record_stalls"], latency=latency, interval=self.interval,
            samples=samples, reads_checked=report.checked, data_error_count=report.failed,
            data_errors=tuple(str(e) for e in report.errors), wall_seconds=seconds,
            cycles_per_second=simulated / max(seconds, 1e-9), build_seconds=self.build_seconds,
            versions=toolchain().versions | package_versions(), slept=slept,
            interrupted=interrupted, metadata=metadata, alarms=tuple(dict.fromkeys(alarms)),
            image=image, root_counters=root, expected=expected)


def prepare(
    records: NDArray, *, config: EngineConfig, mode: str, dram: str | DramTiming = "ddr3-1066",
    player: PlayerConfig | None = None, seed: int = 0, wave: Path | None = None,
    wave_cycles: tuple[int, int] | None = None, keep_image: bool = False, interval: int = 1024,
    patience: int | None = PATIENCE,
) -> PreparedRun:
    """Build (or find) the model and load everything, so that the trace can be played.

    Parameters
    ----------
    records:
        The trace, dtype ``casemate_sim.trace.RECORD``.
    config:
        The engine's configuration; for the bare wire its bus and its data window count.
    mode:
        ``"bare"`` (no engine), ``"plain"``, ``"xts"``, ``"integrity"`` or ``"full"``. The last two
        add a tree to a configuration without one; all lines of the trace hold data already.
    dram:
        Name of a timing preset, or a timing.
    player:
        The core that plays the trace.
    seed:
        Of the keys. The same seed gives the same simulation, bit for bit.
    wave:
        Waveform to write, ``.vcd`` or ``.fst``; beside a VCD file a save file ``.gtkw`` for GTKWave
        and a command file ``.sucl`` for Surfer.
    wave_cycles:
        First and last cycle of the waveform, counted from reset; everything by default.
    keep_image:
        Fill in the result's ``image`` and ``expected``.
    interval:
        Cycles between samples of the bandwidth.
    patience:
        Inactive cycles after which the engine sleeps; None: never. Nothing but the simulation's
        speed depends on it.

    Raises
    ------
    ValueError
        If an argument is not possible, or the trace does not fit the data window.
    ToolError
        If the model cannot be built.
    """
    timing = timing_preset(dram) if isinstance(dram, str) else dram
    player = player or PlayerConfig()
    check_records(records, config)
    suffix = None
    if wave is not None:
        suffix = wave.suffix[1:].lower()
        if suffix not in ("vcd", "fst"):
            raise ValueError(f"a waveform's name ends in .vcd or .fst, not {wave.name!r}")
        if not wave.resolve().parent.is_dir():
            raise ValueError(f"the folder of {wave} does not exist")

    started = time.monotonic()
    config = config_of_mode(config, mode)
    simulation = create_simulation(config, mode, timing, player=player, seed=seed, wave=suffix,
                                   interval=interval,
                                   lines=np.unique(records["line"]).astype(np.uint64))
    build_seconds = time.monotonic() - started
    simulation.load_records(records)
    if patience is not None:
        simulation.let_sleep(patience)
    if wave is not None:
        simulation.trace(wave, first=(wave_cycles or (0, 0))[0],
                         **({"last": wave_cycles[1]} if wave_cycles else {}))
    return PreparedRun(
        simulation=simulation, records=records, config=config, mode=mode, timing=timing,
        player=player, seed=seed, wave=wave, keep_image=keep_image, interval=interval,
        build_seconds=build_seconds)


def simulate(
    records: NDArray, *, config: EngineConfig, mode: str, dram: str | DramTiming = "ddr3-1066",
    player: PlayerConfig | None = None, seed: int = 0, wave: Path | None = None,
    wave_cycles: tuple[int, int] | None = None,
    progress: Callable[[Progress], None] | None = None, keep_image: bool = False,
    interval: int = 1024, patience: int | None = PATIENCE,
) -> Result:
    """Play a trace and measure: `prepare`, whose parameters and errors these are, and its play.

    Parameters
    ----------
    progress:
        See `PreparedRun.play`, which may raise SimulationError, too.
    """
    return prepare(
        records, config=config, mode=mode, dram=dram, player=player, seed=seed, wave=wave,
        wave_cycles=wave_cycles, keep_image=keep_image, interval=interval,
        patience=patience).play(progress)
