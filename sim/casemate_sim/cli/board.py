"""``casemate board``: bitstreams of real boards, their self-test, and a board in simulation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from casemate.config import PRESETS
from rich.console import Console
from rich.status import Status

from casemate_sim.cli.errors import FAULT, InputError
from casemate_sim.cli.inputs import check_directory, check_result
from casemate_sim.cli.show import STDOUT, print_facts, print_json, write_result
from casemate_sim.cli.steps import show_step, steps_dict, verdict_of
from casemate_sim.config_file import config_dict, find_config
from casemate_sim.fuse_file import read_fuses
from casemate_sim.synthesis.devices import ROUTER

if TYPE_CHECKING:
    from casemate_sim.board.config import BoardConfig

__all__ = ["commands"]

commands = typer.Typer(help="Put the engine on an FPGA board, test it, or simulate the board.",
                       rich_markup_mode="markdown")

_SIMULATED_SECONDS = 60.0  # for an answer: this machine may be busy

_Config = Annotated[str, typer.Option(
    "--config", metavar="PRESET|FILE", help=f"The engine: a preset ({', '.join(PRESETS)}) or a "
    "TOML file. Tree, key manager and fuses are added if it has none. All of its memory is block "
    "RAM.")]
_Fuses = Annotated[Path | None, typer.Option(
    metavar="FILE", help="What the fuses hold from the beginning, see `casemate fuse build`: it "
    "will be in the bitstream, for everybody to read. Blank by default.", show_default=False)]


def _board_config(config: str, fuses: Path | None = None) -> BoardConfig:
    """Return what the options ask for; InputError if it does not fit a board."""
    from casemate_sim.board.access import ADDRESS_BITS
    from casemate_sim.board.config import BoardConfig
    from casemate_sim.board.memory import memory_bytes
    from casemate_sim.board.registers import MEMORY_BASE
    from casemate_sim.modes import with_fuses

    engine = with_fuses(find_config(config))
    size, most = memory_bytes(engine), (1 << ADDRESS_BITS) - MEMORY_BASE
    if size > most:
        raise InputError(f"--config {config}: its memory has {size:,} bytes with leaves and nodes; "
                         f"block RAM on a board has at most {most:,}: choose a smaller data_bytes")
    return BoardConfig(engine=engine, fuses=tuple(read_fuses(fuses)) if fuses else ())


@contextmanager
def _status(text: str) -> Iterator[Status]:
    """Show what goes on, on stderr."""
    with Status(text, console=Console(stderr=True)) as status:
        yield status


@commands.command("build")
def build(
    board: Annotated[str, typer.Argument(
        metavar="BOARD", help="ulx3s_85f or ecpix5_85f.", show_default=False)],
    config: _Config = "tiny",
    fuses: _Fuses = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the placement.")] = 1,
    router: Annotated[str, typer.Option(
        metavar="NAME", help="The router of nextpnr: router1 is for small engines.")] = ROUTER,
    output: Annotated[Path | None, typer.Option(
        "-o", "--output", metavar="FOLDER", help="Where everything goes; build/BOARD by default.",
        show_default=False)] = None,
    json: Annotated[str | None, typer.Option(
        "--json", metavar="FILE", help="Write the report as JSON; `-` is stdout.",
        show_default=False)] = None,
) -> None:
    """Build a bitstream with open tools, and say how to load it.

    Half an hour or more of yosys and nextpnr, from the Python packages of
    `pip install 'casemate[board]'`. The same source makes the same bitstream.

    Exit code 0: it meets timing; 1: it does not.
    """
    from casemate_sim.board.build import build_bitstream
    from casemate_sim.board.platforms import BOARDS, OnBoard
    from casemate_sim.board.top import BoardTop

    if board not in BOARDS:
        raise InputError(f"no board is called {board!r}; there are {', '.join(BOARDS)}")
    kind, chosen = BOARDS[board], _board_config(config, fuses)
    folder = output or Path("build") / board
    check_directory(folder, "--output")
    folder.mkdir(parents=True, exist_ok=True)  # what --json names may lie in it, or beside it
    check_result(json)
    with _status("elaboration") as status:
        report = build_bitstream(OnBoard(BoardTop(chosen), kind), kind, folder, seed=seed,
                                 router=router, progress=status.update)
    write_result(json, {
        "schema": "casemate.board_build/1", "board": board, "config": config_dict(chosen.engine),
        "clock_hertz": chosen.clock_hertz} | report.as_dict())
    if json != STDOUT:
        _show_report(kind.title, kind.name, chosen, report)
    if not report.meets_timing:
        raise typer.Exit(FAULT)


def _show_report(title: str, loader: str, config: BoardConfig, report) -> None:
    """Print a report, and how to load the bitstream."""
    facts = {"board": title, "engine": f"{config.engine.name} ({config.engine.digest})"}
    for name, (wanted, reached) in report.clocks.items():
        facts[f"clock {name}"] = f"{reached:.2f} MHz, {wanted:.2f} MHz wanted"
    for name, (used, available) in report.utilisation.items():
        if available:
            facts[name] = f"{used:,} of {available:,} ({used / available:.0%})"
    facts |= {"seed": str(report.seed),
              "built in": f"{report.seconds / 60:.0f} minutes, "
              f"{report.cpu_seconds / 60:.0f} of them by a processor",
              "bitstream": report.bitstream, "sha256": report.sha256,
              "load it": f"openFPGALoader -b {loader} {report.bitstream}",
              "test it": "casemate board selftest /dev/ttyUSB0"}
    print_facts(facts, Console())


@commands.command("selftest")
def selftest(
    port: Annotated[str | None, typer.Argument(
        metavar="PORT", help="The board's serial port, such as /dev/ttyUSB0.",
        show_default=False)] = None,
    simulate: Annotated[bool, typer.Option(
        "--simulate", help="Test a board that is simulated for it instead.")] = False,
    config: _Config = "tiny",
    open_case: Annotated[bool, typer.Option(
        "--open-case", help="Let somebody open the case at the end: that burns the root key, and "
        "the board is of no use until its FPGA is configured again.")] = False,
    timeout: Annotated[float | None, typer.Option(
        min=0.1, metavar="SECONDS", help="How long to wait for an answer: 3 by default, 60 of a "
        "board that is simulated for it.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Test a board through its serial line, step by step.

    Is it this bitstream; root key, boot, a domain and its memory, a trace, a bit of memory that
    somebody changes, old memory that somebody puts back.

    Exit code 0: everything was as it must be; 1: something was not, and that is the last step; 2:
    there is no such port, no board, or another bitstream.
    """
    from casemate_sim.board.serial import TIMEOUT_SECONDS, open_port

    if simulate == (port is not None):
        raise InputError("either PORT or --simulate: which board is tested?")
    chosen = _board_config(config)
    if port is not None:
        with open_port(port, baud=chosen.baud, timeout=timeout or TIMEOUT_SECONDS) as transport:
            _selftest(transport, chosen, open_case, json)
        return
    from casemate_sim.board.simulation import BoardSimulation, served, simulated

    chosen = simulated(chosen)
    with _status("building the board (some minutes, the first time)"):
        simulation = BoardSimulation(chosen)
    with served(simulation) as name, open_port(
            name, timeout=timeout or _SIMULATED_SECONDS) as transport:
        _selftest(transport, chosen, open_case, json)


def _selftest(transport, config: BoardConfig, open_case: bool, json: bool) -> None:
    from casemate_sim.board.driver import Board
    from casemate_sim.board.selftest import SelfTest

    console, steps = Console(highlight=False), []
    test = SelfTest(Board(transport, config), open_case=open_case)
    with _status("testing"):
        for step in test.steps():
            steps.append(step)
            if not json:
                show_step(console, len(steps), step)
    ok, verdict = verdict_of(steps, len(test.planned))
    if json:
        print_json({"schema": "casemate.board_selftest/1", "ok": ok, "config": config.engine.name,
                    "config_digest": config.engine.digest, "clock_hertz": config.clock_hertz,
                    "steps": steps_dict(steps),
                    "counters": None if test.run is None else dict(test.run.counters)})
    else:
        console.print(verdict)
    if not ok:
        raise typer.Exit(FAULT)


@commands.command("simulate")
def simulate(
    config: _Config = "tiny",
    fuses: _Fuses = None,
) -> None:
    """Simulate a board, and serve its serial line on a pseudo-terminal until Ctrl-C.

    Prints the terminal's name; any program that opens it speaks to the board.
    """
    from casemate_sim.board.simulation import (
        BoardSimulation,
        pseudo_terminal,
        serve,
        simulated,
    )

    chosen = simulated(_board_config(config, fuses))
    with _status("building the board (some minutes, the first time)"):
        board = BoardSimulation(chosen)
    with pseudo_terminal() as (descriptor, name):
        typer.echo(name)
        typer.echo(f"casemate board selftest {name}", err=True)
        serve(board, descriptor, lambda: False)
