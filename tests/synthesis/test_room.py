"""LUTs that keep room: which nets get them, that they go without a trace, the second placement."""

import dataclasses
import json

import pytest
from casemate_sim.build import cache_directory
from casemate_sim.synthesis import routing
from casemate_sim.synthesis.devices import DEVICES, Target
from casemate_sim.synthesis.flow import design_of
from casemate_sim.synthesis.implementation import implement
from casemate_sim.synthesis.room import MARGIN, add_room, crowded_nets, look_further, remove_room
from small_designs import Outer

TARGET = Target(device=DEVICES["LFE5U-25F"], package="CABGA381", grade="6", frequency_mhz=100.0)


def module():
    """Return a mapped module: a LUT and a register behind a block RAM, of which one bit is used."""
    return {
        "settings": {"router": "router2"},
        "netnames": {"word": {"bits": [2, "x"]}, "same": {"bits": [2]}, "sum": {"bits": [3]},
                     "held": {"bits": [4, "0"]}},
        "cells": {
            "ram": {"type": "DP16KD", "connections": {"DOA0": [2]}},
            "lut": {"type": "LUT4", "connections": {"A": [2], "B": [4], "Z": [3]}},
            "register": {"type": "TRELLIS_FF", "connections": {"DI": [3], "Q": [4]}}}}


def test_the_nets_that_share_most_wires_get_room_first():
    crowded = crowded_nets(["sum,2,", "word[0],9,", "held[0],7,", "gone,8,"])
    assert crowded == {"sum": 2, "word[0]": 9, "held[0]": 7, "gone": 8}
    top = module()
    add_room(top, crowded, 3)
    added = [top["cells"][f"room${number}"] for number in range(3)]
    # A block RAM stays where it is; behind the last net comes the first again.
    assert [cell["connections"]["A"] for cell in added] == [[4], [3], [4]]
    assert {cell["type"] for cell in added} == {"LUT4"}
    outputs = [cell["connections"]["Z"][0] for cell in added]
    assert len(set(outputs)) == 3 and min(outputs) > 4


def test_nothing_crowded_needs_no_room():
    top = module()
    add_room(top, {"word[0]": 1}, 5)
    assert top == module()


def test_room_goes_without_a_trace():
    top = module()
    add_room(top, {"sum": 1}, 2)
    assert len(top["cells"]) == 5
    remove_room(top)
    assert top == module()


def test_the_router_is_told_to_look_further():
    top = module()
    look_further(top)
    assert top == module() | {"settings": {
        "router": "router2", "router2/bbMargin/x": str(MARGIN), "router2/bbMargin/y": str(MARGIN)}}


@pytest.mark.usefixtures("cache")
def test_what_is_crowded_at_first_is_placed_again_with_room(monkeypatch):
    monkeypatch.setattr(routing, "FIRST_ITERATIONS", 1)
    told = []
    design = design_of(Outer(), "roomy")
    result = implement(design, dataclasses.replace(TARGET, room=30), [1], progress=told.append)
    assert "seed 1: placement with room" in told
    assert result.usage == implement(design, TARGET, [1]).usage
    assert result.as_dict()["target"]["room"] == 30
    placed, = (folder for folder in cache_directory().glob("placed-roomy-*") if folder.is_dir())
    assert {file.name for file in placed.iterdir()} == {"clock.lpf", "netlist.json"}
    top = json.loads((placed / "netlist.json").read_text())["modules"]["top"]
    assert not [name for name in (*top["cells"], *top["netnames"]) if name.startswith("room$")]
    assert top["settings"]["router2/bbMargin/x"] == str(MARGIN)
    first, = (folder for folder in cache_directory().glob("route-roomy-*")
              if (folder / "given_up.json").exists())
    assert {file.name for file in first.iterdir()} == {
        "clock.lpf", "given_up.json", "heat_congestion_by_net_1.csv"}


@pytest.mark.usefixtures("cache")
def test_what_is_routed_at_once_is_placed_once(monkeypatch):
    monkeypatch.setattr(routing, "FIRST_ITERATIONS", 200)
    told = []
    result = implement(design_of(Outer(), "spacious"), dataclasses.replace(TARGET, room=30), [1],
                       progress=told.append)
    assert len(result.routed) == 1
    assert "seed 1: placement with room" not in told
    assert not list(cache_directory().glob("placed-spacious-*"))
