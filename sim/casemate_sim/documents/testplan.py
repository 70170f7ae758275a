"""Table of the test plan: each requirement and the files that check it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .markdown import table

__all__ = ["testplan"]

_ROOT = Path(__file__).resolve().parents[3]


def testplan() -> str:
    """Return the points of ``tests/testplan.toml``."""
    points = tomllib.loads((_ROOT / "tests" / "testplan.toml").read_text())["point"]
    rows = []
    for point in points:
        files = dict.fromkeys(test.partition("::")[0] for test in point["tests"])
        links = ", ".join(f"[`{file.removeprefix('tests/')}`](../{file})" for file in files)
        rows.append((point["desc"], point["stage"], links))
    return table(("what must hold", "stage", "checked in"), rows)
