"""``casemate package``: the engine as a folder for FuseSoC, Vivado and other flows."""

from __future__ import annotations

import json as json_format
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from casemate_sim.cli.errors import InputError
from casemate_sim.cli.export import check_module_name
from casemate_sim.cli.inputs import check_directory
from casemate_sim.cli.options import EngineOption
from casemate_sim.cli.show import print_facts, print_json
from casemate_sim.config_file import find_config
from casemate_sim.exported import export_engine
from casemate_sim.sizes import size_text

__all__ = ["package"]


def package(
    folder: Annotated[Path, typer.Argument(
        metavar="FOLDER", help="Folder to write; an older package in it is replaced.",
        show_default=False)],
    config: EngineOption = "ecp5",
    name: Annotated[str, typer.Option(
        metavar="NAME", help="Name of the top module.")] = "casemate",
    mhz: Annotated[float, typer.Option(
        metavar="MHZ", help="Frequency of the clock in the constraints.")] = 100.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Write the engine as a folder that other design flows take as it is.

    Verilog, constraints, a core file for FuseSoC, a script that makes Vivado write an IP-XACT
    component, C headers of registers and memory map, a README, and a manifest with the SHA-256 of
    every file. The same configuration and tools give the same bytes.

    Example: `casemate package build/casemate_ip --config ecp5 --mhz 110`.
    """
    from casemate_sim.package.contents import MANIFEST, package_files
    from casemate_sim.package.folder import check_replaceable, write_folder

    engine = find_config(config)
    check_module_name(name)
    if not 1 <= mhz <= 2000:
        raise InputError(f"--mhz {mhz:g}: 1 to 2000 megahertz")
    check_directory(folder.parent, "FOLDER")
    check_replaceable(folder)

    files = package_files(export_engine(engine, name=name), mhz=mhz)
    write_folder(folder, files)
    if json:
        print_json(json_format.loads(files[MANIFEST]) | {"folder": str(folder)})
        return
    print_facts({
        "folder": str(folder), "module": name, "configuration": f"{engine.name} ({engine.digest})",
        "files": ", ".join(files),
        "size": size_text(sum(map(len, files.values()))),
        "manifest": f"SHA-256 {sha256(files[MANIFEST]).hexdigest()}"}, Console())
