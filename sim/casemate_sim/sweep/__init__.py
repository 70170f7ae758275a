"""Many points: configurations, workloads and seeds, run in parallel, kept when they are finished.

A *point* is a set of parameters. A plan lists the points, a kind of work knows what to do at one, a
store keeps what came of it, and the runner does those that the store does not have.
"""

from casemate_sim.sweep.kinds import KINDS
from casemate_sim.sweep.plan import Plan, Point, SweepError, load_plan
from casemate_sim.sweep.results import PointResult, State, SweepResults
from casemate_sim.sweep.runner import SchedulerError, run_works
from casemate_sim.sweep.store import Store
from casemate_sim.sweep.work import Model, Outcome, Work, parameter_error

__all__ = ["KINDS", "Model", "Outcome", "Plan", "Point", "PointResult", "SchedulerError", "State",
           "Store", "SweepError", "SweepResults", "Work", "load_plan", "parameter_error",
           "run_works"]
