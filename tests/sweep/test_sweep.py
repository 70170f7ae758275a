"""Sweeps as a user runs them: interrupted, resumed, with workers that die, on a scheduler."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from casemate_sim.cli import app
from casemate_sim.sweep import KINDS, Outcome
from casemate_sim.toolchain import ToolError
from typer.testing import CliRunner

# Half of the points are not possible.
PLAN = """
kind = "attack"
[fixed]
model = true
trials = 8
[vary]
mode = ["full", "xts"]
config = ["tiny", "no_such_preset"]
seed = [0, 1, 2, 3]
"""
IMPOSSIBLE = 8
COMMAND = [sys.executable, "-m", "casemate_sim.cli", "sweep"]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=300)


def points(lines: str) -> list[str]:
    """Return the lines of stderr that tell of a point that finished."""
    return [line for line in lines.splitlines() if line.startswith("point ")]


def finished_points(running: subprocess.Popen[str], count: int) -> None:
    """Wait until so many points are finished."""
    assert running.stderr is not None
    for line in running.stderr:
        count -= line.startswith("point ")
        if count == 0:
            return
    pytest.fail("ended too early")


def test_a_killed_worker_and_a_killed_sweep_lose_nothing(plan: Path, tmp_path: Path) -> None:
    """One sweep loses a worker; another one is killed and resumed: both give the same table."""
    out = tmp_path / "worker.json"
    with subprocess.Popen([*COMMAND, str(plan), "--workers", "2", "--json", str(out), "--points",
                           str(tmp_path / "a")], stderr=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as running:
        finished_points(running, 1)
        workers = [child for child in psutil.Process(running.pid).children(recursive=True)
                   if "spawn_main" in " ".join(child.cmdline())]
        workers[0].kill()
        stdout, stderr = running.communicate(timeout=240)
    assert running.returncode == 2, stderr
    assert f"16 points: 8 done, {IMPOSSIBLE} impossible" in stdout
    content = json.loads(out.read_text())
    assert [point["state"] for point in content["points"]] == (
        ["done"] * 4 + ["impossible"] * 4) * 2
    assert "no configuration is called 'no_such_preset'" in content["points"][4]["reason"]
    assert all(point["figures"]["trials"] == 8 for point in content["points"]
               if point["state"] == "done")

    kept = tmp_path / "b"
    with subprocess.Popen([*COMMAND, str(plan), "--workers", "1", "--points", str(kept)],
                          stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL,
                          start_new_session=True) as running:
        finished_points(running, 2)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
    stored = {path: path.stat().st_mtime_ns for path in kept.iterdir()
              if path.suffix == ".json" and not path.name.startswith(".")}
    assert 2 <= len(stored) < 8
    resumed = tmp_path / "resumed.json"
    result = run(plan, "--workers", 1, "--points", kept, "--json", resumed)
    assert result.returncode == 2, result.stderr
    assert f"{8 - len(stored)} points to run" in result.stderr
    assert len(points(result.stderr)) == 8 - len(stored)
    assert {path: path.stat().st_mtime_ns for path in stored} == stored, "none is computed again"
    assert json.loads(resumed.read_text()) == content


def test_an_unreachable_scheduler(plan: Path) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(app, ["sweep", str(plan), "--scheduler", address])
    assert result.exit_code == 2
    assert f"casemate: error: no dask scheduler answers at {address}" in result.stderr


def test_simulations_share_one_build_and_one_result(casemate_sweep, tmp_path: Path) -> None:
    """Two points that come to the same are run once; the plot shows the mean over the seeds."""
    plan, plot = tmp_path / "s.toml", tmp_path / "s.png"
    plan.write_text("""
        [fixed]
        config = "tiny"
        workload = "random"
        footprint = "16K"
        count = 200
        [vary]
        mode = ["plain", "xts"]
        limit = [100, 200, 300]
    """)
    result, content = casemate_sweep(plan, "--plot", plot, "--x", "limit", "--y", "cycles")
    assert result.exit_code == 0, result.stderr
    assert "6 points to run" not in result.stderr
    assert "4 points to run, 2 not; models to build or to find: 2" in result.stderr
    cycles = [point["figures"]["cycles"] for point in content["points"]]
    assert cycles[1] == cycles[2] > cycles[0]
    assert cycles[4] == cycles[5] > cycles[3]
    assert all(point["figures"]["slowdown"] == point["figures"]["cycles"]
               / point["figures"]["bare_cycles"] for point in content["points"])
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_regression_counts_its_tests_and_names_those_that_fail() -> None:
    work = KINDS["test"].of_point({"test": "tests/sweep/failing.py", "seed": 7})
    outcome = work.run()
    assert outcome.figures == {"passed": 1, "failed": 1, "skipped": 0}
    assert outcome.faults == ("test_of_an_even_seed failed",)


def test_a_fault_and_a_failure_are_reported_and_told_apart(casemate_sweep, monkeypatch, tmp_path):
    """A point that shows a fault is kept; one whose tool is missing is tried again."""
    plan = tmp_path / "f.toml"
    plan.write_text("""
        kind = "test"
        [fixed]
        seed = 7
        [vary]
        test = ["tests/sweep/failing.py", "tests/sweep/failing.py::no_such_test"]
    """)

    def run_works(works, *, finished, failed, **_):
        faulty, broken = works
        finished(faulty, Outcome(figures={"passed": 1, "failed": 1, "skipped": 0}, seconds=1.0,
                                 faults=("test_of_an_even_seed failed",), versions={}))
        failed(broken, ToolError("pytest does not run"))

    monkeypatch.setattr("casemate_sim.cli.sweep.run_works", run_works)
    result, content = casemate_sweep(plan)
    assert result.exit_code == 1
    assert [(point["state"], point["reason"]) for point in content["points"]] == [
        ("faulty", "test_of_an_even_seed failed"), ("failed", "pytest does not run")]
    assert "test_of_an_even_seed failed" in result.stderr
    monkeypatch.setattr("casemate_sim.cli.sweep.run_works",
                        lambda works, *, failed, **_: failed(*works, ToolError("still not")))
    _, again = casemate_sweep(plan)
    assert [point["reason"] for point in again["points"]] == [
        "test_of_an_even_seed failed", "still not"]


@pytest.mark.verify
def test_workers_of_a_scheduler_joined_over_tcp(plan: Path, tmp_path: Path) -> None:
    module = [sys.executable, "-m"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    started = [subprocess.Popen([*module, "distributed.cli.dask_scheduler", "--host", address,
                                 "--no-dashboard"], cwd=tmp_path)]
    try:
        started += [subprocess.Popen([*module, "distributed.cli.dask_worker", address,
                                      "--no-dashboard", "--nthreads", "1"], cwd=tmp_path)
                    for _ in range(3)]
        out = tmp_path / "tcp.json"
        result = run(plan, "--scheduler", address, "--json", out, "--points", tmp_path / "a")
        assert result.returncode == 2, result.stderr
        assert [point["state"] for point in json.loads(out.read_text())["points"]].count(
            "done") == 8
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)
