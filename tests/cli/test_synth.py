"""``casemate synth``: what it shows and writes, and what it refuses."""

import json

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate_sim.synthesis.flow import design_of


class Counter(wiring.Component):
    """Stands for an engine: the same way through the tools, in seconds."""

    def __init__(self):
        super().__init__({"by": In(8), "value": Out(8)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(8)
        m.d.sync += count.eq(count + self.by)
        m.d.comb += self.value.eq(count)
        return m


@pytest.fixture
def synth(casemate, monkeypatch, tmp_path):
    monkeypatch.setenv("CASEMATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("casemate_sim.synthesis.implementation.engine_design",
                        lambda config: design_of(Counter(), config.name))
    return lambda *arguments: casemate("synth", *arguments)


def test_figures_as_table_json_and_picture(synth, tmp_path):
    out, picture = tmp_path / "synth.json", tmp_path / "synth.svg"
    result = synth("--config", "tiny", "--device", "lfe5u-25f", "--package", "CABGA256",
                   "--json", out, "--plot", picture)
    assert result.exit_code == 0, result.stderr
    for words in ("tiny on LFE5U-25F-6CABGA256", "area by component", "(shift registers at the",
                  "critical path of seed 1", "24,288 LUTs", "reaches the target of 110 MHz"):
        assert words in result.stdout
    content = json.loads(out.read_text())
    assert content["schema"] == "casemate.synth/1"
    assert content["config"]["parameters"]["tree"] is not None
    assert content["target"] == {"device": "LFE5U-25F", "package": "CABGA256", "speed_grade": "6",
                                 "frequency_mhz": 110.0, "placer": "heap", "iterations": 150,
                                 "ram_registers": False, "timing_driven": True, "room": 0}
    assert content["components"]["engine"]["registers"] == 8
    assert content["usage"]["registers"]["available"] == 24_288
    assert content["seeds"]["1"]["clk"] == content["fmax_mhz"]["clk"]
    assert content["critical_paths"][0]["steps"]
    assert "absent" not in content["versions"].values()
    assert "Area by component" in picture.read_text()


def test_no_placement_that_is_routed_is_a_failure(synth):
    """One iteration of router2 is too few, even for a counter."""
    result = synth("--config", "tiny", "--device", "LFE5U-25F", "--package", "CABGA381",
                   "--iterations", "1", "--no-timing", "--json", "-")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert (content["fits"], content["seeds"], list(content["unrouted"])) == (True, {}, ["1"])
    assert content["target"]["timing_driven"] is False
    assert "not routed after 1 iterations: seed 1" in result.stderr


def test_synthesis_only(synth):
    result = synth("--config", "tiny", "--mode", "xts", "--seeds", "0", "--json", "-")
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert content["config"]["parameters"]["tree"] is None
    assert (content["seeds"], content["fmax_mhz"]) == ({}, {})
    assert "area by component" in result.stderr


def test_key_manager_and_fuses_on_demand(synth):
    result = synth("--config", "tiny", "--fuses", "--seeds", "0", "--json", "-")
    assert json.loads(result.stdout)["config"]["parameters"]["keys"]["fuses"] is not None


def test_too_large_is_a_fault_and_shows_why(synth, monkeypatch):
    from casemate_sim.synthesis import devices
    from casemate_sim.synthesis.usage import Usage

    small = devices.find_device("LFE5U-25F")
    monkeypatch.setattr("casemate_sim.cli.synth.find_device", lambda _: devices.Device(
        name="LFE5U-0F", family=small.family, options=small.options, packages=small.packages,
        grades=small.grades, capacity=Usage(luts=5, registers=500, block_rams=1, dsps=1)))
    result = synth("--config", "tiny")
    assert result.exit_code == 1
    assert "tiny does not fit LFE5U-0F:" in result.stdout
    assert "LUTs, of which it has 5" in result.stdout
    assert "area by component" in result.stdout


def test_over_budget_is_a_fault(synth, tmp_path):
    budget = tmp_path / "budget.toml"
    budget.write_text("[tiny.full]\nluts = 1\nregisters = 1000\n")
    result = synth("--config", "tiny", "--seeds", "0", "--budget", budget)
    assert result.exit_code == 1
    assert "at most 1: OVER BUDGET" in result.stdout
    budget.write_text("[tiny.full]\nluts = 1000\nregisters = 1000\n")
    assert synth("--config", "tiny", "--seeds", "0", "--budget", budget).exit_code == 0


@pytest.mark.parametrize(("arguments", "words", "code"), [
    (("--config", "tiny", "--budget", "none.toml"), ("none.toml", "No such file"), 2),
    (("--device", "XC7A35T"), ("'XC7A35T'", "LFE5U-25F"), 2),
    (("--package", "QFN32"), ("no package 'QFN32'", "CABGA381"), 2),
    (("--device", "LFE5UM5G-85F", "--grade", "6"), ("no speed grade '6'", "8"), 2),
    (("--frequency", "0"), ("above 0",), 2),
    (("--config", "nothing"), ("nothing", "tiny"), 2),
    (("--room", "100"), ("room needs router2", "CABGA756"), 2),
    (("--plot", "picture.gif"), ("--plot", ".png"), 2),
    (("--json", "no/such/folder.json"), ("--json", "no/such"), 2)])
def test_wrong_input_is_refused(synth, arguments, words, code):
    result = synth(*arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    for word in ("error: ", *words):
        assert word in result.stderr


def test_missing_router_is_found_before_the_work_begins(synth, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    result = synth("--config", "tiny")
    assert result.exit_code == 3
    assert "nextpnr-ecp5 is not installed" in result.stderr
    assert "casemate[synth]" in result.stderr
