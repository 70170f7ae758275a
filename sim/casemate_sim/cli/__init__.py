"""The command line ``casemate``: one module per command."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from casemate_sim.cli import (
    attack,
    audit,
    board,
    boot,
    compare,
    config,
    convert,
    export,
    fuse,
    litex,
    package,
    record,
    report,
    run,
    sim,
    sweep,
    synth,
    traces,
    walkthrough,
)
from casemate_sim.cli.errors import BAD_INPUT, Commands

__all__ = ["app", "main"]

app = typer.Typer(
    name="casemate", cls=Commands, invoke_without_command=True, pretty_exceptions_enable=False,
    rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]})
app.command("sim")(sim.sim)
app.command("compare")(compare.compare)
# The program's own options follow its name.
app.command("run", context_settings={"allow_interspersed_args": False})(run.run)
app.command("record", context_settings={"allow_interspersed_args": False})(record.record)
app.command("sweep")(sweep.sweep)
app.command("report")(report.report)
app.command("convert")(convert.convert)
app.command("traces")(traces.traces)
app.command("audit")(audit.audit)
app.command("boot")(boot.boot)
app.command("attack")(attack.attack)
app.command("walkthrough")(walkthrough.walkthrough)
app.command("export")(export.export)
app.command("package")(package.package)
app.command("synth")(synth.synth)
app.add_typer(board.commands, name="board")
app.add_typer(config.commands, name="config")
app.add_typer(fuse.commands, name="fuse")
app.add_typer(litex.commands, name="litex")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"casemate {version('casemate')}")
        raise typer.Exit


@app.callback()
def _casemate(
    context: typer.Context,
    _version: Annotated[bool, typer.Option(
        "--version", callback=_print_version, is_eager=True,
        help="Print the version and exit.")] = False,
) -> None:
    """Memory encryption between a host and its DRAM, simulated cycle by cycle.

    Exit codes: 0 done, 1 the run shows a fault, 2 wrong input or a file that cannot be written,
    3 a missing tool, 130 Ctrl-C.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(BAD_INPUT)


def main() -> None:
    """Run the command line."""
    app()
