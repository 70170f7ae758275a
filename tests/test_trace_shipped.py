"""The shipped traces are whole, small, and say where they come from."""

from __future__ import annotations

import pytest
from casemate_sim.trace import load
from casemate_sim.traces import shipped
from casemate_sim.traces.make import PROGRAMS


def test_every_program_has_its_trace_and_no_other_is_shipped() -> None:
    assert set(shipped()) == set(PROGRAMS)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_shipped_trace_is_real_traffic_of_its_program(name: str) -> None:
    trace = load(shipped()[name])
    assert shipped()[name].stat().st_size < 400_000
    assert trace.header.source.startswith(PROGRAMS[name].command[0])
    assert [level.name for level in trace.header.hierarchy] == ["L1", "L2"]
    assert 20_000 < len(trace.records) < 70_000
    assert trace.reads > trace.writes > 5000
    # A program's working set, not a walk: lines come back after they have left the caches.
    assert len(set(trace.records["line"].tolist())) < len(trace.records) / 2
    assert trace.header.instructions is not None
    assert trace.records["distance"].sum() <= trace.header.instructions
    assert trace.header.window_bytes <= 128 * 2**20
