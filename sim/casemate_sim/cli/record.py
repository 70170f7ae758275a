"""``casemate record``: the DRAM traffic of a program of the user's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from casemate_sim.caches import HIERARCHIES, parse_hierarchy
from casemate_sim.cli.errors import INTERRUPTED, complain
from casemate_sim.cli.inputs import check_output, check_result
from casemate_sim.cli.show import print_facts, write_result
from casemate_sim.sizes import parse_size, size_text

if TYPE_CHECKING:
    from casemate_sim.record import Recording
    from casemate_sim.trace import CacheLevel

__all__ = ["hierarchy_of", "record", "record_program", "recording_dict"]


def record(
    program: Annotated[list[str], typer.Argument(
        metavar="PROGRAM [ARGUMENTS]...", help="What to run; put `--` before it.",
        show_default=False)],
    output: Annotated[Path, typer.Option(
        "-o", "--output", metavar="FILE", help="Trace file to write.", show_default=False)],
    caches: Annotated[str, typer.Option(
        metavar="CACHES",
        help=f"Caches between the program and DRAM: {', '.join(HIERARCHIES)}, or SIZE:WAYS of "
        "each level, as in 32K:8,256K:8; `none` records every access.")] = "desktop",
    window: Annotated[str | None, typer.Option(
        metavar="SIZE", help="Data window, a power of two, as in 64M; the least that holds the "
        "program if not given.", show_default=False)] = None,
    shuffle: Annotated[int | None, typer.Option(
        metavar="SEED", help="Place the program's pages in an order shuffled by this seed; needs "
        "--window.", show_default=False)] = None,
    skip: Annotated[int, typer.Option(
        min=0, metavar="N", help="Instructions at the start that warm the caches and leave no "
        "record.")] = 0,
    records: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="End the program after so many records.",
        show_default=False)] = None,
    instructions: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="End the program after about so many instructions, skipped ones "
        "included.", show_default=False)] = None,
    children: Annotated[bool, typer.Option(
        "--children", help="Record the programs that it starts, too.")] = False,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write the counts as JSON; `-` is stdout, behind what the program "
        "prints there.", show_default=False)] = None,
) -> None:
    """Run a program under valgrind and record its DRAM traffic as a trace.

    Its input and output are left alone; what `casemate` says goes to stderr. Ctrl-C ends the
    program and keeps what was recorded so far.

    Example: `casemate record -o ls.trace -- ls -lR /usr`, then `casemate sim ls.trace`.
    """
    hierarchy = hierarchy_of(caches)
    window_bytes = None if window is None else parse_size(window)
    check_output(output, "--output")
    check_result(json)

    result = record_program(
        program, output, hierarchy=hierarchy, window_bytes=window_bytes, shuffle_seed=shuffle,
        skip_instructions=skip, maximum_records=records, maximum_instructions=instructions,
        follow_children=children)
    write_result(json, {"schema": "casemate.record/1", "trace": str(output),
                        **recording_dict(program, result)})
    if result.interrupted:
        complain("interrupted; the trace holds what was recorded so far",
                 command="casemate record")
        raise typer.Exit(INTERRUPTED)


def hierarchy_of(name: str) -> tuple[CacheLevel, ...]:
    """Return the caches that the option --caches names; none for ``none``."""
    return () if name == "none" else parse_hierarchy(name)


def record_program(program: Sequence[str], output: Path, **options: Any) -> Recording:
    """Record a program with progress on stderr, and say there what was recorded.

    Parameters
    ----------
    program, output, options:
        As of :func:`casemate_sim.record.record`.
    """
    from casemate_sim.record import record as run

    console = Console(stderr=True)
    # Bars would overwrite what the program prints to the same terminal.
    live = console.is_terminal and not sys.stdout.isatty()
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                  console=console, disable=not live, transient=True) as progress:
        task = progress.add_task("starting valgrind ...")
        result = run(program, output, **options,
                     progress=lambda instruction, count: progress.update(
                         task, description=f"{instruction:,} instructions, {count:,} records"))
    print_facts({
        "trace": str(output), "records": f"{result.records:,}",
        "reads / writes": f"{result.reads:,} / {result.writes:,}",
        "instructions": f"{result.instructions:,}", "data accesses": f"{result.accesses:,}",
        "misses": ", ".join(f"{name} {count:,}" for name, count in result.misses.items()) or "-",
        "pages of 4 KiB": f"{result.pages:,}", "data window": size_text(result.window_bytes),
        "exit code of the program": str(result.exit_code), "seconds": f"{result.seconds:.1f}",
    }, console)
    if result.limited:
        typer.echo("a limit ended the program", err=True)
    return result


def recording_dict(program: Sequence[str], result: Recording) -> dict[str, object]:
    """Return what was recorded as plain JSON values."""
    return {"program": list(program), "records": result.records, **asdict(result)}
