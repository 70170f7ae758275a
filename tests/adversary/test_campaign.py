"""Campaigns against the golden engine, and against engines that lack one check."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from casemate.config import FuseConfig, KeyManagerConfig, TreeConfig, preset
from casemate_sim.adversary import (
    ATTACKS,
    MODES,
    Outcome,
    Report,
    Trial,
    TrialError,
    find,
    load_trial,
    plan,
    run_campaign,
    run_now,
    run_trial,
    save_trial,
)
from casemate_sim.adversary.campaign import rows
from casemate_sim.adversary.model import ModelAdapter
from casemate_sim.model import GoldenEngine
from casemate_sim.model.errors import IntegrityError
from casemate_sim.model.tree import Tree

# Three levels in DRAM: leaves and two levels of nodes.
CONFIG = preset("tiny").replace(root_counters=8)


def campaign(engine=GoldenEngine, *, trials, seed, attacks=None, modes=MODES):
    print(f"seed {seed}")
    return run_now(run_campaign(
        ModelAdapter(CONFIG, engine), plan(trials, seed, attacks, modes)))


def describe(report):
    return [f"{each.trial} {each.outcome}: {each.events}" for each in report.failures]


def test_every_attack_in_every_mode_ends_as_the_table_says(seed):
    report = campaign(trials=4 * len(ATTACKS) * len(MODES), seed=seed)
    assert not report.failures, describe(report)
    for attack, modes in rows(report):
        for outcome in find(attack).expected.values():
            seen = sum(counts[outcome] for mode, counts in modes.items()
                       if find(attack).expected[mode] is outcome)
            assert seen, f"{attack} never {outcome}: {modes}"
    assert report.total(Outcome.DETECTED) > 150
    assert report.total(Outcome.SUCCEEDS) > 100


@pytest.mark.verify
def test_many_trials_end_as_the_table_says(seed):
    report = campaign(trials=20_000, seed=seed + 1)
    assert report.ok, (describe(report), report.missed)


def test_nothing_that_is_lied_about_is_used_unnoticed(seed):
    """In modes that authenticate the model needs all that it reads."""
    report = campaign(trials=64, seed=seed + 2, modes=["integrity", "full"])
    assert report.ok
    assert report.unnoticed == 0


# -- engines that lack one check -----------------------------------------------------------------


class NoTagCheck(GoldenEngine):
    """Every tag is right."""

    def tags(self, domain, lines, stored, versions):
        return np.zeros(len(lines), dtype=np.uint64)


class NoVersion(GoldenEngine):
    """A line's version stays what it was."""

    def _write_opened(self, slot, opened, data, versions=None):
        kept = opened.leaves.versions[opened.row, opened.place]
        super()._write_opened(slot, opened, data, kept)


class NoMacTree(Tree):
    def _wrong(self, level, indices, counters, contents):
        return np.zeros(len(indices), dtype=bool)


class NoCounterTree(Tree):
    """MACs that do not depend on the counter in the parent."""

    def _macs(self, level, indices, counters, contents):
        return super()._macs(level, indices, np.ones_like(counters), contents)


class NoPlaceTree(Tree):
    """MACs that do not depend on the place."""

    def _macs(self, level, indices, counters, contents):
        return super()._macs(level, np.zeros_like(indices), counters, contents)


class NoRootTree(Tree):
    """A root that only knows whether there is something."""

    def write_leaves(self, indices, contents):
        super().write_leaves(indices, contents)
        self.root[:] = np.minimum(self.root, 1)

    def _macs(self, level, indices, counters, contents):
        if level == self._top:
            counters = np.ones_like(counters)
        return super()._macs(level, indices, counters, contents)


def with_tree(kind):
    class Engine(GoldenEngine):
        def tree(self):
            return kind(self.config, self._require_engine_key(), self.image, self.root)

    return Engine


class FalseAlarms(GoldenEngine):
    """Now and then something right is found wrong."""

    reads = 0

    def read_lines(self, domain, lines):
        FalseAlarms.reads += 1
        if FalseAlarms.reads % 7 == 0:
            raise IntegrityError(None, int(lines[0]), 0)
        return super().read_lines(domain, lines)


class LeaksOldData(GoldenEngine):
    """What fails its check is delivered."""

    def read_lines(self, domain, lines):
        try:
            return super().read_lines(domain, lines)
        except IntegrityError:
            return np.zeros((len(lines), 64), dtype=np.uint8)


@pytest.mark.parametrize(("engine", "attacks"), [
    pytest.param(NoTagCheck, ["flip_data", "splice_lines", "replay_line"], id="no_tag"),
    pytest.param(NoVersion, ["dictionary_times"], id="no_version"),
    pytest.param(with_tree(NoMacTree), ["flip_valid", "replay_line_leaf"], id="no_mac"),
    pytest.param(with_tree(NoCounterTree), ["replay_line_leaf", "drop_both"], id="no_counter"),
    pytest.param(with_tree(NoRootTree), ["replay_path", "replay_dram"], id="no_root"),
    pytest.param(LeaksOldData, ["flip_data", "replay_line"], id="data_beside_error"),
])
def test_a_missing_check_is_found_by_the_attacks_that_it_lets_through(engine, attacks, seed):
    for attack in attacks:
        report = campaign(engine, trials=16, seed=seed, attacks=[attack], modes=["full"])
        assert report.total(Outcome.SUCCEEDS), f"{attack}: {report.counts}"
        assert not report.ok


def test_a_missing_place_in_the_mac_is_found_by_splices(seed):
    """Leaves of equal counters at two places: only then are such MACs equal."""
    report = campaign(with_tree(NoPlaceTree), trials=80, seed=seed,
                      attacks=["splice_leaves", "splice_granules"], modes=["integrity"])
    assert report.failures


def test_false_alarms_are_found(seed):
    report = campaign(FalseAlarms, trials=40, seed=seed, attacks=["flip_owner"], modes=["full"])
    assert report.total(Outcome.FALSE_ALARM)
    assert not report.ok


def test_an_engine_that_never_authenticates_is_found(seed):
    class Blind(GoldenEngine):
        def set_slot(self, slot, *, authenticate=False, **settings):
            super().set_slot(slot, **settings)

    report = campaign(Blind, trials=64, seed=seed, modes=["full"])
    assert len(report.failures) > 10


# -- plans, reports, files -----------------------------------------------------------------------


def test_a_plan_is_decided_by_its_seed_and_takes_all_in_turn():
    everything = len(ATTACKS) * len(MODES)
    trials = plan(2 * everything, 7)
    assert trials == plan(2 * everything, 7)
    assert trials[:50] == plan(50, 7)
    assert trials != plan(2 * everything, 8)
    counts = Counter((trial.attack, trial.mode) for trial in trials)
    assert set(counts.values()) == {2} and len(counts) == everything
    with pytest.raises(ValueError, match="no attack is called 'flip'; there are flip_data, "):
        plan(1, 0, ["flip"])
    with pytest.raises(ValueError, match="no mode is called 'sgx'; there are plain, xts"):
        plan(1, 0, None, ["sgx"])


def test_an_attack_that_never_hits_is_reported():
    report = Report()
    result = run_now(run_trial(ModelAdapter(CONFIG), Trial("flip_owner", "plain", 1)))
    missing = replace(result, trial=Trial("flip_data", "full", 1), expected=Outcome.DETECTED)
    for _ in range(19):
        report.add(missing)
    assert report.ok
    report.add(missing)
    assert report.missed == [("flip_data", "full")] and not report.ok
    report.add(replace(missing, outcome=Outcome.DETECTED))
    assert report.ok
    assert json.loads(json.dumps(report.as_dict()))["attacks"]["flip_data"]["full"] == {
        "expected": "detected", "detected": 1, "harmless": 20}


@pytest.mark.parametrize("config", [
    CONFIG, CONFIG.replace(tree=TreeConfig(cache_sets=1, cache_ways=2), leaf_base=0x100000,
                           node_bases=(0x200000, 0x300000)),
    CONFIG.replace(tree=TreeConfig(), keys=KeyManagerConfig(domains=64)),
    CONFIG.replace(tree=TreeConfig(), keys=KeyManagerConfig(
        domains=16, fuses=FuseConfig(check_bits=4)))])
def test_a_saved_trial_replays(tmp_path, seed, config):
    path = tmp_path / "failure.json"
    adapter = ModelAdapter(config, NoTagCheck)
    for trial in plan(10, seed, ["replay_line"], ["full"]):
        result = run_now(run_trial(adapter, trial))
        save_trial(path, config, result)
        saved = load_trial(path)
        assert (saved.config, saved.trial, saved.outcome) == (config, trial, result.outcome)
        assert run_now(run_trial(ModelAdapter(saved.config, NoTagCheck), saved.trial)) == result
        assert type(result).from_dict(json.loads(json.dumps(result.as_dict()))) == result


def test_a_saved_trial_whose_configuration_lacks_a_value_is_refused(tmp_path):
    path = tmp_path / "failure.json"
    trial = Trial("flip_owner", "plain", 1)
    save_trial(path, CONFIG, run_now(run_trial(ModelAdapter(CONFIG), trial)))
    content = json.loads(path.read_text())
    del content["config"]["leaf"]
    path.write_text(json.dumps(content))
    with pytest.raises(TrialError, match="no saved trial: its configuration lacks leaf"):
        load_trial(path)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "no saved trial: Expecting"), ("[]", "its schema is not casemate.attack-trial/1"),
    ('{"schema": "casemate.attack-trial/1"}', "no saved trial: 'trial'"),
    ('{"schema": "casemate.attack-trial/1", "trial": {"attack": "x", "mode": "xts", "seed": 1}}',
     "no attack is called 'x'"),
])
def test_a_file_that_holds_no_trial_is_named(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(TrialError, match=message):
        load_trial(path)
