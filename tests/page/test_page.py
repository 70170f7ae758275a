"""What `casemate report` puts on its page, and what it says of what is not there."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from casemate_sim.cli import app
from casemate_sim.page.proofs import proofs_of
from casemate_sim.summary import comparison_of
from typer.testing import CliRunner


def report(*arguments: object):
    return CliRunner().invoke(app, ["report", "--no-run", *map(str, arguments)])


class Words(HTMLParser):
    """The text of a page, and the names of all its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.identifiers: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.identifiers.append(value)
            if name in ("href", "src", "xlink:href"):
                self.addresses.append(value)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def whole(page):
    return page.read_text()


def test_a_comparison_survives_its_json(comparison, sim_content):
    again = comparison_of(json.loads(json.dumps(sim_content)))
    assert again.modes == comparison.modes
    for before, after in zip(comparison.results, again.results, strict=True):
        assert after.as_dict() == before.as_dict()
    assert again.slowdown("xts") == comparison.slowdown("xts") > 1


def test_every_figure_has_its_numbers_its_command_and_its_configuration(
        whole, comparison, sim_content, attack_content):
    page = Words(whole)
    slowdown = comparison.slowdown("xts")
    for words in (
            f"{slowdown:.3f}", f"{100 * (slowdown - 1):+.1f} %", sim_content["config"]["digest"],
            "casemate sim random --limit 300 --config tiny --dram ddr3-1066 # sim.json",
            f"{comparison.result('bare').cycles:,}",
            f"mean {comparison.result('xts').mean_latency():.1f}",
            "casemate attack --trials 128 --seed 3 --config tiny --model # attack.json",
            "128 trials on the golden model", "replay_path",
            "casemate sweep limits.toml --json sweep.json", "12 points, 11 of them done",
            "python benches/bench.py sizes", "64 GiB", "32 KiB",
            "fpga.engine", "31,415", "101.5", "99.0, 101.5, 104.0", "make bench-fpga"):
        assert words in page.text, words
    assert "not among the stored" not in page.text
    assert whole.count("<svg") == 1 + 3 + 2 + 1
    detected = attack_content["attacks"]["replay_path"]["full"]["detected"]
    assert f"detected {detected} of" in page.text


def test_the_page_needs_no_other_file_and_its_names_are_unique(whole):
    page = Words(whole)
    assert len(page.identifiers) == len(set(page.identifiers))
    for address in page.addresses:
        assert address == "data:," or (
            address.startswith("#") and address[1:] in page.identifiers), address
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", whole)
    assert "#000000" not in whole, "a colour that the dark page cannot change"


def test_a_proof_is_proven_only_if_all_of_it_ran_and_passed(proofs_xml):
    states = {proof.statement[:12]: (proof.state, proof.seconds)
              for proof in proofs_of(proofs_xml) or ()}
    assert states["An open writ"] == ("proven", 3.5)
    assert states["The life cyc"] == ("failed", 3.0)
    assert states["Registers, a"] == ("not run", None)
    assert states["Every constr"] == ("not run", None)
    assert {proof.state for proof in proofs_of(None) or ()} == {"not run"}


def test_what_is_missing_is_said(tmp_path):
    out, empty = tmp_path / "report.html", tmp_path / "empty"
    empty.mkdir()
    assert report("--results", empty, "-o", out).exit_code == 0
    text = Words(out.read_text()).text
    for words in ("No program was played", "Cost by the size of the memory is not",
                  "Cost by the size of the metadata cache is not", "No sweep was given",
                  "No placed and routed design", "No campaign was run",
                  "They were not run for this page"):
        assert words in text
    assert "replay_path" in text, "what must come of each attack is there without a campaign"


def test_an_outcome_that_must_not_be_is_in_red(tmp_path, stored, attack_content, results):
    content = json.loads(json.dumps(attack_content))
    content["attacks"]["flip_data"]["full"] = {"expected": "detected", "succeeds": 1}
    content["ok"] = False
    out = tmp_path / "report.html"
    report(stored("attack.json", content), "--results", results, "-o", out)
    assert '<td class="bad">succeeds 1</td>' in out.read_text()
    assert "NOT as it must be" in out.read_text()


def test_what_a_user_calls_a_program_is_text_and_no_markup(tmp_path, stored, sim_content, results):
    content = json.loads(json.dumps(sim_content))
    content["trace"] |= {"name": "<b>x</b>", "source": "x '<script>alert(1)</script>'"}
    out = tmp_path / "report.html"
    assert report(stored("sim.json", content), "--results", results, "-o", out).exit_code == 0
    assert "<script" not in out.read_text()
    assert "<b>x</b>" not in out.read_text()
    assert "&lt;script&gt;" in out.read_text()


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.json", "{", "a.json: no result that can be shown"),
    ("a.json", "[]", "a.json: its schema is None; a page shows casemate.sim/1"),
    ("a.json", '{"schema": "casemate.sim/9"}', "casemate.sim/9"),
    ("a.json", '{"schema": "casemate.sim/1"}', "KeyError"),
    ("a.xml", "<a", "a.xml: no XML of pytest"),
    ("a.xml", "<a/>", "it has no test"),
])
def test_a_file_that_cannot_be_shown_is_named(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_text(content)
    result = report(path, "-o", tmp_path / "report.html")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("no_such.json",), "no_such.json: No such file"),
    (("-o", "report.pdf"), ".html or .htm"),
    (("--config", "huge"), "no configuration is called 'huge'"),
    (("--dram", "sram"), "sram"),
])
def test_bad_input_is_refused(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = report(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []
