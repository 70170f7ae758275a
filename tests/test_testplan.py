"""Every point of the test plan names tests that exist."""

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
POINTS = tomllib.loads((PROJECT / "tests/testplan.toml").read_text())["point"]
STAGES = {"block", "system", "proof", "bench"}


@cache
def functions(path):
    """Return the names of a file's functions: cocotb tests are not pytest's to collect."""
    tree = ast.parse((PROJECT / path).read_text())
    return {node.name for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(point):
    """Return the tests of a point that do not exist."""
    found = []
    for test in point["tests"]:
        path, _, name = test.partition("::")
        if not (PROJECT / path).is_file() or (name and name not in functions(path)):
            found.append(test)
    return found


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point["name"])
def test_a_point_is_complete_and_its_tests_exist(point):
    assert set(point) == {"name", "desc", "stage", "tests"}
    assert point["name"].isidentifier() and point["desc"].endswith(".")
    assert point["stage"] in STAGES
    assert point["tests"]
    assert not missing(point)


def test_names_are_distinct():
    names = [point["name"] for point in POINTS]
    assert len(names) == len(set(names))


def test_a_test_that_does_not_exist_is_found():
    wrong = ["tests/test_testplan.py::test_nothing", "tests/nowhere.py"]
    assert missing({"tests": ["tests/test_testplan.py::test_names_are_distinct", *wrong]}) == wrong
