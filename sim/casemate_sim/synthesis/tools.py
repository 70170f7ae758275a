"""Runs Yosys and nextpnr in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from casemate_sim.toolchain import ToolError, package_versions

from .devices import Family

__all__ = ["DoesNotFitError", "Tools", "find_router", "tool_versions"]


class DoesNotFitError(RuntimeError):
    """The design does not go into the device, or cannot be placed; the message says why."""


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

    def run(self, name: str, command: Sequence[str], folder: Path,
            watch: Callable[[str], None] | None = None) -> None:
        """Run a program inside `folder`: those in WebAssembly see little else.

        Parameters
        ----------
        watch:
            Called with each line that it prints; what it raises ends the program.

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
        output = []
        with process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    output.append(line)
                    if watch is not None:
                        watch(line)
                process.wait()
            finally:
                process.terminate()
                with self._lock:
                    self._running.discard(process)
        if self._left:
            raise KeyboardInterrupt
        if process.returncode:
            self._fail(name, process.returncode, "".join(output))

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
