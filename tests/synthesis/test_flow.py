"""A small design through Yosys and nextpnr: figures, names, seeds, the cache, Ctrl-C."""

import dataclasses
import subprocess
import threading
import time

import pytest
from casemate.config import preset
from casemate_sim.synthesis.devices import DEVICES, Target
from casemate_sim.synthesis.flow import design_of
from casemate_sim.synthesis.implementation import has_tables, implement
from casemate_sim.synthesis.report import seed_table, verdict
from casemate_sim.synthesis.tools import DoesNotFitError, Tools
from casemate_sim.synthesis.usage import Usage
from casemate_sim.toolchain import ToolError
from small_designs import Delay, Outer, SubBytes

pytestmark = pytest.mark.usefixtures("cache")

TARGET = Target(device=DEVICES["LFE5U-25F"], package="CABGA256", grade="6", frequency_mhz=100.0)

@pytest.fixture(scope="module")
def design():
    return design_of(Outer(), "outer")


def test_synthesis_tells_the_area_of_each_component(design):
    result = implement(design, TARGET, [])
    # Registers of the pins: shifted, held; captured, folded, and the output.
    assert result.components[""].registers == 16 + 16 + 8 + 3 + 1
    assert result.components["engine"].registers == 8
    assert result.components["engine.adder"].registers == 8
    # A memory of two times four bits, and at least one adder of eight.
    assert result.components["engine.adder"].luts >= 2 * 6 + 8
    assert result.mapped == Usage.total(result.components.values())
    assert result.routed == []
    assert result.slowest_mhz is None


def test_a_table_in_luts_is_smaller_where_luts_are_joined():
    narrow, joined = (
        implement(design_of(SubBytes(), "sub_bytes", tables=tables), TARGET, []).mapped.luts
        for tables in (False, True))
    # Sixteen LUTs for each of the eight outputs, and a few behind them for the pins.
    assert joined < 10 * 16
    assert narrow > 1.5 * joined


@pytest.mark.parametrize(("name", "tables"), [("tiny", False), ("ecp5", True), ("compact", False)])
def test_only_engines_with_s_boxes_in_luts_have_tables(name, tables):
    assert has_tables(preset(name)) is tables


def test_a_register_that_only_delays_an_input_is_there():
    result = implement(design_of(Delay(), "delay"), TARGET, [])
    assert result.components["engine"].registers == 8


def test_two_seeds_placed_and_routed(design):
    told = []
    result = implement(design, TARGET, [2, 1], jobs=2, progress=told.append)
    assert [each.seed for each in result.routed] == [1, 2]
    assert list(result.fmax_mhz) == ["clk"]
    speeds = [each.fmax_mhz["clk"] for each in result.routed]
    assert result.slowest_mhz == pytest.approx(sum(speeds) / 2, abs=0.01)
    assert min(speeds) > 50
    assert result.median.fmax_mhz["clk"] == min(speeds)
    assert {"synthesis", "seed 1: placement", "seed 2: placement"} <= set(told)
    # As packed nothing is missing that was mapped; the router adds ends of carry chains.
    assert result.usage.registers == result.mapped.registers
    assert result.mapped.luts <= result.usage.luts <= result.mapped.luts + 8
    path = next(path for path in result.paths if "async" not in path.start + path.end)
    assert path.delay_ns == pytest.approx(1000 / min(speeds), rel=0.02)
    assert all(step.component.startswith("engine") or not step.component for step in path.steps)
    assert any(step.source for step in path.steps)


def test_another_family(design):
    device = DEVICES["GW2AR-18"]
    result = implement(design, Target(device=device, package="QN88", grade="C8/I7",
                                      frequency_mhz=50.0), [1])
    assert result.failure is None
    assert list(result.fmax_mhz) == ["clk"]
    assert result.components["engine.adder"].registers == 8
    assert result.usage.registers == result.mapped.registers == 16 + 16 + 8 + 8 + 8 + 3 + 1
    assert result.usage.luts >= result.mapped.luts


def test_second_run_starts_no_tool(design, monkeypatch):
    first = implement(design, TARGET, [1])

    def refuse(*_, **__):
        raise AssertionError("a tool was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert implement(design, TARGET, [1]).as_dict() == first.as_dict()


def test_a_device_that_is_too_small(design):
    small = dataclasses.replace(TARGET.device, capacity=Usage(luts=10, registers=10))
    result = implement(design, dataclasses.replace(TARGET, device=small), [1])
    assert result.failure is not None
    assert "registers, of which it has 10" in result.failure
    assert result.routed == []


def test_router_that_is_missing(design):
    family = dataclasses.replace(TARGET.device.family, router="nextpnr-none", package="none")
    device = dataclasses.replace(TARGET.device, family=family)
    with pytest.raises(ToolError, match=r"nextpnr-none is not installed.*casemate\[synth\]"):
        implement(design, dataclasses.replace(TARGET, device=device), [1])


def test_a_router_that_does_not_end_is_given_up_and_the_other_seeds_kept(design, monkeypatch):
    # In this package router2 routes; after one iteration some wires are still used twice.
    target = dataclasses.replace(TARGET, package="CABGA381")
    ended = implement(design, target, [1])
    assert (len(ended.routed), ended.unrouted) == (1, [])
    hasty = dataclasses.replace(target, iterations=1)
    told = []
    result = implement(design, hasty, [1], progress=told.append)
    assert result.routed == []
    given_up, = result.unrouted
    assert given_up.seed == 1
    assert given_up.wires > 0
    assert told[-1] == f"seed 1: given up with {given_up.wires} wires used twice"
    assert f"not routed after 1 iterations: seed 1 ({given_up.wires} wires" in verdict(result)
    assert result.as_dict()["unrouted"] == {"1": given_up.wires}

    monkeypatch.setattr(subprocess, "Popen", None)  # it is remembered, too
    assert implement(design, hasty, [1]).unrouted == [given_up]
    both = dataclasses.replace(ended, unrouted=[dataclasses.replace(given_up, seed=2)])
    assert list(seed_table(both).columns[1].cells)[1] == "not routed"
    assert both.slowest_mhz == ended.slowest_mhz


def test_a_tool_that_fails_is_quoted_and_its_log_kept(tmp_path):
    message = r"tool failed \(exit code 3\).*\nERROR: x"
    with Tools() as tools, pytest.raises(ToolError, match=message):
        tools.run("tool", ["sh", "-c", "echo fine; echo ERROR: x; exit 3"], tmp_path)


def test_what_cannot_be_placed_does_not_fit(tmp_path):
    with Tools() as tools, pytest.raises(DoesNotFitError, match="Unable to place"):
        tools.run("tool", ["sh", "-c", "echo 'ERROR: Unable to place cell'; exit 1"], tmp_path)


def test_who_watches_a_tool_may_end_it(tmp_path):
    seen = []

    def watch(line):
        seen.append(line)
        if line == "two\n":
            raise ValueError

    begin = time.monotonic()
    with Tools() as tools, pytest.raises(ValueError):
        tools.run("tool", ["sh", "-c", "echo one; echo two; exec sleep 60"], tmp_path, watch)
    assert seen == ["one\n", "two\n"]
    assert time.monotonic() - begin < 30


def test_leaving_ends_what_still_runs(tmp_path):
    ended = []

    def work():
        try:
            tools.run("sleep", ["sleep", "60"], tmp_path)
        except KeyboardInterrupt:
            ended.append(True)

    with Tools() as tools:
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.3)
    thread.join(timeout=10)
    assert ended == [True]


def test_interrupt_keeps_finished_seeds(design, monkeypatch):
    done = implement(design, TARGET, [1]).routed[0]

    def one_then_interrupt(*_, **__):
        yield done
        raise KeyboardInterrupt

    monkeypatch.setattr("casemate_sim.synthesis.implementation.route_seeds", one_then_interrupt)
    result = implement(design, TARGET, [1, 2])
    assert result.interrupted
    assert [each.seed for each in result.routed] == [1]
    assert result.as_dict()["fmax_mhz"] == done.fmax_mhz
