"""A component as the netlist that synthesis makes of it for an ECP5, in Verilog that simulates.

The netlist is that of ``casemate synth --ram-registers``. Its cells are those of Yosys's own
models, but for block RAM, of which Yosys has none: ``block_ram.vh``.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from casemate_sim.build import source_files
from casemate_sim.toolchain import YOSYS, ToolError

from .devices import ECP5
from .flow import Design, synthesize
from .tools import Tools

__all__ = ["SOURCES", "check_block_ram", "mapped_verilog"]

SOURCES = tuple(source_files(Path(__file__).parent, suffixes=(".py", ".vh")))
"""Files that a netlist depends on, beside the hardware's."""

_BLOCK_RAM = Path(__file__).with_name("block_ram.vh")

_SETTINGS = {
    "CSDECODE_A": "0b000", "CSDECODE_B": "0b000",
    "CLKAMUX": "CLKA", "CLKBMUX": "CLKB", "GSR": "DISABLED"}
_UNUSED = ("RSTA", "RSTB", "WEB", *(f"CS{port}{bit}" for port in "AB" for bit in range(3)))
_ROWS, _TABLES = 36, (9, 18)


def check_block_ram(name: str, cell: Mapping[str, Any]) -> None:
    """Check that a cell ``DP16KD`` of Yosys's JSON is one that ``block_ram.vh`` models.

    Raises
    ------
    ToolError
        If it is not; the message has its name.
    """
    settings, pins = cell["parameters"], cell["connections"]
    wrong = [f"{key} is {settings.get(key)}" for key, value in _SETTINGS.items()
             if settings.get(key) != value]
    wrong += [f"{pin} is used" for pin in _UNUSED if pins[pin] != ["0"]]
    wrong += [f"OCE{port} is used" for port in "AB"
              if settings[f"REGMODE_{port}"] == "OUTREG" and pins[f"OCE{port}"] != ["1"]]
    widths = [int(settings[f"DATA_WIDTH_{port}"], 2) for port in "AB"]
    if widths == [_ROWS, _ROWS]:
        if pins["CLKA"] != pins["CLKB"]:
            wrong.append("its ports have two clocks")
        if {settings["REGMODE_A"], settings["REGMODE_B"]} != {"NOREG"}:
            wrong.append("its rows go through output registers")
    elif not set(widths) <= set(_TABLES):
        wrong.append(f"its ports have {widths[0]} and {widths[1]} bits")
    elif pins["WEA"] != ["0"]:
        wrong.append("WEA is used")
    if wrong:
        raise ToolError(f"block RAM {name} has no model: {', '.join(wrong)}")


def _models() -> str:
    """Return the models of all cells in one text."""
    import pyosys

    folder = Path(pyosys.__file__).parent / "share" / "ecp5"
    text = re.sub(r'^`include "(.+)"$', lambda found: (folder / found[1]).read_text(),
                  (folder / "cells_sim.v").read_text(), flags=re.MULTILINE)
    text = "`define NO_INCLUDES\n" + text  # wrappers with the names of another tool
    return re.sub(r"(^module DP16KD\(.*?)^endmodule\n", lambda found: found[1] +
                  _BLOCK_RAM.read_text(), text, count=1, flags=re.MULTILINE | re.DOTALL)


def mapped_verilog(component: wiring.Component, *, name: str) -> str:
    """Return a component's netlist for an ECP5 with the models of its cells.

    Top module and ports are those of ``casemate.export.convert_verilog``; assertions are not in it.
    The netlist is kept in the cache.

    Raises
    ------
    ToolError
        If Yosys fails, or uses a block RAM in a mode that has no model.
    """
    from casemate.export import FlatPorts, flat_rtlil

    design = Design(name, flat_rtlil(FlatPorts(component), name="top"))
    with Tools() as tools, tempfile.TemporaryDirectory() as folder:
        netlist = synthesize(design, ECP5, tools, ram_registers=True)
        for cell_name, cell in json.loads(netlist.read_text())["modules"]["top"]["cells"].items():
            if cell["type"] == "DP16KD":
                check_block_ram(cell_name, cell)
        script, target = Path(folder) / "write.ys", Path(folder) / "netlist.v"
        script.write_text(f"read_json {netlist}\nrename top {name}\n"
                          f"write_verilog -noattr {target}\n")
        tools.run("yosys", [*YOSYS, "-q", str(script)], Path(folder))
        return target.read_text() + _models()
