"""``casemate sweep``: many points of configurations, workloads and seeds, in parallel."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from casemate_sim.cli.errors import (
    BAD_INPUT,
    FAULT,
    INTERRUPTED,
    complain,
    expected_code,
    message_of,
)
from casemate_sim.cli.inputs import check_directory, check_plot, check_result
from casemate_sim.cli.show import STDOUT, write_plot, write_result
from casemate_sim.sweep.kinds import KINDS
from casemate_sim.sweep.plan import Plan, load_plan
from casemate_sim.sweep.results import PointResult, State, SweepResults
from casemate_sim.sweep.runner import run_works
from casemate_sim.sweep.store import Store
from casemate_sim.sweep.work import Outcome, Work
from casemate_sim.trace import TraceError

__all__ = ["sweep"]


def sweep(
    file: Annotated[Path, typer.Argument(
        metavar="FILE.toml", help="What is fixed and what varies; docs/sweeps.md has it all.",
        show_default=False)],
    points: Annotated[Path | None, typer.Option(
        metavar="FOLDER", help="Where finished points are kept; beside FILE.toml if not given.",
        show_default=False)] = None,
    workers: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Processes on this machine; one a processor if not given.",
        show_default=False)] = None,
    scheduler: Annotated[str | None, typer.Option(
        metavar="ADDRESS", help="Use the workers of a dask scheduler instead, as in "
        "tcp://host:8786.", show_default=False)] = None,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write all points as JSON; `-` is stdout, which then gets nothing "
        "else.", show_default=False)] = None,
    plot: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Draw a figure by a parameter: .png, .svg or .pdf.",
        show_default=False)] = None,
    x: Annotated[str | None, typer.Option(
        metavar="NAME", help="The plot's parameter; the first that varies if not given.",
        show_default=False)] = None,
    y: Annotated[str | None, typer.Option(
        metavar="NAME", help="The plot's figure; the kind's first if not given.",
        show_default=False)] = None,
) -> None:
    """Run a grid or a random choice of points in parallel, and keep each that is finished.

    The same command goes on where an interrupted sweep stopped. A point that is not possible is
    reported, and the others run. Exit code 1: something was wrong at a point, or one could not be
    run; 2: a point is not possible.

    Example: `casemate sweep cache.toml --plot cache.png`.
    """
    plan = load_plan(file)
    store = Store(points or file.with_suffix(".points"))
    check_directory(store.folder, "--points")
    check_result(json)
    check_plot(plot)
    results = SweepResults(plan, [PointResult(point) for point in plan.points])
    if plot is not None:
        from casemate_sim.sweep.plot import plot_axes

        x, y = plot_axes(results.as_dict(), x, y)
    works = _open_works(results, store)
    interrupted = False
    try:
        _run(plan, results, works, store, workers, scheduler)
    except KeyboardInterrupt:
        interrupted = True
    _show(results, store, json, plot, x, y)
    if interrupted:
        complain("interrupted; what had finished is kept, the same command goes on")
        raise typer.Exit(INTERRUPTED)
    for state, code in ((State.FAULTY, FAULT), (State.FAILED, FAULT),
                        (State.IMPOSSIBLE, BAD_INPUT)):
        if results.count(state):
            raise typer.Exit(code)


def _open_works(results: SweepResults, store: Store) -> dict[str, Work]:
    """Note what is finished or impossible; return the works of the rest by their key."""
    works: dict[str, Work] = {}
    for result in results.results:
        try:
            work = KINDS[results.plan.kind].of_point(result.point)
        except (ValueError, TraceError, OSError) as error:
            result.fail(State.IMPOSSIBLE, error)
            complain(f"{results.label(result)}: {result.reason}")
            continue
        result.key = work.key()
        outcome = store.get(result.key)
        if outcome is None:
            works[result.key] = work
        else:
            result.finish(outcome)
    return works


def _run(plan: Plan, results: SweepResults, works: dict[str, Work], store: Store,
         workers: int | None, scheduler: str | None) -> None:
    """Run works with progress on stderr; keep what finishes."""
    console = Console(stderr=True)
    # Points that come to the same are run once.
    sharing: defaultdict[str, list[PointResult]] = defaultdict(list)
    for result in results.results:
        sharing[result.key].append(result)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(),
                  console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("points", total=len(works))

        def finished(key: str, outcome: Outcome) -> None:
            store.put(key, plan.kind, sharing[key][0].point, outcome)
            for result in sharing[key]:
                result.finish(outcome)
            progress.advance(task)
            if outcome.faults:
                complain(f"{results.label(sharing[key][0])}: {sharing[key][0].reason}")
            elif not console.is_terminal:
                console.print(f"{results.label(sharing[key][0])}: {outcome.seconds:.1f} s",
                              highlight=False, soft_wrap=True)

        def failed(key: str, error: Exception) -> None:
            if expected_code(error) is None:
                raise error
            for result in sharing[key]:
                result.fail(State.FAILED, error)
            progress.advance(task)
            complain(f"{results.label(sharing[key][0])}: {message_of(error)}", error=error)

        run_works(works, workers=workers, scheduler=scheduler, finished=finished, failed=failed,
                  waiting=lambda models: console.print(
                      f"{len(works)} points to run, {len(results.results) - len(works)} not; "
                      f"models to build or to find: {models}", highlight=False))


def _show(results: SweepResults, store: Store, json: str | None, plot: Path | None,
          x: str | None, y: str | None) -> None:
    """Print the table and the verdict, write JSON and plot."""
    console = Console(stderr=json == STDOUT)
    console.print(results.table())
    console.print(f"{results.verdict()}; kept in {store.folder}", highlight=False, soft_wrap=True)
    write_result(json, results.as_dict())
    if plot is not None and x is not None and y is not None:
        from casemate_sim.sweep.plot import plot_sweep

        write_plot(plot, lambda path: plot_sweep(results.as_dict(), path, x, y))
