"""A point that is a campaign of attacks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from casemate.config import EngineConfig

from casemate_sim.adversary import (
    MODES,
    Trial,
    attacked,
    create_adapter,
    plan,
    run_campaign,
    run_now,
)
from casemate_sim.adversary import (
    Outcome as TrialOutcome,
)
from casemate_sim.build import HARDWARE, SIMULATION
from casemate_sim.sweep.work import (
    Model,
    Outcome,
    Work,
    engine_of,
    integer,
    parameter_error,
    text,
)
from casemate_sim.toolchain import package_versions

__all__ = ["AttackWork"]


@dataclass(frozen=True, kw_only=True)
class AttackWork(Work):
    """How often each outcome came.

    Parameters
    ----------
    config:
        The engine.
    trials:
        What is tried.
    model:
        On the golden model, not on the engine.
    """

    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "config": "a preset or a TOML file, `tiny` if not given; a tree is added if there is none",
        "trials": "how many, 200 if not given",
        "attack": "name of an attack; all take turns if not given",
        "mode": "name of a mode; all take turns if not given",
        "model": "`true` attacks the golden model instead of the engine",
        "seed": "of everything random",
    }
    FIGURES: ClassVar[Mapping[str, str]] = {
        "detected": "trials in which the engine noticed",
        "trials": "trials in all",
        "harmless": "trials that did no harm, or missed",
        "succeeds": "trials in which the adversary got something",
        "false_alarm": "trials with an alarm without a reason",
        "hangs": "trials without an answer",
        "unnoticed": "times that a lie had no effect and raised no alarm",
    }
    SOURCES = (HARDWARE, SIMULATION / "adversary", SIMULATION / "native", SIMULATION / "model")

    config: EngineConfig
    trials: tuple[Trial, ...]
    model: bool

    @classmethod
    def of_point(cls, point: Mapping[str, Any]) -> AttackWork:
        """Return the work at a point; see :class:`Work`."""
        model = point.get("model", False)
        if not isinstance(model, bool):
            raise parameter_error("model", model, "true or false")
        chosen = {name: [text(point, name, "")] for name in ("attack", "mode") if name in point}
        return cls(config=attacked(engine_of(point, "tiny")), model=model, trials=tuple(plan(
            integer(point, "trials", 200, 1), integer(point, "seed", 0), chosen.get("attack"),
            chosen.get("mode", MODES))))

    def inputs(self) -> Mapping[str, object]:
        """Return configuration and trials."""
        return {"config": self.config.digest, "model": self.model,
                "trials": [[each.attack, each.mode, each.seed] for each in self.trials]}

    def models(self) -> tuple[Model, ...]:
        """Return the library of the engine under attack."""
        from casemate_sim.adversary.native import build_harness

        if self.model:
            return ()
        return (Model(f"{self.config.name} under attack", f"{self.config.digest}-attack",
                      partial(build_harness, self.config)),)

    def run(self) -> Outcome:
        """Run the trials, one after another."""
        started = time.monotonic()
        with closing(create_adapter(self.config, model=self.model)) as adapter:
            report = run_now(run_campaign(adapter, self.trials))
        faults = [f"{each.trial.attack} in {each.trial.mode}, seed {each.trial.seed}: "
                  f"{each.outcome} instead of {each.expected}" for each in report.failures]
        faults += [f"{attack} in {mode}: never as expected" for attack, mode in report.missed]
        return Outcome(
            faults=tuple(faults), seconds=time.monotonic() - started,
            versions=package_versions(), figures={
                "detected": report.total(TrialOutcome.DETECTED), "trials": report.trials,
                "harmless": report.total(TrialOutcome.HARMLESS),
                "succeeds": report.total(TrialOutcome.SUCCEEDS),
                "false_alarm": report.total(TrialOutcome.FALSE_ALARM),
                "hangs": report.total(TrialOutcome.HANGS), "unnoticed": report.unnoticed})
