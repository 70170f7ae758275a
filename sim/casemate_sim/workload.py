"""Synthetic workloads: traces with a known access pattern, made without a program."""

from __future__ import annotations

import enum

import numpy as np
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

from casemate_sim.trace import make_records

__all__ = ["DEFAULT_READ_SHARE", "Workload", "WorkloadError", "generate"]


class WorkloadError(ValueError):
    """A workload's parameter is impossible; the message names it and what is allowed."""


class Workload(enum.StrEnum):
    """The access patterns."""

    STREAM = "stream"
    """Sequential lines from the window's start, again from there at the footprint's end. Reads and
    writes alternate evenly in the read share's proportion."""
    RANDOM = "random"
    """Uniformly random lines; reads and writes drawn independently by the read share."""
    CHASE = "chase"
    """A linked list through every line of the footprint in random order: each read needs the data
    of the read before. Writes, if any, go to the line just read."""
    MIX = "mix"
    """Sequential reads in the first part of the footprint, sequential writes in the rest, merged
    evenly in the read share's proportion: what ``c[i] = a[i] + b[i]`` does at 2:1."""


DEFAULT_READ_SHARE: dict[Workload, float] = {
    Workload.STREAM: 1.0, Workload.RANDOM: 1.0, Workload.CHASE: 1.0, Workload.MIX: 2 / 3,
}
"""Read share of each workload if none is given."""


def generate(kind: Workload | str, *, count: int, footprint_bytes: int,
             read_share: float | None = None, seed: int = 0,
             distance: int = 0) -> NDArray[np.void]:
    """Make `count` records of a workload.

    Parameters
    ----------
    kind:
        The pattern.
    count:
        Records, at least 1.
    footprint_bytes:
        Bytes that the records touch, from the window's start; a multiple of 64, two lines at least.
    read_share:
        Share of reads, 0 to 1; by default ``DEFAULT_READ_SHARE``. ``chase`` needs more than 0.
    seed:
        Seed of whatever is random; the same arguments give the same records.
    distance:
        Instructions between two records, 0 to 2**32 - 1.

    Returns
    -------
    numpy.ndarray
        ``RECORD``, length `count`.

    Raises
    ------
    WorkloadError
        If a parameter is impossible.
    """
    try:
        kind = Workload(kind)
    except ValueError:
        raise WorkloadError(
            f"no workload is called {kind!r}; there are {', '.join(Workload)}") from None
    share = DEFAULT_READ_SHARE[kind] if read_share is None else read_share
    _require(count >= 1, "count", count, "at least 1")
    _require(footprint_bytes >= 2 * LINE_BYTES and footprint_bytes % LINE_BYTES == 0,
             "footprint_bytes", footprint_bytes, f"a multiple of {LINE_BYTES}, two lines at least")
    _require(0 <= share <= 1, "read_share", share, "0 to 1")
    _require(0 <= distance < 2**32, "distance", distance, "0 to 2**32 - 1")
    lines = footprint_bytes // LINE_BYTES
    random = np.random.default_rng(seed)
    match kind:
        case Workload.STREAM:
            write = _evenly(count, 1 - share)
            line = np.arange(count, dtype=np.uint64) % np.uint64(lines)
        case Workload.RANDOM:
            write = random.random(count) >= share
            line = random.integers(lines, size=count, dtype=np.uint64)
        case Workload.CHASE:
            _require(share > 0, "read_share", share, "more than 0 for a chase")
            write = random.random(count) >= share
            write[0] = False
            # A walk along a random cycle through all lines is a random order of them, repeated.
            order = random.choice(lines, size=min(count, lines), replace=False)
            line = order[(np.cumsum(~write) - 1) % len(order)].astype(np.uint64)
            return make_records(line, write=write, distance=distance, dependent=~write)
        case Workload.MIX:
            write = _evenly(count, 1 - share)
            first = min(max(round(lines * share), 1), lines - 1)
            line = np.where(write, first + (np.cumsum(write) - 1) % (lines - first),
                            (np.cumsum(~write) - 1) % first)
    return make_records(line, write=write, distance=distance)


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise WorkloadError(f"{name} = {value!r} is not possible: {allowed}")


def _evenly(count: int, share: float) -> NDArray[np.bool_]:
    """Mark a `share` of `count` places, as evenly spread as they go."""
    marked = np.floor(np.arange(1, count + 1) * share + 1e-9).astype(np.int64)
    return np.diff(marked, prepend=0) == 1
