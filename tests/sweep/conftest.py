"""A sweep of few points in one worker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def casemate_sweep(tmp_path: Path):
    """Run a sweep as a process; return the process and the JSON."""

    def run(plan: Path, *arguments: object):
        out = tmp_path / "sweep.json"
        result = subprocess.run(
            [sys.executable, "-m", "casemate_sim.cli", "sweep", str(plan), "--workers", "1",
             "--json", str(out), *map(str, arguments)],
            capture_output=True, text=True, check=False, timeout=300)
        return result, json.loads(out.read_text())

    return run
