"""The smallest engine keeps the budget that is part of the repository."""

from dataclasses import replace
from pathlib import Path

import pytest
from casemate.aes.cipher import Direction
from casemate.config import preset
from casemate.modes.xts import XtsCipher
from casemate_sim.modes import with_tree
from casemate_sim.synthesis.budget import load_budget
from casemate_sim.synthesis.devices import DEVICES, Placer, Target
from casemate_sim.synthesis.flow import design_of
from casemate_sim.synthesis.implementation import engine_design, implement

BUDGET = Path(__file__).parents[2] / "benches/results/synth_budget.toml"
TARGET = Target(device=DEVICES["LFE5U-25F"], package="CABGA381", grade="6", frequency_mhz=60.0)
WHOLE = replace(TARGET, frequency_mhz=25.0, placer=Placer.STATIC)
"""What the whole engine is routed with, from seed 2; from seed 1 no router ends: docs/fpga.md."""


def keeps(result, config, mode):
    budget = load_budget(BUDGET, config, mode)
    assert result.failure is None
    print("\n".join(budget.check(result)))  # pytest shows it when the test fails
    return budget.holds(result)


def test_data_path_keeps_its_budget(cache):
    config = preset("tiny")
    path = XtsCipher(config.data_cipher, aes_bits=config.aes_bits, direction=Direction.DECRYPT,
                     lanes=config.lanes, keys=config.domain_slots, entries=config.read_entries,
                     tag=0)
    assert keeps(implement(design_of(path, "tiny_path"), TARGET, []), "tiny_path", "xts")


@pytest.mark.verify
def test_whole_engine_keeps_its_budget():
    assert keeps(implement(engine_design(with_tree(preset("tiny"))), WHOLE, [2]), "tiny", "full")
