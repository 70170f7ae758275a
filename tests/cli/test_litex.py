"""``casemate litex`` without LiteX, and with wrong input."""

from __future__ import annotations

import importlib.util
import json

import pytest
from casemate_sim.cli import litex


@pytest.mark.parametrize("command", [("sim",), ("build", "somewhere")])
def test_without_litex_it_says_how_to_get_it(casemate, monkeypatch, command) -> None:
    monkeypatch.setattr(litex, "find_spec", lambda name: None)
    result = casemate("litex", *command)
    assert result.exit_code == 3
    assert "pip install 'casemate[litex]'" in result.stderr
    assert result.stdout == ""


@pytest.mark.verify
@pytest.mark.parametrize(("options", "words"), [
    (("--device", "LFE5U-12F"), ("'LFE5U-12F'", "LFE5U-85F")),
    (("--mhz", "500"), ("500", "10 to 100")),
    (("--fuses", "nowhere.txt"), ("nowhere.txt",)),
])
def test_wrong_input_is_refused(casemate, tmp_path, options, words) -> None:
    assert importlib.util.find_spec("litex")
    result = casemate("litex", "build", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words)
    assert not (tmp_path / "out").exists()


@pytest.mark.verify
@pytest.mark.parametrize(("reached", "code"), [(24.9, 1), (25.0, 0), (None, 0)])
def test_a_clock_that_is_not_reached_is_exit_code_1(
        casemate, monkeypatch, tmp_path, reached, code) -> None:
    from casemate_sim.litex import ulx3s
    from casemate_sim.synthesis.usage import Usage

    made = ulx3s.Gateware(folder=tmp_path, bitstream=tmp_path / "soc.bit", sha256="5a" * 32,
                          usage=Usage(luts=7), fmax_mhz=reached)
    monkeypatch.setattr(ulx3s, "generate", lambda folder, **options: (folder, "soc"))
    monkeypatch.setattr(ulx3s, "build", lambda folder, name, **options: made)
    result = casemate("litex", "build", tmp_path / "out", "--json")
    assert result.exit_code == code, result.stderr
    assert json.loads(result.stdout)["fmax_mhz"] == reached


@pytest.mark.verify
def test_the_cpu_works_in_memory_that_the_dram_shows_as_ciphertext(casemate) -> None:
    result = casemate("litex", "sim", "--json")
    assert result.exit_code == 0, result.stdout + result.stderr
    content = json.loads(result.stdout)
    assert content["ok"]
    assert len(content["findings"]) == 5
    said = dict(line.partition(": ")[::2] for line in content["console"])
    assert said["domain"] == "1, full"
    assert said["payload"] == "564 primes below 4096"
    assert bytes.fromhex(said["cpu"]).startswith(b"Nobody at the pins of the memory")
    assert said["restarted"] == "the load was never answered"
    assert said["log"] == "line, domain 1, address 00008000"
    assert said["interrupt"] == "integrity"
    assert said["engine"] == "locked until reset"
    assert content["console"][-1] == "done"
