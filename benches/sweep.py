"""What a second worker brings to a sweep of 64 points: time of two over time of one."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from casemate_sim.figures import Figure
from casemate_sim.sweep import KINDS, Outcome, Plan, load_plan, run_works
from common import Report

PLAN = """
[fixed]
config = "tiny"
mode = "xts"
workload = "random"
count = 600
[vary]
read_share = [0.4, 0.6, 0.8, 1.0]
seed = { from = 0, to = 15 }
"""


def figures(report: Report) -> Iterator[Figure]:
    """Run the same points with one worker and with two, models built before."""
    with tempfile.TemporaryDirectory(prefix="casemate-") as folder:
        path = Path(folder) / "sweep.toml"
        path.write_text(PLAN)
        plan = load_plan(path)
    works = [KINDS[plan.kind].of_point(point) for point in plan.points]
    report("models")
    for model in works[0].models():
        model.build()
    seconds: dict[int, float] = {}
    cycles: dict[int, dict[str, float | None]] = {}
    versions: dict[str, str] = {}
    for workers in (1, 2):
        report(f"{len(works)} points, {workers} workers")
        started = time.monotonic()
        outcomes = _run(plan, workers)
        seconds[workers] = time.monotonic() - started
        cycles[workers] = {key: outcome.figures["cycles"] for key, outcome in outcomes.items()}
        versions = dict(next(iter(outcomes.values())).versions)
    if cycles[1] != cycles[2]:
        raise RuntimeError("two workers measured other cycles than one")
    yield Figure(
        name="sweep.two_workers.time_ratio", value=seconds[2] / seconds[1], unit="1",
        target="<= 0.6", config={
            "config": plan.fixed["config"], "mode": plan.fixed["mode"], "points": len(works),
            "records": plan.fixed["count"], "seconds_of_one": round(seconds[1], 1),
            "seconds_of_two": round(seconds[2], 1), "versions": versions})


def _run(plan: Plan, workers: int) -> dict[str, Outcome]:
    """Run all points and return their outcomes; none may fail."""
    outcomes: dict[str, Outcome] = {}

    def failed(key: str, error: Exception) -> None:
        raise RuntimeError(f"point {key}") from error

    works = {work.key(): work for work in map(KINDS[plan.kind].of_point, plan.points)}
    run_works(works, workers=workers, finished=outcomes.__setitem__, failed=failed)
    if len(outcomes) != len(plan.points) or any(each.faults for each in outcomes.values()):
        raise RuntimeError("not all points are there and right")
    return outcomes
