"""A point that is one of the repository's random tests with one seed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

from casemate_sim.build import HARDWARE, SIMULATION
from casemate_sim.sweep.work import (
    Model,
    Outcome,
    Work,
    integer,
    parameter_error,
    text,
)
from casemate_sim.toolchain import ToolError, package_versions

__all__ = ["RegressionWork"]

_ROOT = SIMULATION.parents[1]


@dataclass(frozen=True, kw_only=True)
class RegressionWork(Work):
    """How many tests pass.

    Parameters
    ----------
    test:
        What pytest is given: a file below the repository, ``FILE::TEST`` or ``FILE::TEST[CASE]``.
    seed:
        Of ``--seed``.
    """

    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "test": "what pytest is given: a file of the repository, or `FILE::TEST`",
        "seed": "of `pytest --seed`",
    }
    FIGURES: ClassVar[Mapping[str, str]] = {
        "passed": "tests that passed",
        "failed": "tests that failed, or could not begin",
        "skipped": "tests that were not run",
    }
    SOURCES = (HARDWARE, SIMULATION, _ROOT / "tests")
    TAKES_ENGINE: ClassVar[bool] = False

    test: str
    seed: int

    @classmethod
    def of_point(cls, point: Mapping[str, Any]) -> RegressionWork:
        """Return the work at a point; see :class:`Work`."""
        test = text(point, "test", "")
        if not (_ROOT / test.partition("::")[0]).is_file():
            raise parameter_error("test", test, f"no such file in {_ROOT}; tests come with the "
                                  "repository, not with the package")
        return cls(test=test, seed=integer(point, "seed", 0))

    def inputs(self) -> Mapping[str, object]:
        """Return test and seed."""
        return {"test": self.test, "seed": self.seed}

    def models(self) -> tuple[Model, ...]:
        """Return nothing: a test builds what it needs, and no two build the same at once."""
        return ()

    def run(self) -> Outcome:
        """Run pytest in a process of its own.

        Raises
        ------
        ToolError
            If it does not run.
        """
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="casemate-") as folder:
            results = Path(folder) / "results.xml"
            process = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--seed",
                 str(self.seed), "--junitxml", str(results), self.test],
                cwd=_ROOT, capture_output=True, text=True, check=False)
            if not results.exists():
                lines = (process.stdout + process.stderr).strip().splitlines() or ["no message"]
                raise ToolError(f"pytest does not run {self.test}: {lines[-1]}")
            cases = list(ElementTree.parse(results).iter("testcase"))
        failed = [case for case in cases
                  if case.find("failure") is not None or case.find("error") is not None]
        skipped = sum(case.find("skipped") is not None for case in cases)
        passed = len(cases) - len(failed) - skipped
        faults = [f"{case.get('name')} failed" for case in failed]
        if not passed and not failed:
            faults.append("no test was run")
        return Outcome(
            faults=tuple(faults), seconds=time.monotonic() - started, versions=package_versions(),
            figures={"passed": passed, "failed": len(failed), "skipped": skipped})
