"""``casemate boot``: what it refuses; what programs do is in tests/cpu."""

import pytest


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (("nothing",), 2, "nothing: no such file, and no shipped program has this name; they are"),
    (("hello", "--mode", "half"), 2, "--mode 'half' is unknown; there are bare, plain"),
    (("hello", "--core", "z80"), 2, "no core is called 'z80'; there are vexriscv, picorv32"),
    (("hello", "--dram", "slow"), 2, "--dram: no DRAM timing is called 'slow'"),
    (("hello", "--config", "huge"), 2, "huge"),
    (("hello", "--at", "100"), 2, "--at needs --attack"),
    (("hello", "--attack", "flip_data"), 2, "--attack needs --at CYCLE"),
    (("hello", "--attack", "flip_data", "--at", "100"), 2, "hello has no symbol 'working_set'"),
    (("chase", "--attack", "badram", "--at", "100"), 2, "no attack on a running program is called"),
    (("hello", "--json", "/nowhere/x.json"), 2, "--json /nowhere/x.json: the folder"),
])
def test_wrong_input_is_refused_by_name_before_anything_is_built(casemate, monkeypatch, arguments,
                                                                 code, message):
    monkeypatch.setattr("casemate_sim.native.library.cached", None)
    result = casemate("boot", *arguments)
    assert result.exit_code == code and message in result.output


def test_a_core_that_is_not_installed_is_a_missing_tool(casemate, monkeypatch):
    monkeypatch.setattr("casemate_sim.cpu.hardware.cores.find_spec", lambda _: None)
    result = casemate("boot", "hello", "--mode", "bare")
    assert result.exit_code == 3 and "pip install pythondata-cpu-vexriscv" in result.output
