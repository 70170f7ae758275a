"""Cells belong to the component whose signal they compute; names are those of the source."""

import pytest
from casemate_sim.synthesis.devices import ECP5
from casemate_sim.synthesis.netlist import INPUT, Netlist, Owner, subtotals
from casemate_sim.synthesis.usage import Usage


def lut(inputs, output):
    return cell("LUT4", {"A": ("input", inputs), "Z": ("output", [output])})


def register(data, output):
    return cell("TRELLIS_FF", {"DI": ("input", [data]), "Q": ("output", [output])})


def cell(kind, ports, *, hidden=True):
    return {"type": kind, "hide_name": int(hidden),
            "port_directions": {name: direction for name, (direction, _) in ports.items()},
            "connections": {name: bits for name, (_, bits) in ports.items()}}


def net(bits, *, hidden=False, is_input=False):
    return {"bits": bits, "hide_name": int(hidden), "attributes": {INPUT: "1"} if is_input else {}}


def netlist(cells, nets, components=("engine", "engine.a", "engine.b")):
    scopes = {name: cell("$scopeinfo", {}, hidden=False) for name in components}
    return Netlist({"modules": {"top": {"cells": cells | scopes, "netnames": nets}}}, ECP5)


def test_driver_is_preferred_to_inputs_that_it_drives():
    found = netlist({"$1": lut([9], 1)}, {
        "engine.a.result": net([1]), "engine.wire": net([1]),
        "engine.b.deeper.data": net([1], is_input=True)})
    assert found.owner("engine.wire") == Owner("engine.a", "result")
    assert found.components()["engine.a"] == Usage(luts=1)


def test_wires_behind_an_input_are_not_where_it_is_driven():
    found = netlist({"$1": register(9, 1)}, {
        "engine.state": net([1]), "engine.b.data": net([1], is_input=True),
        "engine.b.address": net([1])})
    assert found.owner("engine.b.address") == Owner("engine", "state")


def test_what_is_known_as_an_input_only_comes_from_outside():
    found = netlist({"$1": register(9, 1)}, {"engine.a.data": net([1], is_input=True)})
    assert found.owner("engine.a.data") == Owner("engine", "data")


def test_component_is_told_from_a_field_of_a_structure():
    found = netlist({"$1": lut([9], 1)}, {"engine.a.payload.block": net([7, 1])})
    assert found.owner("engine.a.payload.block[1]") == Owner("engine.a", "payload.block")


def test_logic_without_a_name_belongs_to_the_register_that_it_leads_to():
    found = netlist({"$1": lut([9], 1), "$2": lut([1], 2), "$3": register(2, 3)}, {
        "$new_1": net([1], hidden=True), "engine.b.state": net([3])})
    assert found.owner("$new_1") == Owner("engine.b", "state")
    assert found.components()["engine.b"] == Usage(luts=2, registers=1)


def test_most_of_several_users_get_it():
    cells = {"$1": lut([9], 1)}
    for number, output in enumerate((2, 3, 4)):
        cells[f"$r{number}"] = register(1, output)
    found = netlist(cells, {"engine.a.x": net([2]), "engine.b.y": net([3, 4])})
    assert found.components()["engine.b"] == Usage(luts=1, registers=2)
    assert found.components()["engine.a"] == Usage(registers=1)


def test_memory_has_the_name_of_its_component():
    memory = cell("TRELLIS_DPR16X4", {"DI": ("input", [1]), "DO": ("output", [2])}, hidden=False)
    found = netlist({"engine.a.store.0.0": memory, "$1": lut([2], 3), "$2": lut([9], 1)},
                    {"engine.b.value": net([3])})
    assert found.components()["engine.a"] == Usage(luts=6 + 1)
    assert found.components()["engine.b"] == Usage(luts=1)


def test_loops_end():
    found = netlist({"$1": lut([2], 1), "$2": lut([1], 2)}, {"$x": net([1], hidden=True)})
    assert found.owner("$x") is None
    assert found.components()[""] == Usage(luts=2)


def test_what_leads_nowhere_belongs_to_the_top():
    found = netlist({"$1": register(9, 1)}, {})
    assert found.components()[""] == Usage(registers=1)
    assert found.owner("no such net") is None


def test_usage_is_the_sum_of_the_components():
    found = netlist({"$1": lut([9], 1), "$2": register(1, 2),
                     "engine.b.ram": cell("DP16KD", {"DOA": ("output", [5])}, hidden=False)},
                    {"engine.a.x": net([2])})
    assert found.usage == Usage(luts=1, registers=1, block_rams=1)
    assert Usage.total(found.components().values()) == found.usage


def test_subtotals_hold_everything_below():
    below = subtotals({"": Usage(luts=1), "engine": Usage(luts=10), "engine.a": Usage(luts=100),
                       "engine.a.x": Usage(luts=1000), "engine.ab": Usage(luts=10_000)})
    assert {name: usage.luts for name, usage in below.items()} == {
        "": 11_111, "engine": 11_110, "engine.a": 1_100, "engine.a.x": 1000, "engine.ab": 10_000}


@pytest.mark.parametrize(("kind", "usage"), [
    ("LUT4", Usage(luts=1)), ("CCU2C", Usage(luts=2)), ("TRELLIS_FF", Usage(registers=1)),
    ("PDPW16KD", Usage(block_rams=1)), ("MULT18X18D", Usage(dsps=1)), ("PFUMX", Usage()),
    ("TRELLIS_FF_LIKE", Usage())])
def test_cells_of_the_ecp5(kind, usage):
    assert ECP5.usage(kind) == usage


def test_logic_may_be_deeper_than_python_recurses():
    cells = {f"${bit}": lut([bit - 1], bit) for bit in range(11, 5011)}
    found = netlist(cells | {"$r": register(5010, 6000)}, {"engine.a.state": net([6000])})
    assert found.components()["engine.a"] == Usage(luts=5000, registers=1)
