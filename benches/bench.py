"""Measures everything that is promised: prints a table, writes build/bench.json.

Simulated cycles are exact: the same on every machine. Wall-clock speeds are ratios within one run.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import bandwidth
import boot
import integrity
import latency
import simulation_speed
import sizes
import sweep
import traces
import typer
import windows
from casemate.config import preset
from casemate_sim.figures import Figure
from common import Report, keep
from rich.console import Console
from rich.status import Status

ECP5 = preset("ecp5")


class Bench(StrEnum):
    """Names of the benches, in the order in which they run."""

    LATENCY = "latency"
    BANDWIDTH = "bandwidth"
    WINDOWS = "windows"
    INTEGRITY = "integrity"
    TRACES = "traces"
    SIZES = "sizes"
    BOOT = "boot"
    SWEEP = "sweep"
    SIMULATION_SPEED = "simulation_speed"


BENCHES: dict[Bench, Callable[[Report], Iterator[Figure]]] = {
    Bench.LATENCY: latency.figures,
    Bench.BANDWIDTH: lambda report: bandwidth.figures(ECP5, report),
    Bench.WINDOWS: lambda report: windows.figures(ECP5, report),
    Bench.INTEGRITY: lambda report: integrity.figures(ECP5, report),
    Bench.TRACES: lambda report: traces.figures(ECP5, report),
    Bench.SIZES: lambda report: sizes.figures(ECP5, report),
    Bench.BOOT: boot.figures,
    Bench.SWEEP: sweep.figures,
    Bench.SIMULATION_SPEED: lambda report: simulation_speed.figures(ECP5, report),
}


def main(
    benches: Annotated[list[Bench] | None, typer.Argument(help="Which; all by default.")] = None,
    output: Annotated[Path, typer.Option(help="File of figures.")] = Path("build/bench.json"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure, and fail if a target is missed; Ctrl-C keeps what is finished."""
    with Status("", console=Console(stderr=True)) as status:
        keep((figure for bench in benches or list(Bench) for figure in BENCHES[bench](
            lambda text, name=bench: status.update(f"{name}: {text}"))), output, as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
