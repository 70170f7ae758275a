"""What each mode costs programs on a RISC-V core; writes build/cpu.json.

``python benches/cpu.py`` runs all programs on all cores, in an hour or so; options choose fewer.
Simulated cycles are exact. The speeds of simulation, with the engine and without, are measured in
turns within one run; their ratio is what counts.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from casemate.config import EngineConfig
from casemate_sim.config_file import find_config
from casemate_sim.cpu.boot import BootResult, boot
from casemate_sim.cpu.hardware.cores import CORES
from casemate_sim.cpu.program import find_program, shipped
from casemate_sim.figures import Figure
from casemate_sim.modes import MODES, with_tree
from common import Report, keep
from rich.console import Console
from rich.status import Status

SPEED_PROGRAM, SPEED_ROUNDS = "mixed", 7
SPEED_TARGET = 0.5


def config_of(run: BootResult) -> dict[str, object]:
    """Return what is needed to run it again."""
    return {"versions": dict(run.versions), **{name: getattr(run, name) for name in (
        "config", "config_digest", "dram", "core", "program", "seed", "cycles")}}


def cost(core: str, program: str, config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Run a program in all modes; its output must be the same in all."""
    runs: dict[str, BootResult] = {}
    for mode in MODES:
        report(f"{program} on {core}: {mode}")
        run = runs[mode] = boot(find_program(program), core=core, config=config, mode=mode)
        bare = runs["bare"]
        if run.interrupted:
            raise KeyboardInterrupt
        if not run.ok or run.output != bare.output:
            raise RuntimeError(f"{program} on {core}, {mode}: exit code {run.code}, alarms "
                               f"{run.alarms}, output {run.output!r}")
        slowdown = mode != "bare"
        yield Figure(
            name=f"{mode}.{core}_{program}.{'slowdown' if slowdown else 'cycles'}",
            value=run.cycles / bare.cycles if slowdown else run.cycles,
            unit="1" if slowdown else "cycles", config=config_of(run))


def speed(core: str, config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Compare the speeds of simulation with and without the engine, in turns.

    Speeds are cycles by second of processor time, so that other work on the machine hardly counts.
    """
    runs: dict[str, list[BootResult]] = {"bare": [], "full": []}
    for number in range(SPEED_ROUNDS):
        for mode, finished in runs.items():
            report(f"speed of {core}: round {number + 1}, {mode}")
            finished.append(boot(find_program(SPEED_PROGRAM), core=core, config=config, mode=mode))
    medians = {}
    for mode, finished in runs.items():
        speeds = [run.cycles / run.processor_seconds for run in finished]
        medians[mode] = median(speeds)
        yield Figure(name=f"{mode}.{core}_{SPEED_PROGRAM}.simulation_speed",
                     value=round(medians[mode]), unit="cycles/s",
                     config=config_of(finished[0]) | {"all": [round(speed) for speed in speeds]})
    asleep = runs["full"][0]
    yield Figure(name=f"full.{core}_{SPEED_PROGRAM}.simulation_slept",
                 value=asleep.slept / asleep.cycles, unit="1", config=config_of(asleep))
    yield Figure(name=f"full.{core}_{SPEED_PROGRAM}.simulation_speed_over_bare",
                 value=medians["full"] / medians["bare"], unit="1",
                 target=f">= {SPEED_TARGET}", config=config_of(asleep))


def main(
    core: Annotated[list[str] | None, typer.Option(help="Only this core.")] = None,
    program: Annotated[list[str] | None, typer.Option(help="Only this program.")] = None,
    config: Annotated[str, typer.Option(help="The engine.")] = "tiny",
    costs: Annotated[bool, typer.Option(help="Measure what each mode costs.")] = True,
    speeds: Annotated[bool, typer.Option(help="Measure speeds of simulation.")] = True,
    output: Annotated[Path, typer.Option(help="File of figures.")] = Path("build/cpu.json"),
) -> None:
    """Measure; Ctrl-C keeps what is finished."""
    engine = with_tree(find_config(config))
    names = program or [name for name in shipped() if name != "hello"]

    def figures(report: Report) -> Iterator[Figure]:
        for each in core or list(CORES):
            for name in names if costs else ():
                yield from cost(each, name, engine, report)
            if speeds:
                yield from speed(each, engine, report)

    with Status("", console=Console(stderr=True)) as status:
        keep(figures(status.update), output)


if __name__ == "__main__":
    typer.run(main)
