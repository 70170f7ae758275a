"""Builds the native library of one configuration, once."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.config import EngineConfig

from casemate_sim.build import (
    COMPILE_FLAGS,
    SPLIT_OPTIONS,
    cached,
    digest_of,
    source_files,
    verilate,
)
from casemate_sim.native.roms import share_roms
from casemate_sim.toolchain import ToolError, package_versions, toolchain

if TYPE_CHECKING:
    from casemate_sim.native.memory_system import MemorySystem

__all__ = ["LIBRARY", "PLAYER", "TOP", "Host", "build_library"]

TOP = "casemate_simulation"
"""Name of the Verilated module."""

LIBRARY = "simulation.so"
"""Name of the library in its folder of the cache."""

_HERE = Path(__file__).parent

VERILATOR_OPTIONS = (
    "-O3", "--x-assign", "fast", "--x-initial", "fast", "--assert", *SPLIT_OPTIONS,
)
"""Options of Verilator; docs/simulation.md has the measurements behind them."""


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ToolError(f"the Python package {name} is not installed; run: pip install casemate")
    return Path(spec.origin).parent


@dataclass(frozen=True, kw_only=True)
class Host:
    """What drives the engine's bus in a native simulation.

    Parameters
    ----------
    name:
        First part of the names in the cache; empty for the player.
    top:
        Makes the hardware from configuration, ``bare`` and ``banks``.
    folder:
        Its Python files.
    sources:
        Its C++ and SystemVerilog, beside what all simulations have.
    verilog:
        Returns Verilog of others that the hardware instantiates.
    """

    name: str
    top: Callable[[EngineConfig, bool, int], MemorySystem]
    folder: Path
    sources: tuple[Path, ...]
    verilog: Callable[[], str] = str


def _player(config: EngineConfig, bare: bool, banks: int) -> MemorySystem:
    from casemate_sim.native.top import SimulationTop

    return SimulationTop(config, bare=bare, banks=banks)


PLAYER = Host(name="", top=_player, folder=_HERE.parent / "player",
              sources=(_HERE / "casemate_native.cpp",))
"""Plays a trace."""


def _inputs(host: Host, bare: bool) -> list[Path]:
    """Return the source files that the exported hardware depends on."""
    simulation, hardware = _HERE.parent, _package("casemate")
    folders = [simulation / "dram", host.folder, _HERE]
    folders.append(hardware / "axi" if bare else hardware)
    return source_files(*folders, suffixes=(".py",))


def _hide_temporaries(verilog: str) -> str:
    """Begin the names of wires without a name of their own with `__`: Verilator leaves them out."""
    verilog = re.sub(r"\\\$(\d+) ", r"__t\1 ", verilog)
    return re.sub(r"\\port\$(\d+)\$(\d+) ", r"__p\1_\2 ", verilog)


_ASSERTION = re.compile(
    r'if \(!(?P<condition>[^\n]+?)\)\n\s*\$write\((?P<message>"(?:[^"\\]|\\.)*"(?:, [^\n]*)?)\);\n'
    r"\s*assert \((?P=condition)\);")


def _report_assertions(verilog: str) -> str:
    """Hand messages of failed assertions to the harness; saves Verilator's own bookkeeping."""
    return _ASSERTION.sub(
        r"if (!\g<condition>) casemate_messages::casemate_failed($sformatf(\g<message>));", verilog)


def _verilog(host: Host, config: EngineConfig, *, bare: bool, banks: int, wave: bool) -> str:
    """Return the simulation's hardware as one Verilog file; `wave` leaves out temporary wires."""
    from amaranth.back import rtlil
    from casemate.export import rtlil_to_verilog

    top = host.top(config, bare, banks)
    text = _report_assertions(share_roms(rtlil_to_verilog(
        rtlil.convert(top, name=TOP, ports=top.ports, emit_src=False))))
    return (_hide_temporaries(text) if wave else text) + host.verilog()


def build_library(
    config: EngineConfig, *, bare: bool, banks: int = 8, wave: str | None = None,
    host: Host = PLAYER, options: tuple[str, ...] = VERILATOR_OPTIONS,
    cpp_flags: tuple[str, ...] = COMPILE_FLAGS,
) -> Path:
    """Return the library for `config`, building it if the cache does not have it.

    Parameters
    ----------
    config:
        The engine's configuration; of a bare wire only the widths of the bus matter.
    bare:
        True: no engine between host and DRAM.
    banks:
        Banks of the DRAM.
    wave:
        ``"vcd"``, ``"fst"`` or None for a (faster) library without waveforms.
    host:
        What drives the bus.

    Raises
    ------
    ToolError
        If a tool is missing or the build fails.
    """
    tools = toolchain()
    if wave not in (None, "vcd", "fst"):
        raise ValueError(f"a waveform is 'vcd' or 'fst', not {wave!r}")
    missing = [name for name in ("zlib.h", "lz4.h") if not _has_header(name)]
    if wave == "fst" and missing:
        raise ToolError(f"FST waveforms need the C header {' and '.join(missing)}; install it (for "
                        "example: apt-get install zlib1g-dev liblz4-dev) or write a .vcd file")
    shape = ((config.data_bits, config.address_bits, config.id_bits) if bare else config.digest)
    kind = f"{host.name}-" if host.name else ""
    kind += f"bare-{config.data_bits}" if bare else f"engine-{config.name}"
    kind += f"-{wave}" if wave else ""
    common = [_HERE / "casemate_native.sv", _HERE / "engine.cpp"]
    harness = [*common, *host.sources, *source_files(_HERE, suffixes=(".h",))]

    # Two steps, so that a change of the Python code that leaves the hardware as it is costs an
    # export and no build.
    def export(folder: Path) -> None:
        (folder / f"{TOP}.v").write_text(
            _verilog(host, config, bare=bare, banks=banks, wave=wave is not None))

    exported = cached(f"verilog-{kind}", digest_of(
        shape, bare, banks, wave is not None, package_versions("amaranth", "pyosys"),
        host.verilog(), files=_inputs(host, bare)), export) / f"{TOP}.v"

    def build(folder: Path) -> None:
        tracing = {None: (), "vcd": ("--trace-vcd",), "fst": ("--trace-fst",)}[wave]
        structures = ("--trace-structs", "--trace-max-width", "512") if wave else ()
        defines = (f"-DCASEMATE_DATA_BITS={config.data_bits}",
                   f"-DCASEMATE_ENGINE={int(not bare)}",
                   f"-DCASEMATE_TREE={int(not bare and config.tree is not None)}",
                   f"-DCASEMATE_TRACE_VCD={int(wave == 'vcd')}",
                   f"-DCASEMATE_TRACE_FST={int(wave == 'fst')}",
                   "-DVL_USER_STOP", "-DVL_USER_FATAL", f"-I{_HERE}")
        written = [*common, *host.sources]
        verilate(
            [*(path for path in written if path.suffix == ".sv"), exported], top=TOP,
            output=folder / LIBRARY, options=(*options, *tracing, *structures),
            cpp_sources=[path for path in written if path.suffix == ".cpp"],
            cpp_flags=(*cpp_flags, *defines),
            link_flags=("-lz", "-llz4") if wave == "fst" else ())

    key = digest_of(wave, options, cpp_flags, tools.versions, files=[exported, *harness])
    return cached(kind, key, build) / LIBRARY


def _has_header(name: str) -> bool:
    folders = ("/usr/include", "/usr/local/include", sysconfig.get_path("include"))
    return any((Path(folder) / name).exists() for folder in folders)
