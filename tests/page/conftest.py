"""Results to make a page of: real ones of the smallest engine, and a stored figure of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from casemate.config import preset
from casemate_sim.adversary import attacked, plan, run_campaign, run_now
from casemate_sim.adversary.model import ModelAdapter
from casemate_sim.cli import app
from casemate_sim.cli.attack import campaign_dict
from casemate_sim.compare import Comparison, compare
from casemate_sim.dram.timing import timing_preset
from casemate_sim.summary import comparison_dict
from casemate_sim.traffic import workload_traffic
from casemate_sim.workload import Workload
from typer.testing import CliRunner

TINY = preset("tiny")


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """A program of 300 records over the bare wire, in plain and in xts."""
    return compare(_traffic().records, config=TINY, mode="xts", dram=timing_preset("ddr3-1066"))


def _traffic():
    return workload_traffic(Workload.RANDOM, config=TINY, count=300, footprint_bytes=None,
                            read_share=0.6, distance=4, seed=1)


@pytest.fixture(scope="session")
def sim_content(comparison: Comparison) -> dict[str, object]:
    """The JSON of `casemate sim`."""
    return comparison_dict(comparison, trace=_traffic().as_dict(), config=TINY)


@pytest.fixture(scope="session")
def attack_content() -> dict[str, object]:
    """The JSON of `casemate attack`: a trial of every attack in every mode."""
    config = attacked(TINY)
    report = run_now(run_campaign(ModelAdapter(config), plan(128, 3)))
    return campaign_dict(report, config, 3, model=True, interrupted=False)


@pytest.fixture(scope="session")
def sweep_content() -> dict[str, object]:
    """The JSON of `casemate sweep`: two modes, two seeds, one point that is not possible."""
    points = [{"parameters": {"limit": limit, "mode": mode, "seed": seed}, "state": "done",
               "figures": {"slowdown": 1 + limit / 1000 + seed / 10}, "reason": ""}
              for limit in (100, 200, 400) for mode in ("xts", "full") for seed in (0, 1)]
    points[-1] |= {"state": "impossible", "figures": {}, "reason": "not possible"}
    return {"schema": "casemate.sweep/1", "name": "limits", "kind": "simulation", "search": "grid",
            "fixed": {"config": "tiny"}, "figures": {"slowdown": "over the bare wire"},
            "varied": {"limit": [100, 200, 400], "mode": ["xts", "full"], "seed": [0, 1]},
            "points": points, "versions": {}}


@pytest.fixture(scope="session")
def figures() -> dict[str, dict[str, object]]:
    """Figures as the benches store them: cost by size, area and clock."""
    config = {"config": "ecp5", "dram": "ddr3-1066", "records": 20_000}
    sizes = {f"full.random.slowdown.memory_{size}_mib": factor
             for size, factor in ((1, 1.9), (128, 3.1), (65_536, 4.4))}
    sizes |= {f"full.sqlite_index.slowdown.cache_{size}_kib": factor
              for size, factor in ((4, 1.8), (32, 1.4))}
    found: dict[str, dict[str, object]] = {
        name: {"value": value, "unit": "1", "config": config} for name, value in sizes.items()}
    found["fpga.engine.fmax_mhz"] = {"value": 101.5, "unit": "MHz", "config": {
        "fmax_mhz": [99.0, 101.5, 104.0], "luts": 31_415, "block_rams": 92, "device": "LFE5U-85F",
        "speed_grade": 6}}
    return found


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, figures) -> Path:
    """A folder of stored figures."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "bench.json").write_text(json.dumps(figures))
    return folder


@pytest.fixture(scope="session")
def proofs_xml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pytest writes of proofs: one that passed in two cases, one that failed."""
    path = tmp_path_factory.mktemp("proofs") / "formal.xml"
    path.write_text("""<?xml version="1.0"?><testsuites><testsuite>
        <testcase classname="tests.formal.test_metadata" name="test_a[1]" time="1.5"/>
        <testcase classname="tests.formal.test_metadata" name="test_a[2]" time="2.0"/>
        <testcase classname="tests.formal.test_fuse" name="test_b" time="3.0">
          <failure message="no">no</failure></testcase>
        <testcase classname="tests.formal.test_key_secrecy" name="test_c" time="0">
          <skipped/></testcase>
        </testsuite></testsuites>""")
    return path


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory, results, sim_content, attack_content,
         sweep_content, proofs_xml) -> Path:
    """A page with something in every section."""
    folder = tmp_path_factory.mktemp("page")
    files = [proofs_xml]
    for name, content in (("sim", sim_content), ("attack", attack_content),
                          ("sweep", sweep_content)):
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(content))
    out = folder / "report.html"
    result = CliRunner().invoke(app, ["report", "--no-run", *map(str, files), "--results",
                                      str(results), "-o", str(out)])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[str, dict[str, object]], Path]:
    """Write a result into a file."""

    def write(name: str, content: dict[str, object]) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return write
