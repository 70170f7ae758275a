"""What a simulation plays: the records of a trace or of a pattern, with their name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.sizes import size_text
from casemate_sim.trace import WRITE, load
from casemate_sim.traces import shipped
from casemate_sim.workload import DEFAULT_READ_SHARE, Workload, generate

__all__ = ["Traffic", "TrafficError", "named_trace", "workload_traffic"]

_DEFAULT_FOOTPRINT = 16 * 2**20


class TrafficError(ValueError):
    """There is nothing to play under a name; the message says what there is."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Records to simulate, and what they are called.

    Parameters
    ----------
    name:
        For titles.
    source:
        The command or the parameters that made them.
    records:
        ``RECORD``, any number.
    """

    name: str
    source: str
    records: NDArray[np.void]

    @property
    def reads(self) -> int:
        """Records that read."""
        return len(self.records) - int(np.count_nonzero(self.records["flags"] & WRITE))

    @property
    def footprint_bytes(self) -> int:
        """Bytes of all the lines that are touched."""
        return LINE_BYTES * len(np.unique(self.records["line"]))

    def limited(self, count: int | None) -> Traffic:
        """Return the first `count` records; all if it is None."""
        if count is None or count >= len(self.records):
            return self
        return Traffic(name=self.name, source=self.source, records=self.records[:count])

    def as_dict(self) -> dict[str, object]:
        """Return what the records are, as plain JSON values."""
        return {"name": self.name, "source": self.source, "records": len(self.records),
                "reads": self.reads, "writes": len(self.records) - self.reads,
                "footprint_bytes": self.footprint_bytes}


def named_trace(name: str) -> Traffic:
    """Read a shipped trace by its name, or a trace file.

    Raises
    ------
    TrafficError
        If there is neither.
    TraceError
        If the file is no trace.
    """
    known = shipped()
    path = known.get(name, Path(name))
    if name not in known and not path.exists():
        raise TrafficError(f"{name}: no such file, and no shipped trace has this name; they are "
                         f"{', '.join(known)}")
    trace = load(path)
    if not len(trace.records):
        raise TrafficError(f"{path}: the trace has no record")
    return Traffic(name=path.stem, source=trace.header.source, records=trace.records)


def workload_traffic(kind: Workload, *, config: EngineConfig, count: int,
                     footprint_bytes: int | None, read_share: float | None, distance: int,
                     seed: int) -> Traffic:
    """Make a synthetic workload; by default over 16 MiB, or the data window if it is smaller.

    Raises
    ------
    WorkloadError
        If a parameter is impossible.
    """
    footprint = min(_DEFAULT_FOOTPRINT, config.data_bytes) if footprint_bytes is None \
        else footprint_bytes
    share = DEFAULT_READ_SHARE[kind] if read_share is None else read_share
    records = generate(kind, count=count, footprint_bytes=footprint, read_share=share, seed=seed,
                       distance=distance)
    return Traffic(
        name=kind.value, records=records,
        source=f"workload {kind}, read share {share:.3g}, footprint {size_text(footprint)}, "
        f"distance {distance}, seed {seed}")
