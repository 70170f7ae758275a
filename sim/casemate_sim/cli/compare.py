"""``casemate compare``: what each mode costs each of several programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from casemate.config import EngineConfig
from rich.console import Console

from casemate_sim.cli.errors import InputError
from casemate_sim.cli.inputs import check_plot, check_result
from casemate_sim.cli.options import DramOption, EngineOption, JobsOption, KeySeedOption
from casemate_sim.cli.show import STDOUT, write_plot, write_result
from casemate_sim.cli.sim import Mode, leave, timing_of
from casemate_sim.config_file import find_config
from casemate_sim.dram.timing import DramTiming
from casemate_sim.traffic import Traffic, named_trace

if TYPE_CHECKING:
    from casemate_sim.compare import Comparison

__all__ = ["compare", "compare_traffics"]


def compare(
    traces: Annotated[list[str] | None, typer.Argument(
        metavar="TRACE...", help="Trace files, or names of shipped traces; all shipped traces if "
        "there is none.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Play the first N records of each only.",
        show_default=False)] = None,
    config: EngineOption = "ecp5",
    mode: Annotated[Mode, typer.Option(
        metavar="MODE", help="The last of the modes: plain, xts, integrity, full.")] = Mode.FULL,
    dram: DramOption = "ddr3-1066",
    seed: KeySeedOption = 0,
    jobs: JobsOption = None,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write everything measured as JSON; `-` is stdout, which then gets "
        "nothing else.", show_default=False)] = None,
    plot: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Draw the slowdowns as bars: .png, .svg or .pdf.",
        show_default=False)] = None,
) -> None:
    """Simulate several traces as `casemate sim` does, and show the slowdown of each.

    Ctrl-C keeps the traces that finished.
    """
    engine = find_config(config)
    timing = timing_of(dram)
    check_result(json)
    check_plot(plot)

    from casemate_sim.plot import draw_slowdowns
    from casemate_sim.summary import comparison_dict, slowdown_table
    from casemate_sim.traces import shipped

    traffics = [named_trace(name).limited(limit) for name in traces or list(shipped())]
    comparisons = compare_traffics(traffics, engine=engine, mode=mode, timing=timing, seed=seed,
                                   jobs=jobs)
    title = f"slowdown over the bare wire on {engine.name}, {timing.name}" + (
        "" if limit is None else f", the first {limit:,} records")
    Console(stderr=json == STDOUT).print(slowdown_table(comparisons, title))
    if json is not None:
        write_result(json, {
            "schema": "casemate.compare/1",
            "ok": all(comparison.ok for comparison in comparisons.values()),
            "traces": {traffic.name: comparison_dict(
                comparisons[traffic.name], trace=traffic.as_dict(), config=engine)
                for traffic in traffics if traffic.name in comparisons}})
    slowdowns = {name: comparison.slowdowns for name, comparison in comparisons.items()}
    write_plot(plot, lambda path: draw_slowdowns(slowdowns, path, title))
    for comparison in comparisons.values():
        leave(comparison)


def compare_traffics(traffics: Sequence[Traffic], *, engine: EngineConfig, mode: Mode,
                     timing: DramTiming, seed: int,
                     jobs: int | None = None) -> dict[str, Comparison]:
    """Simulate several traces with progress on stderr; Ctrl-C and failures keep what finished.

    Parameters
    ----------
    traffics:
        What is played.
    engine, mode, timing, seed, jobs:
        As of :func:`casemate_sim.compare.compare`.

    Returns
    -------
    By the trace's name; the last one may be cut short, and those behind it are missing.

    Raises
    ------
    InputError
        If a trace does not fit the engine.
    """
    from casemate_sim.cli.progress import RunProgress
    from casemate_sim.compare import compare as run
    from casemate_sim.compare import compared_modes

    errors = Console(stderr=True)
    comparisons = {}
    for traffic in traffics:
        errors.print(f"{traffic.name}: {len(traffic.records):,} records", highlight=False)
        with RunProgress(compared_modes(mode), len(traffic.records)) as progress:
            try:
                comparison = comparisons[traffic.name] = run(
                    traffic.records, config=engine, mode=mode.value, dram=timing, seed=seed,
                    jobs=jobs, progress=progress.update, finished=progress.finished)
            except ValueError as error:
                raise InputError(f"{traffic.name}: {error}") from error
        if comparison.interrupted or comparison.failure is not None:
            break
    return comparisons
