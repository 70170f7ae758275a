"""Tables of measured figures, from the benches' results."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .markdown import table

__all__ = ["RESULTS", "benches"]

RESULTS = Path(__file__).resolve().parents[3] / "benches" / "results"
"""Results that are part of the repository, files as `FigureBook` writes them."""


def benches(pattern: str = "", file: str = "bench.json") -> str:
    """Return the stored figures whose names match a regular expression somewhere."""
    path = RESULTS / file
    try:
        figures = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    rows = []
    for name, figure in figures.items():
        if not re.search(pattern, name):
            continue
        if not isinstance(figure, dict) or "value" not in figure:
            raise ValueError(f"{path}: figure {name!r} has no value")
        config = figure.get("config") or {}
        unit = "" if figure.get("unit") == "1" else figure.get("unit", "")
        met = {True: "yes", False: "**no**", None: ""}[figure.get("met")]
        rows.append((f"`{name}`", f"{_number(figure['value'])} {unit}".strip(),
                     config.get("config", ""), config.get("dram", ""),
                     figure.get("target") or "", met))
    if not rows:
        return f"No figure of `{pattern or file}` is stored."
    return _without_empty(("figure", "value", "configuration", "DRAM", "target", "met"), rows)


def _without_empty(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    kept = [index for index in range(len(header)) if any(row[index] for row in rows)]
    return table([header[index] for index in kept], ([row[index] for index in kept]
                                                     for row in rows))


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
