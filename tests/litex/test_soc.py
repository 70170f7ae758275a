"""The example SoC: its program, its parts, its simulation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from casemate.config import preset

pytestmark = pytest.mark.verify  # needs LiteX, and builds a simulation


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    """LiteX tells a lot."""
    import logging

    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


def test_the_program_is_built_from_these_sources() -> None:
    from casemate_sim.litex.firmware import FIRMWARE
    from casemate_sim.litex.firmware.make import NOTE, inputs

    note = json.loads(NOTE.read_text())
    assert note["sha256"] == sha256(FIRMWARE.read_bytes()).hexdigest()
    assert note["inputs"] == inputs(), "run python -m casemate_sim.litex.firmware.make"


def test_every_target_has_the_addresses_that_the_program_knows(tmp_path: Path) -> None:
    from casemate_sim.litex.firmware.make import headers, soc_header
    from casemate_sim.litex.ulx3s import board_soc

    soc = board_soc(tmp_path)
    soc.finalize()
    assert soc_header(soc) == headers()["soc.h"]


def test_a_board_gets_scripts_constraints_and_all_sources(tmp_path: Path) -> None:
    from casemate_sim.litex.ulx3s import generate

    folder, name = generate(tmp_path / "board", seed=7)
    sources = re.findall(r"^read_verilog (\S+)$", (folder / f"{name}.ys").read_text(), re.MULTILINE)
    assert {"casemate.v", "casemate_stand_ins.v", "VexRiscv.v"} < {*sources}
    for source in sources:
        assert (folder / source).is_file()
    assert re.search(r"^casemate casemate\b", (folder / f"{name}.v").read_text(), re.MULTILINE)
    assert 'LOCATE COMP "sdram_clock" SITE "F19"' in (folder / f"{name}.lpf").read_text()
    script = (folder / f"build_{name}.sh").read_text()
    assert "--ignore-loops --seed 7" in script
    assert "--router router2" in script


def test_a_build_tells_its_stages_and_keeps_what_the_tools_say(tmp_path: Path) -> None:
    from casemate_sim.litex.ulx3s import build
    from casemate_sim.toolchain import ToolError

    (tmp_path / "soc.json").write_text("of an earlier build")
    (tmp_path / "build_soc.sh").write_text(
        "echo so far; sleep 1; touch soc.json; sleep 1; echo ERROR: no way; exit 3\n")
    stages: list[str] = []
    with pytest.raises(ToolError, match=r"the build failed, see .*build\.log: ERROR: no way$"):
        build(tmp_path, "soc", progress=stages.append)
    assert [*dict.fromkeys(stages)] == ["synthesis", "placement and routing"]
    assert (tmp_path / "build.log").read_text() == "so far\nERROR: no way\n"


def test_a_build_reports_what_the_tools_left(tmp_path: Path) -> None:
    from casemate_sim.litex.ulx3s import build
    from casemate_sim.synthesis.usage import Usage

    netlist = {"modules": {"soc": {"cells": {
        name: {"type": kind} for name, kind in (("a", "LUT4"), ("b", "CCU2C"), ("c", "DP16KD"))}}}}
    clock = "Info: Max frequency for clock 'clk': {} MHz (PASS at 25.00 MHz)"
    (tmp_path / "build_soc.sh").write_text(
        f"echo '{json.dumps(netlist)}' > soc.json\necho \"{clock.format('28.9')}\"\n"
        f"echo \"{clock.format('34.0')}\"\ntouch soc.config\nprintf bits > soc.bit\n")
    made = build(tmp_path, "soc")
    assert made.bitstream == tmp_path / "soc.bit"
    assert made.sha256 == sha256(b"bits").hexdigest()
    assert made.usage == Usage(luts=3, block_rams=1)
    # The estimate after routing, not the one after placement.
    assert made.fmax_mhz == 34.0


def test_the_verilog_is_the_same_each_time(tmp_path: Path) -> None:
    from casemate_sim.litex.ulx3s import generate

    made = [generate(tmp_path / folder) for folder in ("one", "two")]
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()}
                     for folder, _ in made)
    assert first == second


@dataclass
class Port:
    """A native port of LiteDRAM, as far as the memory asks before it connects."""

    data_width: int


def test_a_configuration_or_port_that_does_not_fit_is_refused() -> None:
    from casemate_sim.litex.memory import ProtectedMemory
    from casemate_sim.litex.soc import example_config

    with pytest.raises(ValueError, match="without a tree"):
        ProtectedMemory(preset("tiny"), Port(128), domain=1)
    with pytest.raises(ValueError, match="the port has 64 bits, the engine 128"):
        ProtectedMemory(example_config(), Port(64), domain=1)


def test_an_engine_that_is_larger_than_the_dram_is_refused(tmp_path: Path, monkeypatch) -> None:
    from casemate_sim.litex import soc
    from casemate_sim.litex.simulation import simulated_soc

    config = soc.example_config()
    monkeypatch.setattr(soc, "example_config",
                        lambda: config.replace(data_bytes=2 * config.data_bytes))
    with pytest.raises(ValueError, match="leaves ends at 0x2800000, the DRAM at 0x2000000"):
        simulated_soc(tmp_path)


def test_the_golden_model_finds_what_is_wrong() -> None:
    from casemate_sim.litex.check import findings

    assert not any(good for _, good in findings(["nonsense"], seed=1))
    stale = ["cpu: " + "00" * 64, "dram: " + "00" * 64, "leaf: " + "00" * 64, "done"]
    assert [good for _, good in findings(stale, seed=1)] == [True, False, False, False, False]
