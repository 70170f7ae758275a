"""Simulates a trace: player, engine or bare wire, and DRAM, cycle by cycle, natively.

``simulate`` is the whole interface; the pieces are in `native`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.dram.timing import DramTiming, timing_preset
from casemate_sim.modes import AUTHENTICATED, MODES, config_of_mode, encrypts
from casemate_sim.native import PATIENCE
from casemate_sim.tenant import (
    DOMAIN,
    SimulationSecrets,
    keys_of_seed,
    open_domain,
    secrets_of_seed,
)
from casemate_sim.toolchain import package_versions, toolchain
from casemate_sim.trace import RECORD

if TYPE_CHECKING:
    from casemate_sim.native.simulation import NativeSimulation

__all__ = ["DOMAIN", "MODES", "PlayerConfig", "Progress", "Result", "SimulationSecrets",
           "check_records", "create_simulation", "secrets_of_seed", "simulate"]

_HANG_CYCLES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class PlayerConfig:
    """The core that plays the trace.

    Parameters
    ----------
    outstanding_reads, outstanding_writes:
        Most lines being read, and being written, at the same time: 1 to 64.
    instructions_per_cycle:
        Speed of the core between the records in cycles of the DRAM controller, up to 255 and in
        steps of 1/256. The controller has an eighth of the data rate: 8 is a core of 1.07 GHz
        beside DDR3-1066 that completes an instruction per clock.
    window_instructions:
        How many instructions the core may be past its oldest outstanding read: its reorder buffer.
        1 to 1048575.
    ids:
        AXI IDs in use per direction, a power of two up to 16; responses of different IDs may
        overtake each other.
    """

    outstanding_reads: int = 16
    outstanding_writes: int = 16
    instructions_per_cycle: float = 8.0
    window_instructions: int = 192
    ids: int = 4

    def __post_init__(self) -> None:
        for name in ("outstanding_reads", "outstanding_writes"):
            if not 1 <= getattr(self, name) <= 64:
                raise ValueError(f"{name} must be 1 to 64, not {getattr(self, name)}")
        if not 1 / 256 <= self.instructions_per_cycle <= 255:
            raise ValueError("instructions_per_cycle must be 1/256 to 255, not "
                             f"{self.instructions_per_cycle}")
        if not 1 <= self.window_instructions < 1 << 20:
            raise ValueError("window_instructions must be 1 to 1048575, not "
                             f"{self.window_instructions}")
        if self.ids not in (1, 2, 4, 8, 16):
            raise ValueError(f"ids must be 1, 2, 4, 8 or 16, not {self.ids}")

    def settings(self, config: EngineConfig) -> dict[str, int]:
        """Return the values of the player's ``SETTINGS`` for the data window of `config`."""
        if self.ids > 1 << config.id_bits:
            raise ValueError(f"ids = {self.ids} needs more than the {config.id_bits} ID bits of "
                             f"configuration {config.name!r}")
        return {
            "base": config.data_base // LINE_BYTES, "reads": self.outstanding_reads,
            "writes": self.outstanding_writes, "rate": round(256 * self.instructions_per_cycle),
            "window": self.window_instructions, "id_mask": self.ids - 1, "domain": DOMAIN,
        }


@dataclass(frozen=True)
class Progress:
    """How far a simulation is.

    Attributes
    ----------
    records, total:
        Records played, and in the trace.
    cycles:
        Cycles so far.
    seconds:
        Wall seconds so far, without the build.
    """

    records: int
    total: int
    cycles: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a simulation measured.

    Attributes
    ----------
    mode, config, config_digest, dram, player, seed:
        What was simulated; ``config`` is the configuration's name.
    records, records_played:
        Records of the trace, and how many the player took.
    cycles:
        From the first record until everything was answered.
    instructions:
        Executed by the core.
    reads, writes:
        Lines read and written.
    bytes_read, bytes_written:
        Bytes on the host's bus.
    error_responses:
        Responses other than OKAY.
    window_stalls, record_stalls:
        Cycles in which the core stood still: for its window; at a record that could not go.
    latency:
        Histograms ``read_first``, ``read_last`` and ``write``: 1024 bins, bin i counts latencies of
        i cycles, the last one those from 1023 on. A read's latency counts from the cycle in which
        ARVALID is first high to the transfer of its first, or last, beat; a write's from AWVALID
        to the response.
    interval, samples:
        Bandwidth over time: rows of (cycle, bytes read, bytes written), the bytes since the row
        before, one row per ``interval`` cycles.
    reads_checked:
        Reads whose data were compared with what this run wrote, or with what memory held before.
    data_errors:
        Descriptions of reads with illegal data, the first ones; ``data_error_count`` of them.
    wall_seconds, cycles_per_second, build_seconds:
        Speed of the simulation; the build of the model counts apart.
    versions:
        Tools and packages.
    slept:
        Cycles in which the engine had nothing to do and was not evaluated.
    interrupted:
        Ctrl-C ended it; the numbers are those up to then.
    metadata:
        In ``integrity`` and ``full``: the engine's statistics registers by name, counted until
        everything was answered.
    alarms:
        What the engine complained of: alerts, entries of the error log.
    image:
        With `keep_image`: DRAM pages of 4 KiB by address; after a flush, if there is a tree.
    root_counters:
        With `keep_image`, in ``integrity`` and ``full``: the root after the flush.
    expected:
        With `keep_image`: (line, domain, data) arrays of what was last written.
    """

    mode: str
    config: str
    config_digest: str
    dram: DramTiming
    player: PlayerConfig
    seed: int
    records: int
    records_played: int
    cycles: int
    instructions: int
    reads: int
    writes: int
    bytes_read: int
    bytes_written: int
    error_responses: int
    window_stalls: int
    record_stalls: int
    latency: Mapping[str, NDArray[np.uint32]]
    interval: int
    samples: NDArray[np.uint64]
    reads_checked: int
    data_error_count: int
    data_errors: tuple[str, ...]
    wall_seconds: float
    cycles_per_second: float
    build_seconds: float
    versions: Mapping[str, str]
    slept: int
    interrupted: bool = False
    metadata: Mapping[str, int] | None = None
    alarms: tuple[str, ...] = ()
    image: Mapping[int, bytes] | None = field(default=None, repr=False)
    root_counters: NDArray[np.uint64] | None = field(default=None, repr=False)
    expected: tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint8]] | None = field(
        default=None, repr=False)

    @property
    def ok(self) -> bool:
        """No read returned illegal data, no response was an error, and there was no alarm."""
        return self.data_error_count == 0 and self.error_responses == 0 and not self.alarms

    @property
    def traffic_limit(self) -> float | None:
        """Data lines over all lines that moved to and from DRAM: the best bandwidth possible.

        None without a tree, or if no line moved.
        """
        if self.metadata is None:
            return None
        data = self.metadata["lines_read"] + self.metadata["lines_written"]
        nodes = self.metadata["nodes_fetched"] + self.metadata["nodes_written"]
        return data / (data + nodes) if data else None

    @property
    def hit_rate(self) -> float | None:
        """Share of the look-ups that found their leaf in the metadata cache; None without."""
        if self.metadata is None or not self.metadata["cache_accesses"]:
            return None
        return self.metadata["cache_hits"] / self.metadata["cache_accesses"]

    @property
    def bandwidth(self) -> float:
        """Bytes per cycle on the host's bus, both directions together."""
        return (self.bytes_read + self.bytes_written) / self.cycles if self.cycles else 0.0

    @property
    def instructions_per_cycle(self) -> float:
        """Instructions per cycle that the core reached."""
        return self.instructions / self.cycles if self.cycles else 0.0

    @property
    def nanoseconds_per_cycle(self) -> float:
        """Length of a cycle of the DRAM controller."""
        return 1000 / self.dram.clock_mhz

    def percentile(self, share: float, kind: str = "read_last") -> int | None:
        """Return the latency in cycles that `share` (0 to 1) of the accesses do not exceed.

        None if there were no accesses of that kind.
        """
        total = np.cumsum(self.latency[kind], dtype=np.int64)
        if total[-1] == 0:
            return None
        return int(np.searchsorted(total, max(1, math.ceil(share * int(total[-1])))))

    def mean_latency(self, kind: str = "read_last") -> float | None:
        """Return the mean latency in cycles; None if there were no accesses of that kind."""
        counts = self.latency[kind].astype(np.float64)
        return float(counts @ np.arange(len(counts)) / counts.sum()) if counts.any() else None

    def as_dict(self) -> dict[str, object]:
        """Everything but image, root and expected data, as plain JSON values.

        Histograms become ``[[cycles, count], ...]`` without empty bins.
        """
        values: dict[str, object] = {
            name: getattr(self, name) for name in (
                "mode", "config", "config_digest", "seed", "records", "records_played", "cycles",
                "instructions", "reads", "writes", "bytes_read", "bytes_written",
                "error_responses", "window_stalls", "record_stalls", "reads_checked",
                "data_error_count", "interval", "wall_seconds", "cycles_per_second",
                "build_seconds", "slept", "interrupted")}
        values |= {
            "dram": self.dram.as_dict(), "player": asdict(self.player),
            "metadata": None if self.metadata is None else dict(self.metadata),
            "traffic_limit": self.traffic_limit, "hit_rate": self.hit_rate,
            "alarms": list(self.alarms), "bandwidth_bytes_per_cycle": self.bandwidth,
            "instructions_per_cycle": self.instructions_per_cycle,
            "latency_percentiles": {
                kind: {f"p{100 * share:g}": self.percentile(share, kind)
                       for share in (0.5, 0.9, 0.99, 1.0)} | {"mean": self.mean_latency(kind)}
                for kind in self.latency},
            "latency_histograms": {
                kind: [[int(i), int(bins[i])] for i in np.flatnonzero(bins)]
                for kind, bins in self.latency.items()},
            "samples": self.samples.tolist(), "data_errors": list(self.data_errors),
            "versions": dict(self.versions),
        }
        return values


def create_simulation(
    config: EngineConfig, mode: str, timing: DramTiming, *, player: PlayerConfig | None = None,
    seed: int = 0, wave: str | None = None, interval: int = 1024,
    lines: NDArray[np.uint64] | None = None,
) -> NativeSimulation:
    """Build (or find) the model and return it ready to run: reset, settings, keys, slot, memory.

    `simulate` does this; tests and benches that need the back door start here. In ``integrity`` and
    ``full`` the memory has been in use for long, and the metadata cache is empty.

    Parameters
    ----------
    config, mode, player, seed:
        See `simulate`.
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
            _prepare(simulation, config, keys, mode,
                     np.zeros(0, np.uint64) if lines is None else lines)
    return simulation


def _prepare(simulation: NativeSimulation, config: EngineConfig, keys: Mapping[str, bytes],
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


def simulate(
    records: NDArray, *, config: EngineConfig, mode: str, dram: str | DramTiming = "ddr3-1066",
    player: PlayerConfig | None = None, seed: int = 0, wave: Path | None = None,
    wave_cycles: tuple[int, int] | None = None,
    progress: Callable[[Progress], None] | None = None, keep_image: bool = False,
    interval: int = 1024, patience: int | None = PATIENCE,
) -> Result:
    """Play a trace and measure.

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
    progress:
        Called at least twice a second.
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
    SimulationError
        If an assertion of the RTL fails or nothing moves any more.
    """
    from casemate_sim.native.control import Control
    from casemate_sim.native.simulation import write_data
    from casemate_sim.native.waves import write_save_files

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

    build_started = time.monotonic()
    config = config_of_mode(config, mode)
    simulation = create_simulation(config, mode, timing, player=player, seed=seed, wave=suffix,
                                   interval=interval,
                                   lines=np.unique(records["line"]).astype(np.uint64))
    with simulation:
        build_seconds = time.monotonic() - build_started
        simulation.load_records(records)
        if patience is not None:
            simulation.let_sleep(patience)
        if wave is not None:
            simulation.trace(wave, first=(wave_cycles or (0, 0))[0],
                             **({"last": wave_cycles[1]} if wave_cycles else {}))
        first_cycle = simulation.cycle
        started = time.monotonic()
        interrupted = _play(simulation, len(records), progress, started)
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
        if keep_image:
            image = dict(simulation.pages())
            lines, sequences = simulation.written()
            expected = (lines, np.full(len(lines), DOMAIN, dtype=np.uint16),
                        write_data(lines, sequences))
        played = simulation.records_taken
        latency = {name: simulation.histogram(name) for name in (
            "read_first", "read_last", "write")}
    if wave is not None:
        write_save_files(wave)
    return Result(
        mode=mode, config=config.name, config_digest=config.digest, dram=timing, player=player,
        seed=seed, records=len(records), records_played=played, cycles=counters["cycles"],
        instructions=counters["instructions"], reads=counters["reads"],
        writes=counters["writes"], bytes_read=counters["read_beats"] * beat_bytes,
        bytes_written=counters["write_beats"] * beat_bytes, error_responses=counters["errors"],
        window_stalls=counters["window_stalls"], record_stalls=counters["record_stalls"],
        latency=latency, interval=interval, samples=samples, reads_checked=report.checked,
        data_error_count=report.failed, data_errors=tuple(str(e) for e in report.errors),
        wall_seconds=seconds, cycles_per_second=simulated / max(seconds, 1e-9),
        build_seconds=build_seconds, versions=toolchain().versions | package_versions(),
        slept=slept, interrupted=interrupted, metadata=metadata,
        alarms=tuple(dict.fromkeys(alarms)), image=image, root_counters=root, expected=expected)
