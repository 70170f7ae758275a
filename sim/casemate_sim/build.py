"""Builds a shared library from Verilog and C++ once, and remembers it.

Results lie under ``$CASEMATE_CACHE`` (default ``~/.cache/casemate``) in a folder named by a hash of
everything that went in: sources, options, versions of the tools. A folder appears by an atomic
rename when it is complete, and a lock keeps two processes from building the same thing at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import casemate

from casemate_sim.toolchain import ToolError, toolchain

__all__ = ["COMPILE_FLAGS", "HARDWARE", "SIMULATION", "SPLIT_OPTIONS", "BuildError",
           "cache_directory", "cached", "digest_of", "source_files", "verilate", "verilate_small"]

HARDWARE = Path(casemate.__file__).parent
"""Folder of the hardware's sources."""

SIMULATION = Path(__file__).parent
"""Folder of the simulation's sources."""

_QUICK = os.environ.get("CASEMATE_BUILD") == "quick"

COMPILE_FLAGS = ("-O1" if _QUICK else "-O2", "-fno-strict-aliasing", "-w")
"""C++ flags of the generated model; see docs/simulation.md for the measurement behind them."""

SPLIT_OPTIONS = ("--output-split", "0" if _QUICK else "20000", "--output-split-cfuncs", "2000")
"""Options of Verilator: pieces are compiled side by side, one file with the least work."""


class BuildError(ToolError):
    """Verilator or the compiler failed; the message holds the end of the log and its path."""


def cache_directory() -> Path:
    """Return the folder of finished builds: ``$CASEMATE_CACHE`` or ``~/.cache/casemate``."""
    configured = os.environ.get("CASEMATE_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "casemate"


def source_files(*folders: Path, suffixes: Sequence[str] = (".py",)) -> list[Path]:
    """Return the files below `folders` whose names end in one of `suffixes`, sorted."""
    return sorted(path for folder in folders for path in folder.rglob("*")
                  if path.suffix in suffixes and path.is_file())


def digest_of(*values: object, files: Iterable[Path] = ()) -> str:
    """Return 24 hexadecimal digits that change when a value or the content of a file does."""
    state = sha256(json.dumps(values, sort_keys=True, default=str).encode())
    for path in files:
        state.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:24]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder that `build` filled, building it only if nobody did before.

    Parameters
    ----------
    kind:
        Readable first part of the folder's name.
    key:
        Digest of everything that the result depends on.
    build:
        Fills the empty folder that it is given; what it raises is passed on and leaves no folder.
    """
    base = cache_directory()
    target = base / f"{kind}-{key}"
    if target.is_dir():
        return target
    try:
        base.mkdir(parents=True, exist_ok=True)
        lock = _locked(base / f"{kind}-{key}.lock")
        with lock:
            if target.is_dir():
                return target
            work = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=base))
            try:
                build(work)
                work.rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise BuildError(f"the build cache {base} cannot be written: {error.strerror}; name "
                         "another folder in the environment variable CASEMATE_CACHE") from error
    return target


def verilate(
    sources: Sequence[Path], *, top: str, output: Path, options: Sequence[str] = (),
    cpp_sources: Sequence[Path] = (), cpp_flags: Sequence[str] = COMPILE_FLAGS,
    link_flags: Sequence[str] = (), shared: bool = True, jobs: int | None = None,
) -> Path:
    """Translate Verilog with Verilator and compile it with C++ files into one binary.

    Parameters
    ----------
    sources:
        Verilog, SystemVerilog and ``.vlt`` files.
    top:
        Name of the top module; the C++ class is ``V<top>``.
    output:
        Binary to make. The generated C++ lies in the folder ``verilated`` beside it, with
        ``build.log``.
    options:
        Further options of Verilator.
    cpp_sources:
        C++ files to compile against the generated class.
    cpp_flags, link_flags:
        Options of the compiler and of the linker; a level such as ``-O2`` is for the code that
        runs every cycle.
    shared:
        True makes a shared library for ctypes, False a program.
    jobs:
        Compiler processes at a time; as many as there are processors by default.

    Raises
    ------
    ToolError
        If a program is missing.
    BuildError
        If one fails.
    """
    tools = toolchain()
    output.parent.mkdir(parents=True, exist_ok=True)
    folder, log = output.parent / "verilated", output.parent / "build.log"
    flags = [*cpp_flags, *(["-fPIC"] if shared else [])]
    level = " ".join(flag for flag in flags if flag.startswith("-O"))
    flags = [flag for flag in flags if flag not in level.split()]
    links = [*link_flags, *(["-shared"] if shared else [])]
    processes = str(jobs or os.cpu_count() or 1)
    started = time.monotonic()
    _run(top, [[
        str(tools.verilator), "--cc", "--exe", "--top-module", top, "--Mdir", str(folder),
        "-o", str(output.resolve()), "-Wno-fatal", "-Wno-lint", "-j", processes,
        "-CFLAGS", " ".join(flags), *(["-LDFLAGS", " ".join(links)] if links else []), *options,
        *(str(Path(path).resolve()) for path in (*sources, *cpp_sources))]], log)
    (classes,) = folder.glob("*_classes.mk")
    runtime = _runtime_of(classes.read_text(), flags)
    _run(top, [[
        str(tools.make), "-C", str(folder), "-f", classes.name.replace("_classes", ""),
        "-j", processes, f"OPT_FAST={level}", f"OPT_GLOBAL={level}",
        "OPT_SLOW=-O0",  # half of the code runs once, when the model is made
        "VM_GLOBAL_FAST=", "VM_GLOBAL_SLOW=", f"LOADLIBES={runtime}"]], log)
    for header in folder.glob("*.gch"):  # each is larger than all the rest
        header.unlink()
    (output.parent / "build.json").write_text(json.dumps({
        "top": top, "seconds": round(time.monotonic() - started, 1), "options": list(options),
        "cpp_flags": list(cpp_flags), "versions": tools.versions}, indent=1))
    return output


@cache
def _include() -> Path:
    """Return the folder of Verilator's runtime and its headers."""
    tools = toolchain()
    return Path(tools.root or subprocess.run(
        [str(tools.verilator), "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True,
        check=True).stdout.strip()) / "include"


def _runtime_of(makefile: str, flags: Sequence[str]) -> Path:
    """Return the runtime that a generated makefile asks for, the same for every level of ours."""
    switches = re.findall(r"^(VM_(?:COVERAGE|TIMING|TRACE\w*)) = (\d)$", makefile, re.MULTILINE)
    names = re.findall(r"^  (\S+) \\$", makefile.partition("VM_GLOBAL_FAST")[2], re.MULTILINE)
    # Ours are for our own files.
    flags = [flag for flag in flags if not flag.startswith(("-I", "-DCASEMATE_"))]
    return _runtime(names, ("-O2", *flags, *(f"-D{name}={value}" for name, value in switches)))


def _runtime(names: Sequence[str], flags: Sequence[str]) -> Path:
    """Return Verilator's runtime as one object file, compiled once: most of a small build's time.

    Parameters
    ----------
    names:
        Its files, without suffix.
    flags:
        Options of the compiler.
    """
    include = _include()
    command = [*_compiler(include), *flags]

    def build(folder: Path) -> None:
        source = folder / "runtime.cpp"
        source.write_text("".join(f'#include "{include / name}.cpp"\n' for name in names))
        _run("Verilator's runtime", [[*command, "-c", str(source), "-o",
                                      str(folder / "runtime.o")]], folder / "build.log")

    return cached("verilator-runtime", digest_of(names, command, toolchain().versions),
                  build) / "runtime.o"


def _compiler(include: Path) -> list[str]:
    return [str(toolchain().compiler), "-w", "-std=gnu++20", "-pthread", "-DVERILATOR=1",
            f"-I{include}", f"-I{include / 'vltstd'}"]


def _run(name: str, commands: Iterable[Sequence[str]], log: Path) -> None:
    """Run commands one after another; what they say goes to the end of `log`."""
    with log.open("a") as file:
        for command in commands:
            file.write(" ".join(command) + "\n")
            file.flush()
            code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT,
                                  env=toolchain().environment, check=False).returncode
            if code != 0:
                break
        else:
            return
    lines = log.read_text(errors="replace").splitlines()
    kept = Path(tempfile.gettempdir()) / f"casemate-build-{os.getpid()}.log"
    shutil.copy(log, kept)
    errors = [line for line in lines if "rror" in line][:8] or lines[-8:]
    raise BuildError(f"building {name} failed (exit code {code}); whole log: {kept}\n"
                     + "\n".join(errors))


_SMALL_DEFINES = tuple(f"-DVM_{name}=0" for name in (
    "COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF"))


def verilate_small(source: Path, *, top: str, output: Path, harness: Path,
                   optimise: str) -> Path:
    """Translate a small design and compile it with one C++ file into a shared library, quickly.

    Most of a small build's time goes into Verilator's own runtime and its headers: the runtime is
    compiled once and kept in the cache, the generated files are compiled as one. No waveforms.

    Parameters
    ----------
    source:
        Verilog.
    top:
        Name of the top module; the C++ class is ``V<top>``.
    output:
        Library to make, in the folder of the build.
    harness:
        C++ file to compile against the generated class.
    optimise:
        Option of the C++ compiler for the model: ``-O0`` to ``-O3``.

    Raises
    ------
    ToolError
        If a program is missing.
    BuildError
        If one fails.
    """
    tools = toolchain()
    compiler = [*_compiler(_include()), "-fPIC", *_SMALL_DEFINES]
    runtime = _runtime(("verilated", "verilated_threads"), ("-O1", "-fPIC", *_SMALL_DEFINES))
    folder = output.parent / "verilated"
    log = output.parent / "build.log"
    _run(top, [[str(tools.verilator), "--cc", "--top-module", top, "--Mdir", str(folder),
                "-Wno-fatal", "-Wno-lint", "--x-assign", "fast", "--x-initial", "fast",
                "--noassert", "--output-split", "0", "--output-split-cfuncs", "200",
                str(source)]], log)
    files = sorted(path.name for path in folder.glob("*.cpp"))
    slow = [name for name in files if name.endswith("__Slow.cpp")]
    fast = [*(name for name in files if name not in slow), harness.name]
    (header,) = folder.glob("*__pch.h")
    whole = output.parent / "whole.cpp"
    # Half of the code runs once, when the model is made. The compiler's time grows faster than the
    # length of a function. Other compilers ignore these lines.
    whole.write_text("\n".join((
        f'#include "{header.name}"', "#pragma GCC push_options", '#pragma GCC optimize("O0")',
        *(f'#include "{name}"' for name in slow), "#pragma GCC pop_options",
        *(f'#include "{name}"' for name in fast), "")))
    _run(top, [[*compiler, optimise, "-shared", f"-I{folder}", f"-I{harness.parent}", str(whole),
                str(runtime), "-o", str(output)]], log)
    return output
