"""``casemate config``: what an engine's parameters are, and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import typer
from casemate.config import PRESETS, CipherConfig, EngineConfig
from rich.console import Console
from rich.table import Table

from casemate_sim.cli.show import print_json
from casemate_sim.config_file import config_dict, find_config
from casemate_sim.sizes import size_text

__all__ = ["commands"]

commands = typer.Typer(help="Show the engine's configurations.", rich_markup_mode="markdown")

_SIZES = {"data_bytes", "row_bytes"}


@commands.command("list")
def list_presets(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """List the presets."""
    if json:
        print_json({"schema": "casemate.configs/1",
                    "presets": {name: config_dict(config) for name, config in PRESETS.items()}})
        return
    table = Table(caption="bus: bits; in flight: lines being read + lines being written",
                  caption_justify="left")
    for column in ("preset", "window", "bus", "AES", "data cipher", "in flight", "slots",
                   "digest"):
        table.add_column(column, justify="left" if column in ("preset", "data cipher") else "right")
    for name, config in PRESETS.items():
        table.add_row(
            name, size_text(config.data_bytes), str(config.data_bits), str(config.aes_bits),
            _cipher(config.data_cipher), f"{config.read_entries} + {config.write_entries}",
            str(config.domain_slots), config.digest[:8])
    Console().print(table)


@commands.command("show")
def show(
    config: Annotated[str, typer.Argument(
        metavar="[PRESET|FILE]", help=f"A preset ({', '.join(PRESETS)}) or a TOML file.")] = "ecp5",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Show every parameter, what follows from them, and the memory map.

    A TOML file sets parameters by these names, on top of `preset = "..."`; `leaf`, `data_cipher`,
    `tweak_cipher`, `tree` and `tree.pad_cipher` are tables.
    """
    engine = find_config(config)
    if json:
        print_json({"schema": "casemate.config/1", **config_dict(engine)})
        return
    console = Console()
    console.print(f"[bold]{engine.name}[/], digest {engine.digest}", highlight=False)
    parameters = {name: value for name, value in _flat(engine) if name != "name"}
    console.print(_values("parameter", parameters))
    console.print(_values("derived", config_dict(engine)["geometry"]))
    console.print(_memory_map(engine))


def _cipher(cipher: CipherConfig) -> str:
    kind = "pipelined" if cipher.pipelined else "iterative"
    return f"{kind}, {cipher.sbox.value}"


def _flat(config: object, prefix: str = "") -> list[tuple[str, object]]:
    """Return the parameters of a configuration and of the ones within it."""
    values = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            values += _flat(value, f"{prefix}{field.name}.")
        else:
            values.append((prefix + field.name, value))
    return values


def _values(title: str, values: Mapping[str, object]) -> Table:
    table = Table()
    table.add_column(title, no_wrap=True)
    table.add_column("value")
    for name, value in values.items():
        table.add_row(name, _text(name, value))
    return table


def _text(name: str, value: object) -> str:
    if value is None:
        return "follows from the others" if name in ("leaf_base", "node_bases") else "none"
    if name in _SIZES and isinstance(value, int):
        return size_text(value)
    if name.endswith("_base") and isinstance(value, int):
        return f"{value:#x}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ", ".join(f"{each:,}" for each in value) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _memory_map(config: EngineConfig) -> Table:
    table = Table(caption="In external DRAM; leaves and nodes are used once a domain authenticates",
                  caption_justify="left")
    for column in ("region", "first byte", "last byte", "size"):
        table.add_column(column, justify="left" if column == "region" else "right", no_wrap=True)
    for region in config.regions:
        table.add_row(region.name, f"{region.base:#x}", f"{region.end - 1:#x}",
                      size_text(region.size))
    return table
