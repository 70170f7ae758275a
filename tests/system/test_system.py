"""The exported Verilog of the whole engine against the golden model, through cocotb.

Each test here is one simulation of one configuration; the cocotb tests in it are its subtests. A
failing one names its seed: ``--seed N`` replays it, ``COCOTB_TEST_FILTER=NAME`` picks it out of the
simulation, and ``--vcd`` keeps its waves.
"""

import fcntl
import json
import os
from pathlib import Path

import pytest
from casemate_sim.build_cocotb import build_cocotb, run_cocotb
from casemate_sim.coverage import Coverage, merge, report
from casemate_sim.files import whole_file
from configurations import CONFIGS, LARGE, TREES

HERE = Path(__file__).parent
MODULES = ["cocotb_directed", "cocotb_shapes", "cocotb_random", "cocotb_standard"]


def results(request):
    return request.config.rootpath / "build"


def simulate(name, modules, seed, request, *, scale=1, netlist=False):
    """Build and run one configuration; return the outcomes and the coverage's file."""
    config = (CONFIGS | TREES)[name]
    folder = (results(request) / "system" / f"{name}-{request.node.originalname}-{seed}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    waves = request.config.getoption("vcd")
    coverage = folder / "coverage.json"
    coverage.unlink(missing_ok=True)
    program = build_cocotb(config, waves=waves, netlist=netlist)
    outcomes = run_cocotb(
        program, modules, folder=folder, seed=seed, paths=[HERE], timeout=1800 * scale,
        wave=folder / "waves.vcd" if waves else None,
        environment={"CASEMATE_CONFIG": name, "CASEMATE_SEED": str(seed),
                     "CASEMATE_SCALE": str(scale), "CASEMATE_COVERAGE": str(coverage)})
    return outcomes, coverage, folder


def check(outcomes, subtests, name, seed, folder):
    assert outcomes, f"no cocotb test ran; see {folder}/simulation.log"
    for outcome in outcomes:
        with subtests.test(outcome.name):
            if not outcome.passed:
                pytest.fail(f"{outcome.message}\nreplay: pytest tests/system -k {name} --seed "
                            f"{seed}; log: {folder}/simulation.log", pytrace=False)


def publish(counts, path, folder):
    """Put a simulation's coverage beside the others': coverage.json and coverage.txt."""
    merged = folder / "coverage"
    merged.mkdir(exist_ok=True)
    with (merged / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with whole_file(merged / f"{counts.name}.json") as file:
            file.write(path.read_bytes())
        contents = merge(merged.glob("*.json"))
        with whole_file(folder / "coverage.json") as file:
            file.write(json.dumps(contents, indent=1).encode())
        with whole_file(folder / "coverage.txt") as file:
            file.write(report(contents).encode())


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.verify] if name in LARGE else []) for name in CONFIGS])
def test_engine(name, seed, subtests, request):
    outcomes, coverage, folder = simulate(name, MODULES, seed, request)
    check(outcomes, subtests, name, seed, folder)
    if os.environ.get("COCOTB_TEST_FILTER"):
        return
    with subtests.test("every situation was met"):
        counts = Coverage.load(coverage, CONFIGS[name])
        publish(counts, coverage, results(request))
        assert not counts.missed


@pytest.mark.verify
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("more", range(1, 6))
def test_engine_with_more_seeds(name, more, seed, subtests, request):
    outcomes, _, folder = simulate(name, ["cocotb_random", "cocotb_standard"], seed + more,
                                   request, scale=10)
    check(outcomes, subtests, name, seed + more, folder)


@pytest.mark.parametrize("name", TREES)
def test_engine_with_a_tree(name, seed, subtests, request):
    outcomes, _, folder = simulate(name, ["cocotb_tree"], seed, request)
    check(outcomes, subtests, name, seed, folder)


@pytest.mark.verify
def test_the_netlist_of_the_smallest_preset_carries_random_traffic(seed, subtests, request):
    outcomes, _, folder = simulate("tiny", ["cocotb_random"], seed, request, netlist=True)
    check(outcomes, subtests, "tiny", seed, folder)
