"""Figures that benches measure: named values with configuration and target, kept in a file."""

from __future__ import annotations

import json
import operator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.table import Table

from casemate_sim.files import whole_file

__all__ = ["RESULTS", "Figure", "FigureBook"]

RESULTS = Path(__file__).resolve().parents[2] / "benches" / "results"
"""Results that are part of the repository, files as `FigureBook` writes them."""

_COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value.

    Parameters
    ----------
    name:
        ``MODE.WORKLOAD.QUANTITY``.
    value:
        The value.
    unit:
        Its unit; ``"1"`` for a ratio.
    config:
        Everything that is needed to measure it again: configuration, DRAM, workload, versions.
    target:
        What was promised: ``">= 0.99"``, ``"<= 14"``, ``"== 0"``; None if nothing was.
    """

    name: str
    value: float
    unit: str
    config: dict[str, object] = field(default_factory=dict)
    target: str | None = None

    def __post_init__(self) -> None:
        if self.target is not None and self.target.split()[0] not in _COMPARISONS:
            raise ValueError(f"target of {self.name} = {self.target!r} must begin with one of "
                             f"{', '.join(_COMPARISONS)}")

    @property
    def met(self) -> bool | None:
        """Whether the value reaches the target; None without a target."""
        if self.target is None:
            return None
        comparison, bound = self.target.split()
        return bool(_COMPARISONS[comparison](self.value, float(bound)))

    def as_dict(self) -> dict[str, object]:
        """Return the entry of the figures' file, without the name."""
        values: dict[str, object] = dict(asdict(self))
        del values["name"]
        values["met"] = self.met
        return values


class FigureBook:
    """A JSON file of figures: name → ``{"value", "unit", "config", "target", "met"}``.

    Each figure is written when it is added, so an interrupted bench keeps what it finished; figures
    of other benches in the same file stay.

    Parameters
    ----------
    path:
        The file; its folder is made.

    Raises
    ------
    ValueError
        If the file exists and is not JSON.
    """

    def __init__(self, path: Path):
        self._path = path
        self._entries: dict[str, dict[str, object]] = {}
        self.added: list[Figure] = []
        if path.exists():
            try:
                self._entries = json.loads(path.read_text())
            except json.JSONDecodeError as error:
                raise ValueError(f"{path} is not JSON ({error}): remove it") from error
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, figure: Figure) -> None:
        """Add or replace a figure and write the file."""
        self.added.append(figure)
        self._entries[figure.name] = figure.as_dict()
        with whole_file(self._path) as file:
            file.write(json.dumps(dict(sorted(self._entries.items())), indent=1).encode() + b"\n")

    def table(self) -> Table:
        """Return what was added as a table for people."""
        table = Table(title=str(self._path))
        for column, justify in (("figure", "left"), ("value", "right"), ("unit", "left"),
                                ("target", "left"), ("met", "left")):
            table.add_column(column, justify=justify)  # pyright: ignore[reportArgumentType]
        for figure in self.added:
            met = {True: "[green]yes", False: "[red]NO", None: ""}[figure.met]
            unit = "" if figure.unit == "1" else figure.unit
            table.add_row(figure.name, f"{figure.value:,.6g}", unit, figure.target or "", met)
        return table
