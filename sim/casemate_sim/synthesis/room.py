"""Room around crowded nets: LUTs that are placed, but gone when the design is routed.

A placer counts LUTs, not wires: where every LUT has many wires, as in ciphers and multipliers, it
packs more than the wires of that place can carry, while others stay empty. So a design is placed
twice. In the first placement the router finds nets of which many share the same wires; in the
second, LUTs that do nothing stand at those nets, and so between what they join.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from itertools import cycle, islice
from typing import Any

__all__ = [
    "HEATMAPS", "HEATMAP_OPTIONS", "MARGIN", "add_room", "crowded_nets", "heatmap",
    "look_further", "remove_room"]

HEATMAP_OPTIONS = ("--router2-heatmap", "heat")
"""Options of nextpnr for files that tell what is crowded, after each iteration of its router."""

HEATMAPS = "heat_*.csv"
"""Pattern of these files."""

# Wires that are free may be outside of the box around a net's pins; nextpnr's default is 3.
MARGIN = 6
"""Tiles around that box, in which a wire is looked for."""

_PREFIX = "room$"


def heatmap(iteration: int) -> str:
    """Return the name of the file that tells which nets are crowded after an iteration."""
    return f"heat_congestion_by_net_{iteration}.csv"


def crowded_nets(lines: Iterable[str]) -> dict[str, int]:
    """Return how many wires each net shares with others, from the lines of ``heatmap``."""
    return {row[0]: int(row[1]) for row in csv.reader(lines) if len(row) > 1}


def add_room(top: dict[str, Any], crowded: Mapping[str, int], luts: int) -> None:
    """Put LUTs at crowded nets of a mapped module of Yosys's JSON, the same number at each.

    Parameters
    ----------
    top:
        The module.
    crowded:
        See ``crowded_nets``; those that share most come first, nets that block RAMs drive are left
        out: a block RAM stays where it is.
    luts:
        How many.
    """
    bits = {}
    for name, net in top["netnames"].items():
        for index, bit in enumerate(net["bits"]):
            bits[f"{name}[{index}]" if len(net["bits"]) > 1 else name] = bit
    movable = {bit for cell in top["cells"].values() if cell["type"] in ("LUT4", "TRELLIS_FF")
               for port in ("Z", "Q") for bit in cell["connections"].get(port, ())}
    ordered = dict.fromkeys(bits[name] for name in sorted(crowded, key=lambda name: (
        -crowded[name], name)) if bits.get(name) in movable)
    unused = 1 + max((bit for net in top["netnames"].values() for bit in net["bits"]
                      if isinstance(bit, int)), default=1)
    for number, bit in enumerate(islice(cycle(ordered), luts)):
        output = unused + number
        top["cells"][f"{_PREFIX}{number}"] = {
            "hide_name": 0, "type": "LUT4", "parameters": {"INIT": "0" * 16},
            "attributes": {"keep": "1"},
            "port_directions": dict.fromkeys("ABCD", "input") | {"Z": "output"},
            "connections": {"A": [bit], "B": ["0"], "C": ["0"], "D": ["0"], "Z": [output]}}
        top["netnames"][f"{_PREFIX}{number}_output"] = {
            "hide_name": 0, "bits": [output], "attributes": {}}


def remove_room(top: dict[str, Any]) -> None:
    """Take the LUTs out of a placed module of nextpnr's JSON."""
    for kind in ("cells", "netnames"):
        top[kind] = {name: each for name, each in top[kind].items()
                     if not name.startswith(_PREFIX)}


def look_further(top: dict[str, Any]) -> None:
    """Let nextpnr's router look for wires in :data:`MARGIN`, in a placed module of its JSON."""
    top["settings"] |= {f"router2/bbMargin/{axis}": str(MARGIN) for axis in "xy"}
