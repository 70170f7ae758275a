"""``casemate report``: everything measured on one page."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from casemate.config import PRESETS

from casemate_sim.adversary import attacked, plan
from casemate_sim.cli.attack import campaign_dict, run_trials
from casemate_sim.cli.compare import compare_traffics
from casemate_sim.cli.errors import INTERRUPTED, complain, message_of
from casemate_sim.cli.inputs import check_output
from casemate_sim.cli.options import DramOption
from casemate_sim.cli.show import write_bytes
from casemate_sim.cli.sim import Mode, timing_of
from casemate_sim.config_file import config_dict, find_config
from casemate_sim.figures import RESULTS
from casemate_sim.toolchain import ToolError, package_versions, toolchain
from casemate_sim.traces import shipped
from casemate_sim.traffic import named_trace

if TYPE_CHECKING:
    from casemate_sim.page.material import Material

__all__ = ["report"]

_ATTACKED = "tiny"


def report(
    files: Annotated[list[Path] | None, typer.Argument(
        metavar="FILE...", help="JSON of `casemate sim`, `run`, `compare`, `attack` or `sweep`; "
        "XML of `make formal`.", show_default=False)] = None,
    output: Annotated[Path, typer.Option(
        "-o", "--output", metavar="FILE.html", help="The page.")] = Path("report.html"),
    results: Annotated[Path | None, typer.Option(
        metavar="FOLDER", help="Stored figures of the benches; those of the repository if not "
        "given.", show_default=False)] = None,
    no_run: Annotated[bool, typer.Option(
        "--no-run", help="Simulate nothing: show files and stored figures only.")] = False,
    limit: Annotated[int, typer.Option(
        min=1, metavar="N", help="Records of each shipped trace that are played, if no file has "
        "any runs.")] = 4000,
    trials: Annotated[int, typer.Option(
        min=1, metavar="N", help="Attacks that are tried, if no file has any.")] = 640,
    config: Annotated[str, typer.Option(
        metavar="PRESET|FILE", help=f"The engine that plays: a preset ({', '.join(PRESETS)}) or a "
        "TOML file.")] = "ecp5",
    dram: DramOption = "ddr3-1066",
) -> None:
    """Write everything measured into one HTML page that needs no other file.

    It shows what is in the files, and the stored figures of the benches. If no file has runs of
    programs, the shipped traces are played for it; if none has attacks, some are tried on preset
    `tiny`. What is not there is said on the page. Ctrl-C ends the simulation and writes the page.

    Examples: `casemate report`; `casemate report ls.json cache.json build/formal.xml --no-run`.
    """
    from casemate_sim.page.material import Material, Played
    from casemate_sim.page.proofs import proofs_of
    from casemate_sim.page.render import render_page

    engine = find_config(config)
    timing = timing_of(dram)
    check_output(output, "--output", (".html", ".htm"))
    material = Material(proofs=proofs_of(None), versions=_versions())
    for path in files or ():
        material.read(path)
    material.read_figures(results or RESULTS)
    interrupted = False
    if not material.played and not no_run:
        traffics = [named_trace(name).limited(limit) for name in shipped()]
        comparisons = compare_traffics(traffics, engine=engine, mode=Mode.FULL, timing=timing,
                                       seed=0)
        for traffic in traffics:
            comparison = comparisons.get(traffic.name)
            if comparison is None or not comparison.results:
                continue
            material.played.append(Played(
                comparison=comparison, trace=traffic.as_dict(), config=config_dict(engine),
                command=f"casemate sim {traffic.name} --limit {limit} --config {config} "
                f"--dram {dram}"))
        interrupted = any(each.interrupted for each in comparisons.values())
        _report_failures([each.failure for each in comparisons.values()])
    if not material.campaigns and not no_run and not interrupted:
        interrupted = _attack(material, trials)

    write_bytes(output, render_page(material, day=date.today()).encode())
    typer.echo(f"page: {output}", err=True)
    if interrupted:
        complain("interrupted; what had finished is on the page")
        raise typer.Exit(INTERRUPTED)


def _attack(material: Material, trials: int) -> bool:
    """Add a fresh campaign; return whether Ctrl-C ended it."""
    from casemate_sim.page.material import Campaign, attack_command

    engine = attacked(find_config(_ATTACKED))
    try:
        outcomes, interrupted = run_trials(engine, plan(trials, 0))
    except ToolError as error:
        _report_failures([error])
        return False
    content = campaign_dict(outcomes, engine, 0, model=False, interrupted=interrupted)
    material.campaigns.append(Campaign(content=content, command=attack_command(content)))
    return interrupted


def _report_failures(failures: list[Exception | None]) -> None:
    """Say on stderr what could not be run; the page says that it is not there."""
    for failure in failures:
        if failure is not None:
            complain(message_of(failure), error=failure)


def _versions() -> dict[str, str]:
    """Return tools and packages; only the packages where the tools are missing."""
    try:
        return toolchain().versions | package_versions()
    except ToolError:
        return package_versions()
