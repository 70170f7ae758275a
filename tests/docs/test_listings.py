"""Listings in the documentation: configurations load, port names exist."""

import re
import tomllib
from pathlib import Path

import pytest
from casemate_sim.config_file import load_config
from casemate_sim.documents import documents, generate
from casemate_sim.sweep.plan import load_plan
from casemate_sim.synthesis.budget import load_budget

ROOT = Path(__file__).parents[2]


def _listings(language):
    for path in documents(ROOT):
        for index, listing in enumerate(re.findall(
                rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)):
            yield pytest.param(listing, id=f"{path.name}-{index}")


TOML = list(_listings("toml"))
CONFIGURATIONS = [each for each in TOML if "preset" in each.values[0]]
SWEEPS = [each for each in TOML if "[vary]" in each.values[0]]
BUDGETS = [each for each in TOML if each not in CONFIGURATIONS and each not in SWEEPS]


def test_there_are_listings_to_load():
    assert CONFIGURATIONS and BUDGETS and SWEEPS


@pytest.mark.parametrize("listing", BUDGETS)
def test_budget_loads(listing, tmp_path):
    (tmp_path / "budget.toml").write_text(listing)
    for config, modes in tomllib.loads(listing).items():
        for mode in modes:
            load_budget(tmp_path / "budget.toml", config, mode)


@pytest.mark.parametrize("listing", SWEEPS)
def test_sweep_loads(listing, tmp_path):
    (tmp_path / "cache.toml").write_text(listing)
    assert len(load_plan(tmp_path / "cache.toml").points) > 1


@pytest.mark.parametrize("listing", CONFIGURATIONS)
def test_configuration_loads(listing, tmp_path):
    (tmp_path / "mine.toml").write_text(listing)
    config = load_config(tmp_path / "mine.toml")
    assert config.name == "mine"
    given = tomllib.loads(listing)
    assert given.get("data_base", 0) == config.data_base


@pytest.mark.parametrize("listing", list(_listings("verilog")))
def test_instance_names_ports_of_the_engine(listing):
    ports = set(re.findall(r"^\| `(\w+)` \|", generate(["ports", "ecp5"]), re.MULTILINE))
    named = set(re.findall(r"\.(\w+)\(", listing))
    assert named <= ports
    assert {port for port in ports if not port.startswith(("s_axi", "m_axi"))} - named == {
        "slot_ready"}
