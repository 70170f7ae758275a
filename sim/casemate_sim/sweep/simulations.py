"""A point that is a simulation: a trace or pattern over the bare wire and through the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any, ClassVar

from casemate.config import EngineConfig

from casemate_sim.build import HARDWARE, SIMULATION
from casemate_sim.dram.timing import DramTiming, timing_preset
from casemate_sim.modes import MODES, config_of_mode
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import check_records, simulate
from casemate_sim.simulation_result import Result
from casemate_sim.sizes import parse_size
from casemate_sim.sweep.work import (
    Model,
    Outcome,
    Work,
    engine_of,
    integer,
    parameter_error,
    text,
)
from casemate_sim.traffic import Traffic, named_trace, workload_traffic
from casemate_sim.workload import Workload

__all__ = ["SimulationWork"]

_PATTERN_ONLY = ("read_share", "footprint", "count", "distance")
_PLAYER = ("instructions_per_cycle", "window_instructions")


@dataclass(frozen=True, kw_only=True)
class Played:
    """What is played, without its records.

    Parameters
    ----------
    trace, workload:
        Name of a trace or path of its file; or a pattern. The other one is empty.
    pattern:
        Parameters of the pattern.
    data_bytes:
        Of the engine, for the pattern's default footprint.
    limit:
        Most records.
    """

    trace: str
    workload: str
    pattern: tuple[tuple[str, Any], ...]
    data_bytes: int
    limit: int | None


@lru_cache(maxsize=4)
def _traffic(played: Played) -> Traffic:
    if played.trace:
        return named_trace(played.trace).limited(played.limit)
    return workload_traffic(
        Workload(played.workload), config=EngineConfig(data_bytes=played.data_bytes),
        **dict(played.pattern)).limited(played.limit)


@dataclass(frozen=True, kw_only=True)
class SimulationWork(Work):
    """Slowdown, latency, bandwidth and hit rate of one mode.

    Parameters
    ----------
    config, mode, timing, player, seed:
        As of :func:`casemate_sim.simulate.simulate`.
    played:
        What is played.
    digest:
        Of its records.
    """

    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "config": "a preset or a TOML file, `ecp5` if not given",
        "mode": "`plain`, `xts`, `integrity` or `full`, which is the default",
        "dram": "name of the DRAM's timing, `ddr3-1066` if not given",
        "trace": "a trace file, or the name of a shipped trace",
        "workload": "a pattern instead of a trace: `stream`, `random`, `chase`, `mix`",
        "read_share": "share of reads in the pattern, 0 to 1",
        "footprint": "bytes that the pattern touches, or text as in `\"16M\"`",
        "count": "records of the pattern, 10000 if not given",
        "distance": "instructions between two records of the pattern",
        "limit": "play the first so many records only",
        "seed": "of keys and patterns",
        "outstanding": "most lines being read, and as many being written",
        "instructions_per_cycle": "speed of the core between the records",
        "window_instructions": "reorder buffer of the core, in instructions",
    }
    FIGURES: ClassVar[Mapping[str, str]] = {
        "slowdown": "cycles over those of the bare wire",
        "cycles": "cycles of the mode",
        "bare_cycles": "cycles of the bare wire",
        "read_latency_mean": "mean latency of a read, in cycles",
        "read_latency_p50": "its median",
        "read_latency_p99": "what all but a percent of the reads do not exceed",
        "added_read_latency": "mean latency of a read over that of the bare wire, in cycles",
        "bytes_per_cycle": "bandwidth, reads and writes together",
        "hit_rate": "look-ups that found their leaf in the metadata cache",
        "traffic_limit": "data lines over all lines moved from and to DRAM",
    }
    SOURCES = (HARDWARE, *(SIMULATION / name for name in (
        "dram", "player", "native", "model", "player_config.py", "simulate.py",
        "simulation_result.py", "modes.py", "warm.py", "bursts.py")))

    config: EngineConfig
    mode: str
    timing: DramTiming
    player: PlayerConfig
    seed: int
    played: Played
    digest: str

    @classmethod
    def of_point(cls, point: Mapping[str, Any]) -> SimulationWork:
        """Return the work at a point; see :class:`Work`."""
        config = engine_of(point, "ecp5")
        mode = text(point, "mode", "full", MODES[1:])
        seed = integer(point, "seed", 0)
        played = _played(point, config, seed)
        traffic = _traffic(played)
        check_records(traffic.records, config)
        config_of_mode(config, mode)
        outstanding = integer(point, "outstanding", PlayerConfig.outstanding_reads, 1)
        return cls(
            config=config, mode=mode, seed=seed, played=played, digest=_digest(traffic),
            timing=timing_preset(text(point, "dram", "ddr3-1066")),
            player=PlayerConfig(
                outstanding_reads=outstanding, outstanding_writes=outstanding,
                ids=min(PlayerConfig.ids, 1 << config.id_bits),
                **{name: point[name] for name in _PLAYER if name in point}))

    def inputs(self) -> Mapping[str, object]:
        """Return configuration, mode, DRAM, player, seed and a digest of the records."""
        return {"config": self.config.digest, "mode": self.mode, "dram": self.timing.as_dict(),
                "player": asdict(self.player), "seed": self.seed, "records": self.digest}

    def models(self) -> tuple[Model, ...]:
        """Return the bare wire and the engine of the mode."""
        from casemate_sim.native.library import build_library

        engine, banks = config_of_mode(self.config, self.mode), self.timing.banks
        # Of a bare wire only the bus counts.
        bare = EngineConfig(data_bits=engine.data_bits, address_bits=engine.address_bits,
                            id_bits=engine.id_bits, data_bytes=64 * 1024)
        return tuple(
            Model(name, f"{config.digest}-{banks}-{name}",
                  partial(build_library, config, bare=name == "bare wire", banks=banks))
            for name, config in (("bare wire", bare), (engine.name, engine)))

    def run(self) -> Outcome:
        """Simulate the bare wire and the mode.

        Raises
        ------
        ParameterError
            If a trace file has other records here than where the sweep was planned.
        """
        traffic = _traffic(self.played)
        if _digest(traffic) != self.digest:
            raise parameter_error("trace", self.played.trace, "the file on this machine is another "
                                  "one than where the sweep was started")
        bare, run = (self._simulate(traffic, mode) for mode in ("bare", self.mode))
        faults = [*run.data_errors[:3], *run.alarms[:3]]
        if run.error_responses:
            faults.append(f"{run.error_responses} error responses")
        before, after = bare.mean_latency(), run.mean_latency()
        return Outcome(
            faults=tuple(faults), seconds=bare.wall_seconds + run.wall_seconds,
            versions=run.versions, figures={
                "slowdown": run.cycles / bare.cycles, "cycles": run.cycles,
                "bare_cycles": bare.cycles, "read_latency_mean": after,
                "read_latency_p50": run.percentile(0.5), "read_latency_p99": run.percentile(0.99),
                "added_read_latency":
                    None if before is None or after is None else after - before,
                "bytes_per_cycle": run.bandwidth, "hit_rate": run.hit_rate,
                "traffic_limit": run.traffic_limit})

    def _simulate(self, traffic: Traffic, mode: str) -> Result:
        result = simulate(traffic.records, config=self.config, mode=mode, dram=self.timing,
                          player=self.player, seed=self.seed)
        if result.interrupted:
            raise KeyboardInterrupt
        return result


def _digest(traffic: Traffic) -> str:
    return sha256(traffic.records.tobytes()).hexdigest()[:24]


def _played(point: Mapping[str, Any], config: EngineConfig, seed: int) -> Played:
    """Return what a point plays."""
    if ("trace" in point) == ("workload" in point):
        raise parameter_error("trace", point.get("trace"), "give either a trace or a workload")
    limit = integer(point, "limit", 0) or None
    if "trace" in point:
        for name in _PATTERN_ONLY:
            if name in point:
                raise parameter_error(name, point[name], "it is for a workload, not for a trace")
        return Played(trace=text(point, "trace", ""), workload="", pattern=(), limit=limit,
                      data_bytes=0)
    share = point.get("read_share")
    if share is not None and (not isinstance(share, int | float) or isinstance(share, bool)):
        raise parameter_error("read_share", share, "a number from 0 to 1")
    footprint = point.get("footprint")
    if isinstance(footprint, str):
        footprint = parse_size(footprint)
    elif footprint is not None:
        footprint = integer(point, "footprint", 0, 1)
    return Played(
        trace="", workload=text(point, "workload", "", tuple(Workload)), limit=limit,
        data_bytes=config.data_bytes, pattern=(
            ("count", integer(point, "count", 10_000, 1)), ("footprint_bytes", footprint),
            ("read_share", share), ("distance", integer(point, "distance", 0)), ("seed", seed)))
