"""The core in all modes at once, with a stand-in for the keeper of the metadata."""

from collections import Counter

import pytest
from casemate.engine.reports import ReportKind
from core_bench import CONFIGURATIONS
from core_environment import FULL, INTEGRITY, Environment
from flat_metadata import Settings

NAMES = ["shared", "latency", "small", *(pytest.param(name, marks=pytest.mark.verify) for name in (
    "tiny", "narrow", "pipelined", "wide", "deep", "one_pipeline"))]

# One cipher for everything: as much happens in four times as many cycles.
CYCLES = {name: 40000 if name == "small" else 10000 for name in CONFIGURATIONS}


@pytest.mark.parametrize("name", NAMES)
def test_random_traffic_reads_what_was_written_and_leaves_it_sealed(name, seed):
    environment = Environment(name, seed)
    environment.traffic(CYCLES[name])
    environment.drain()
    environment.audit()
    assert environment.counts["read", 0, True] > 200
    assert environment.counts["write", 0] > 200
    assert not any(kind is ReportKind.LINE for kind, *_ in environment.reports)


@pytest.mark.parametrize("name", NAMES)
def test_requests_of_few_lines_keep_their_order_though_leaves_come_late(name, seed):
    environment = Environment(name, seed, lines=range(3), settings=Settings(delay=80, ready=0.3))
    environment.traffic(CYCLES[name], tampering=0.001)
    environment.drain()
    environment.audit()
    assert environment.counts["read", 0, True] > 100
    assert environment.counts["write", 0] > 50


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_with_a_line_reaches_its_users_and_nobody_else(name, seed):
    highest = (1 << 52) - 1
    settings = Settings(failed=frozenset({2}), bus_error=frozenset({5}),
                        start={9: highest, 10: highest - 2, 11: highest - 1, 12: 1 << 40})
    environment = Environment(name, seed, settings=settings,
                              read_errors={6: 2, 7: 3, 13: 2}, write_errors={8: 3, 14: 2})
    environment.traffic(CYCLES[name], tampering=0.02)
    environment.drain()
    environment.audit()
    counts = environment.counts
    assert counts["tampered"] > 15
    assert counts["read", 3, False] > 5
    assert counts["read", 2, False] > 50
    assert counts["write", 3] > 5
    assert counts["write", 2] > 50
    kinds = {kind for kind, *_ in environment.reports}
    assert kinds == set(ReportKind)
    broken = {number for number, line in environment.lines.items()
              if any(state.broken for state in line.states)}
    assert {number for kind, _, number, _ in environment.reports
            if kind is ReportKind.LINE} <= broken
    assert {number for kind, _, number, _ in environment.reports
            if kind is ReportKind.EXHAUSTED} <= {9, 10, 11}


@pytest.mark.parametrize("name", [
    "shared", "latency",
    *(pytest.param(name, marks=pytest.mark.verify) for name in ("tiny", "one_pipeline"))])
@pytest.mark.parametrize("part", range(6))
def test_nothing_of_a_locked_slot_leaves_and_its_keys_may_go_at_once(name, part, seed):
    environment = Environment(name, seed + part, settings=Settings(nodes=0), lines=range(8))
    rng = environment.rng
    for number in range(8):
        environment.write(FULL if number < 4 else INTEGRITY, number, rng.randbytes(64), claim=True)
    environment.drain()
    for _ in range(12):
        environment.write(FULL, rng.randrange(4), rng.randbytes(64), rng.getrandbits(64))
        environment.read(FULL, rng.randrange(4))
        environment.read(INTEGRITY, rng.randrange(4, 8))
    for _ in range(rng.randrange(10, 200)):
        environment.step()
    held = "memory_w" in environment.held
    environment.set_lock(FULL)
    environment.erase_keys(FULL)
    versions = [environment.metadata.leaves[number].version for number in range(4)]
    after = Counter()
    while not (environment.metadata.idle and environment.dram.idle) or environment.outstanding:
        seen = environment.step()
        if held:
            held = "memory_w" in environment.held
        elif seen["memory_wvalid"]:
            after[seen["memory_wstrb"], seen["memory_wdata"]] += 1
    assert set(after) <= {(0, 0)}
    assert versions == [environment.metadata.leaves[number].version for number in range(4)]
    assert environment.counts["beats behind the lock", False] <= 1
    environment.counts.clear()
    for number in range(4):
        environment.read(FULL, number)
        environment.write(FULL, number, rng.randbytes(64))
        environment.write(INTEGRITY, 4 + number, rng.randbytes(64), 0xFF)
        environment.read(INTEGRITY, 4 + number)
    environment.drain()
    assert environment.counts["write", 0] == environment.counts["read", 0, True] == 4
    assert environment.counts["write", 2] == environment.counts["read", 2, False] == 4
    assert not environment.reports
