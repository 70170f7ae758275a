"""Mutation run: listed bugs, each of which must turn a named test red.

``python -m casemate_sim.mutation`` applies one mutant after another in a copy of the source tree
and runs the tests that the mutant names. A mutant that they do not notice has survived: a hole in
the tests. Before that, the same tests must pass without any mutant. Results are in
``build/mutation.json`` after each mutant, so that Ctrl-C loses nothing.

Needs a checkout of the project as the current folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from casemate_sim.files import whole_file

__all__ = ["MUTANTS", "Mutant", "MutationError", "Outcome", "load_mutants", "main", "run_mutants"]

MUTANTS = Path("tests/mutation/mutants.toml")
"""The list of mutants, below the project's folder."""

REPORT = Path("build/mutation.json")

_COPIED = ("rtl", "sim", "tests", "pyproject.toml")
_TIMEOUT = 1800
_KEYS = {"name", "file", "old", "new", "tests"}


class MutationError(RuntimeError):
    """The run cannot go on: the list is wrong, or a test fails without a mutant."""


@dataclass(frozen=True)
class Mutant:
    """One bug.

    Attributes
    ----------
    name:
        What is wrong with it, in a few words.
    file:
        Source file, below the project's folder.
    old, new:
        Text that occurs once in the file, and what replaces it.
    tests:
        Tests in pytest's notation, of which at least one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes
    ----------
    mutant:
        Its name.
    result:
        ``killed``: a named test failed. ``survived``: none did. ``broken``: the tests could not be
        run, which says nothing about them.
    seconds:
        Duration.
    reason:
        First line in which a test says why it failed, or which one did, or the output's end.
    """

    mutant: str
    result: Literal["killed", "survived", "broken"]
    seconds: float
    reason: str


def load_mutants(path: Path) -> list[Mutant]:
    """Read a list of mutants.

    Raises
    ------
    MutationError
        If the file is missing or malformed, or two mutants have one name.
    """
    try:
        entries = tomllib.loads(path.read_text())["mutant"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise MutationError(f"{path} is no list of mutants: {error}") from error
    mutants = []
    for number, entry in enumerate(entries, 1):
        if set(entry) != _KEYS or not entry["tests"]:
            raise MutationError(f"{path}: mutant {number} ({entry.get('name')!r}) needs exactly "
                                f"{', '.join(sorted(_KEYS))}, and at least one test")
        mutants.append(Mutant(**entry | {"tests": tuple(entry["tests"])}))
    names = [mutant.name for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise MutationError(f"{path}: two mutants are called {', '.join(sorted(twice))}")
    return mutants


@contextmanager
def _copy_of(project: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="casemate-mutation-") as folder:
        copy = Path(folder)
        for name in _COPIED:
            source = project / name
            if not source.exists():
                raise MutationError(f"{project} is no checkout of the project: {name} is missing")
            if source.is_dir():
                shutil.copytree(source, copy / name,
                                ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy(source, copy / name)
        yield copy


def _run_tests(copy: Path, tests: Sequence[str], timeout: float) -> tuple[int | None, str]:
    """Run tests in the copy; return the exit code, None after the timeout, and the output."""
    environment = dict(os.environ) | {
        "PYTHONPATH": os.pathsep.join((str(copy / "rtl"), str(copy / "sim"))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short",
               *tests]
    # A group of its own, so that a simulation that hangs is ended with the test that started it.
    with subprocess.Popen(command, cwd=copy, env=environment, text=True, start_new_session=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines()]
    said = [line[1:].strip() for line in lines if line.startswith("E ")]
    failed = [line for line in lines if line.startswith(("FAILED", "SUBFAILED"))]
    return (said or failed or [line for line in lines if line][-1:] or [""])[0]


def _try(copy: Path, mutant: Mutant, timeout: float) -> Outcome:
    path = copy / mutant.file
    if not path.is_file():
        raise MutationError(f"{mutant.name}: there is no file {mutant.file}")
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise MutationError(f"{mutant.name}: its old text occurs {text.count(mutant.old)} times in "
                            f"{mutant.file}, not once")
    started = time.monotonic()
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        code, output = _run_tests(copy, mutant.tests, timeout)
    finally:
        path.write_text(text)
    result = {0: "survived", 1: "killed", None: "killed"}.get(code, "broken")
    reason = f"no end after {timeout:g} s" if code is None else _reason(output)
    return Outcome(mutant.name, result, round(time.monotonic() - started, 1), reason)


def _write(report: Path, mutants: Sequence[Mutant], outcomes: Sequence[Outcome]) -> None:
    report.parent.mkdir(parents=True, exist_ok=True)
    results = [outcome.result for outcome in outcomes]
    content = {
        "listed": len(mutants), "run": len(outcomes),
        **{name: results.count(name) for name in ("killed", "survived", "broken")},
        "mutants": [asdict(outcome) for outcome in outcomes],
    }
    with whole_file(report) as file:
        file.write(json.dumps(content, indent=1).encode())


def run_mutants(mutants: Sequence[Mutant], *, project: Path, report: Path | None = None,
                console: Console | None = None, timeout: float = _TIMEOUT) -> list[Outcome]:
    """Try mutants one after another.

    Parameters
    ----------
    mutants:
        Which.
    project:
        The project's folder; it is only read.
    report:
        JSON file, written anew after each mutant.
    console:
        Where progress and survivors are shown; nowhere by default.
    timeout:
        Seconds after which a mutant's tests are ended; it counts as killed.

    Returns
    -------
    list of Outcome
        Those that were finished; fewer than `mutants` after Ctrl-C.

    Raises
    ------
    MutationError
        If a mutant does not fit its file, or a named test fails without a mutant.
    """
    outcomes: list[Outcome] = []
    progress = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                        TimeElapsedColumn(), console=console or Console(quiet=True))
    with _copy_of(project) as copy, progress:
        task = progress.add_task("tests without mutants", total=len(mutants))
        try:
            tests = sorted({test for mutant in mutants for test in mutant.tests})
            code, output = _run_tests(copy, tests, timeout * max(1, len(tests)))
            if code != 0:
                raise MutationError("the tests do not pass without a mutant: " + _reason(output))
            for mutant in mutants:
                progress.update(task, description=mutant.name)
                outcome = _try(copy, mutant, timeout)
                outcomes.append(outcome)
                progress.advance(task)
                if report is not None:
                    _write(report, mutants, outcomes)
                if outcome.result != "killed":
                    progress.console.print(
                        f"{outcome.result}: {mutant.name} ({mutant.file}): {outcome.reason}",
                        markup=False, highlight=False)
        except KeyboardInterrupt:
            progress.console.print(f"interrupted; {len(outcomes)} of {len(mutants)} mutants done")
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if every mutant was killed, 1 if not, 2 for errors, 130 Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m casemate_sim.mutation", description=(
        "Apply each listed bug in a copy of the tree and see a named test fail."))
    parser.add_argument("names", nargs="*", help="mutants to run (default: all)")
    parser.add_argument("--mutants", type=Path, default=MUTANTS, help="list (default: %(default)s)")
    parser.add_argument("--report", type=Path, default=REPORT,
                        help="JSON file (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=_TIMEOUT,
                        help="seconds for the tests of one mutant (default: %(default)s)")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        listed = load_mutants(options.mutants)
        unknown = set(options.names) - {mutant.name for mutant in listed}
        if unknown:
            raise MutationError(f"no mutant is called {', '.join(map(repr, sorted(unknown)))}")
        chosen = [mutant for mutant in listed if not options.names or mutant.name in options.names]
        outcomes = run_mutants(chosen, project=Path.cwd(), report=options.report, console=console,
                               timeout=options.timeout)
    except MutationError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False)
        return 2
    killed = sum(outcome.result == "killed" for outcome in outcomes)
    console.print(f"{killed} of {len(outcomes)} mutants killed; {options.report}", highlight=False)
    if len(outcomes) < len(chosen):
        return 130
    return int(killed < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
