"""What the options of Verilator and of the C++ compiler are worth: speed and build time.

Every variant changes one thing of what `casemate_sim.native.library` uses. Variants take turns, so
that a machine whose speed drifts is fair to all.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from casemate.config import EngineConfig, preset
from casemate_sim.build import COMPILE_FLAGS
from casemate_sim.dram.timing import timing_preset
from casemate_sim.figures import Figure, FigureBook
from casemate_sim.model.keys import derive_key
from casemate_sim.native.library import VERILATOR_OPTIONS, build_library
from casemate_sim.native.simulation import NativeSimulation
from casemate_sim.player_config import PlayerConfig
from casemate_sim.tenant import DOMAIN, secrets_of_seed
from casemate_sim.toolchain import toolchain
from casemate_sim.workload import generate
from rich.console import Console

CYCLES = 60_000
ROUNDS = 5


def _without(*words: str) -> tuple[str, ...]:
    return tuple(option for option in VERILATOR_OPTIONS if option not in words)


VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "as_used": (VERILATOR_OPTIONS, COMPILE_FLAGS),
    "compiler_O1": (VERILATOR_OPTIONS, ("-O1", *COMPILE_FLAGS[1:])),
    "compiler_O3": (VERILATOR_OPTIONS, ("-O3", *COMPILE_FLAGS[1:])),
    "compiler_Os": (VERILATOR_OPTIONS, ("-Os", *COMPILE_FLAGS[1:])),
    "without_assertions": ((*_without("--assert"), "--no-assert"), COMPILE_FLAGS),
    "files_not_split": (VERILATOR_OPTIONS[:VERILATOR_OPTIONS.index("--output-split")],
                        COMPILE_FLAGS),
}


def _start(config: EngineConfig, library: Path) -> NativeSimulation:
    """Return a simulation under full load that lasts longer than the measurement."""
    simulation = NativeSimulation(library)
    simulation.configure(PlayerConfig().settings(config), timing_preset("fixed-latency"))
    secrets = secrets_of_seed(0)
    for index, name in enumerate(("K1", "K2")):
        simulation.load_key(0, index, derive_key(
            secrets.root_key, secrets.boot_nonce, name, DOMAIN, 0, config.aes_bits))
    simulation.wait_idle()
    simulation.set_slot(0, DOMAIN, encrypt=True, authenticate=False)
    simulation.load_records(generate("random", count=ROUNDS * CYCLES, footprint_bytes=64 << 10,
                                     seed=1, read_share=0.5))
    return simulation


def figures(names: list[str]) -> Iterator[Figure]:
    """Build every variant, then let them run in turns."""
    config = preset("ecp5")
    built, running, speeds = {}, {}, {name: [] for name in names}
    for name in names:
        options, flags = VARIANTS[name]
        library = build_library(config, bare=False, options=options, cpp_flags=flags)
        built[name] = json.loads((library.parent / "build.json").read_text())["seconds"]
        Console(stderr=True).print(f"{name}: built in {built[name]:.0f} s")
        running[name] = _start(config, library)
    order = list(names)
    for round_number in range(ROUNDS):
        random.Random(round_number).shuffle(order)
        for name in order:
            begun = time.perf_counter()
            running[name].run(CYCLES)
            speeds[name].append(CYCLES / (time.perf_counter() - begun))
    used = statistics.median(speeds[names[0]])
    for name in names:
        shared = {"config": config.name, "verilator": VARIANTS[name][0],
                  "compiler": VARIANTS[name][1], "versions": toolchain().versions,
                  "cycles_per_second": [round(speed) for speed in speeds[name]]}
        yield Figure(name=f"sim.options.{name}.speed", unit="1", config=shared,
                     value=round(statistics.median(speeds[name]) / used, 2))
        yield Figure(name=f"sim.options.{name}.build_seconds", unit="s", config=shared,
                     value=built[name])


def main(
    names: Annotated[list[str] | None, typer.Argument(
        help=f"Which: {', '.join(VARIANTS)}; all by default. Speeds are relative to the first.",
    )] = None,
    output: Annotated[Path, typer.Option(help="File of figures.")] = Path(
        "benches/results/simulation_options.json"),
) -> None:
    """Measure; Ctrl-C keeps the variants that are built in the build cache."""
    for name in names or []:
        if name not in VARIANTS:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(VARIANTS)}")
    book = FigureBook(output)
    try:
        for figure in figures(names or list(VARIANTS)):
            book.add(figure)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        Console().print(book.table())


if __name__ == "__main__":
    typer.run(main)
