"""Builds the library that simulates one configuration under attack, once."""

from __future__ import annotations

from pathlib import Path

from casemate.config import EngineConfig

from casemate_sim.build import (
    HARDWARE,
    SIMULATION,
    SPLIT_OPTIONS,
    cached,
    digest_of,
    source_files,
    verilate,
)
from casemate_sim.native.roms import share_roms
from casemate_sim.synthesis.mapped import SOURCES, mapped_verilog
from casemate_sim.toolchain import package_versions, toolchain

__all__ = ["build_harness"]

_TOP = "casemate"
_LIBRARY = "attack.so"
_HERE = Path(__file__).parent
_OPTIONS = ("-O3", "--assert", "--x-assign", "fast", "--x-initial", "fast", *SPLIT_OPTIONS)


def build_harness(config: EngineConfig, *, wave: bool = False, optimise: str = "-O1",
                  netlist: bool = False) -> Path:
    """Return the library for `config`, building it if the cache does not have it.

    Parameters
    ----------
    config:
        The engine's configuration.
    wave:
        Compile in what writes a VCD file; slower.
    optimise:
        Option of the C++ compiler.
    netlist:
        Of what synthesis makes of the engine, see ``synthesis.mapped``.

    Raises
    ------
    casemate_sim.toolchain.ToolError
        If a tool is missing or the build fails.
    """
    native = SIMULATION / "native"

    def export(folder: Path) -> None:
        from casemate.export import convert_verilog
        from casemate.top import Casemate

        convert = mapped_verilog if netlist else convert_verilog
        (folder / f"{_TOP}.v").write_text(share_roms(convert(Casemate(config), name=_TOP)))

    kind = f"attack-{config.name}" + ("-netlist" if netlist else "")
    sources = [*source_files(HARDWARE), *(SOURCES if netlist else ())]
    exported = cached(f"verilog-{kind}", digest_of(
        config.digest, package_versions("amaranth", "pyosys"),
        files=[*sources, native / "roms.py"]), export) / f"{_TOP}.v"
    harness = [_HERE / "harness.cpp", native / "memory.h"]

    def build(folder: Path) -> None:
        defines = (
            f"-DCASEMATE_DATA_BITS={config.data_bits}", f"-DCASEMATE_ID_BITS={config.id_bits}",
            f"-DCASEMATE_MEMORY_ID_BITS={config.memory_id_bits}",
            f"-DCASEMATE_AES_BITS={config.aes_bits}",
            f"-DCASEMATE_TREE={int(config.tree is not None)}", f"-DCASEMATE_TRACE={int(wave)}",
            "-DVL_USER_STOP", "-DVL_USER_FATAL", f"-I{native}")
        verilate([exported], top=_TOP, output=folder / _LIBRARY,
                 options=(*_OPTIONS, *(("--trace-vcd", "--trace-structs") if wave else ())),
                 cpp_sources=[_HERE / "harness.cpp"],
                 cpp_flags=(optimise, "-fno-strict-aliasing", "-w", *defines))

    key = digest_of(wave, optimise, _OPTIONS, toolchain().versions, config.memory_id_bits,
                    files=[exported, *harness])
    return cached(kind + ("-vcd" if wave else ""), key, build) / _LIBRARY
