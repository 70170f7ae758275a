"""The kinds of work by the name that stands in a sweep's file."""

from __future__ import annotations

from casemate_sim.sweep.attacks import AttackWork
from casemate_sim.sweep.regressions import RegressionWork
from casemate_sim.sweep.simulations import SimulationWork
from casemate_sim.sweep.work import Work

__all__ = ["KINDS"]

KINDS: dict[str, type[Work]] = {
    "simulation": SimulationWork, "attack": AttackWork, "test": RegressionWork}
"""All kinds; the first one is meant if a file says nothing."""
