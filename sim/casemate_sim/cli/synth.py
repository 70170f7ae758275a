"""``casemate synth``: the engine synthesized, placed and routed for an FPGA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from casemate_sim.cli.errors import FAULT, INTERRUPTED, complain
from casemate_sim.cli.inputs import check_plot, check_result
from casemate_sim.cli.options import EngineOption
from casemate_sim.cli.show import STDOUT, write_plot, write_result
from casemate_sim.cli.sim import Mode
from casemate_sim.config_file import config_dict, find_config
from casemate_sim.modes import config_of_mode, with_fuses
from casemate_sim.synthesis.budget import load_budget
from casemate_sim.synthesis.devices import ITERATIONS, Placer, Target, find_device

__all__ = ["synth"]

_PLACEMENT, _OUTPUT = "Placement", "Results"


def synth(
    config: EngineOption = "ecp5",
    mode: Annotated[Mode, typer.Option(
        metavar="MODE", help="What the engine can do: plain and xts are one engine without a tree; "
        "for integrity and full it gets the tree of `casemate sim`, if it has none.")] = Mode.FULL,
    fuses: Annotated[bool, typer.Option(
        "--fuses", help="Add key manager and fuses, if the configuration has none.")] = False,
    device: Annotated[str, typer.Option(
        metavar="NAME", help="The chip; a wrong name lists all that there are.")] = "LFE5U-85F",
    package: Annotated[str | None, typer.Option(
        metavar="NAME", help="Its package; the one with the most pins if not given.",
        rich_help_panel=_PLACEMENT, show_default=False)] = None,
    grade: Annotated[str | None, typer.Option(
        metavar="GRADE", help="Its speed grade; the slowest if not given.",
        rich_help_panel=_PLACEMENT, show_default=False)] = None,
    frequency: Annotated[float, typer.Option(
        metavar="MHZ", help="What the placement strives for.",
        rich_help_panel=_PLACEMENT)] = 110.0,
    placer: Annotated[Placer, typer.Option(
        metavar="NAME", help="The placer of nextpnr: heap, or static, which lays shorter wires "
        "where a device is nearly full.", rich_help_panel=_PLACEMENT)] = Placer.HEAP,
    seeds: Annotated[int, typer.Option(
        min=0, metavar="N", help="Placements, with as many seeds in a row; 0 ends after synthesis.",
        rich_help_panel=_PLACEMENT)] = 1,
    first_seed: Annotated[int, typer.Option(
        min=1, metavar="N", help="The first of the seeds.", rich_help_panel=_PLACEMENT)] = 1,
    ram_registers: Annotated[bool, typer.Option(
        "--ram-registers", help="Move registers behind block RAM into it: fewer wires, where a "
        "device is nearly full.", rich_help_panel=_PLACEMENT)] = False,
    no_timing: Annotated[bool, typer.Option(
        "--no-timing", help="Shorten all wires, not those of slow paths at the cost of others: "
        "where a device is nearly full.", rich_help_panel=_PLACEMENT)] = False,
    room: Annotated[int, typer.Option(
        min=0, metavar="LUTS", help="Place twice, the second time with so many LUTs kept free "
        "around nets that were crowded: where a device is nearly full.",
        rich_help_panel=_PLACEMENT)] = 0,
    iterations: Annotated[int, typer.Option(
        min=1, metavar="N", help="Iterations of nextpnr's router2 after which a placement is given "
        "up.", rich_help_panel=_PLACEMENT)] = ITERATIONS,
    jobs: Annotated[int, typer.Option(
        min=1, metavar="N", help="Placements at a time.", rich_help_panel=_PLACEMENT)] = 1,
    budget: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Compare with the table `[CONFIG.MODE]` of a TOML file: the most "
        "`luts`, `registers`, `block_rams` and `dsps`, the least `fmax_mhz`.",
        rich_help_panel=_OUTPUT, show_default=False)] = None,
    depth: Annotated[int, typer.Option(
        min=0, metavar="N", help="Levels of components below the engine that are shown.",
        rich_help_panel=_OUTPUT)] = 1,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write everything as JSON; `-` is stdout, which then gets nothing "
        "else.", rich_help_panel=_OUTPUT, show_default=False)] = None,
    plot: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Draw area and frequencies: .png, .svg or .pdf.",
        rich_help_panel=_OUTPUT, show_default=False)] = None,
) -> None:
    """Synthesize, place and route the engine, and show how large and how fast it is, and why.

    Yosys and nextpnr from the Python environment do the work. Devices have fewer pins than the
    engine has ports: it stands between two shift registers, which are counted, and shown apart.
    Results are remembered, each seed for itself; Ctrl-C keeps those that finished. Exit code 1: the
    engine does not fit, no placement of it was routed, or it is over its budget.

    Examples: `casemate synth --config tiny --device LFE5U-25F --package CABGA381 --frequency 25
    --placer static`; `casemate synth --seeds 0 --depth 2`.
    """
    engine = config_of_mode(find_config(config), mode.value)
    if fuses:
        engine = with_fuses(engine)
    chip = find_device(device)
    target = Target(device=chip, package=package or chip.packages[0],
                    grade=grade or chip.grades[0], frequency_mhz=frequency, placer=placer,
                    iterations=iterations, ram_registers=ram_registers,
                    timing_driven=not no_timing, room=room)
    limits = None if budget is None else load_budget(budget, engine.name, mode.value)
    check_result(json)
    check_plot(plot)

    from casemate_sim.synthesis.implementation import engine_design, implement
    from casemate_sim.synthesis.plot import draw_implementation
    from casemate_sim.synthesis.report import tables, verdict
    from casemate_sim.synthesis.tools import find_router

    if seeds:
        find_router(chip.family)
    errors = Console(stderr=True)
    with errors.status("elaborating the engine ...") as status:

        def tell(text: str) -> None:
            status.update(f"{text} ...")
            if not errors.is_terminal:
                errors.print(text, highlight=False, markup=False)

        result = implement(engine_design(engine), target,
                           range(first_seed, first_seed + seeds), jobs=jobs, progress=tell)
    console = Console(stderr=json == STDOUT)
    for table in tables(result, depth):
        console.print(table)
    console.print(verdict(result), highlight=False, markup=False, soft_wrap=True)
    compared = [] if limits is None else limits.check(result)
    for line in compared:
        console.print(line, highlight=False, markup=False)
    write_result(json, {"schema": "casemate.synth/1", "config": config_dict(engine),
                        **result.as_dict(), "budget": compared})
    write_plot(plot, lambda path: draw_implementation(result, path, depth))
    if result.interrupted:
        complain("interrupted; the seeds that finished are above, and remembered")
        raise typer.Exit(INTERRUPTED)
    failed = result.failure is not None or (seeds > 0 and not result.routed)
    if failed or (limits is not None and not limits.holds(result)):
        raise typer.Exit(FAULT)
