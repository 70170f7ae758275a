"""``casemate export``: the engine as Verilog or RTLIL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from casemate_sim.cli.errors import InputError
from casemate_sim.cli.inputs import check_output
from casemate_sim.cli.options import EngineOption
from casemate_sim.cli.show import STDOUT, print_facts, write_bytes
from casemate_sim.config_file import find_config
from casemate_sim.exported import Language, export_engine
from casemate_sim.sizes import size_text

__all__ = ["check_module_name", "export"]


def check_module_name(name: str) -> None:
    """Refuse what is no name of a module.

    Raises
    ------
    InputError
        If it is none.
    """
    if not (name.isascii() and name.isidentifier()):
        raise InputError(f"--name {name!r} is no name of a module: letters, digits and _")


def export(
    output: Annotated[str, typer.Option(
        "-o", "--output", metavar="FILE", help="File to write; `-` is stdout, which then gets "
        "nothing else.", show_default=False)],
    config: EngineOption = "ecp5",
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
    check_module_name(name)
    if output != STDOUT:
        check_output(Path(output), "--output")
    check_output(manifest, "--manifest")

    exported = export_engine(engine, name=name, language=language)
    if output == STDOUT:
        typer.echo(exported.text, nl=False)
    else:
        write_bytes(Path(output), exported.content)
    if manifest is not None:
        write_bytes(manifest, json.dumps(
            {"schema": "casemate.export/1", **exported.as_dict(output)}, indent=1).encode() + b"\n")
    if output != STDOUT:
        print_facts({
            "file": output, "format": language.value, "module": name,
            "configuration": f"{engine.name} ({engine.digest})",
            "size": size_text(len(exported.content)),
            "lines of text": f"{exported.text.count(chr(10)):,}"}, Console())
