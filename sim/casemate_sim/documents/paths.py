"""Combinational paths from the engine's inputs to its outputs, found in the netlist."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from functools import cache
from pathlib import Path

from casemate.config import EngineConfig, preset

from .markdown import table

__all__ = ["combinational_paths", "paths"]

_REGISTERS = ("$dff", "$adff", "$sdff", "$aldff", "$memwr", "$meminit", "$check", "$print")


def _netlist(config: EngineConfig) -> dict:
    from casemate.export import rtlil
    from pyosys import libyosys

    design = libyosys.Design()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "top.il", Path(folder) / "top.json"
        source.write_text(rtlil(config))
        for command in (f"read_rtlil {source}", "hierarchy -top casemate", "proc", "flatten",
                        "opt_clean", "memory_collect", "memory_unpack", f"write_json {target}"):
            libyosys.Pass.call(design, f"tee -q {command}")
        return json.loads(target.read_text())["modules"]["casemate"]


def _stores(cell: dict) -> bool:
    """Return whether a cell's outputs follow its inputs only after a clock edge."""
    kind = cell["type"]
    return kind.startswith(_REGISTERS) or (
        kind.startswith("$memrd") and int(cell["parameters"]["CLK_ENABLE"], 2) != 0)


@cache
def combinational_paths(config: EngineConfig) -> dict[str, list[str]]:
    """Return, for each input port, the outputs that follow it within the same cycle.

    Every cell is taken to pass each of its inputs to each of its outputs: there may be fewer paths
    than these, not more.
    """
    netlist = _netlist(config)
    readers: dict[int, list[str]] = defaultdict(list)
    outputs: dict[str, list[int]] = {}
    for name, cell in netlist["cells"].items():
        if _stores(cell):
            continue
        outputs[name] = []
        for port, bits in cell["connections"].items():
            nets = [bit for bit in bits if isinstance(bit, int)]
            if cell["port_directions"][port] == "output":
                outputs[name] += nets
            else:
                for bit in nets:
                    readers[bit].append(name)
    ends: dict[int, set[str]] = defaultdict(set)
    for name, port in netlist["ports"].items():
        if port["direction"] == "output":
            for bit in port["bits"]:
                ends[bit].add(name)
    result = {}
    for name, port in netlist["ports"].items():
        if port["direction"] != "input" or name in ("clk", "rst"):
            continue
        work = list(port["bits"])
        seen, reached = set(work), set()
        while work:
            bit = work.pop()
            reached |= ends[bit]
            following = {net for cell in readers[bit] for net in outputs[cell]} - seen
            seen |= following
            work += following
        if reached:
            result[name] = sorted(reached)
    return result


def paths(name: str) -> str:
    """Return the combinational paths of a preset from inputs to outputs."""
    return table(("input", "outputs that follow it in the same cycle"), (
        (f"`{start}`", ", ".join(f"`{end}`" for end in ends))
        for start, ends in combinational_paths(preset(name)).items()))
