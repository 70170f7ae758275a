"""Synthetic workloads do what their names say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from casemate_sim.trace import DEPENDENT, WRITE
from casemate_sim.workload import Workload, WorkloadError, generate
from hypothesis import given
from hypothesis import strategies as st

KIB = 1024


@given(st.sampled_from(list(Workload)), st.integers(1, 500), st.integers(2, 64),
       st.floats(0.01, 1), st.integers(0, 2**32), st.integers(0, 2**32 - 1))
def test_every_workload_stays_in_its_footprint_and_repeats_itself(
        kind: Workload, count: int, lines: int, share: float, seed: int, distance: int) -> None:
    arguments = {"count": count, "footprint_bytes": 64 * lines, "read_share": share, "seed": seed,
                 "distance": distance}
    records = generate(kind, **arguments)
    assert len(records) == count
    assert records["line"].max() < lines
    assert (records["distance"] == distance).all()
    assert (records == generate(kind, **arguments)).all()


def test_stream_visits_sequential_lines_and_wraps() -> None:
    records = generate("stream", count=10, footprint_bytes=4 * 64)
    assert records["line"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert not records["flags"].any()


@pytest.mark.parametrize("kind", ["stream", "mix"])
@pytest.mark.parametrize(("share", "writes"), [(1, 0), (0, 900), (2 / 3, 300), (0.9, 90)])
def test_reads_and_writes_alternate_evenly(kind: str, share: float, writes: int) -> None:
    write = generate(kind, count=900, footprint_bytes=64 * KIB, read_share=share)["flags"] & WRITE
    assert write.sum() == writes
    ideal = np.arange(1, 901) * (1 - share)
    assert np.abs(np.cumsum(write) - ideal).max() <= 1


def test_mix_is_two_reads_to_a_write_in_two_sequential_streams() -> None:
    records = generate("mix", count=9, footprint_bytes=12 * 64)
    assert records["flags"].tolist() == [0, 0, 1] * 3
    assert records["line"].tolist() == [0, 1, 8, 2, 3, 9, 4, 5, 10]


def test_random_covers_the_footprint_uniformly() -> None:
    records = generate("random", count=64_000, footprint_bytes=64 * 64, read_share=0.5, seed=1)
    counts = np.bincount(records["line"].astype(int), minlength=64)
    assert counts.min() > 800
    assert counts.max() < 1200
    assert 0.48 < (records["flags"] & WRITE).mean() < 0.52


def test_seeds_differ() -> None:
    for kind in ("random", "chase"):
        first, second = (generate(kind, count=100, footprint_bytes=64 * KIB, seed=seed)["line"]
                         for seed in (0, 1))
        assert (first != second).any()


def test_a_chase_follows_one_cycle_through_every_line() -> None:
    records = generate("chase", count=3 * 256, footprint_bytes=256 * 64, seed=5)
    lines = records["line"]
    assert sorted(lines[:256]) == list(range(256))
    assert (lines[256:] == lines[:-256]).all()
    assert (records["flags"] == DEPENDENT).all()
    assert (np.diff(lines[:256].astype(int)) != 1).sum() > 200


def test_a_chase_writes_to_the_line_just_read() -> None:
    records = generate("chase", count=1000, footprint_bytes=256 * 64, read_share=0.7, seed=5)
    write = (records["flags"] & WRITE).astype(bool)
    assert not write[0]
    assert 200 < write.sum() < 400
    assert (records["line"][1:][write[1:]] == records["line"][:-1][write[1:]]).all()
    assert not (records["flags"][write] & DEPENDENT).any()


def test_a_chase_through_64_gib_needs_no_table_of_it() -> None:
    lines = generate("chase", count=1000, footprint_bytes=64 << 30)["line"]
    assert len(set(lines.tolist())) == 1000
    assert lines.max() > 2**29


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "walk"}, "no workload is called 'walk'; there are stream, random, chase, mix"),
    ({"count": 0}, "count = 0 is not possible: at least 1"),
    ({"footprint_bytes": 100},
     "footprint_bytes = 100 is not possible: a multiple of 64, two lines at least"),
    ({"footprint_bytes": 64},
     "footprint_bytes = 64 is not possible: a multiple of 64, two lines at least"),
    ({"read_share": 1.5}, "read_share = 1.5 is not possible: 0 to 1"),
    ({"kind": "chase", "read_share": 0}, "read_share = 0 is not possible: more than 0 for a chase"),
    ({"distance": -1}, "distance = -1 is not possible: 0 to 2**32 - 1"),
])
def test_an_impossible_parameter_is_named(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"kind": "stream", "count": 1, "footprint_bytes": 64 * KIB,
                                    **change}
    with pytest.raises(WorkloadError, match=f"^{re.escape(message)}$"):
        generate(arguments.pop("kind"), **arguments)  # pyright: ignore
