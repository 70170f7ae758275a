"""What a sweep gave: a state and an outcome for every point; as a table and as JSON."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from casemate_sim.sweep.kinds import KINDS
from casemate_sim.sweep.plan import Plan, Point
from casemate_sim.sweep.work import Outcome

__all__ = ["SWEEP_SCHEMA", "PointResult", "State", "SweepResults"]

SWEEP_SCHEMA = "casemate.sweep/1"
_COLUMNS = 4  # figures in the table; the JSON has all
_WIDE = 10


class State(enum.StrEnum):
    """What became of a point."""

    DONE = "done"
    """All was right."""
    FAULTY = "faulty"
    """It ran, and something was wrong."""
    FAILED = "failed"
    """It could not be run to its end; it is tried again the next time."""
    IMPOSSIBLE = "impossible"
    """Its parameters do not go together."""
    OPEN = "open"
    """It was not run yet."""


@dataclass
class PointResult:
    """What became of one point.

    Parameters
    ----------
    point:
        Its parameters.
    key:
        Of its work; empty if there is none.
    outcome:
        What came of it, if it ran.
    state:
        What became of it.
    reason:
        Why it has no outcome, or what was wrong.
    """

    point: Point
    key: str = ""
    outcome: Outcome | None = None
    state: State = State.OPEN
    reason: str = ""

    def finish(self, outcome: Outcome) -> None:
        """Note what came of it."""
        self.outcome = outcome
        self.state = State.FAULTY if outcome.faults else State.DONE
        self.reason = "; ".join(outcome.faults[:3])

    def fail(self, state: State, error: Exception) -> None:
        """Note why nothing came of it."""
        self.state, self.reason = state, str(error).splitlines()[0] if str(error) else repr(error)


@dataclass(frozen=True)
class SweepResults:
    """All points of a sweep, in the plan's order.

    Parameters
    ----------
    plan:
        The plan.
    results:
        One for each of its points.
    """

    plan: Plan
    results: Sequence[PointResult]

    def count(self, state: State) -> int:
        """Return how many points are in a state."""
        return sum(result.state is state for result in self.results)

    def label(self, result: PointResult) -> str:
        """Return what a point is called in messages."""
        number = next(i for i, each in enumerate(self.results, 1) if each is result)
        return f"point {number} ({self.plan.label(result.point)})"

    def verdict(self) -> str:
        """Return in a sentence how many points are in which state."""
        states = ", ".join(f"{self.count(state)} {state}" for state in State if self.count(state))
        return f"{len(self.results)} points: {states}"

    def table(self) -> Table:
        """Return parameters that vary, and the first figures, a point a line."""
        figures = list(KINDS[self.plan.kind].FIGURES)[:_COLUMNS]
        table = Table(title=f"{self.plan.name}: {self.plan.kind}, {self.plan.search}",
                      title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for name in (*self.plan.varied, *figures):
            table.add_column(_folding(name), justify="right")
        table.add_column("state")
        for result in self.results:
            values = {} if result.outcome is None else result.outcome.figures
            table.add_row(*(str(result.point[name]) for name in self.plan.varied),
                          *(_number(values.get(name)) for name in figures), result.state,
                          style=None if result.state is State.DONE else "yellow")
        return table

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values; without times, so that equal sweeps are equal."""
        return {
            "schema": SWEEP_SCHEMA, "name": self.plan.name, "kind": self.plan.kind,
            "search": self.plan.search, "fixed": dict(self.plan.fixed),
            "varied": {name: list(values) for name, values in self.plan.varied.items()},
            "figures": dict(KINDS[self.plan.kind].FIGURES),
            "points": [_point_dict(result) for result in self.results],
            "versions": _versions(self.results),
        }


def _point_dict(result: PointResult) -> dict[str, Any]:
    return {"parameters": dict(result.point), "state": result.state.value,
            "figures": {} if result.outcome is None else dict(result.outcome.figures),
            "reason": result.reason}


def _versions(results: Sequence[PointResult]) -> Mapping[str, str]:
    """Return the tools of the first point that ran; the key sees to it that all have them."""
    return next((dict(each.outcome.versions) for each in results if each.outcome is not None), {})


def _folding(name: str) -> str:
    """Return a long name with line breaks behind its signs, for a narrow column."""
    return name if len(name) < _WIDE else re.sub(r"(?<=[._])", "\n", name)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
