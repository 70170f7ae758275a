"""``casemate walkthrough``: the life of a device, and its end when something deviates."""

from __future__ import annotations

import json

import pytest
from casemate_sim import walkthrough
from casemate_sim.bench import Bench, small_fused_config
from casemate_sim.driver import Casemate
from casemate_sim.steps import Step
from casemate_sim.walkthrough import STEPS, Walk


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(small_fused_config())


@pytest.fixture
def quick(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Let the command use a bench that is there already."""
    def again(config, *, seed: int = 0) -> Bench:
        assert config == bench.config
        bench.memory.clear()
        return bench

    monkeypatch.setattr("casemate_sim.bench.Bench", again)
    return bench


def test_every_step_is_as_it_must_be(casemate, quick: Bench) -> None:
    result = casemate("walkthrough", "--json")
    content = json.loads(result.stdout)
    assert result.exit_code == 0, content["steps"][-1]
    assert content["ok"] and content["schema"] == "casemate.walkthrough/1"
    assert [step["title"] for step in content["steps"]] == [title for title, _ in STEPS]
    facts = [fact for step in content["steps"] for fact in step["facts"]]
    assert len(facts) >= 30 and all(fact["ok"] for fact in facts)
    assert all(step["cycles"] > 0 for step in content["steps"])
    assert content["cycles"] == sum(step["cycles"] for step in content["steps"])


def test_people_read_what_happened(casemate, quick: Bench,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough, "STEPS", STEPS[:1])
    result = casemate("walkthrough")
    assert result.exit_code == 0
    assert "1. A blank device" in result.stdout
    assert "without a root key every access is refused" in result.stdout
    assert "everything is as it must be" in result.stdout


def test_a_device_that_deviates_ends_it_with_exit_code_1(
        casemate, quick: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.word = lambda: 0x1234_5678  # a source that is stuck: no boot
    defaults = Casemate.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "patience", 2000)  # looks: several times as long as a boot
    try:
        result = casemate("walkthrough", "--json")
    finally:
        quick.word = iter(range(1, 1 << 32)).__next__
    content = json.loads(result.stdout)
    assert result.exit_code == 1 and not content["ok"]
    assert len(content["steps"]) < len(STEPS)
    assert not content["steps"][-1]["ok"] and all(step["ok"] for step in content["steps"][:-1])


def test_a_domain_that_reads_another_ones_memory_is_a_deviation(
        bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    walk, step = Walk(bench), Step("isolation")
    monkeypatch.setattr(walk, "_read", lambda domain, line: (0, b"x" * 64))
    monkeypatch.setattr(walk, "engine", type("Engine", (), {
        "create": lambda self, domain: None, "errors": lambda self: iter(()),
        "registers": {}})())
    Walk._isolation(walk, step)
    assert not step.ok
