"""Many trials: planned from one seed, counted by attack and mode, failures kept for replay."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from casemate.config import CipherConfig, EngineConfig, TreeConfig

from casemate_sim.config_file import change_config
from casemate_sim.files import whole_file

from .adapter import Adapter
from .attack import MODES, Outcome
from .catalogue import ATTACKS, find
from .trial import Trial, TrialResult, run_trial

__all__ = ["Report", "SavedTrial", "TrialError", "attacked", "load_trial", "plan", "rows",
           "run_campaign", "save_trial"]

FAILURE_SCHEMA = "casemate.attack-trial/1"

_ENOUGH = 20  # trials after which an attack must have hit


class TrialError(ValueError):
    """A file holds no trial; the message names it."""


def attacked(config: EngineConfig) -> EngineConfig:
    """Return the engine that is attacked: `config` without a key manager, and with a tree.

    The attacks are on DRAM, and a trial's seed draws the keys, so they come in at ports; attacks on
    key manager and domains are in ``supervisor``. A tree that is added has several levels and a
    small metadata cache.
    """
    if config.keys is not None:
        config = config.replace(name=f"{config.name}_ports", keys=None)
    if config.tree is not None:
        return config
    return config.replace(
        name=f"{config.name}_tree", root_counters=8, tree=TreeConfig(
            cache_sets=4, cache_ways=2, walks=2, write_backs=2,
            pad_cipher=CipherConfig(pipelined=False)))


def plan(trials: int, seed: int, attacks: Sequence[str] | None = None,
         modes: Sequence[str] = MODES) -> list[Trial]:
    """Return trials that take attacks and modes in turn.

    Parameters
    ----------
    trials:
        How many.
    seed:
        Of the trials' seeds; the first trials of a longer plan are those of a shorter one.
    attacks, modes:
        Names; all by default.

    Raises
    ------
    ValueError
        If there is no such attack or mode.
    """
    names = list(ATTACKS) if attacks is None else [find(name).name for name in attacks]
    for mode in modes:
        if mode not in MODES:
            raise ValueError(f"no mode is called {mode!r}; there are {', '.join(MODES)}")
    kinds = [(attack, mode) for attack in names for mode in modes]
    rng = random.Random(seed)
    result: list[Trial] = []
    while len(result) < trials:
        rng.shuffle(kinds)
        result += [Trial(attack, mode, rng.getrandbits(32)) for attack, mode in kinds]
    return result[:trials]


@dataclass
class Report:
    """Outcomes of a campaign.

    Attributes
    ----------
    counts:
        By attack and mode, how often each outcome came.
    failures:
        Results of trials with an outcome that must not be.
    unnoticed:
        Trials in which the engine was lied to, to no effect and without an alarm, see
        ``TrialResult``.
    cycles:
        Cycles that were simulated.
    """

    counts: dict[tuple[str, str], Counter[Outcome]] = field(default_factory=dict)
    failures: list[TrialResult] = field(default_factory=list)
    unnoticed: int = 0
    cycles: int = 0

    def add(self, result: TrialResult) -> None:
        """Count a result."""
        key = (result.trial.attack, result.trial.mode)
        self.counts.setdefault(key, Counter())[result.outcome] += 1
        if not result.ok:
            self.failures.append(result)
        self.unnoticed += result.unnoticed

    @property
    def trials(self) -> int:
        """Trials that were counted."""
        return sum(counter.total() for counter in self.counts.values())

    def total(self, outcome: Outcome) -> int:
        """Return how often an outcome came."""
        return sum(counter[outcome] for counter in self.counts.values())

    @property
    def missed(self) -> list[tuple[str, str]]:
        """Attacks and modes with enough trials of which none had the expected outcome."""
        return [(attack, mode) for (attack, mode), counter in self.counts.items()
                if counter.total() >= _ENOUGH and not counter[find(attack).expected[mode]]]

    @property
    def ok(self) -> bool:
        """Whether every outcome is as expected, and every attack was shown to work or to fail."""
        return not self.failures and not self.missed

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "trials": self.trials, "cycles": self.cycles, "ok": self.ok,
            "outcomes": {outcome.value: self.total(outcome) for outcome in Outcome},
            "unnoticed": self.unnoticed,
            "attacks": {attack: {
                mode: {"expected": find(attack).expected[mode].value,
                       **{outcome.value: counter[outcome] for outcome in Outcome
                          if counter[outcome]}}
                for (name, mode), counter in self.counts.items() if name == attack}
                for attack in dict.fromkeys(name for name, _ in self.counts)},
            "missed": [list(pair) for pair in self.missed],
            "failures": [result.as_dict() for result in self.failures],
        }


async def run_campaign(adapter: Adapter, trials: Iterable[Trial],
                       finished: Callable[[TrialResult], None] | None = None) -> Report:
    """Run trials one after another.

    Parameters
    ----------
    adapter:
        The simulation.
    trials:
        What :func:`plan` returns.
    finished:
        Called with each result.
    """
    report = Report()
    for trial in trials:
        result = await run_trial(adapter, trial)
        report.add(result)
        if finished is not None:
            finished(result)
    report.cycles = adapter.cycle
    return report


# -- trials in files -----------------------------------------------------------------------------


@dataclass(frozen=True)
class SavedTrial:
    """A trial with all that it needs to be run again.

    Parameters
    ----------
    config:
        The engine's configuration.
    trial:
        The trial.
    outcome:
        What came of it.
    """

    config: EngineConfig
    trial: Trial
    outcome: Outcome


def save_trial(path: Path, config: EngineConfig, result: TrialResult) -> None:
    """Write a result as JSON, for people and for :func:`load_trial`."""
    content = {"schema": FAILURE_SCHEMA, "config": config.as_dict(), **result.as_dict()}
    with whole_file(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")


def load_trial(path: Path) -> SavedTrial:
    """Read what :func:`save_trial` wrote.

    Raises
    ------
    TrialError
        If the file holds something else.
    OSError
        If it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("schema") != FAILURE_SCHEMA:
            raise TrialError(f"{path}: no saved trial: its schema is not {FAILURE_SCHEMA}")
        trial = Trial(**content["trial"])
        find(trial.attack)
        return SavedTrial(_config(content["config"]), trial, Outcome(content["outcome"]))
    except TrialError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise TrialError(f"{path}: no saved trial: {error}") from error


def _config(values: Mapping[str, Any]) -> EngineConfig:
    """Return the configuration whose ``as_dict`` went through JSON."""
    base = EngineConfig()
    if missing := base.as_dict().keys() - values.keys():
        raise ValueError(f"its configuration lacks {', '.join(sorted(missing))}")

    def given(table: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out what is None, as it is without being told."""
        return {name: given(value) if isinstance(value, dict) else value
                for name, value in table.items() if value is not None}

    return change_config(base, given(values))


def rows(report: Report) -> Iterator[tuple[str, dict[str, Counter[Outcome]]]]:
    """Yield every attack of a report with its counts by mode, in the catalogue's order."""
    for attack in ATTACKS:
        modes = {mode: counter for (name, mode), counter in report.counts.items() if name == attack}
        if modes:
            yield attack, modes
