"""``casemate run``: what protection costs a program of the user's, in one step."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from casemate.config import LINE_BYTES

from casemate_sim.caches import HIERARCHIES
from casemate_sim.cli.errors import INTERRUPTED, InputError, complain
from casemate_sim.cli.inputs import check_output, check_plot, check_result
from casemate_sim.cli.options import DramOption, EngineOption, JobsOption, KeySeedOption
from casemate_sim.cli.record import hierarchy_of, record_program, recording_dict
from casemate_sim.cli.sim import Mode, simulate_traffic, timing_of
from casemate_sim.config_file import find_config
from casemate_sim.sizes import size_text
from casemate_sim.trace import load
from casemate_sim.traffic import Traffic

__all__ = ["run"]

_RECORDING, _RESULTS = "How the program is recorded", "Results"


def run(
    program: Annotated[list[str], typer.Argument(
        metavar="PROGRAM [ARGUMENTS]...", help="What to run; put `--` before it.",
        show_default=False)],
    config: EngineOption = "ecp5",
    mode: Annotated[Mode, typer.Option(
        metavar="MODE", help="The last of the modes: plain, xts, integrity, full.")] = Mode.FULL,
    dram: DramOption = "ddr3-1066",
    seed: KeySeedOption = 0,
    jobs: JobsOption = None,
    caches: Annotated[str, typer.Option(
        metavar="CACHES", help=f"Caches between the program and DRAM: {', '.join(HIERARCHIES)}, or "
        "SIZE:WAYS of each level, as in 32K:8,256K:8; `none` plays every access.",
        rich_help_panel=_RECORDING)] = "desktop",
    limit: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="End the program after so many records.",
        rich_help_panel=_RECORDING, show_default=False)] = None,
    skip: Annotated[int, typer.Option(
        min=0, metavar="N", help="Instructions at the start that warm the caches and are not "
        "played.", rich_help_panel=_RECORDING)] = 0,
    only: Annotated[bool, typer.Option(
        "--only", help="Record the program alone, not those that it starts. A script, or a "
        "wrapper that starts the real program, is then all that is recorded.",
        rich_help_panel=_RECORDING)] = False,
    trace: Annotated[Path | None, typer.Option(
        "-o", "--output", metavar="FILE", help="Keep the trace, for `casemate sim`.",
        rich_help_panel=_RESULTS, show_default=False)] = None,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write everything measured as JSON, as `casemate sim` does; `-` is "
        "stdout, behind what the program prints there.", rich_help_panel=_RESULTS,
        show_default=False)] = None,
    plot: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Draw latency and bandwidth over time: .png, .svg or .pdf.",
        rich_help_panel=_RESULTS, show_default=False)] = None,
) -> None:
    """Run a program, and show what protecting its memory costs.

    It is recorded as by `casemate record` and played as by `casemate sim`: over a bare wire and
    through the engine in each mode. The programs that it starts belong to it. Its input and output
    are left alone. Ctrl-C during the recording ends everything; `--output` keeps the trace.

    Example: `casemate run -- python3 -c "print(sum(range(10**6)))"`.
    """
    engine = find_config(config)
    timing = timing_of(dram)
    hierarchy = hierarchy_of(caches)
    check_output(trace, "--output")
    check_result(json)
    check_plot(plot)
    with ExitStack() as stack:
        path = trace or Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="casemate-"))) / "program.trace"
        recording = record_program(
            program, path, hierarchy=hierarchy, skip_instructions=skip, maximum_records=limit,
            follow_children=not only)
        loaded = load(path)
    if recording.interrupted:
        complain("interrupted; nothing was simulated" + (
            "" if trace is None else f"; the trace is in {trace}"), command="casemate run")
        raise typer.Exit(INTERRUPTED)
    if not recording.records:
        raise InputError(f"{program[0]}: nothing went past the caches to DRAM; smaller ones "
                         "(--caches), or none, let more through")
    # A limit may have ended it before it used all of its pages.
    used = LINE_BYTES * (int(loaded.records["line"].max()) + 1)
    if used > engine.data_bytes:
        raise InputError(
            f"{program[0]} uses {used / 2**20:,.1f} MiB, the data window of {engine.name} is "
            f"{size_text(engine.data_bytes)}: give a configuration with more data_bytes (--config)")
    simulate_traffic(
        Traffic(name=Path(program[0]).name, source=loaded.header.source, records=loaded.records),
        engine=engine, mode=mode, timing=timing, player=None, seed=seed, jobs=jobs, json=json,
        plot=plot, recording=recording_dict(program, recording))
