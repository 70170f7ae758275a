"""What the benches share."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from casemate_sim.figures import Figure, FigureBook
from casemate_sim.simulation_result import Result
from rich.console import Console

Report = Callable[[str], None]
"""Called with what is being measured now."""

RESULTS = Path(__file__).parent / "results" / "bench.json"
"""Figures that the docs show."""


def stored(pattern: str) -> Iterator[tuple[re.Match[str], float]]:
    """Find the stored figures whose whole name matches; give the match and the value."""
    for name, figure in json.loads(RESULTS.read_text()).items():
        if found := re.fullmatch(pattern, name):
            yield found, figure["value"]


def config_of(result: Result) -> dict[str, object]:
    """Return what is needed to run a simulation again."""
    return {"config": result.config, "config_digest": result.config_digest,
            "dram": result.dram.name, "player": asdict(result.player), "seed": result.seed,
            "versions": dict(result.versions)}


def keep(figures: Iterable[Figure], output: Path, *, as_json: bool = False) -> None:
    """Keep figures as they are measured, print them, and end the process if all was not well.

    Exit code 1: a target is missed; 130: Ctrl-C, and what was finished is kept.

    Parameters
    ----------
    output:
        File of figures.
    as_json:
        Print JSON instead of a table.
    """
    book, errors = FigureBook(output), Console(stderr=True)
    try:
        for figure in figures:
            book.add(figure)
    except KeyboardInterrupt:
        errors.print(f"Interrupted; {len(book.added)} finished figures are in {output}.")
        sys.exit(130)
    finally:
        if as_json:
            print(json.dumps({figure.name: figure.as_dict() for figure in book.added}, indent=1))
        else:
            Console().print(book.table())
    missed = [figure.name for figure in book.added if figure.met is False]
    if missed:
        errors.print(f"[red]Missed:[/] {', '.join(missed)}")
        sys.exit(1)
