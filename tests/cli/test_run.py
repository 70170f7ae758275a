"""``casemate run``: a program recorded and simulated in one step."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from casemate_sim.trace import load

FEW = ("--config", "tiny", "--caches", "none", "--mode", "xts", "--limit", "200")


@pytest.fixture
def valgrind() -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("needs valgrind")


def refused(result, *words: str, code: int = 2) -> None:
    assert result.exit_code == code, result.stderr
    last = result.stderr.splitlines()[-1]
    for word in ("casemate", "error: ", *words):
        assert word in last


def test_a_program_is_recorded_and_played_in_every_mode(casemate, valgrind, tmp_path: Path) -> None:
    trace, out = tmp_path / "ls.trace", tmp_path / "ls.json"
    result = casemate("run", *FEW, "-o", trace, "--json", out, "--", "ls", "-l", "/")
    assert result.exit_code == 0, result.stderr
    content = json.loads(out.read_text())
    assert content["ok"]
    assert list(content["runs"]) == ["bare", "plain", "xts"]
    assert all(run["records_played"] == 200 for run in content["runs"].values())
    assert content["trace"]["source"] == "ls -l /" == load(trace).header.source
    assert content["recording"]["program"] == ["ls", "-l", "/"]
    assert content["recording"]["limited"]
    slowdown = content["comparison"]["xts"]["slowdown"]
    assert slowdown == content["runs"]["xts"]["cycles"] / content["runs"]["bare"]["cycles"] > 1
    assert f"{slowdown:.3f}" in result.stdout
    assert "ls: 200 records on tiny" in result.stdout


def test_the_program_behind_a_script_is_recorded(casemate, valgrind, tmp_path: Path) -> None:
    script = tmp_path / "wrapper"
    script.write_text("#!/bin/sh\nexec /usr/bin/env true\n")
    script.chmod(0o755)
    instructions = {}
    for only in ((), ("--only",)):
        # Refused behind the recording: nothing is simulated here.
        result = casemate("run", *FEW[:2], "--skip", 10**9, *only, "--", script)
        assert result.exit_code == 2
        instructions[only] = int(next(
            line for line in result.stderr.splitlines() if line.startswith("instructions")
        ).split()[1].replace(",", ""))
    assert instructions[()] > 2 * instructions["--only",] > 0


def test_what_leaves_nothing_to_play_is_refused(casemate, valgrind) -> None:
    refused(casemate("run", *FEW, "--skip", 10**9, "--", "true"), "true: nothing went past")


def test_a_program_larger_than_the_window_is_refused(casemate, valgrind) -> None:
    refused(casemate("run", "--config", "tiny", "--", "true"), "true uses", "tiny is 64 KiB",
            "data_bytes")


def test_without_valgrind(casemate, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(casemate("run", *FEW, "--", "ls"), "valgrind is not installed", code=3)


@pytest.mark.parametrize(("arguments", "words"), [
    (("--", "no-such-program"), ("no-such-program: no such program",)),
    (("--config", "no-such-preset", "--", "ls"), ("no-such-preset", "ecp5")),
    (("--json", "no/such/file", "--", "ls"), ("no/such",)),
    (("--plot", "a.gif", "--", "ls"), (".png",)),
    ((), ("PROGRAM",)),
])
def test_bad_input_is_refused(casemate, monkeypatch, tmp_path, arguments, words) -> None:
    (tmp_path / "valgrind").write_text("#!/bin/sh\n")
    (tmp_path / "valgrind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    refused(casemate("run", *arguments), *words)
