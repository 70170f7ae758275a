"""An adversary that owns DRAM: attacks, what is expected of them, and campaigns of trials.

Nothing here knows how the simulation is driven: an ``Adapter`` does. ``ModelAdapter`` is the one
of the golden engine.
"""

from casemate_sim.adversary.adapter import (
    Adapter,
    AdapterError,
    Alarm,
    Operation,
    Response,
    run_now,
)
from casemate_sim.adversary.adapters import create_adapter
from casemate_sim.adversary.attack import MODES, Attack, Later, Outcome, Together
from casemate_sim.adversary.campaign import (
    Report,
    SavedTrial,
    TrialError,
    attacked,
    load_trial,
    plan,
    run_campaign,
    save_trial,
)
from casemate_sim.adversary.catalogue import ATTACKS, expectation_table, find
from casemate_sim.adversary.dram import Dram, Hook, Witness, Write
from casemate_sim.adversary.scene import Scene
from casemate_sim.adversary.trial import Trial, TrialResult, run_trial

__all__ = [
    "ATTACKS", "MODES", "Adapter", "AdapterError", "Alarm", "Attack", "Dram", "Hook", "Later",
    "Operation", "Outcome", "Report", "Response", "SavedTrial", "Scene", "Together", "Trial",
    "TrialError", "TrialResult", "Witness", "Write", "attacked", "create_adapter",
    "expectation_table", "find", "load_trial", "plan", "run_campaign", "run_now", "run_trial",
    "save_trial",
]
