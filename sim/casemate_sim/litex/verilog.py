"""Verilog for a SoC: the engine's, exported once; and LiteX's, the same each time."""

from __future__ import annotations

import re
from pathlib import Path

from casemate.config import EngineConfig

from casemate_sim.build import HARDWARE, cached, digest_of, source_files
from casemate_sim.exported import export_engine
from casemate_sim.toolchain import package_versions

__all__ = ["engine_verilog", "without_comments"]

_COMMENT = re.compile(r"/\*.*?\*/|^//.*?$\n?", re.DOTALL | re.MULTILINE)


def engine_verilog(config: EngineConfig, *, name: str) -> Path:
    """Return the file with the top module `name`."""
    key = digest_of(config.digest, name, package_versions("amaranth", "pyosys"),
                    files=source_files(HARDWARE))

    def build(folder: Path) -> None:
        (folder / f"{name}.v").write_bytes(export_engine(config, name=name).content)

    return cached("verilog", key, build) / f"{name}.v"


def without_comments(verilog: str) -> str:
    """Return what LiteX wrote without its comments.

    They hold the date, and the modules in an order that changes from run to run.
    """
    return _COMMENT.sub("", verilog)
