"""Campaigns against the exported engine, cycle by cycle."""

import pytest
from casemate.config import ConfigError, preset
from casemate_sim.adversary import (
    MODES,
    AdapterError,
    Hook,
    Operation,
    Outcome,
    Trial,
    attacked,
    plan,
    run_campaign,
    run_now,
    run_trial,
)
from casemate_sim.adversary.native import NativeAdapter

CONFIG = preset("tiny").replace(root_counters=8)


@pytest.fixture(scope="module")
def treeless_adapter():
    made = NativeAdapter(CONFIG)
    yield made
    made.close()


@pytest.mark.verify  # the modes are part of the campaign below, on an engine that has all four
def test_modes_without_authentication_lose_as_the_table_says(treeless_adapter, seed):
    print(f"seed {seed}")
    report = run_now(run_campaign(treeless_adapter, plan(640, seed, None, ["plain", "xts"])))
    assert not report.failures, [str(each) for each in report.failures]
    assert report.ok, report.missed


@pytest.fixture(scope="module")
def tree_adapter():
    made = NativeAdapter(attacked(preset("tiny")))
    yield made
    made.close()


def test_tampering_is_detected_and_nothing_else(tree_adapter, seed):
    print(f"seed {seed}")
    report = run_now(run_campaign(tree_adapter, plan(2048, seed)))
    assert not report.failures, [str(each) for each in report.failures]
    assert report.ok, report.missed
    assert report.total(Outcome.DETECTED) > 600
    assert report.unnoticed == 0


@pytest.mark.verify
@pytest.mark.parametrize("part", range(10))
def test_tampering_is_detected_in_long_campaigns(tree_adapter, seed, part):
    print(f"seed {seed}")
    report = run_now(run_campaign(
        tree_adapter, plan(10_000, seed + 1 + part, None, ["integrity", "full"])))
    assert not report.failures, [str(each) for each in report.failures]
    assert report.ok, report.missed
    assert report.unnoticed == 0


@pytest.mark.verify
def test_tampering_is_detected_where_one_pipeline_encrypts_everything(seed):
    adapter = NativeAdapter(attacked(preset("compact")))
    try:
        report = run_now(run_campaign(adapter, plan(512, seed)))
    finally:
        adapter.close()
    assert not report.failures, [str(each) for each in report.failures]
    assert report.ok, report.missed
    assert report.total(Outcome.DETECTED) > 150
    assert report.unnoticed == 0


def test_a_trial_repeats_to_the_cycle(tree_adapter, seed):
    results = []
    for _ in range(2):
        before = tree_adapter.cycle
        result = run_now(run_trial(tree_adapter, Trial("replay_line", "xts", seed)))
        results.append((result, tree_adapter.cycle - before))
    assert results[0] == results[1]


@pytest.mark.verify
def test_a_trial_repeats_with_a_waveform(tree_adapter, seed, tmp_path):
    trial = Trial("replay_path", "full", seed)
    traced = NativeAdapter(tree_adapter.config, tmp_path / "trial.vcd")
    cycles = []
    results = []
    for adapter in (tree_adapter, traced):
        before = adapter.cycle
        results.append(run_now(run_trial(adapter, trial)))
        cycles.append(adapter.cycle - before)
    traced.close()
    assert results[0] == results[1] and cycles[0] == cycles[1]
    assert "alert_integrity" in (tmp_path / "trial.vcd").read_text()


def test_every_line_passes_the_hook_once_and_in_order(tree_adapter):
    class Log(Hook):
        def __init__(self):
            self.seen = []

        def on_write(self, dram, write):
            self.seen.append(("write", write.address, write.data, write.strobe))
            return write

        def on_read(self, dram, address):
            self.seen.append(("read", address))
            return bytes([7]) * 64

    log, adapter = Log(), tree_adapter
    run_now(adapter.start("plain", 3))
    adapter.set_hook(log)
    data = bytes(range(64))
    responses = run_now(adapter.perform([
        Operation(9, data), Operation(9), Operation(9, data, 0xF0), Operation(9)]))
    assert [each.error for each in responses] == [False] * 4
    assert responses[1].data == responses[3].data == bytes([7]) * 64
    assert [each[:2] for each in log.seen] == [
        ("write", 576), ("read", 576), ("write", 576), ("read", 576)]
    assert log.seen[0] == ("write", 576, data, (1 << 64) - 1)
    assert log.seen[2][3] == 0xF0
    assert adapter.read_line(576) == data


def test_a_hook_that_fails_fails_the_trial():
    class Broken(Hook):
        def on_read(self, dram, address):
            raise KeyError("x")

    fresh = NativeAdapter(attacked(preset("tiny")))
    run_now(fresh.start("plain", 3))
    fresh.set_hook(Broken())
    with pytest.raises(AdapterError, match="a hook failed"):
        run_now(fresh.perform([Operation(0)]))
    fresh.close()


@pytest.mark.verify
def test_modes_that_need_a_tree_are_refused_without_one(treeless_adapter):
    for mode in MODES[2:]:
        with pytest.raises(ConfigError, match=f"has no tree: no mode {mode}"):
            run_now(treeless_adapter.start(mode, 0))
