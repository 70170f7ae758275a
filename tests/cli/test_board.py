"""``casemate board``: what it refuses, and the whole self-test in simulation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Thread

import pytest
from casemate_sim.board import selftest
from casemate_sim.board.build import BuildReport
from casemate_sim.board.config import BoardConfig
from casemate_sim.board.selftest import LAST_STEP, STEPS
from casemate_sim.board.simulation import BoardSimulation, pseudo_terminal, served, simulated
from casemate_sim.config_file import load_config

SMALLEST = """preset = "tiny"
[tree]
cache_sets = 2
cache_ways = 2
walks = 2
write_backs = 1
pad_cipher = { pipelined = false }
[keys]
domains = 64
[keys.fuses]
check_bits = 16
"""


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "smallest.toml"
    path.write_text(SMALLEST)
    return path


@pytest.fixture(scope="module")
def board(smallest: Path) -> BoardSimulation:
    return BoardSimulation(simulated(BoardConfig(engine=load_config(smallest))))


@pytest.fixture
def quick(board: BoardSimulation, monkeypatch: pytest.MonkeyPatch) -> BoardSimulation:
    """Let the commands use a board that is there already."""
    def again(config: BoardConfig) -> BoardSimulation:
        assert config == board.config
        board.restart()
        return board

    monkeypatch.setattr("casemate_sim.board.simulation.BoardSimulation", again)
    return board


@pytest.mark.verify
def test_the_self_test_passes_through_the_serial_line(
        casemate, quick: BoardSimulation, smallest: Path) -> None:
    result = casemate("board", "selftest", "--simulate", "--config", smallest, "--open-case",
                      "--json")
    content = json.loads(result.stdout)
    assert result.exit_code == 0, content["steps"][-1]
    assert content["ok"] and content["schema"] == "casemate.board_selftest/1"
    assert [step["title"] for step in content["steps"]] == [
        title for title, _ in (*STEPS, LAST_STEP)]
    facts = [fact for step in content["steps"] for fact in step["facts"]]
    assert len(facts) >= 30 and all(fact["ok"] for fact in facts)
    counters = content["counters"]
    assert counters["errors"] == 0
    assert counters["reads"] + counters["writes"] == 512
    assert counters["read_beats"] == 4 * counters["reads"]
    assert content["steps"][4]["cycles"] > counters["cycles"] > 512


@pytest.mark.verify
def test_a_board_that_does_not_see_tampering_fails(
        casemate, quick: BoardSimulation, smallest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is injected goes nowhere: the owner's data stay as they were.
    monkeypatch.setattr("casemate_sim.board.driver.Board.inject", lambda self, at, content: None)
    kept = {title: act for title, act in STEPS if title in (
        "Which board", "Fuses", "Boot", "A domain uses its memory",
        "Somebody changes a bit of memory")}
    monkeypatch.setattr(selftest, "STEPS", tuple(kept.items()))
    result = casemate("board", "selftest", "--simulate", "--config", smallest)
    assert result.exit_code == 1
    assert "NO  the owner gets an error and zeros" in result.stdout
    assert "the last step deviates" in result.stdout


@pytest.mark.verify
def test_the_button_opens_the_case(quick: BoardSimulation) -> None:
    quick.restart()
    quick.exchange(b"", 4000)
    assert quick.led == "booting"
    quick.tamper = True
    quick.exchange(b"", 100)
    quick.tamper = False
    quick.exchange(b"", 100)
    assert quick.led == "tampered"


def test_a_port_that_is_none(casemate) -> None:
    result = casemate("board", "selftest", "/dev/ttyNOWHERE")
    assert result.exit_code == 2
    assert "casemate: error: /dev/ttyNOWHERE: cannot be opened" in result.stderr


def test_a_device_that_answers_garbage(casemate) -> None:
    with pseudo_terminal() as (ours, name):
        def answer() -> None:
            while os.read(ours, 4096).strip(b"\0") == b"":
                pass
            os.write(ours, b"login: ")

        thread = Thread(target=answer, daemon=True)
        thread.start()
        result = casemate("board", "selftest", name)
        thread.join(timeout=10)
    assert result.exit_code == 2
    assert f"{name}: garbage in answer to a read at 0x01000: no answer begins with 0x6c" \
        in result.stderr


@pytest.mark.verify
def test_another_bitstream(casemate, quick: BoardSimulation) -> None:
    with served(quick) as name:
        result = casemate("board", "selftest", name)  # of preset tiny, which has a larger cache
    assert result.exit_code == 2
    assert "another bitstream: register digest is " in result.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("selftest",), "either PORT or --simulate"),
    (("selftest", "/dev/null", "--simulate"), "either PORT or --simulate"),
    (("selftest", "--simulate", "--config", "ecp5"), "block RAM on a board has at most 524,288"),
    (("build", "nothing"), "no board is called 'nothing'; there are ulx3s_85f, ecpix5_85f"),
    (("build", "ulx3s_85f", "--fuses", "nowhere.fuses"), "nowhere.fuses: No such file"),
])
def test_options_that_make_no_sense(casemate, arguments: tuple[str, ...], message: str) -> None:
    result = casemate("board", *arguments)
    assert result.exit_code == 2 and message in result.stderr


@pytest.mark.parametrize(("reached", "code"), [(14.9, 1), (15.1, 0)])
def test_a_report_may_lie_beside_the_folder_that_is_made(
        casemate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reached: float,
        code: int) -> None:
    made = BuildReport(bitstream="top.bit", sha256="0" * 64, seed=1, clocks={"clk": (15, reached)},
                       utilisation={}, versions={}, seconds=1, cpu_seconds=1)
    monkeypatch.setattr("casemate_sim.board.build.build_bitstream", lambda *_, **__: made)
    # Nothing is elaborated, which Amaranth would complain of.
    monkeypatch.setattr("casemate_sim.board.top.BoardTop", lambda _: None)
    monkeypatch.setattr("casemate_sim.board.platforms.OnBoard", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    result = casemate("board", "build", "ulx3s_85f", "--json", "build/report.json")
    assert result.exit_code == code
    assert json.loads(Path("build/report.json").read_text())["meets_timing"] is (code == 0)


@pytest.mark.verify
def test_a_simulated_board_is_served_until_ctrl_c(command, process) -> None:
    with subprocess.Popen([*command, "board", "simulate"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        name = running.stdout.readline().strip()
        result = process("board", "selftest", name)
        assert result.returncode == 0, result.stdout + result.stderr
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "casemate: error: interrupted" in stderr and "Traceback" not in stderr
