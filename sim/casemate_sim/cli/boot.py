"""``casemate boot``: run a program on a RISC-V core whose memory is behind the engine."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Annotated

import typer
from casemate.config import PRESETS, EngineConfig
from rich.console import Console
from rich.status import Status

from casemate_sim.cli.errors import (
    BAD_INPUT,
    FAULT,
    INTERRUPTED,
    InputError,
    complain,
    expected_code,
    message_of,
)
from casemate_sim.cli.inputs import check_result
from casemate_sim.cli.options import DramOption, KeySeedOption
from casemate_sim.cli.show import STDOUT, write_result
from casemate_sim.cli.sim import timing_of
from casemate_sim.config_file import find_config
from casemate_sim.cpu.program import Program, find_program, shipped
from casemate_sim.cpu.strike import STRIKES, Strike, target_of
from casemate_sim.modes import MODES, with_tree
from casemate_sim.toolchain import ToolError

__all__ = ["boot"]

_ALL = "all"
_ATTACK = "Attack the running program"


def boot(
    program: Annotated[str, typer.Argument(
        help="An ELF file for rv32im or a raw image for address 0, or the name of a shipped "
        f"program: {', '.join(shipped())}.", show_default=False)],
    mode: Annotated[list[str] | None, typer.Option(
        metavar="MODE", help=f"{', '.join(MODES)}, or {_ALL} of them; may be repeated. The first "
        "one is what others are compared with. full if not given.", show_default=False)] = None,
    core: Annotated[str, typer.Option(
        metavar="NAME", help="The core: vexriscv, which has caches, or picorv32, which has "
        "none.")] = "vexriscv",
    config: Annotated[str, typer.Option(
        metavar="PRESET|FILE", help=f"The engine: a preset ({', '.join(PRESETS)}) or a TOML file; "
        "its data window becomes the program's memory, and it gets a tree if it has none, in all "
        "modes.")] = "tiny",
    dram: DramOption = "ddr3-1066",
    seed: KeySeedOption = 0,
    limit: Annotated[int, typer.Option(
        min=1, metavar="N", help="Cycles after which the program is given up.")] = 100_000_000,
    attack: Annotated[str | None, typer.Option(
        metavar="NAME", help=f"Attack DRAM while the program runs: {', '.join(STRIKES)}.",
        rich_help_panel=_ATTACK, show_default=False)] = None,
    at: Annotated[int | None, typer.Option(
        min=2, metavar="CYCLE", help="When it strikes.", rich_help_panel=_ATTACK,
        show_default=False)] = None,
    target: Annotated[str | None, typer.Option(
        metavar="SYMBOL|ADDRESS", help="What it aims at: a line of this symbol of the program, or "
        "of this address; its `working_set` if not given.", rich_help_panel=_ATTACK,
        show_default=False)] = None,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write everything measured as JSON; `-` is stdout, and the program's "
        "console then goes to stderr.", show_default=False)] = None,
) -> None:
    """Run a program on a RISC-V core whose memory is DRAM behind the engine.

    Instructions, stack and heap lie in DRAM, encrypted and authenticated as the mode says; core,
    engine and DRAM are simulated cycle by cycle. What the program writes to its console appears as
    it is written. Exit code 1: the program ended with another code than 0, or the engine complained
    of something. Ctrl-C keeps the modes that finished.

    Examples: `casemate boot sha256`; `casemate boot quicksort --mode all`;
    `casemate boot chase --attack flip_data --at 100000`.
    """
    # What a mode costs must not be mixed with what hardware it could do without.
    engine, timing = with_tree(find_config(config)), timing_of(dram)
    modes = _modes(mode or ["full"])
    check_result(json)
    loaded = find_program(program)
    strike = _strike(loaded, engine, attack, at, target, seed)

    from casemate_sim.cpu.boot import BootResult
    from casemate_sim.cpu.boot import boot as run
    from casemate_sim.cpu.report import boot_dict, boot_table, verdict
    from casemate_sim.native.model import SimulationError

    results: list[BootResult] = []
    failure = None
    terminal = sys.stderr if json == STDOUT else sys.stdout
    for each in modes:
        try:
            with _Terminal(each, terminal, silent=bool(results)) as shown:
                results.append(run(loaded, core=core, config=engine, mode=each, dram=timing,
                                   seed=seed, strike=strike, limit=limit,
                                   progress=shown.progress))
        except KeyboardInterrupt:
            break
        except (ToolError, SimulationError) as error:
            failure = error
            break
        except ValueError as error:
            raise InputError(str(error)) from error
        if results[-1].interrupted:
            break
    if results:
        console = Console(stderr=json == STDOUT)
        console.print(boot_table(results))
        for text in verdict(results):
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        write_result(json, boot_dict(results))
    _leave(results, modes, failure)


def _modes(names: list[str]) -> list[str]:
    for name in names:
        if name not in (*MODES, _ALL):
            raise InputError(f"--mode {name!r} is unknown; there are {', '.join(MODES)}, {_ALL}")
    return list(MODES) if _ALL in names else list(dict.fromkeys(names))


def _strike(program: Program, config: EngineConfig, attack: str | None, at: int | None,
            target: str | None, seed: int) -> Strike | None:
    """Return the attack that the options describe."""
    from casemate_sim.cpu.boot import machine_config

    if attack is None:
        for name, value in (("--at", at), ("--target", target)):
            if value is not None:
                raise InputError(f"{name} needs --attack")
        return None
    if at is None:
        raise InputError("--attack needs --at CYCLE: when it strikes")
    try:
        first, size = target_of(program, target, machine_config(config))
        return Strike(attack=attack, cycle=at, first=first, size=size, seed=seed)
    except ValueError as error:
        raise InputError(str(error)) from None


def _leave(results: list, modes: list[str], failure: Exception | None) -> None:
    """Leave with the exit code that the runs deserve, if they were not all right."""
    if failure is not None:
        complain(message_of(failure), error=failure)
        raise typer.Exit(expected_code(failure) or BAD_INPUT)
    if len(results) < len(modes) or results[-1].interrupted:
        complain("interrupted; " + ("what had finished is above" if results else
                                    "nothing had begun"))
        raise typer.Exit(INTERRUPTED)
    if not all(run.ok for run in results) or len({run.output for run in results}) > 1:
        raise typer.Exit(FAULT)


class _Terminal:
    """The program's console, and on stderr what the simulation does; a context manager."""

    def __init__(self, mode: str, stream, *, silent: bool) -> None:
        self._mode, self._stream, self._silent = mode, stream, silent
        console = Console(stderr=True)
        self._live = console.is_terminal
        self._status = Status(f"{mode}: building the model (once), sealing the memory ...",
                              console=console)
        if not self._live:
            console.print(f"{mode}: building the model if it is new, then running ...",
                          highlight=False)

    def __enter__(self) -> _Terminal:
        if self._live:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._status.stop()

    def progress(self, cycles: int, seconds: float, written: bytes) -> None:
        """Show what a program wrote, and how far it is while its console is at a line's start."""
        speed = f", {cycles / seconds / 1000:,.0f} k/s" if seconds > 0 else ""
        self._status.update(f"{self._mode}: {cycles:,} cycles{speed}")
        if not written or self._silent:
            return
        self._status.stop()
        self._stream.write(written.decode(errors="replace"))
        self._stream.flush()
        if self._live and written.endswith(b"\n"):
            self._status.start()
