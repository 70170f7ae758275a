"""What commands take from the user: sizes, ranges, traces, files to write."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.cli.errors import InputError
from casemate_sim.cli.show import size_text
from casemate_sim.files import check_writable
from casemate_sim.trace import WRITE, load
from casemate_sim.traces import shipped
from casemate_sim.workload import DEFAULT_READ_SHARE, Workload, generate

__all__ = ["Traffic", "check_directory", "check_output", "named_trace", "parse_range", "parse_size",
           "workload_traffic"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_DEFAULT_FOOTPRINT = 16 * 2**20


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
    InputError
        If there is neither.
    TraceError
        If the file is no trace.
    """
    known = shipped()
    path = known.get(name, Path(name))
    if name not in known and not path.exists():
        raise InputError(f"{name}: no such file, and no shipped trace has this name; they are "
                         f"{', '.join(known)}")
    trace = load(path)
    if not len(trace.records):
        raise InputError(f"{path}: the trace has no record")
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


def parse_size(text: str) -> int:
    """Return the bytes that `text` names: ``65536``, ``64K``, ``16M``, ``1GiB``.

    Raises
    ------
    InputError
        If it is no size.
    """
    match = re.fullmatch(r"(\d+) ?([KMGT]?)(?:iB|B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise InputError(f"{text!r} is no size; write bytes, or a number with K, M, G or T, as in "
                         "64K or 16M")
    return int(match[1]) * _UNITS[match[2].upper()]


def parse_range(text: str) -> tuple[int, int]:
    """Return the first and the last cycle of ``A:B``.

    Raises
    ------
    InputError
        If it is no such range.
    """
    match = re.fullmatch(r"(\d+):(\d+)", text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise InputError(f"--wave-cycles {text!r} is no range; write FIRST:LAST, as in 1000:3000")
    return int(match[1]), int(match[2])


def check_output(path: Path | None, option: str, suffixes: tuple[str, ...] = ()) -> None:
    """Find out before the work begins whether a file will be writable; None always is.

    Raises
    ------
    InputError
        If its name does not end in one of `suffixes`, or it cannot be written.
    """
    if path is None:
        return
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"{option} {path}: the name must end in {' or '.join(suffixes)}")
    if not path.resolve().parent.is_dir():
        raise InputError(f"{option} {path}: the folder {path.parent} does not exist")
    try:
        check_writable(path)
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be written: {error.strerror}") from error


def check_directory(path: Path | None, option: str) -> None:
    """Find out whether a folder, which need not exist, will take files; nothing is created.

    Raises
    ------
    InputError
        If not.
    """
    if path is None:
        return
    existing = path.resolve()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"{option} {path}: {existing} is no folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: {existing} cannot be written")
