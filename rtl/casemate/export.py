"""Export of a configured engine as Verilog or RTLIL, with standard port names."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from amaranth import Elaboratable, Module, Signal, Value
from amaranth.back import rtlil as rtlil_back
from amaranth.lib import data, wiring
from pyosys import libyosys

from .config import EngineConfig
from .top import Casemate

_ATTRIBUTES = re.compile(r"^ *\(\* (?!ram_style\b|keep\b).*\*\)\n", re.MULTILINE)
"""All attributes but those for synthesis: what a memory is made of, and what must stay."""

_CONSTANT = re.compile(r"^  always @\*\n(    [^\n;]+ = \d+'[bodh][0-9a-fx]+;)\n", re.MULTILINE)
"""A part of a variable that never changes; `always @*` would wait for ever."""

_START = re.compile(r"if \((\\\$auto\$verilog_backend\S+) \) begin end")
"""What Yosys puts into its processes, so that they run at the start."""

_COUNTED = re.compile(r"(\\\$auto\$verilog_backend\S+\$)(\d+)(?= )")
"""A name that Yosys numbers through the whole life of the process."""

__all__ = ["FlatPorts", "convert_verilog", "flat_rtlil", "rtlil", "rtlil_to_verilog", "verilog"]


class FlatPorts(Elaboratable):
    """Wraps a component so that each port is a plain signal with a standard name.

    The name is the port's path joined with underscores, without the word `payload` of a stream;
    the fields of a structure are separate ports: ``key_slot``, ``key_name``, ``key_key``,
    ``key_valid``, ``key_ready``.

    Parameters
    ----------
    component:
        What is wrapped; it becomes the submodule ``engine``.

    Attributes
    ----------
    ports:
        The ports by name.
    inputs:
        Names of those that are inputs.

    Raises
    ------
    ValueError
        If two ports would have the same name.
    """

    def __init__(self, component: wiring.Component):
        self._component = component
        self.ports: dict[str, Signal] = {}
        self.inputs: set[str] = set()
        self._inputs: list[tuple[Value, Signal]] = []
        self._outputs: list[tuple[Signal, Value]] = []
        for path, member, value in component.signature.flatten(component):
            name = "_".join(str(part) for part in path if part != "payload")
            for leaf, inner in self._leaves(name, value):
                if leaf in self.ports:
                    raise ValueError(f"two ports would be called {leaf!r}")
                port = self.ports[leaf] = Signal(inner.shape(), name=leaf)
                if member.flow is wiring.In:
                    self.inputs.add(leaf)
                    self._inputs.append((inner, port))
                else:
                    self._outputs.append((port, inner))

    def _leaves(self, name: str, value: object) -> Iterator[tuple[str, Value]]:
        if isinstance(value, data.View) and isinstance(value.shape(), data.StructLayout):
            for field, _ in value.shape():
                yield from self._leaves(f"{name}_{field}", value[field])
        else:
            yield name, Value.cast(value)  # pyright: ignore[reportArgumentType]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = self._component
        m.d.comb += [inner.eq(port) for inner, port in self._inputs]
        m.d.comb += [port.eq(inner) for port, inner in self._outputs]
        return m


def _drive_constants(module: str) -> str:
    """Let a module's constant parts of variables be driven from the start, as processes are."""
    start = _START.search(module)
    if start is None:
        return module
    return _CONSTANT.sub(
        lambda found: f"  always @* begin\n    if ({start[1]} ) begin end\n{found[1]}\n  end\n",
        module)


def _renumber(verilog: str) -> str:
    """Make Yosys' numbers begin with 1, whatever the same process has exported before."""
    numbers: dict[str, int] = {}
    return _COUNTED.sub(
        lambda found: f"{found[1]}{numbers.setdefault(found[2], len(numbers) + 1)}", verilog)


def flat_rtlil(flat: FlatPorts, *, name: str) -> str:
    """Return a component with flattened ports as RTLIL."""
    ports = {key: (port, None) for key, port in flat.ports.items()}
    return rtlil_back.convert(flat, name=name, ports=ports, emit_src=False)


def rtlil_to_verilog(text: str) -> str:
    """Translate RTLIL to Verilog.

    Yosys runs inside this process (pyosys), which takes a tenth of a second where its WebAssembly
    build takes a minute.
    """
    design = libyosys.Design()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "top.il", Path(folder) / "top.v"
        source.write_text(text)
        for command in (f"read_rtlil {source}", "proc -nomux -norom", "memory_collect",
                        f"write_verilog -norename {target}"):
            libyosys.Pass.call(design, f"tee -q {command}")
        verilog = _ATTRIBUTES.sub("", target.read_text())
    modules = re.split(r"^(?=module )", _renumber(verilog), flags=re.MULTILINE)
    return "".join(map(_drive_constants, modules))


def convert_verilog(component: wiring.Component, *, name: str) -> str:
    """Return any component as Verilog, its ports flattened by ``FlatPorts``."""
    return rtlil_to_verilog(flat_rtlil(FlatPorts(component), name=name))


def verilog(config: EngineConfig, *, name: str = "casemate") -> str:
    """Return the engine as one Verilog file with top module `name`."""
    return convert_verilog(Casemate(config), name=name)


def rtlil(config: EngineConfig, *, name: str = "casemate") -> str:
    """Return the engine as Yosys RTLIL with top module `name`."""
    return flat_rtlil(FlatPorts(Casemate(config)), name=name)
