"""``casemate traces``: the recorded traces that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from casemate_sim.cli.show import print_facts, print_json
from casemate_sim.sizes import size_text
from casemate_sim.trace import load_header
from casemate_sim.traces import shipped
from casemate_sim.traffic import named_trace

__all__ = ["traces"]


def traces(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """List the shipped traces: DRAM traffic of real programs."""
    found = {}
    for name, path in shipped().items():
        traffic, (header, _) = named_trace(name), load_header(path)
        found[name] = traffic.as_dict() | {
            "file": str(path), "instructions": header.instructions,
            "window_bytes": header.window_bytes, "notes": header.notes,
            "caches": [vars(level) for level in header.hierarchy]}
    if json:
        print_json({"schema": "casemate.traces/1", "traces": found})
        return
    table = Table()
    for column in ("trace", "records", "reads", "footprint", "window", "instructions"):
        table.add_column(column, justify="left" if column == "trace" else "right", no_wrap=True)
    for name, facts in found.items():
        table.add_row(
            name, f"{facts['records']:,}", f"{facts['reads'] / facts['records']:.0%}",
            f"{facts['footprint_bytes'] // 1024:,} KiB", size_text(facts["window_bytes"]),
            "-" if facts["instructions"] is None else f"{facts['instructions']:,}")
    console = Console()
    console.print(table)
    print_facts({name: str(facts["source"]) for name, facts in found.items()}, console)
