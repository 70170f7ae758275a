"""What a simulation of a trace tells: how far it is, and what it measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from casemate_sim.dram.timing import DramTiming
from casemate_sim.player_config import PlayerConfig

__all__ = ["Progress", "Result"]


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
