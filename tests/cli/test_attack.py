"""The command ``casemate attack``."""

import json
from signal import SIGINT, raise_signal

import pytest
from casemate.config import PRESETS, preset
from casemate_sim.adversary import (
    Outcome,
    Trial,
    TrialResult,
    attacked,
    create_adapter,
    run_trial,
    save_trial,
)
from casemate_sim.cli import attack as command


def test_a_campaign_against_the_model_prints_a_table_and_writes_json(casemate, tmp_path):
    out = tmp_path / "out.json"
    result = casemate("attack", "--model", "--trials", 12, "--attack", "flip_data", "--attack",
                      "replay_dram", "--mode", "xts", "--mode", "full", "--seed", 3, "--json", out)
    assert result.exit_code == 0, result.stderr
    assert "12 trials of 2 of 32 attacks: 0 undetected, 0 false alarms, 0 without an answer" \
        in result.stdout
    content = json.loads(out.read_text())
    assert content["schema"] == "casemate.attack/1"
    assert content["trials"] == 12 and content["ok"] and not content["interrupted"]
    assert set(content["attacks"]) == {"flip_data", "replay_dram"}
    assert content["attacks"]["flip_data"]["full"]["expected"] == "detected"
    assert "flip_data" in result.stdout and "replay_dram" in result.stdout


def test_json_on_stdout_is_alone_there(casemate):
    result = casemate("attack", "--model", "--trials", 4, "--json", "-")
    assert json.loads(result.stdout)["trials"] == 4
    assert "4 trials of" in result.stderr


def test_a_failed_trial_is_named_saved_and_replayed(casemate, tmp_path, monkeypatch):
    async def broken(adapter, trial):
        return TrialResult(trial=trial, outcome=Outcome.SUCCEEDS, expected=Outcome.DETECTED,
                           parameters={}, orderly=True, lies=[], events=["wrong data"])

    monkeypatch.setattr(command, "run_trial", broken)
    folder = tmp_path / "failures"
    result = casemate("attack", "--model", "--trials", 1, "--attack", "flip_data", "--mode",
                      "full", "--failures", folder)
    assert result.exit_code == 1
    assert "succeeds instead of detected" in result.stderr
    assert "1 undetected" in result.stdout
    path, = folder.iterdir()
    replayed = casemate("attack", "--model", "--replay", path)
    assert replayed.exit_code == 1
    assert "wrong data" in replayed.stdout
    monkeypatch.undo()
    replayed = casemate("attack", "--model", "--replay", path)
    assert replayed.exit_code == 0, replayed.stderr
    assert "flip_data in full" in replayed.stdout


def test_an_engine_with_fuses_is_attacked_with_its_keys_at_ports(casemate, tmp_path, monkeypatch):
    (tmp_path / "fuses.toml").write_text('preset = "tiny"\n[tree]\n[keys]\ndomains = 64\n'
                                         "[keys.fuses]\n")
    seen = []

    def watched(config, **options):
        seen.append(config)
        return create_adapter(config, **options)

    monkeypatch.setattr(command, "create_adapter", watched)
    result = casemate("attack", "--model", "--trials", 1, "--attack", "flip_data", "--mode",
                      "full", "--config", tmp_path / "fuses.toml")
    assert result.exit_code == 0, result.stderr
    assert seen[0].keys is None and seen[0].tree is not None


@pytest.mark.parametrize(("arguments", "words"), [
    (("--attack", "nothing"), "no attack is called 'nothing'; there are flip_data"),
    (("--mode", "sgx"), "no mode is called 'sgx'; there are plain, xts"),
    (("--wave", "a.vcd"), "--wave needs --replay"),
    (("--netlist",), "--netlist is of the engine, not of its --model"),
    (("--replay", "nowhere.json"), "nowhere.json: No such file"),
    (("--config", "nothing"), "no configuration is called 'nothing'"),
    (("--json", "nowhere/out.json"), "the folder nowhere does not exist"),
])
def test_wrong_input_is_named(casemate, arguments, words):
    result = casemate("attack", "--model", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr and result.stderr.count("\n") == 1


def test_a_file_that_is_no_trial_is_named(casemate, tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    result = casemate("attack", "--model", "--replay", path)
    assert result.exit_code == 2 and "no saved trial" in result.stderr


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_attacked(name, tmp_path):
    config = attacked(preset(name))
    assert config.tree is not None and config.levels >= 3
    assert attacked(config) is config
    save_trial(tmp_path / "x.json", config, TrialResult(
        trial=Trial("flip_data", "full", 1), outcome=Outcome.HARMLESS, expected=Outcome.DETECTED,
        parameters={}, orderly=True, lies=[], events=[]))


def test_ctrl_c_ends_a_campaign_behind_the_trial_that_is_running(casemate, tmp_path, monkeypatch):
    finished = []

    async def interrupted(adapter, trial):
        if len(finished) == 2:
            raise_signal(SIGINT)
        finished.append(trial)
        return await run_trial(adapter, trial)

    monkeypatch.setattr(command, "run_trial", interrupted)
    out = tmp_path / "out.json"
    casemate("attack", "--model", "--trials", 12, "--attack", "flip_data", "--json", out)
    content = json.loads(out.read_text())
    assert content["interrupted"] and content["ok"]
    assert content["trials"] == len(finished) == 3
