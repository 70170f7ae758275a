"""Faults in array, registers and pins: corrected, or closed; never a wrong key or an open door."""

from random import Random

import pytest
from casemate_sim.fuses.bench import FROZEN
from casemate_sim.fuses.faults import CAMPAIGNS, EscapeError, judge, restart
from casemate_sim.fuses.scenarios import SCENARIOS, Stage, length, record


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_sample(device, name, seed):
    assert CAMPAIGNS[name](device, 1, Random(seed)).count().total() >= 400


@pytest.mark.verify
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_everything(device, name, seed):
    campaign = CAMPAIGNS[name](device, None, Random(seed))
    assert campaign.count().total() >= campaign.total >= 1_600


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_that_goes_on_is_the_one_from_its_beginning(device, scenario, seed):
    log = record(device, scenario)
    cycles = sorted(Random(seed).sample(range(length(log)), 12))
    fault = {"freeze": 1}
    stage = Stage(device)
    going_on = [(stage.play(scenario, log, cycle, fault), device.look()) for cycle in cycles]
    assert going_on == [(Stage(device).play(scenario, log, cycle, fault), device.look())
                        for cycle in cycles]


@pytest.mark.parametrize("freeze", [("step",), ("step", "target"), ("step", "word")])
def test_a_word_that_is_drawn_twice_makes_no_other_key(device, freeze):
    # Found by `everything`: the controller stayed in DRAW, and shifted the share twice.
    scenario = next(each for each in SCENARIOS if each.name == "provisioning")
    log, stage = record(device, scenario), Stage(device)
    fault = {"freeze": sum(1 << FROZEN.index(name) for name in freeze)}
    for cycle in range(430, 800):
        judge(stage.play(scenario, log, cycle, fault), f"frozen in cycle {cycle}")
        image = device.look()
        restart(device, image, f"frozen in cycle {cycle}")


@pytest.mark.parametrize(("wrong", "words"), [
    ({"key_wrong": 1}, "a wrong key"), ({"key_leak": 1}, "key bits"), ({"exposed": 1}, "debugger"),
    ({"keys": 2}, "more than one"), ({"ready": 0, "debug": 1}, "an output is open"),
    ({"alert": 1}, "alarm, and something"), ({"ready": 0, "alert": 1, "held": 1}, "alarm, and"),
])
def test_an_escape_is_seen(device, wrong, words):
    from casemate.fuse.codes import LifeCycle

    fine = {"key_wrong": 0, "key_leak": 0, "exposed": 0, "keys": 1, "ready": 1, "debug": 0,
            "alert": 0, "held": 0, "identity": 0, "configuration": 0,
            "life_cycle": LifeCycle.SCRAP.value}
    assert judge(fine, "nothing") == "right"
    with pytest.raises(EscapeError, match=words):
        judge(fine | wrong, "a fault")
