"""What is proven: the points of the test plan, and what pytest says of their proofs."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["Proof", "proofs_of"]

_PLAN = Path(__file__).resolve().parents[3] / "tests" / "testplan.toml"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Something that is proven.

    Parameters
    ----------
    statement:
        What holds.
    tests:
        The proofs, and the broken designs that they must find: ``FILE::TEST``.
    state:
        ``proven``, ``failed`` or ``not run``.
    seconds:
        How long they took; None if they were not run.
    """

    statement: str
    tests: tuple[str, ...]
    state: str
    seconds: float | None


def proofs_of(results: Path | None) -> list[Proof] | None:
    """Return all proofs of the test plan.

    Parameters
    ----------
    results:
        What ``pytest --junitxml`` wrote; None if they were not run.

    Returns
    -------
    None if the test plan is not here: it comes with the repository, not with the package.

    Raises
    ------
    ValueError
        If `results` is something else.
    """
    if not _PLAN.is_file():
        return None
    found = {} if results is None else _results(results)
    plan = tomllib.loads(_PLAN.read_text(encoding="utf-8"))
    return [_proof(point["desc"], tuple(point["tests"]), found) for point in plan["point"]
            if point["stage"] == "proof"]


def _proof(statement: str, tests: tuple[str, ...],
           found: dict[str, list[tuple[bool, float]]]) -> Proof:
    outcomes = [found.get(test.removeprefix("tests/formal/").replace(".py", ""), [])
                for test in tests if test.startswith("tests/formal/")]
    flat = [each for outcome in outcomes for each in outcome]
    if any(not passed for passed, _ in flat):
        state = "failed"
    else:
        state = "proven" if outcomes and all(outcomes) else "not run"
    return Proof(statement=statement, tests=tests, state=state,
                 seconds=sum(seconds for _, seconds in flat) if flat else None)


def _results(path: Path) -> dict[str, list[tuple[bool, float]]]:
    """Return, by ``test_file::test`` and by file, whether each case passed, and its seconds."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except ElementTree.ParseError as error:
        raise ValueError(f"no XML of pytest: {error}") from error
    if not cases:
        raise ValueError("no XML of pytest: it has no test")
    found: defaultdict[str, list[tuple[bool, float]]] = defaultdict(list)
    for case in cases:
        file = case.get("classname", "").rpartition(".")[2]
        name = case.get("name", "").partition("[")[0]
        if case.find("skipped") is not None:
            continue
        passed = case.find("failure") is None and case.find("error") is None
        for key in (file, f"{file}::{name}"):
            found[key].append((passed, float(case.get("time", 0))))
    return dict(found)
