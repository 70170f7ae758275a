"""A design through Yosys; the result is kept in the cache.

The same input gives the same result, to the last bit: design, commands and version of Yosys are the
name under which it is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from amaranth.lib import wiring

from casemate_sim.build import cached, digest_of
from casemate_sim.toolchain import YOSYS, package_versions

from .devices import Family
from .netlist import INPUT
from .pins import ShiftedPins
from .sources import without_sources
from .tools import Tools

__all__ = ["Design", "design_of", "synthesize"]

_NETLIST = "netlist.json"
_RAM_REGISTERS = [Path(__file__).with_name("output_registers.py")]


@dataclass(frozen=True)
class Design:
    """What is synthesized.

    Attributes
    ----------
    name:
        For people; letters, digits and _.
    rtlil:
        The design with a top module ``top`` and the lines of the source.
    verilog:
        Texts of Verilog files whose modules it instantiates, by the files' names.
    tables:
        It has tables in LUTs, such as S-boxes: LUTs are joined to wider ones.
    """

    name: str
    rtlil: str
    verilog: Mapping[str, str] = field(default_factory=dict)
    tables: bool = False


def design_of(component: wiring.Component, name: str,
              verilog: Mapping[str, str] | None = None, *, tables: bool = False) -> Design:
    """Return a component, and the Verilog that it instantiates, between two shift registers."""
    from amaranth.back import rtlil

    return Design(name, rtlil.convert(ShiftedPins(component), name="top"), verilog or {}, tables)


def synthesize(design: Design, family: Family, tools: Tools, *,
               ram_registers: bool = False) -> Path:
    """Return the file with the mapped netlist of a design.

    Parameters
    ----------
    ram_registers:
        See :class:`Target`.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    rtlil = without_sources(design.rtlil)
    # A loop's variable is no latch, although some write it in a way that would make it one.
    commands = (*(f"read_verilog -nolatches {name}" for name in design.verilog),
                "read_rtlil design.il",
                f"setattr -set {INPUT} 1 i:*", *family.commands(tables=design.tables),
                f"write_json {_NETLIST}")

    def build(folder: Path) -> None:
        for name, text in {**design.verilog, **family.texts, "design.il": rtlil}.items():
            (folder / name).write_text(text)
        (folder / "design.ys").write_text("\n".join(commands))
        tools.run("yosys", [*YOSYS, "-q", "design.ys"], folder)
        if ram_registers and family.use_ram_registers is not None:
            netlist = json.loads((folder / _NETLIST).read_text())
            family.use_ram_registers(netlist["modules"]["top"])
            (folder / _NETLIST).write_text(json.dumps(netlist))

    key = digest_of(rtlil, dict(design.verilog), commands, dict(family.texts),
                    package_versions("pyosys"), files=_RAM_REGISTERS if ram_registers else [])
    return cached(f"netlist-{design.name}", key, build) / _NETLIST
