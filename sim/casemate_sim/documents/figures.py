"""Tables of measured figures, from the benches' results."""

from __future__ import annotations

import json
from pathlib import Path

from .markdown import table

__all__ = ["BENCH_RESULTS", "benches"]

BENCH_RESULTS = Path(__file__).resolve().parents[3] / "benches" / "results" / "bench.json"
"""Results that are part of the repository; ``make bench`` writes them."""


def benches(prefix: str = "") -> str:
    """Return the benches' figures whose names begin with `prefix`."""
    if not BENCH_RESULTS.is_file():
        return "No results are stored yet: `make bench` measures them."
    try:
        figures = json.loads(BENCH_RESULTS.read_text())
    except ValueError as error:
        raise ValueError(f"{BENCH_RESULTS} is not JSON: {error}") from error
    rows = []
    for name, figure in figures.items():
        if not name.startswith(prefix):
            continue
        if not isinstance(figure, dict) or "value" not in figure:
            raise ValueError(f"{BENCH_RESULTS}: figure {name!r} has no value")
        met = {True: "yes", False: "no", None: ""}[figure.get("met")]
        rows.append((f"`{name}`", _number(figure["value"]), figure.get("unit") or "",
                     figure.get("config") or "", figure.get("target") or "", met))
    if not rows:
        raise ValueError(f"{BENCH_RESULTS} has no figure that begins with {prefix!r}")
    return table(("figure", "value", "unit", "configuration", "target", "met"), rows)


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
