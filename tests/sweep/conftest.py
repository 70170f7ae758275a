"""A sweep of few points in one worker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from casemate_sim.cli import app
from typer.testing import CliRunner


@pytest.fixture
def casemate_sweep(tmp_path: Path):
    """Run a sweep; return the command's result and the JSON."""

    def run(plan: Path, *arguments: object):
        out = tmp_path / "sweep.json"
        result = CliRunner().invoke(app, ["sweep", str(plan), "--workers", "1", "--json", str(out),
                                          *map(str, arguments)])
        return result, json.loads(out.read_text())

    return run
