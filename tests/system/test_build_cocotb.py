"""Builds are kept; failures of a simulation are told apart."""

from pathlib import Path

import pytest
from casemate_sim import build_cocotb as module
from casemate_sim.build_cocotb import SimulationError, build_cocotb, run_cocotb
from configurations import CONFIGS

HERE = Path(__file__).parent


def test_second_build_compiles_nothing(monkeypatch):
    def must_not_run(*args, **kwargs):
        raise AssertionError("compiled again")

    program = build_cocotb(CONFIGS["tiny"])
    monkeypatch.setattr(module, "verilate", must_not_run)
    monkeypatch.setattr(module, "convert_verilog", must_not_run)
    assert build_cocotb(CONFIGS["tiny"]) == program
    with pytest.raises(AssertionError, match="compiled again"):
        build_cocotb(CONFIGS["tiny"], optimise="-Og")


def run(tmp_path, name):
    return run_cocotb(build_cocotb(CONFIGS["tiny"]), [name], folder=tmp_path, seed=1, paths=[HERE],
                      environment={"CASEMATE_CONFIG": "tiny", "CASEMATE_SEED": "1"})


def test_failures_are_reported_with_their_reason(tmp_path):
    wrong, violation, behind = run(tmp_path, "cocotb_broken")
    assert wrong.name == "wrong_expectation" and not wrong.passed
    assert "ScoreboardError" in wrong.message and "DRAM holds 0x6e" in wrong.message
    # An assertion in the hardware ends the simulation, whatever else was to come.
    assert violation.name == "protocol_violation" and not violation.passed
    assert "AXI4_ERRM_WVALID_STABLE" in violation.message
    assert not behind.passed


def test_simulation_without_results_shows_its_log(tmp_path):
    with pytest.raises(SimulationError, match=r"(?s)ended without results.*No module named 'nono'"):
        run(tmp_path, "nono")
