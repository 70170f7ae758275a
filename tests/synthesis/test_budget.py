"""A budget names what is over it; a file that is no budget is refused."""

import dataclasses
from pathlib import Path

import pytest
from casemate_sim.synthesis.budget import Budget, BudgetError, load_budget
from casemate_sim.synthesis.devices import DEVICES, Target
from casemate_sim.synthesis.implementation import Implementation
from casemate_sim.synthesis.routing import Routed
from casemate_sim.synthesis.usage import Usage

TARGET = Target(device=DEVICES["LFE5U-25F"], package="CABGA256", grade="6", frequency_mhz=100.0)
RESULT = Implementation(
    "tiny", TARGET, Usage(luts=1000, registers=500, block_rams=3), {},
    routed=[Routed(seed, {"fmax": {"clk": {"achieved": mhz}}})
            for seed, mhz in ((1, 50.0), (2, 70.0), (3, 60.0))])
LIMITS = {"luts": 1000, "registers": 500, "block_rams": 3}


def test_what_is_at_the_limit_holds():
    budget = Budget(limits=LIMITS, fmax_mhz=60.0)
    assert budget.holds(RESULT)
    assert budget.check(RESULT) == [
        "LUTs: 1,000, at most 1,000", "registers: 500, at most 500", "block RAMs: 3, at most 3",
        "Fmax: 60.0 MHz, at least 60 MHz"]


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_over_is_named(name):
    budget = Budget(limits=LIMITS | {name: LIMITS[name] - 1}, fmax_mhz=None)
    assert not budget.holds(RESULT)
    over, = (line for line in budget.check(RESULT) if "OVER BUDGET" in line)
    assert f"{LIMITS[name]:,}" in over


def test_a_median_that_is_too_slow():
    budget = Budget(limits={}, fmax_mhz=60.1)
    assert not budget.holds(RESULT)
    assert budget.check(RESULT) == ["Fmax: 60.0 MHz, at least 60.1 MHz: OVER BUDGET"]


def test_frequency_is_no_matter_without_placements():
    mapped = dataclasses.replace(RESULT, routed=[])
    assert Budget(limits=LIMITS, fmax_mhz=1000.0).holds(mapped)


def test_budget_of_a_file(tmp_path: Path):
    file = tmp_path / "budget.toml"
    file.write_text("[tiny.full]\nluts = 7\nfmax_mhz = 3.5\n[tiny.xts]\nluts = 5\n")
    assert load_budget(file, "tiny", "full") == Budget(limits={"luts": 7}, fmax_mhz=3.5)
    assert load_budget(file, "tiny", "xts") == Budget(limits={"luts": 5}, fmax_mhz=None)


@pytest.mark.parametrize(("text", "message"), [
    ("[tiny", "no TOML"), ("[ecp5.full]\nluts = 1", r"no table \[tiny.full\]"),
    ("tiny = 3", r"no table \[tiny.full\]"),
    ("[tiny.full]\nlutz = 1", "tiny.full.lutz is no limit; there are luts"),
    ("[tiny.full]\nluts = 'many'", "tiny.full.luts = 'many' is no number"),
    ("[tiny.full]\nluts = -1", "is no number"), ("[tiny.full]\nluts = true", "is no number")])
def test_wrong_files(tmp_path: Path, text, message):
    file = tmp_path / "budget.toml"
    file.write_text(text)
    with pytest.raises(BudgetError, match=f"budget.toml: .*{message}"):
        load_budget(file, "tiny", "full")
