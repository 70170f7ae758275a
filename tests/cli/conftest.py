"""The command line within this process, and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from casemate_sim.cli import app
from typer.testing import CliRunner, Result


@pytest.fixture
def command() -> list[str]:
    """Return how the command line starts as a process."""
    return [sys.executable, "-m", "casemate_sim.cli"]


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Return the options of a short run on the smallest engine; the last one is its length."""
    return ("--config", "tiny", "--workload", "random", "--read-share", "0.6", "--count", "200")


@pytest.fixture
def casemate() -> Callable[..., Result]:
    """Run the command line in this process."""
    runner = CliRunner()

    def run(*arguments: object) -> Result:
        result = runner.invoke(app, [str(each) for each in arguments])
        # Expected errors are messages; anything else is a bug that must not pass as exit code 1.
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def process(command) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line as a process."""

    def run(*arguments: object, environment: Mapping[str, str] | None = None,
            **options: object) -> subprocess.CompletedProcess[str]:
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run(
            [*command, *map(str, arguments)], stderr=subprocess.PIPE, text=True, timeout=600,
            check=False, env=os.environ | dict(environment or {}), **options)

    return run


@pytest.fixture
def text_trace(tmp_path: Path) -> Path:
    """A small trace of another tool: 100 lines, each third one written."""
    path = tmp_path / "small.txt"
    path.write_text("".join(f"0x{64 * number:x} {'RRW'[number % 3]}\n" for number in range(100)))
    return path
