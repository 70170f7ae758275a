"""``casemate export``: the engine as Verilog or RTLIL."""

from __future__ import annotations

import enum
import json
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from casemate.config import PRESETS
from rich.console import Console

from casemate_sim.cli.errors import InputError
from casemate_sim.cli.inputs import check_output
from casemate_sim.cli.show import STDOUT, print_facts, write_bytes
from casemate_sim.config_file import config_dict, find_config
from casemate_sim.sizes import size_text
from casemate_sim.toolchain import package_versions

__all__ = ["export"]


class Language(enum.StrEnum):
    """What can be exported."""

    VERILOG = "verilog"
    RTLIL = "rtlil"


def export(
    output: Annotated[str, typer.Option(
        "-o", "--output", metavar="FILE", help="File to write; `-` is stdout, which then gets "
        "nothing else.", show_default=False)],
    config: Annotated[str, typer.Option(
        metavar="PRESET|FILE",
        help=f"The engine: a preset ({', '.join(PRESETS)}) or a TOML file.")] = "ecp5",
    language: Annotated[Language, typer.Option(
        "--format", metavar="FORMAT",
        help="verilog, or rtlil, which is Yosys' own.")] = Language.VERILOG,
    name: Annotated[str, typer.Option(
        metavar="NAME", help="Name of the top module.")] = "casemate",
    manifest: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write configuration, digest, versions, memory map and ports as "
        "JSON.", show_default=False)] = None,
) -> None:
    """Write the engine as one file of Verilog or RTLIL for any design flow.

    Example: `casemate export --config latency -o casemate.v --manifest casemate.json`.
    """
    engine = find_config(config)
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"--name {name!r} is no name of a module: letters, digits and _")
    if output != STDOUT:
        check_output(Path(output), "--output")
    check_output(manifest, "--manifest")

    from casemate.export import FlatPorts, flat_rtlil, rtlil_to_verilog
    from casemate.top import Casemate

    flat = FlatPorts(Casemate(engine))
    text = flat_rtlil(flat, name=name)
    if language is Language.VERILOG:
        text = rtlil_to_verilog(text)
    content = text.encode()
    if output == STDOUT:
        typer.echo(text, nl=False)
    else:
        write_bytes(Path(output), content)
    if manifest is not None:
        write_bytes(manifest, json.dumps({
            "schema": "casemate.export/1", "file": output, "format": language.value,
            "module": name, "bytes": len(content), "sha256": sha256(content).hexdigest(),
            "config": config_dict(engine),
            "versions": package_versions("casemate", "amaranth", "pyosys"),
            "clock": "clk", "reset": "rst",
            "ports": {port: {"width": len(signal),
                             "direction": "input" if port in flat.inputs else "output"}
                      for port, signal in flat.ports.items()},
        }, indent=1).encode() + b"\n")
    if output != STDOUT:
        print_facts({
            "file": output, "format": language.value, "module": name,
            "configuration": f"{engine.name} ({engine.digest})", "size": size_text(len(content)),
            "lines of text": f"{text.count(chr(10)):,}"}, Console())
