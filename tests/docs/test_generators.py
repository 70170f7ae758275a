"""What the generators make of docstrings and of results."""

import json

import pytest
from casemate.config import PRESETS
from casemate_sim.documents import figures, generate
from casemate_sim.documents.markdown import first_sentence, parameter_texts, size, table


class Example:
    """An example.

    Parameters
    ----------
    a, b:
        Two words, in
        ``two`` lines.
    c:
        One.

    Raises
    ------
    ValueError
        Never.
    """


def test_texts_of_parameters():
    assert parameter_texts(Example) == {
        "a": "Two words, in `two` lines.", "b": "Two words, in `two` lines.", "c": "One."}


@pytest.mark.parametrize(("text", "sentence"), [
    ("One. Two.", "One."),
    ("One thing (see 5.1.1 and B.2): more.\n\nTwo.", "One thing (see 5.1.1 and B.2): more."),
    ("A line\n    broken ``here``. And more.", "A line broken `here`."),
    ("Without an end", "Without an end"),
])
def test_first_sentence(text, sentence):
    assert first_sentence(text) == sentence


def test_sizes_and_tables():
    assert [size(count) for count in (64 << 10, 3 << 20, 100, 1536)] == [
        "64 KiB", "3 MiB", "100 bytes", "1536 bytes"]
    assert table(("a", "b"), [(1, "x|y")]) == "| a | b |\n|---|---|\n| 1 | x\\|y |"


def test_figures_of_benches(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert generate(["benches", "^xts"]) == "No figure of `^xts` is stored."
    (tmp_path / "bench.json").write_text(json.dumps({
        "xts.a": {"value": 0.98765, "unit": "1", "target": ">= 0.99", "met": False,
                  "config": {"config": "ecp5", "dram": "ddr3-1066"}},
        "xts.b": {"value": 13, "unit": "cycles", "target": None, "met": None, "config": {}},
        "plain.a": {"value": 1.0, "unit": "1", "target": None, "met": None, "config": {}}}))
    assert generate(["benches", "^xts"]).splitlines() == [
        "| figure | value | configuration | DRAM | target | met |", "|---|---|---|---|---|---|",
        "| `xts.a` | 0.9877 | ecp5 | ddr3-1066 | >= 0.99 | **no** |",
        "| `xts.b` | 13 cycles |  |  |  |  |"]
    assert generate(["benches", "plain.*a$"]).splitlines()[2] == "| `plain.a` | 1 |"
    (tmp_path / "bench.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        generate(["benches"])


def test_evidence_has_workload_configuration_and_tools(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    (tmp_path / "bench.json").write_text(json.dumps({
        "full.a": {"value": 0.5, "unit": "1", "config": {
            "config": "ecp5", "config_digest": "12ab", "dram": "ddr3-1066", "lines": 20000,
            "footprint_bytes": 1 << 20, "ratio": 0.25, "versions": {"verilator": "5"}}},
        "fpga.a": {"value": 93.0, "unit": "MHz", "config": {
            "device": "LFE5U-85F", "versions": {"yosys": "0.70", "amaranth": "0.5"}}}}))
    assert generate(["evidence", "a$"]).splitlines() == [
        "| figure | value | configuration | DRAM or device | workload |", "|---|---|---|---|---|",
        "| `full.a` | 0.5 | ecp5, digest `12ab` | ddr3-1066 | 20,000 lines in 1 MiB |",
        "| `fpga.a` | 93 MHz |  | LFE5U-85F |  |", "",
        "Tools: amaranth 0.5, verilator 5, yosys 0.70."]
    assert "| `full.a`, its `ratio` | 0.25 |" in generate(["evidence", "^full", "ratio"])
    with pytest.raises(ValueError, match=r"'fpga\.a' has no 'ratio'"):
        generate(["evidence", "a$", "ratio"])
    assert generate(["evidence", "^xts"]) == "No figure of `^xts` is stored."


def test_storage_is_that_of_the_formats():
    rows = generate(["storage"]).splitlines()
    assert "| leaves, of the data |" + " 25.0% |" * len(PRESETS) in rows
    # 64 GiB: nodes are 1/32 of the data and an eighth of that on each further level.
    share = sum(1 / 32 / 8 ** level for level in range(6))
    assert f"| {share:.1%} |" in next(row for row in rows if row.startswith("| nodes"))


def test_a_base_follows_the_region_before_it_and_a_part_that_is_not_there_is_none():
    rows = generate(["configuration", "engine"]).splitlines()
    assert any(row.startswith("| `leaf_base` | behind the region before it |") for row in rows)
    assert any(row.startswith("| `tree` | none |") for row in rows)
