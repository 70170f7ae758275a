"""What only a process of its own shows: Ctrl-C, missing tools, a full disk behind stdout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from casemate_sim.trace import load


def until(stream, words: str) -> None:
    """Read `stream` line by line up to one that has `words`."""
    for line in stream:
        if words in line:
            return
    pytest.fail(f"ended without {words!r}")


def interrupted(started, *, seconds: float) -> tuple[str, str]:
    """Press Ctrl-C some seconds after `plain` has begun; return what came to stdout and stderr."""
    with subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as running:
        until(running.stderr, "plain: building")
        time.sleep(seconds)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=120)
    assert running.returncode == 130, stderr
    return stdout, stderr


@pytest.fixture
def tiny(tiny) -> tuple[str, ...]:
    """Return the options of a short run that needs no tree; the last one is its length."""
    return ("--mode", "xts", *tiny)


@pytest.fixture
def built(tiny, process) -> None:
    """Have the models of bare wire and tiny engine."""
    assert process("sim", *tiny).returncode == 0


def test_ctrl_c_keeps_the_runs_that_finished(tiny, command, built, tmp_path: Path) -> None:
    out, plot = tmp_path / "a.json", tmp_path / "a.png"
    started = [*command, "sim", *tiny[:-1], "400000", "--jobs", "1", "--json", str(out), "--plot",
               str(plot)]
    stdout, stderr = interrupted(started, seconds=1.0)
    assert "casemate: error: interrupted; what had finished is above" in stderr
    assert "Traceback" not in stderr
    content = json.loads(out.read_text())
    assert content["interrupted"]
    assert not content["ok"]
    assert list(content["runs"]) == ["bare", "plain"]
    bare, plain = content["runs"].values()
    assert not bare["interrupted"]
    assert bare["records_played"] == bare["reads"] + bare["writes"] == 400_000
    assert plain["interrupted"]
    assert 0 < plain["records_played"] < 400_000
    assert content["comparison"]["plain"]["slowdown"] is None
    assert "(interrupted)" in stdout
    assert "(not run)" in stdout
    assert f"{bare['cycles']:,}" in stdout
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_keeps_what_runs_side_by_side_measured(
        tiny, command, built, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    started = [*command, "sim", *tiny[:-1], "4000000", "--jobs", "2", "--json", str(out)]
    _, stderr = interrupted(started, seconds=2.0)
    assert "Traceback" not in stderr
    runs = json.loads(out.read_text())["runs"]
    assert list(runs) == ["bare", "plain"]
    for run in runs.values():
        assert run["interrupted"] and 0 < run["records_played"] < 4_000_000


def test_ctrl_c_during_the_first_build_ends_it(tiny, command, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    started = [*command, "sim", *tiny]
    with subprocess.Popen(
            started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"CASEMATE_CACHE": str(cache)}, start_new_session=True) as running:
        until(running.stderr, "bare wire: building")
        time.sleep(2.0)
        # A terminal sends it to the whole group: the compiler, too.
        os.killpg(running.pid, signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert stdout == ""
    assert "casemate: error: interrupted" in stderr
    assert "Traceback" not in stderr
    left = [path.name for path in cache.iterdir() if not path.name.endswith(".lock")]
    assert not [name for name in left if name.startswith((".", "bare"))], left


def test_ctrl_c_while_recording_keeps_what_was_recorded(command, tmp_path: Path) -> None:
    valgrind = tmp_path / "valgrind"
    valgrind.write_text(f"""#!{sys.executable}
import os, sys, time
if "--version" in sys.argv:
    sys.exit(print("valgrind-0"))
sink = next(int(word[9:]) for word in sys.argv if word.startswith("--log-fd="))
with os.fdopen(sink, "w") as log:
    for line in range(3000):
        print("I  0401ab70,3", f" L {{64 * line:08x}},8", sep="\\n", file=log)
    log.flush()
    print("recorded", flush=True)
    time.sleep(60)
""")
    valgrind.chmod(0o755)
    trace = tmp_path / "a.trace"
    started = [*command, "record", "-o", str(trace), "--caches", "none", "--", "ls", "-l"]
    with subprocess.Popen(
            started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as running:
        until(running.stdout, "recorded")
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert "interrupted; the trace holds what was recorded so far" in stderr
    assert load(trace).records["line"].tolist() == list(range(3000))
    assert load(trace).header.source == "ls -l"


def test_a_machine_without_tools_says_how_to_get_them(tiny, process, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    out = tmp_path / "a.json"
    for name, hint in (("perl", "apt-get install perl"), ("make", "apt-get install make"),
                       ("C++ compiler", "apt-get install g++")):
        result = process("sim", *tiny, "--json", out, environment={"PATH": str(folder)})
        assert result.returncode == 3
        last = result.stderr.splitlines()[-1]
        assert last.startswith("casemate: error: ")
        assert f"{name} was not found on this machine" in last
        assert hint in last
        assert "Traceback" not in result.stderr
        if shutil.which(name):
            (folder / name).symlink_to(shutil.which(name))


def test_a_compiler_that_fails_is_named_with_the_log(tiny, process, tmp_path: Path) -> None:
    compiler = tmp_path / "broken-g++"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit 0\n'
                        "echo 'fatal error: no luck' >&2\nexit 1\n")
    compiler.chmod(0o755)
    result = process("sim", *tiny, environment={
        "CXX": str(compiler), "CASEMATE_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)})
    assert result.returncode == 3
    assert "fatal error: no luck" in result.stderr
    logs = list(tmp_path.glob("casemate-build-*.log"))
    assert len(logs) == 1
    assert f"whole log: {logs[0]}" in result.stderr


@pytest.mark.parametrize("folder", ["file/below", "/proc/casemate"])
def test_a_cache_that_cannot_be_written(tiny, process, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    cache = str(tmp_path / folder)
    result = process("sim", *tiny, environment={"CASEMATE_CACHE": cache})
    assert result.returncode == 3, result.stderr
    last = result.stderr.splitlines()[-1]
    assert f"the build cache {cache} cannot be written" in last
    assert "CASEMATE_CACHE" in last


def test_a_full_disk_behind_stdout_loses_nothing(tiny, built, process, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    with Path("/dev/full").open("w") as full:
        result = process("sim", *tiny, "--json", out, stdout=full)
    assert result.returncode == 2, result.stderr
    assert "standard output: cannot be written: No space left on device" in result.stderr
    assert "Exception ignored" not in result.stderr
    assert json.loads(out.read_text())["ok"]


def test_a_terminal_without_unicode(built, process, tiny) -> None:
    result = process("sim", *tiny, environment={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0, result.stderr
    assert "Encryption (xts) took" in result.stdout
    assert result.stdout.isascii()


def test_a_reader_that_stops_reading_is_no_error(command, process) -> None:
    with subprocess.Popen([*command, "config", "show", "server", "--json"], stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        stderr = running.stderr.read()
    assert stderr == ""
    assert running.returncode == 141


def test_tracebacks_only_on_request(process) -> None:
    quiet = process("sim", "nowhere")
    loud = process("sim", "nowhere", environment={"CASEMATE_TRACEBACK": "1"})
    assert quiet.returncode == loud.returncode == 2
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.stderr.endswith(quiet.stderr)


def test_the_installed_command_is_this_one(process) -> None:
    command = Path(sys.executable).with_name("casemate")
    installed = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert installed.stdout == process("--version").stdout


def test_the_command_line_starts_without_what_only_some_commands_need() -> None:
    """Help and errors come at once: hardware, plots and parallel workers load when asked for."""
    heavy = ("amaranth", "distributed", "jinja2", "matplotlib", "serial")
    done = subprocess.run(
        [sys.executable, "-c", "import sys, casemate_sim.cli; "
         f"print(*(name for name in {heavy!r} if name in sys.modules))"],
        capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
