"""The list of mutants fits the source, and the run tells killed from survived."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from casemate_sim.mutation import MUTANTS, Mutant, MutationError, load_mutants, main, run_mutants

PROJECT = Path(__file__).parents[2]
LISTED = load_mutants(PROJECT / MUTANTS)
CHEAP = ("nothing is outside the data window",
         "the second beat of an unaligned burst stays unaligned")

BURSTS = "tests/unit/axi/test_burst.py"
PASSING = Mutant("a comment changes", "rtl/casemate/axi/burst.py", '"""Splits AXI4 bursts',
                 '"""Splits bursts', (f"{BURSTS}::test_next_offset_is_what_the_test_evaluates",))


def by_name(name):
    return next(mutant for mutant in LISTED if mutant.name == name)


@pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_place_of_its_file(mutant):
    assert (PROJECT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old


def test_every_named_test_exists():
    tests = sorted({test for mutant in LISTED for test in mutant.tests})
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests],
        cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_are_mutants_of_every_part():
    assert len(LISTED) >= 25
    files = {mutant.file for mutant in LISTED}
    for part in ("rtl/casemate/aes", "rtl/casemate/modes", "rtl/casemate/axi",
                 "rtl/casemate/engine", "rtl/casemate/domain", "sim/casemate_sim/dram"):
        assert any(file.startswith(part) for file in files), part


@pytest.mark.parametrize("name", [pytest.param(CHEAP[0], marks=pytest.mark.verify), CHEAP[1]])
def test_a_listed_mutant_is_killed(name):
    outcome, = run_mutants([by_name(name)], project=PROJECT)
    assert outcome.result == "killed"
    assert outcome.reason


def test_a_mutant_that_no_test_notices_survives_and_fails_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    listed = tmp_path / "mutants.toml"
    listed.write_text("[[mutant]]\n" + "".join(
        f"{key} = {json.dumps(getattr(PASSING, key))}\n"
        for key in ("name", "file", "old", "new", "tests")))
    report = tmp_path / "new folder" / "mutation.json"
    assert main(["--mutants", str(listed), "--report", str(report)]) == 1
    assert "survived: a comment changes" in capsys.readouterr().out
    content = json.loads(report.read_text())
    assert (content["killed"], content["survived"]) == (0, 1)
    assert content["mutants"][0]["mutant"] == PASSING.name


def test_what_does_not_run_is_not_killed():
    broken = Mutant("no Python", PASSING.file, PASSING.old, "def", PASSING.tests)
    outcome, = run_mutants([broken], project=PROJECT)
    assert outcome.result == "broken"


def test_tests_that_hang_are_ended_and_count_as_failed():
    endless = Mutant("no end", BURSTS, "    chunks, cycles, bursts = [], 0, 0\n",
                     "    while True: __import__('time').sleep(1)\n",
                     (f"{BURSTS}::test_bursts_of_one_line_follow_each_other_in_every_cycle",))
    outcome, = run_mutants([endless], project=PROJECT, timeout=20)
    assert (outcome.result, outcome.reason) == ("killed", "no end after 20 s")


def test_a_test_that_fails_without_a_mutant_is_an_error(tmp_path):
    nothing = Mutant(PASSING.name, PASSING.file, PASSING.old, PASSING.new, ("tests/nowhere.py",))
    with pytest.raises(MutationError, match="do not pass without a mutant"):
        run_mutants([nothing], project=PROJECT)
    with pytest.raises(MutationError, match="is no checkout"):
        run_mutants([nothing], project=tmp_path)


def test_old_text_that_is_gone_is_an_error():
    gone = Mutant("gone", PASSING.file, "no such text", "", PASSING.tests)
    with pytest.raises(MutationError, match="gone: its old text occurs 0 times"):
        run_mutants([gone], project=PROJECT)


def test_ctrl_c_keeps_finished_results(tmp_path):
    report = tmp_path / "mutation.json"
    names = [CHEAP[1], CHEAP[0]]
    process = subprocess.Popen(
        [sys.executable, "-m", "casemate_sim.mutation", *names, "--report", str(report)],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"})
    for _ in range(1200):
        if report.exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "interrupted; 1 of 2 mutants done" in output
    content = json.loads(report.read_text())
    assert (content["listed"], content["run"]) == (2, 1)


@pytest.mark.parametrize(("text", "message"), [
    ("[[mutant]]\nname = 'x'\n", r"mutant 1 \('x'\) needs exactly file, name, new, old, tests"),
    ("nonsense", "is no list of mutants"),
])
def test_a_malformed_list_is_an_error(tmp_path, text, message):
    path = tmp_path / "mutants.toml"
    path.write_text(text)
    with pytest.raises(MutationError, match=message):
        load_mutants(path)


def test_an_unknown_name_is_an_error(monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    assert main(["no such bug"]) == 2
    assert "no mutant is called 'no such bug'" in capsys.readouterr().err
