"""Tables of measured figures, from the benches' results."""

from __future__ import annotations

import json
import re

from casemate_sim.figures import RESULTS

from .markdown import size, table

__all__ = ["benches", "evidence"]


def _stored(pattern: str, file: str) -> list[tuple[str, dict]]:
    """Return names and figures whose name matches a regular expression somewhere."""
    path = RESULTS / file
    try:
        figures = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    found = [(name, figure) for name, figure in figures.items() if re.search(pattern, name)]
    for name, figure in found:
        if not isinstance(figure, dict) or "value" not in figure:
            raise ValueError(f"{path}: figure {name!r} has no value")
    return found


def _none(pattern: str) -> str:
    return f"No figure of `{pattern}` is stored."


def benches(pattern: str = "", file: str = "bench.json") -> str:
    """Return the stored figures whose names match a regular expression somewhere."""
    rows = []
    for name, figure in _stored(pattern, file):
        config = figure.get("config") or {}
        met = {True: "yes", False: "**no**", None: ""}[figure.get("met")]
        rows.append((f"`{name}`", _measure(figure), config.get("config", ""),
                     config.get("dram", ""), figure.get("target") or "", met))
    if not rows:
        return _none(pattern or file)
    return _without_empty(("figure", "value", "configuration", "DRAM", "target", "met"), rows)


def evidence(pattern: str, field: str = "value") -> str:
    """Return stored figures with what they were measured on, and the tools below.

    `field` names what is shown of each: its value, or a ratio that was stored beside it.
    """
    rows, versions = [], {}
    for name, figure in _stored(pattern, "bench.json"):
        config = figure.get("config") or {}
        if field != "value" and field not in config:
            raise ValueError(f"figure {name!r} has no {field!r}")
        digest = config.get("config_digest")
        rows.append((
            f"`{name}`" + (f", its `{field}`" if field != "value" else ""),
            _measure(figure) if field == "value" else _number(config[field]),
            config.get("config", "") + (f", digest `{digest}`" if digest else ""),
            config.get("dram") or config.get("device", ""),
            f"{config['lines']:,} lines in {size(config['footprint_bytes'])}"
            if "footprint_bytes" in config else ""))
        versions |= config.get("versions") or {}
    if not rows:
        return _none(pattern)
    tools = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (_without_empty(("figure", "value", "configuration", "DRAM or device", "workload"), rows)
            + f"\n\nTools: {tools}.")


def _without_empty(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    kept = [index for index in range(len(header)) if any(row[index] for row in rows)]
    return table([header[index] for index in kept], ([row[index] for index in kept]
                                                     for row in rows))


def _measure(figure: dict) -> str:
    unit = "" if figure.get("unit") == "1" else figure.get("unit", "")
    return f"{_number(figure['value'])} {unit}".strip()


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
