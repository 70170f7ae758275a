"""``casemate convert``: traces of other tools."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from casemate_sim.caches import HIERARCHIES, parse_hierarchy
from casemate_sim.cli.inputs import check_output, check_result
from casemate_sim.cli.show import STDOUT, print_facts, write_result
from casemate_sim.convert import TraceFormat
from casemate_sim.sizes import parse_size, size_text

__all__ = ["convert"]


def convert(
    source: Annotated[Path, typer.Argument(
        metavar="INPUT", help="The text file; compressed with gzip, too.", show_default=False)],
    output: Annotated[Path, typer.Option(
        "-o", "--output", metavar="FILE", help="Trace file to write.", show_default=False)],
    kind: Annotated[TraceFormat | None, typer.Option(
        "--format", metavar="FORMAT", help=f"Its format: {', '.join(TraceFormat)}; told from its "
        "first line if not given.",
        show_default=False)] = None,
    caches: Annotated[str, typer.Option(
        metavar="CACHES",
        help="Caches to filter it with, if it was taken before the caches: `none`, "
        f"{', '.join(HIERARCHIES)}, or SIZE:WAYS of each level, as in 32K:8,256K:8.")] = "none",
    keep_addresses: Annotated[bool, typer.Option(
        "--keep-addresses", help="Take addresses as they are, within the data window; otherwise "
        "4 KiB pages are placed in the order of their first access.")] = False,
    window: Annotated[str | None, typer.Option(
        metavar="SIZE", help="Data window, a power of two, as in 64M; the least that holds the "
        "trace if not given.", show_default=False)] = None,
    shuffle: Annotated[int | None, typer.Option(
        metavar="SEED", help="Place pages in an order shuffled by this seed; needs --window.",
        show_default=False)] = None,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write the counts as JSON; `-` is stdout, which then gets nothing "
        "else.", show_default=False)] = None,
) -> None:
    """Convert a trace of Ramulator, DRAMSim, valgrind lackey or CSV.

    A line that is not understood stops it with the file's name and the line's number.

    Example: `casemate convert dram.txt -o dram.trace`, then `casemate sim dram.trace`.
    """
    hierarchy = () if caches == "none" else parse_hierarchy(caches)
    window_bytes = None if window is None else parse_size(window)
    check_output(output, "--output")
    check_result(json)

    from casemate_sim.convert import convert as run

    errors = Console(stderr=True)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                  console=errors, disable=not errors.is_terminal, transient=True) as progress:
        task = progress.add_task("reading ...")
        result = run(
            source, output, kind=kind, hierarchy=hierarchy, keep_addresses=keep_addresses,
            window_bytes=window_bytes, shuffle_seed=shuffle,
            progress=lambda count: progress.update(task, description=f"{count:,} accesses"))
    facts = {
        "trace": str(output), "format": str(result.format), "accesses": f"{result.accesses:,}",
        "records": f"{result.records:,}",
        "reads / writes": f"{result.reads:,} / {result.writes:,}",
        "data window": size_text(result.window_bytes),
    }
    print_facts(facts, Console(stderr=json == STDOUT))
    write_result(json, {"schema": "casemate.convert/1", "trace": str(output),
                        "records": result.records, **asdict(result)})
