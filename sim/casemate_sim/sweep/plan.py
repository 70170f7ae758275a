"""The file of a sweep: which parameters are fixed, which vary, and so which points there are.

For example::

    kind = "simulation"  # or "attack", "test"
    search = "random"    # or "grid", every combination
    points = 20          # of a random search
    seed = 1             # of a random search

    [fixed]
    config = "ecp5"
    trace = "sqlite_index"
    limit = 5000

    [vary]
    mode = ["xts", "full"]
    engine.tree.cache_sets = { from = 16, to = 1024, factor = 2 }
    seed = { from = 0, to = 7 }
"""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate_sim.sweep.kinds import KINDS

__all__ = ["Plan", "Point", "SweepError", "load_plan"]

MOST_POINTS = 100_000
"""Points that a sweep may have."""

_RANGE = {"from", "to", "step", "factor"}

Point = Mapping[str, Any]
"""Parameters by name."""


class SweepError(ValueError):
    """A sweep cannot be done as it was asked for; the message names the file and the value."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep does.

    Parameters
    ----------
    name:
        What it is called.
    kind:
        Name of the kind of work, of :data:`KINDS`.
    search:
        ``grid`` or ``random``.
    fixed:
        Parameters that every point has.
    varied:
        Values of the parameters that vary, in the order in which they vary, the last one fastest.
    points:
        All points, with the fixed parameters.
    """

    name: str
    kind: str
    search: str
    fixed: Mapping[str, Any]
    varied: Mapping[str, Sequence[Any]]
    points: Sequence[Point]

    def label(self, point: Point) -> str:
        """Return what tells a point from the others, for people."""
        return ", ".join(f"{name} = {point[name]}" for name in self.varied) or self.name


def load_plan(path: Path) -> Plan:
    """Read the file of a sweep.

    Raises
    ------
    SweepError
        If it cannot be read, is no TOML, or a name or value in it is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SweepError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SweepError(f"{path}: no TOML: {error}") from None
    try:
        return _plan(path.stem, values)
    except SweepError as error:
        raise SweepError(f"{path}: {error}") from None


def _plan(name: str, values: dict[str, Any]) -> Plan:
    kind = _choice(values, "kind", tuple(KINDS), next(iter(KINDS)))
    search = _choice(values, "search", ("grid", "random"), "grid")
    count, seed = values.pop("points", None), values.pop("seed", 0)
    if (count is None) != (search == "grid"):
        raise SweepError("points is for search = \"random\", and needed there")
    for key, value in (("points", count), ("seed", seed)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)
                                  or value < (key == "points")):
            raise SweepError(f"{key} = {value!r} is not possible: an integer of at least "
                             f"{int(key == 'points')}")
    fixed = _flat(values.pop("fixed", {}), "fixed")
    varied = {key: _values(key, each) for key, each in
              _flat(values.pop("vary", {}), "vary").items()}
    if values:
        raise SweepError(f"{next(iter(values))} is no part of a sweep; there are kind, search, "
                         "points, seed, [fixed] and [vary]")
    for key in (*fixed, *varied):
        if key in fixed and key in varied:
            raise SweepError(f"{key} is fixed and varies")
        if error := KINDS[kind].unknown(key):
            raise SweepError(error)
    total = math.prod(len(each) for each in varied.values())
    if (count or total) > MOST_POINTS:
        raise SweepError(f"{count or total:,} points are more than {MOST_POINTS:,}")
    if count is not None and count > total:
        raise SweepError(f"points = {count} is more than the {total} combinations that there are")
    numbers = range(total) if count is None else \
        sorted(random.Random(seed).sample(range(total), count))
    return Plan(name=name, kind=kind, search=search, fixed=fixed, varied=varied,
                points=tuple(fixed | _combination(varied, number) for number in numbers))


def _combination(varied: Mapping[str, Sequence[Any]], number: int) -> dict[str, Any]:
    """Return combination `number` of those that the last parameter's values count up."""
    chosen = {}
    for name, values in reversed(varied.items()):
        number, index = divmod(number, len(values))
        chosen[name] = values[index]
    return {name: chosen[name] for name in varied}


def _choice(values: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = values.pop(name, default)
    if value not in allowed:
        raise SweepError(f"{name} = {value!r} is not possible: one of {', '.join(allowed)}")
    return value


def _flat(table: object, where: str, prefix: str = "") -> dict[str, Any]:
    """Return the values of nested tables by their dotted names; a range stays a table."""
    if not isinstance(table, dict):
        raise SweepError(f"{where} = {table!r} is not a table: write [{where}]")
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and not {"from", "to"} & value.keys():
            flat |= _flat(value, where, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _values(name: str, value: object) -> list[Any]:
    """Return the values that a parameter takes, from a list or a range."""
    if isinstance(value, list):
        if not value:
            raise SweepError(f"{name} has no values")
        return value
    if not isinstance(value, dict):
        raise SweepError(f"{name} = {value!r} does not vary: give a list, or from and to")
    low, high = value.get("from"), value.get("to")
    step, factor = value.get("step"), value.get("factor")
    if value.keys() - _RANGE or not isinstance(low, int) or not isinstance(high, int) or not (
            isinstance(step, int | None) and isinstance(factor, int | None)):
        raise SweepError(f"{name} = {value!r} is no range: integers from, to, and step or factor")
    if low > high or (step is not None and (step < 1 or factor is not None)) or (
            factor is not None and (factor < 2 or low < 1)):
        raise SweepError(f"{name} = {value!r} is no range: from at most to, step at least 1, or "
                         "factor at least 2")
    if factor is None:
        if (high - low) // (step or 1) >= MOST_POINTS:
            raise SweepError(f"{name} = {value!r} has more than {MOST_POINTS:,} values")
        return list(range(low, high + 1, step or 1))
    found = [low]
    while found[-1] * factor <= high:
        found.append(found[-1] * factor)
    return found
