"""Critical paths are told in the signals of the source; no delay is lost."""

import pytest
from casemate_sim.synthesis.netlist import Owner
from casemate_sim.synthesis.timing import critical_paths


class Names:
    """Nets `x` and `$x1` are the signal `x` of engine.a, `y` of engine.b; others are unknown."""

    def owner(self, net):
        letter = net.strip("$")[0]
        return {"x": Owner("engine.a", "x"), "y": Owner("engine.b", "y")}.get(letter)

    def line(self, component, signal):
        return f"casemate/{component}.py:{len(signal)}" if component else None


def hop(kind, delay, net=None):
    return {"type": kind, "delay": delay, "from": {}, "to": {}} | ({"net": net} if net else {})


REPORT = {"critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": [
    hop("clk-to-q", 0.5), hop("routing", 1.0, "mystery"), hop("logic", 0.25),
    hop("routing", 2.0, "x"), hop("logic", 0.25), hop("routing", 0.0, "carry"),
    hop("logic", 0.25), hop("routing", 3.0, "$x1"), hop("logic", 0.125),
    hop("routing", 1.0, "y"), hop("setup", 0.0625)]}]}


@pytest.fixture
def path():
    found, = critical_paths(REPORT, Names(), Names())
    return found


def test_hops_towards_one_signal_are_one_step(path):
    assert [step.name for step in path.steps] == ["mystery", "engine.a.x", "engine.b.y"]
    assert [step.cells for step in path.steps] == [1, 3, 1]
    assert [step.logic_ns for step in path.steps] == [0.5, 0.75, 0.1875]
    assert [step.routing_ns for step in path.steps] == [1.0, 5.0, 1.0]


def test_no_delay_is_lost(path):
    assert path.delay_ns == sum(hop["delay"] for hop in REPORT["critical_paths"][0]["path"])


def test_steps_tell_where_their_signal_is_defined(path):
    assert [step.source for step in path.steps] == [
        None, "casemate/engine.a.py:1", "casemate/engine.b.py:1"]
    assert path.as_dict()["steps"][1]["source"] == "casemate/engine.a.py:1"


def test_a_report_without_paths():
    assert critical_paths({"fmax": {}}, Names(), Names()) == []
