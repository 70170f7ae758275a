"""The engine's exported Verilog as a program that cocotb drives, built once per configuration.

cocotb's own runner makes every signal public to VPI (``--public-flat-rw``), which costs a factor of
three in speed; here only the ports are. Assertions are compiled in and stop the simulation.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython
from casemate.config import EngineConfig
from casemate.export import convert_verilog
from casemate.top import Casemate

from casemate_sim.build import HARDWARE, SIMULATION, cached, digest_of, source_files, verilate
from casemate_sim.checked import CheckedCasemate
from casemate_sim.native.roms import share_roms
from casemate_sim.synthesis.mapped import SOURCES, mapped_verilog
from casemate_sim.toolchain import ToolError, package_versions, toolchain

__all__ = ["CocotbResult", "SimulationError", "build_cocotb", "run_cocotb"]

_TOP = "casemate"
_HARNESS = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"


class SimulationError(ToolError):
    """The simulation ended without results; the message holds the end of its log."""


@dataclass(frozen=True)
class CocotbResult:
    """Outcome of one cocotb test.

    Attributes
    ----------
    name:
        Name of the test, without its module.
    passed:
        Whether it passed.
    message:
        Why not; empty if it passed. An assertion in the hardware ends the simulation: the tests
        behind it fail with it.
    seconds:
        Time that it took.
    """

    name: str
    passed: bool
    message: str
    seconds: float


def build_cocotb(config: EngineConfig, *, waves: bool = False, optimise: str = "-O1",
                 netlist: bool = False) -> Path:
    """Return the program that simulates `config`; a second call compiles nothing.

    Parameters
    ----------
    config:
        Configuration of the engine.
    waves:
        Compile in what writes a VCD file; slower.
    optimise:
        Option of the C++ compiler. ``-O0`` saves ten seconds of the build of a small engine, and
        costs thirty in the tests of `make test`.
    netlist:
        Of what synthesis makes of the engine, see ``synthesis.mapped``: without assertions.

    Raises
    ------
    casemate_sim.toolchain.ToolError
        If a program is missing or fails.
    """
    libraries = cocotb_tools.config.libs_dir
    options = ["--vpi", "--prefix", "Vtop", "--assert", "--timescale", "1ns/1ps",
               "--x-assign", "fast", "--x-initial", "fast",
               "--output-split", "0",  # less to compile than in pieces, each with all headers
               *(["--trace"] if waves else [])]

    # Two steps, so that a change of the Python code that leaves the hardware as it is costs an
    # export and no build.
    def export(folder: Path) -> None:
        text = (mapped_verilog(Casemate(config), name=_TOP) if netlist else
                share_roms(convert_verilog(CheckedCasemate(config), name=_TOP)))
        (folder / "casemate.v").write_text(text)
        (folder / "ports.vlt").write_text("`verilator_config\n" + "".join(
            f'public_flat_rw -module "{_TOP}" -var "{port}"\n' for port in _ports(text)))

    sources = [*source_files(HARDWARE), *(SOURCES if netlist else ())]
    name = config.name + ("-netlist" if netlist else "")
    exported = cached(f"verilog-cocotb-{name}", digest_of(
        config.digest, package_versions("amaranth", "pyosys"),
        files=[*sources, *(SIMULATION / name
                           for name in ("checked.py", "build_cocotb.py"))]), export)
    verilog = [exported / "ports.vlt", exported / "casemate.v"]

    def build(folder: Path) -> None:
        verilate(verilog, top=_TOP, output=folder / "simulation", options=options,
                 cpp_sources=[_HARNESS], cpp_flags=(optimise, "-w"), shared=False,
                 link_flags=(f"-Wl,-rpath,{libraries}", f"-L{libraries}",
                             "-lcocotbvpi_verilator"))

    key = digest_of(options, optimise, toolchain().versions, package_versions("cocotb"),
                    str(libraries), files=verilog)
    return cached(f"cocotb-{name}", key, build) / "simulation"


def _ports(text: str) -> list[str]:
    """Names of the top module's ports, clock and reset among them."""
    module = re.search(rf"^module {_TOP}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    if module is None:
        raise ToolError(f"the exported Verilog has no module {_TOP}")
    return re.findall(r"^  (?:input|output) (?:wire |reg )?(?:\[[^]]*\] )?(\w+);$", module[0],
                      re.MULTILINE)


def run_cocotb(
    program: Path, modules: Sequence[str], *, folder: Path, seed: int,
    environment: Mapping[str, str] | None = None, paths: Sequence[Path] = (),
    wave: Path | None = None, timeout: float = 1800,
) -> list[CocotbResult]:
    """Run cocotb test modules in one simulation.

    Parameters
    ----------
    program:
        From :func:`build_cocotb`; with ``waves`` if `wave` is given.
    modules:
        Names of the modules that hold the tests.
    folder:
        Where ``simulation.log`` and ``results.xml`` go; made if need be.
    seed:
        Seed of ``random`` in the simulation.
    environment:
        Further environment variables.
    paths:
        Folders to import from, beside those of this process.
    wave:
        VCD file to write.
    timeout:
        Seconds after which the simulation is ended.

    Raises
    ------
    SimulationError
        If it ends without results, or takes too long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results, log = folder / "results.xml", folder / "simulation.log"
    results.unlink(missing_ok=True)
    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise SimulationError("Python's shared library was not found; cocotb needs it (Debian and "
                              "Ubuntu: apt-get install libpython3-dev)")
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join([*map(str, paths), *sys.path]),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": _TOP, "COCOTB_TEST_MODULES": ",".join(modules),
        "TOPLEVEL_LANG": "verilog", "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_RANDOM_SEED": str(seed), "COCOTB_ANSI_OUTPUT": "0",
        # Verilator applies writes at the right time by itself.
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
    } | dict(environment or {})
    command = [str(program), *(["--trace", "--trace-file", str(wave)] if wave else [])]
    try:
        with log.open("w") as file:
            code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=variables,
                                  cwd=folder, timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired as error:
        raise SimulationError(f"the simulation did not end within {timeout:g} s; log: {log}\n"
                              + _end_of(log)) from error
    if not results.exists():
        raise SimulationError(f"the simulation ended without results (exit code {code}); "
                              f"log: {log}\n{_end_of(log)}")
    return _parse(results, _assertions(log))


def _assertions(log: Path) -> list[str]:
    """Messages of assertions in the hardware; the first one ended the simulation."""
    return [line for line in log.read_text(errors="replace").splitlines()
            if "Assertion failed" in line]


def _end_of(log: Path, lines: int = 25) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _parse(results: Path, assertions: Sequence[str]) -> list[CocotbResult]:
    outcomes = []
    for case in ElementTree.parse(results).iter("testcase"):
        failures = [child for child in case if child.tag in ("failure", "error")]
        message = "\n".join(filter(None, (
            text for child in failures
            for text in (child.get("type"), child.get("message"), child.text))))
        if "SimFailure" in message:
            message = "\n".join((*assertions, message))
        outcomes.append(CocotbResult(
            name=case.get("name", ""), passed=not failures, message=message,
            seconds=float(case.get("time", 0))))
    return outcomes
