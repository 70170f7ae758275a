"""``casemate audit``: check a dump with the golden model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from casemate_sim.cli.errors import FAULT
from casemate_sim.cli.show import print_json

__all__ = ["audit"]


def audit(
    directory: Annotated[Path, typer.Argument(
        metavar="FOLDER", help="What `casemate sim --dump` wrote.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Recompute what DRAM must hold, with the golden model, and compare.

    Exit code 0: every line agrees; 1: some do not, and the first wrong one is named.
    """
    from casemate_sim.audit import audit as run

    errors = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=errors,
                  disable=not errors.is_terminal, transient=True) as progress:
        task = progress.add_task("lines", total=None)
        report = run(directory, lambda done, total: progress.update(
            task, completed=done, total=total))
    if json:
        print_json({"schema": "casemate.audit/1", "directory": str(directory), "ok": report.ok,
                    **asdict(report)})
    else:
        typer.echo(f"{directory}: {report}")
    if not report.ok:
        raise typer.Exit(FAULT)
