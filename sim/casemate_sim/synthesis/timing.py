"""Critical paths of nextpnr's report in the names of the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .netlist import Netlist
from .sources import SourceLines

__all__ = ["CriticalPath", "Step", "critical_paths"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of a path: all logic and wires on the way to one signal.

    Attributes
    ----------
    component, signal:
        The signal that is computed.
    source:
        Where it is defined, ``folder/file.py:line``; None if that is not known.
    cells:
        Cells that are passed.
    logic_ns, routing_ns:
        Delay in them and between them.
    """

    component: str
    signal: str
    source: str | None
    cells: int
    logic_ns: float
    routing_ns: float

    @property
    def name(self) -> str:
        """Component and signal."""
        return f"{self.component}.{self.signal}".strip(".")

    def as_dict(self) -> dict[str, object]:
        """Return plain JSON values."""
        return {"component": self.component, "signal": self.signal, "source": self.source,
                "cells": self.cells, "logic_ns": round(self.logic_ns, 3),
                "routing_ns": round(self.routing_ns, 3)}


@dataclass(frozen=True, kw_only=True)
class CriticalPath:
    """The slowest path between two clocks' edges.

    Attributes
    ----------
    start, end:
        The edges, as nextpnr names them.
    steps:
        From register to register.
    """

    start: str
    end: str
    steps: tuple[Step, ...]

    @property
    def delay_ns(self) -> float:
        """Delay of the whole path, clock to output and set-up included."""
        return sum(step.logic_ns + step.routing_ns for step in self.steps)

    def as_dict(self) -> dict[str, object]:
        """Return plain JSON values."""
        return {"from": self.start, "to": self.end, "delay_ns": round(self.delay_ns, 3),
                "steps": [step.as_dict() for step in self.steps]}


def critical_paths(report: Mapping[str, Any], netlist: Netlist,
                   sources: SourceLines) -> list[CriticalPath]:
    """Return the paths of a report; hops towards the same signal become one step."""
    return [CriticalPath(start=path["from"], end=path["to"],
                         steps=tuple(_steps(path["path"], netlist, sources)))
            for path in report.get("critical_paths", ())]


def _steps(hops: Iterable[Mapping[str, Any]], netlist: Netlist,
           sources: SourceLines) -> list[Step]:
    steps: list[Step] = []
    waiting = 0.0  # what a cell takes until its output is known by the wire that follows
    for hop in hops:
        if hop["type"] != "routing":
            waiting += hop["delay"]
            continue
        owner = netlist.owner(hop["net"])
        if owner is not None:
            component, signal = owner.component, owner.signal
        elif steps:  # such as a wire within a carry chain, which nextpnr made
            component, signal = steps[-1].component, steps[-1].signal
        else:
            component, signal = "", hop["net"]
        cells, logic, routing = 1, waiting, hop["delay"]
        waiting = 0.0
        if steps and (steps[-1].component, steps[-1].signal) == (component, signal):
            before = steps.pop()
            cells += before.cells
            logic += before.logic_ns
            routing += before.routing_ns
        steps.append(Step(component=component, signal=signal, cells=cells, logic_ns=logic,
                          routing_ns=routing, source=sources.line(component, signal)))
    if steps and waiting:  # set-up time
        last = steps.pop()
        steps.append(Step(component=last.component, signal=last.signal, source=last.source,
                          cells=last.cells, logic_ns=last.logic_ns + waiting,
                          routing_ns=last.routing_ns))
    return steps
