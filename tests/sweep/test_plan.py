"""The file of a sweep: what it means, and what is wrong with it."""

from __future__ import annotations

import pytest
from casemate_sim.sweep import KINDS, Store, SweepError, load_plan
from casemate_sim.sweep.plot import plot_axes

GRID = """
[fixed]
config = "tiny"
workload = "random"
[vary]
mode = ["plain", "xts"]
engine.tree.cache_sets = { from = 4, to = 64, factor = 4 }
seed = { from = 1, to = 5, step = 2 }
"""


@pytest.fixture
def plan(tmp_path):
    def load(text):
        path = tmp_path / "a.toml"
        path.write_text(text)
        return load_plan(path)

    return load


def test_a_grid_has_every_combination_the_last_parameter_fastest(plan):
    found = plan(GRID)
    assert found.kind == "simulation"
    assert [(point["mode"], point["engine.tree.cache_sets"], point["seed"])
            for point in found.points] == [
        (mode, sets, seed) for mode in ("plain", "xts") for sets in (4, 16, 64)
        for seed in (1, 3, 5)]
    assert all(point["workload"] == "random" for point in found.points)
    assert found.label(found.points[1]) == "mode = plain, engine.tree.cache_sets = 4, seed = 3"


def test_a_random_search_draws_some_of_them_once_and_always_the_same(plan):
    every = [dict(point) for point in plan(GRID).points]
    drawn = [plan(f'search = "random"\npoints = 7\nseed = {seed}\n{GRID}').points
             for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == len({str(point) for point in drawn[0]}) == 7
    assert all(point in every for point in drawn[0])


@pytest.mark.parametrize(("text", "words"), [
    ("x", "no TOML"),
    ("kind = 'walk'", "kind = 'walk' is not possible: one of simulation, attack, test"),
    ("search = 'best'", "one of grid, random"),
    ("search = 'random'", "points is for search"),
    ("points = 3", "points is for search"),
    ("search = 'random'\npoints = 3\n[vary]\nseed = [1, 2]", "3 is more than the 2 combinations"),
    ("search = 'random'\npoints = 0", "points = 0"),
    ("[extra]", "extra is no part of a sweep"),
    ("[fixed]\nspeed = 3", "speed is no parameter; there are config, mode"),
    ("kind = 'test'\n[fixed]\nengine.name = 'x'", "engine.name is no parameter; there are test"),
    ("[fixed]\nseed = 1\n[vary]\nseed = [2]", "seed is fixed and varies"),
    ("[vary]\nseed = []", "seed has no values"),
    ("[vary]\nseed = 3", "seed = 3 does not vary"),
    ("[vary]\nseed = { from = 3, to = 1 }", "from at most to"),
    ("[vary]\nseed = { from = 0, to = 8, factor = 2 }", "is no range"),
    ("[vary]\nseed = { from = 0, to = 8, by = 2 }", "is no range"),
    ("[vary]\nseed = { from = 0, to = 10000000 }", "more than 100,000 values"),
    ("[vary]\nseed = {from = 0, to = 999}\ncount = {from = 1, to = 999}", "points are more than"),
])
def test_what_is_wrong_is_named_with_the_file(plan, text, words):
    with pytest.raises(SweepError, match=r"a\.toml: ") as caught:
        plan(text)
    assert words in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(SweepError, match="cannot be read"):
        load_plan(tmp_path / "a.toml")


SIMULATION = {"config": "tiny", "workload": "random", "footprint": "16K"}
POSSIBLE = {
    "simulation": SIMULATION, "attack": {"trials": 9},
    "test": {"test": "tests/sweep/test_plan.py"},
}


@pytest.mark.parametrize(("kind", "changes", "words"), [
    ("simulation", {"config": "huge"}, "no configuration is called 'huge'"),
    ("simulation", {"engine.data_bytes": 5}, "data_bytes = 5 is not possible"),
    ("simulation", {"engine.tree.cache_sets": 5}, "cache_sets = 5 is not possible"),
    ("simulation", {"engine.speed": 5}, "speed is no parameter"),
    ("simulation", {"mode": "bare"}, "mode = 'bare'"),
    ("simulation", {"dram": "sram"}, "sram"),
    ("simulation", {"trace": "sqlite_index"}, "either a trace or a workload"),
    ("simulation", {"footprint": "16Q"}, "no size"),
    ("simulation", {"footprint": "1M"}, "data window"),
    ("simulation", {"read_share": "all"}, "a number from 0 to 1"),
    ("simulation", {"read_share": 2}, "read_share = 2"),
    ("simulation", {"outstanding": 99}, "1 to 64"),
    ("simulation", {"seed": -1}, "seed = -1"),
    ("attack", {"attack": "shout"}, "no attack is called 'shout'"),
    ("attack", {"mode": "bare"}, "no mode is called 'bare'"),
    ("attack", {"trials": 0}, "trials = 0"),
    ("attack", {"model": 1}, "true or false"),
    ("test", {"test": "tests/no_such.py::test"}, "no such file"),
])
def test_a_point_that_is_not_possible_says_why(kind, changes, words):
    KINDS[kind].of_point(POSSIBLE[kind])
    with pytest.raises(ValueError) as caught:
        KINDS[kind].of_point(POSSIBLE[kind] | changes)
    assert words in str(caught.value)


@pytest.mark.parametrize("change", [
    {"seed": 1}, {"mode": "xts"}, {"limit": 50}, {"dram": "ddr4-2400"}, {"outstanding": 3},
    {"instructions_per_cycle": 2.0}, {"engine.tree.cache_sets": 8}, {"read_share": 0.5}])
def test_a_key_changes_with_whatever_the_result_depends_on(change):
    work = KINDS["simulation"]
    key = work.of_point(SIMULATION).key()
    assert key == work.of_point(dict(SIMULATION)).key()
    assert key != work.of_point(SIMULATION | change).key()


def test_points_of_one_engine_share_its_models():
    work = KINDS["simulation"]
    keys = [{model.key for model in work.of_point(SIMULATION | change).models()}
            for change in ({}, {"seed": 3, "limit": 7}, {"mode": "integrity"}, {"mode": "xts"})]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert len(keys[0] & keys[3]) == 1, "the bare wire is the same"


def test_a_broken_file_of_a_point_is_as_good_as_none(tmp_path):
    store = Store(tmp_path)
    for content in ("{", "[]", "{}", '{"schema": "another"}'):
        (tmp_path / "key.json").write_text(content)
        assert store.get("key") is None


def test_the_plot_shows_what_varies_unless_it_is_told():
    sweep = {"varied": {"seed": [1], "mode": ["xts"]}, "figures": {"slowdown": "", "cycles": ""}}
    assert plot_axes(sweep, None, None) == ("mode", "slowdown")
    assert plot_axes(sweep, "seed", "cycles") == ("seed", "cycles")
    for x, y in (("count", None), (None, "speed")):
        with pytest.raises(SweepError, match=x or y or ""):
            plot_axes(sweep, x, y)
    with pytest.raises(SweepError, match="nothing varies"):
        plot_axes(sweep | {"varied": {}}, None, None)
