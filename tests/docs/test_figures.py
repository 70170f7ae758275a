"""The timing diagrams show what the RTL does."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from casemate.config import preset
from casemate_sim.documents import generate

FIGURES = Path(__file__).parents[2] / "docs" / "figures"


def _run(script, *arguments):
    return subprocess.run([sys.executable, FIGURES / script, *arguments], capture_output=True,
                          text=True, check=False)


def test_timing_diagrams_are_what_a_simulation_gives():
    result = _run("timing.py", "--check")
    assert (result.returncode, result.stdout) == (0, ""), (
        "run: python docs/figures/timing.py\n" + result.stdout + result.stderr[-2000:])


def test_block_diagram_is_what_its_script_draws():
    result = _run("block_diagram.py", "--check")
    assert (result.returncode, result.stdout) == (0, ""), (
        "run: python docs/figures/block_diagram.py")


@pytest.mark.parametrize("path", sorted(FIGURES.glob("*.svg")), ids=lambda path: path.name)
def test_every_picture_is_well_formed_and_described(path):
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findtext("{http://www.w3.org/2000/svg}title")


@pytest.mark.parametrize("name", ["tiny", "latency", "ecp5"])
def test_added_latency_of_an_idle_read_is_as_the_table_says(name, monkeypatch):
    monkeypatch.syspath_prepend(FIGURES)
    import scenario

    header, _, *rows = generate(["latencies"]).splitlines()
    column = header.split("|").index(f" `{name}` ")
    added = {mode: int(row.split("|")[column]) for row in rows for mode in ("plain", "xts")
             if row.startswith(f"| added to an idle read, `{mode}`")}
    # The memory is slower than any tweak cipher here.
    latency = 40
    recording = scenario.run(preset(name), {3: bytes(64), 5: bytes(64), 7: bytes(64)}, bytes(16),
                             latency=latency)
    start = 0
    for mode in ("plain", "xts"):
        request = recording.first("s_axi__arvalid", start)
        start = recording.first("s_axi__rvalid", request)
        assert start - request - latency == added[mode], mode
        start = recording.first("s_axi__rlast", start)
