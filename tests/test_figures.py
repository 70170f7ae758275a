"""Figures of the benches: targets, and a file that keeps what is finished."""

import json

import pytest
from casemate_sim.figures import Figure, FigureBook


@pytest.mark.parametrize(("target", "value", "met"), [
    (">= 0.99", 0.99, True), (">= 0.99", 0.98, False), ("<= 14", 14, True), ("<= 14", 15, False),
    ("== 1", 1.0, True), ("== 1", 1.01, False), (None, 5, None)])
def test_a_figure_knows_whether_it_meets_its_target(target, value, met):
    assert Figure(name="a", value=value, unit="1", target=target).met is met


def test_a_target_that_is_no_comparison_is_refused():
    with pytest.raises(ValueError, match="target of a = 'fast' must begin with one of >=, <=, =="):
        Figure(name="a", value=1, unit="1", target="fast")


def test_each_figure_is_on_disk_as_soon_as_it_is_added_and_others_stay(tmp_path):
    path = tmp_path / "build" / "bench.json"
    FigureBook(path).add(Figure(name="b", value=2, unit="cycles", config={"dram": "x"}))
    book = FigureBook(path)
    book.add(Figure(name="a", value=0.5, unit="1", target=">= 0.99"))
    assert json.loads(path.read_text()) == {
        "a": {"value": 0.5, "unit": "1", "config": {}, "target": ">= 0.99", "met": False},
        "b": {"value": 2, "unit": "cycles", "config": {"dram": "x"}, "target": None, "met": None}}
    assert [figure.name for figure in book.added] == ["a"]


def test_a_file_that_is_not_json_is_named(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"bench\.json is not JSON"):
        FigureBook(path)
