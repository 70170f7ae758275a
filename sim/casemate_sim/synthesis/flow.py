"""Yosys and nextpnr in processes of their own, each result kept in the cache.

The same input gives the same result, to the last bit: design, target, seed and versions of the
tools are the name under which it is remembered.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from casemate_sim.build import cached, digest_of
from casemate_sim.toolchain import YOSYS, ToolError, package_versions

from .devices import Family, Target
from .netlist import INPUT
from .pins import ShiftedPins
from .sources import without_sources

__all__ = ["Design", "DoesNotFitError", "Routed", "Tools", "design_of", "find_router",
           "route_seeds", "synthesize", "tool_versions"]

_NETLIST = "netlist.json"
_REPORT = "report.json"


class DoesNotFitError(RuntimeError):
    """The design does not go into the device, or cannot be placed; the message says why."""


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
    """

    name: str
    rtlil: str
    verilog: Mapping[str, str] = field(default_factory=dict)


def design_of(component: wiring.Component, name: str,
              verilog: Mapping[str, str] | None = None) -> Design:
    """Return a component, and the Verilog that it instantiates, between two shift registers."""
    from amaranth.back import rtlil

    return Design(name, rtlil.convert(ShiftedPins(component), name="top"), verilog or {})


@dataclass(frozen=True)
class Routed:
    """One placement.

    Attributes
    ----------
    seed:
        Of the placement.
    report:
        What nextpnr says of it: ``fmax``, ``utilization``, ``critical_paths``.
    """

    seed: int
    report: Mapping[str, Any]

    @property
    def fmax_mhz(self) -> dict[str, float]:
        """Highest frequency of each clock in MHz."""
        return {_clock(name): round(values["achieved"], 2)
                for name, values in self.report["fmax"].items()}


def _clock(net: str) -> str:
    """Return the name of a clock without what nextpnr puts around it."""
    return re.sub(r"^\$glbnet\$|\$TRELLIS_IO_IN$", "", net).rpartition(".")[2]


class Tools:
    """Starts programs, and ends those that still run when it is left."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._left = False

    def __enter__(self) -> Tools:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._left = True
            for process in self._running:
                process.terminate()

    def run(self, name: str, command: Sequence[str], folder: Path) -> None:
        """Run a program inside `folder`: those in WebAssembly see little else.

        Raises
        ------
        ToolError
            If it fails; the message has its last lines and the file with all of them.
        """
        with self._lock:
            if self._left:
                raise KeyboardInterrupt
            process = subprocess.Popen(command, cwd=folder, text=True, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self._running.add(process)
        try:
            output, _ = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        if self._left:
            raise KeyboardInterrupt
        if process.returncode:
            self._fail(name, process.returncode, output)

    @staticmethod
    def _fail(name: str, code: int, output: str) -> None:
        lines = output.splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-5:]
        with tempfile.NamedTemporaryFile("w", prefix=f"casemate-{name}-", suffix=".log",
                                         delete=False) as log:
            log.write(output)
        text = "\n".join(errors)
        # What nextpnr says when something runs out.
        if re.search(r"[Uu]nable to (find a )?place|no BELs|[Ff]ailed to (expand region|place)",
                     text):
            raise DoesNotFitError(text)
        raise ToolError(f"{name} failed (exit code {code}); whole log: {log.name}\n{text}")


def tool_versions(family: Family) -> dict[str, str]:
    """Return the versions of everything that a result depends on."""
    return package_versions("amaranth", "pyosys", family.package)


def find_router(family: Family) -> str:
    """Return the path of nextpnr for a family in this Python environment.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    program = Path(sys.executable).parent / f"yowasp-{family.router}"
    if not program.exists():
        raise ToolError(f"{family.router} is not installed; run: pip install "
                        f"'casemate[synth]' (it brings {family.package})")
    return str(program)


def synthesize(design: Design, family: Family, tools: Tools) -> Path:
    """Return the file with the mapped netlist of a design.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    rtlil = without_sources(design.rtlil)
    # A loop's variable is no latch, although some write it in a way that would make it one.
    commands = (*(f"read_verilog -nolatches {name}" for name in design.verilog),
                "read_rtlil design.il",
                f"setattr -set {INPUT} 1 i:*", *family.synthesis,
                f"write_json {_NETLIST}")

    def build(folder: Path) -> None:
        for name, text in {**design.verilog, **family.texts, "design.il": rtlil}.items():
            (folder / name).write_text(text)
        (folder / "design.ys").write_text("\n".join(commands))
        tools.run("yosys", [*YOSYS, "-q", "design.ys"], folder)

    key = digest_of(rtlil, dict(design.verilog), commands, dict(family.texts),
                    package_versions("pyosys"))
    return cached(f"netlist-{design.name}", key, build) / _NETLIST


def _route(netlist: Path, name: str, target: Target, seed: int, tools: Tools) -> Routed:
    family = target.device.family
    program = find_router(family)
    options = (*target.options, "--seed", str(seed), "--timing-allow-fail")

    def build(folder: Path) -> None:
        copy = folder / _NETLIST
        copy.hardlink_to(netlist)
        for file, text in target.files.items():
            (folder / file).write_text(text)
        tools.run(family.router, [program, "-q", *options, "--json", _NETLIST, "--report",
                                  _REPORT], folder)
        copy.unlink()

    key = digest_of(options, target.files, netlist.parent.name,
                    package_versions(family.package))
    folder = cached(f"route-{name}", key, build)
    return Routed(seed, json.loads((folder / _REPORT).read_text()))


def route_seeds(
    design: Design, netlist: Path, target: Target, seeds: Sequence[int], tools: Tools, *,
    jobs: int = 1, started: Callable[[int], None] | None = None,
) -> Iterator[Routed]:
    """Place and route with several seeds; yield each as it finishes.

    Parameters
    ----------
    netlist:
        What :func:`synthesize` returned for the design and the target's family.
    jobs:
        Placements at a time.
    started:
        Called with each seed when its work begins, from other threads.

    Raises
    ------
    ToolError
        If nextpnr is missing or fails.
    DoesNotFitError
        If the design does not go into the device.
    """
    def work(seed: int) -> Routed:
        if started is not None:
            started(seed)
        return _route(netlist, design.name, target, seed, tools)

    executor = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([executor.submit(work, seed) for seed in seeds]):
            yield done.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
