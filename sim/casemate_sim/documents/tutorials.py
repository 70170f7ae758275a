"""Runs the commands of tutorials, and compares what they print with what is shown.

A listing ``sh`` is run as it stands, in a folder that looks like a fresh checkout; a listing
``text`` behind it is what it prints on stdout, where ``...`` stands for anything. Comments in front
of a listing say how it is run:

- ``<!-- long -->``: it builds a model or proves something, which takes minutes;
- ``<!-- exit 1 -->``: how it ends, if not with 0;
- ``<!-- not run -->``: it needs something that is not there, a network for example.

``python -m casemate_sim.documents.tutorials FILE...`` runs everything and writes what is printed
now into the files.
"""

from __future__ import annotations

import argparse
import doctest
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Step", "TutorialError", "checkout", "main", "run_step", "tutorial_steps"]

_ROOT = Path(__file__).resolve().parents[3]
_LISTING = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^```(sh|text)\n(.*?)^```$",
                      re.MULTILINE | re.DOTALL)
_COLUMNS = "80"
_SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class TutorialError(ValueError):
    """A tutorial cannot be run, or its commands do not do what it says."""


@dataclass(frozen=True)
class Step:
    """One listing of commands.

    Attributes
    ----------
    commands:
        What is run, by Bash, which stops at the first failure.
    comments:
        The comments in front of it.
    shown:
        What it prints, by the tutorial; None if nothing is shown.
    """

    commands: str
    comments: str
    shown: str | None = None

    @property
    def is_run(self) -> bool:
        """Whether it is run at all."""
        return "<!-- not run -->" not in self.comments

    @property
    def is_long(self) -> bool:
        """Whether it takes minutes."""
        return "<!-- long -->" in self.comments

    @property
    def exit_code(self) -> int:
        """How it ends."""
        match = re.search(r"<!-- exit (\d+) -->", self.comments)
        return int(match[1]) if match else 0


def tutorial_steps(text: str) -> list[Step]:
    """Find the steps of a tutorial.

    Raises
    ------
    TutorialError
        If it shows something without commands that print it.
    """
    steps: list[Step] = []
    for comments, language, content in _LISTING.findall(text):
        if language == "sh":
            steps.append(Step(content, comments))
        elif not steps or steps[-1].shown is not None:
            raise TutorialError(f"nothing prints this:\n{content}")
        else:
            steps[-1] = Step(steps[-1].commands, steps[-1].comments, content)
    return steps


def checkout(folder: Path) -> Path:
    """Make a folder look like a fresh checkout of this repository, and return it."""
    for path in _ROOT.iterdir():
        if path.name not in ("build", ".git"):
            (folder / path.name).symlink_to(path)
    (folder / "build").mkdir()
    return folder


def run_step(step: Step, folder: Path, *, compare: bool = True) -> str:
    """Run a step in a folder and return what it prints on stdout, without trailing blanks.

    Raises
    ------
    TutorialError
        If it ends in another way than it should, or, with `compare`, prints something else.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": _COLUMNS}
    result = subprocess.run(["bash", "-e", "-c", step.commands], cwd=folder, env=environment,
                            capture_output=True, text=True, check=False)
    if result.returncode != step.exit_code:
        raise TutorialError(f"{step.commands}ends with {result.returncode} instead of "
                            f"{step.exit_code}:\n{result.stdout}{result.stderr}")
    printed = "".join(line.rstrip() + "\n" for line in result.stdout.splitlines())
    if compare and step.shown is not None and not _shows(step.shown, printed):
        raise TutorialError(f"{step.commands}prints:\n{printed}")
    return printed


def _shows(shown: str, printed: str) -> bool:
    return doctest.OutputChecker().check_output(shown, printed, _SAME)


def _refreshed(text: str, folder: Path) -> str:
    """Return a tutorial with what its commands print now; what still fits stays as it is."""
    end = 0
    for step in tutorial_steps(text):
        if not step.is_run:
            continue
        print(step.commands, end="", file=sys.stderr, flush=True)
        printed = run_step(step, folder, compare=False)
        end = text.index(step.commands, end)
        if step.shown is not None and not _shows(step.shown, printed):
            start = text.index("```text\n", end) + len("```text\n")
            text = text[:start] + _dotted(step.shown, printed) + text[start + len(step.shown):]
    return text


def _dotted(shown: str, printed: str) -> str:
    """Return what is printed with the lines of the tutorial that leave something open."""
    open_lines = [line for line in shown.splitlines() if "..." in line and line != "..."]
    return "".join(next((each for each in open_lines if _shows(each + "\n", line + "\n")), line)
                   + "\n" for line in printed.splitlines())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m casemate_sim.documents.tutorials",
        description="Run the commands of tutorials and write what they print. Takes an hour.")
    parser.add_argument("file", nargs="+", type=Path)
    for path in parser.parse_args(arguments).file:
        with tempfile.TemporaryDirectory() as folder:
            try:
                path.write_text(_refreshed(path.read_text(), checkout(Path(folder))))
            except (TutorialError, OSError) as error:
                print(f"error: {path}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
