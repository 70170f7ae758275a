"""The commands beside ``sim``."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

import pytest
from casemate.config import PRESETS, CipherConfig, EngineConfig, SBox, TreeConfig
from casemate_sim.cli.document import document
from casemate_sim.config_file import load_config
from casemate_sim.trace import load
from casemate_sim.traces import shipped

ROOT = Path(__file__).parents[2]


def refused(result, *words: str, code: int = 2) -> None:
    assert result.exit_code == code, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    for word in ("casemate", "error: ", *words):
        assert word in result.stderr
    assert result.stdout == ""


# -- record and convert --------------------------------------------------------------------------


def test_record_a_program_and_simulate_it(casemate, tmp_path: Path) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("needs valgrind")
    trace, out = tmp_path / "true.trace", tmp_path / "true.json"
    result = casemate("record", "-o", trace, "--caches", "8K:2", "--json", out, "--records", 400,
                      "--window", "64M", "--", "ls", "-l", "/")
    assert result.exit_code == 0, result.stderr
    content = json.loads(out.read_text())
    assert content["records"] == 400 == len(load(trace).records)
    assert content["program"] == ["ls", "-l", "/"]
    assert content["limited"]
    assert "a limit ended the program" in result.stderr
    assert load(trace).header.source == "ls -l /"


def test_record_without_valgrind(casemate, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(casemate("record", "-o", tmp_path / "a", "--", "ls"), "valgrind is not installed",
            "apt install valgrind", code=3)


def test_record_without_pycachesim(casemate, monkeypatch, tmp_path: Path) -> None:
    for name in ("valgrind", "ls"):
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "cachesim", None)
    refused(casemate("record", "-o", tmp_path / "a", "--", "ls"), "casemate[record]", code=3)


@pytest.mark.parametrize(("arguments", "words"), [
    (("-o", "no/such/file", "--", "ls"), ("no/such",)),
    (("-o", "a", "--caches", "32K", "--", "ls"), ("'32K'", "SIZE:WAYS", "desktop")),
    (("-o", "a", "--", "no-such-program"), ("no-such-program", "no such program")),
    (("-o", "a", "--window", "100", "--", "ls"), ("100", "power of two")),
    (("--", "ls"), ("--output",)),
    (("-o", "a"), ("PROGRAM",)),
])
def test_record_refuses(casemate, monkeypatch, tmp_path, arguments, words) -> None:
    (tmp_path / "valgrind").write_text("#!/bin/sh\n")
    (tmp_path / "valgrind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    refused(casemate("record", *arguments), *words)


def test_convert_counts(casemate, tmp_path: Path, text_trace: Path) -> None:
    trace = tmp_path / "a.trace"
    result = casemate("convert", text_trace, "-o", trace, "--json", "-")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "schema": "casemate.convert/1", "trace": str(trace), "records": 100, "format": "ramulator",
        "accesses": 100, "reads": 67, "writes": 33, "window_bytes": 65536}
    people = casemate("convert", text_trace, "-o", trace, "--format", "ramulator")
    assert "67 / 33" in people.stdout
    assert "64 KiB" in people.stdout


@pytest.mark.parametrize(("content", "words"), [
    ("0x0 R\n0x40 R\n0x80 Q\n", (":3: ",)),
    ("address,write\n64,1\n64,maybe\n", (":3: ", "'maybe'")),
    ("0x40 READ 5\n0x80 READ 4\n", (":2: ", "cycle 4 comes after cycle 5")),
    ("", ("holds no access",)),
    ("what is this\n", (":1: ", "fits none of the formats", "lackey")),
])
def test_convert_names_file_and_line(casemate, tmp_path: Path, content, words) -> None:
    source, trace = tmp_path / "a.txt", tmp_path / "a.trace"
    source.write_text(content)
    refused(casemate("convert", source, "-o", trace), str(source), *words)
    assert not trace.exists()


# -- audit ---------------------------------------------------------------------------------------


def test_audit_names_the_first_wrong_line(tiny, casemate, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    assert casemate("sim", *tiny, "--mode", "xts", "--dump", dump).exit_code == 0
    agrees = casemate("audit", dump)
    assert agrees.exit_code == 0
    assert "all agree" in agrees.stdout
    report = json.loads(casemate("audit", dump, "--json").stdout)
    assert report["ok"]
    assert report["mismatch"] is None
    import numpy as np
    line = int(np.sort(np.load(dump / "expected.npz")["line"])[3])
    with (dump / "dram.bin").open("r+b") as file:
        file.seek(64 * line + 9)
        byte = file.read(1)[0]
        file.seek(64 * line + 9)
        file.write(bytes([byte ^ 4]))
    wrong = casemate("audit", dump)
    assert wrong.exit_code == 1
    assert f"1 wrong, the first is line {line} at address {64 * line:#x}" in wrong.stdout
    assert "byte 9 is" in wrong.stdout
    report = json.loads(casemate("audit", dump, "--json").stdout)
    assert not report["ok"]
    assert report["mismatch"]["line"] == line
    assert report["mismatch"]["actual"] == byte ^ 4
    (dump / "config.json").unlink()
    refused(casemate("audit", dump), "config.json", "missing")


# -- export --------------------------------------------------------------------------------------


def test_export_with_a_manifest(casemate, tmp_path: Path) -> None:
    out, manifest = tmp_path / "e.v", tmp_path / "e.json"
    result = casemate("export", "--config", "tiny", "-o", out, "--manifest", manifest,
                      "--name", "vault")
    assert result.exit_code == 0, result.stderr
    content = json.loads(manifest.read_text())
    text = out.read_text()
    assert "module vault(" in text
    assert content["sha256"] == sha256(out.read_bytes()).hexdigest()
    assert content["config"]["digest"] == PRESETS["tiny"].digest
    assert content["config"]["memory_map"][0] == {"name": "data", "base": 0, "size": 65536}
    assert content["versions"]["amaranth"].startswith("0.5")
    assert content["ports"]["s_axi_awaddr"] == {"width": 40, "direction": "input"}
    assert content["ports"]["m_axi_wdata"] == {"width": 128, "direction": "output"}
    top = text[text.index("module vault("):]
    header = top[:top.index(");")].split("(", 1)[1]
    assert {name.strip() for name in header.split(",")} == {*content["ports"], "clk", "rst"}


def test_export_of_rtlil_to_stdout(casemate) -> None:
    result = casemate("export", "--config", "tiny", "--format", "rtlil", "-o", "-")
    assert result.exit_code == 0, result.stderr
    assert "module \\casemate" in result.stdout
    assert result.stderr == ""


def test_export_refuses(casemate, tmp_path: Path) -> None:
    refused(casemate("export", "-o", tmp_path / "x.v", "--name", "a b"), "'a b'", "module")
    refused(casemate("export", "-o", tmp_path / "no" / "x.v"), "does not exist")
    refused(casemate("export", "-o", tmp_path / "x.v", "--format", "vhdl"), "vhdl", "verilog")
    refused(casemate("export", "--config", "tiny", "-o", "/dev/full"), "/dev/full",
            "No space left on device")


# -- config --------------------------------------------------------------------------------------


def test_config_show_has_every_parameter_and_the_memory_map(casemate) -> None:
    result = casemate("config", "show", "tiny")
    assert result.exit_code == 0
    for field in fields(EngineConfig):
        assert field.name in result.stdout or field.name == "name"
    for words in ("leaf.version_bits", "data_cipher.sbox", "beats_per_line", "0x10000", "leaves",
                  PRESETS["tiny"].digest):
        assert words in result.stdout
    content = json.loads(casemate("config", "show", "tiny", "--json").stdout)
    assert content["parameters"] == json.loads(json.dumps(PRESETS["tiny"].as_dict()))
    assert content["geometry"]["lines"] == 1024
    assert [region["name"] for region in content["memory_map"]] == [
        "data", "leaves", "level 1 nodes"]


def test_config_list(casemate) -> None:
    people = casemate("config", "list").stdout
    content = json.loads(casemate("config", "list", "--json").stdout)["presets"]
    assert list(content) == list(PRESETS)
    for name, config in PRESETS.items():
        assert name in people
        assert content[name]["digest"] == config.digest


def test_a_configuration_file(casemate, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "tiny"\ndata_bytes = 0x2_0000\n[data_cipher]\nsbox = "logic"\n'
                    "[leaf]\nversion_bits = 48\n")
    config = load_config(path)
    tiny = PRESETS["tiny"]
    assert (config.name, config.data_bytes, config.leaf.version_bits) == ("mine", 1 << 17, 48)
    assert config.data_cipher.sbox is SBox.LOGIC
    assert not config.data_cipher.pipelined
    assert config.tweak_cipher == tiny.tweak_cipher
    assert config.read_entries == tiny.read_entries
    assert "mine" in casemate("config", "show", path).stdout
    assert "none" in casemate("config", "show", path).stdout  # no tree
    path.write_text(
        'preset = "tiny"\n[tree]\ncache_sets = 8\n[tree.pad_cipher]\npipelined = false\n')
    tree = load_config(path).tree
    assert tree == TreeConfig(cache_sets=8, pad_cipher=CipherConfig(pipelined=False))
    assert "tree.pad_cipher.sbox" in casemate("config", "show", path).stdout
    path.write_text("aes_bits = 256\n")
    assert load_config(path).replace(name="custom") == EngineConfig(aes_bits=256)


@pytest.mark.parametrize(("text", "words"), [
    ("preset = 'tiny'\ndata_bytes = 1000\n", ("data_bytes = 1000", "power of two")),
    ("aes_bits = 192\n", ("aes_bits = 192", "128 or 256")),
    ("aes_bits = '128'\n", ("aes_bits = '128'", "an integer")),
    ("aes_bits = true\n", ("aes_bits = True", "an integer")),
    ("preset = 'huge'\n", ("'huge'", "tiny, latency")),
    ("preset = 1\n", ("preset = 1",)),
    ("colour = 1\n", ("colour is no parameter", "data_bytes", "preset")),
    ("data_cipher = 1\n", ("data_cipher = 1", "[data_cipher]")),
    ("[data_cipher]\nsbox = 'gold'\n", ("data_cipher.sbox = 'gold'", "table, block_ram, logic")),
    ("[data_cipher]\nspeed = 1\n", ("data_cipher.speed is no parameter", "rounds_per_stage")),
    ("[data_cipher]\nrounds_per_stage = 3\n", ("rounds_per_stage = 3", "1 or 2")),
    ("[data_cipher]\npipelined = 1\n", ("data_cipher.pipelined = 1", "true or false")),
    ("[tree]\ncache_ways = 3\n", ("cache_ways = 3", "power of two")),
    ("tree = 'none'\n", ("tree = 'none'", "[tree]")),
    ("[tree]\npad_cipher = 1\n", ("tree.pad_cipher = 1", "[tree.pad_cipher]")),
    ("[tree.pad_cipher]\nspeed = 1\n", ("tree.pad_cipher.speed is no parameter",)),
    ("node_bases = ['a']\n", ("node_bases = ['a']", "a list of integers")),
    ("aes_bits = 128\naes_bits =\n", ("no TOML", "line 2")),
])
def test_an_impossible_configuration_names_file_and_value(
        casemate, tmp_path: Path, text: str, words) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    refused(casemate("config", "show", path), f"{path}: ", *words)
    refused(casemate("sim", "--workload", "mix", "--config", path), f"{path}: ", *words)


def test_a_configuration_that_is_not_there(casemate) -> None:
    refused(casemate("config", "show", "no.toml"), "no.toml: cannot be read: No such file")
    refused(casemate("config", "show", "huge"), "'huge'", "tiny")


# -- the rest ------------------------------------------------------------------------------------


def test_traces_lists_what_is_shipped(casemate) -> None:
    people = casemate("traces").stdout
    content = json.loads(casemate("traces", "--json").stdout)["traces"]
    assert set(content) == set(shipped()) == {"sqlite_index", "gzip_text", "python_sort"}
    for name, facts in content.items():
        assert name in people
        assert f"{facts['records']:,}" in people
        assert facts["reads"] + facts["writes"] == facts["records"] == len(
            load(facts["file"]).records)
    assert "sqlite3 :memory:" in people


def test_unknown_commands_and_options_are_one_line(casemate) -> None:
    refused(casemate("simm"), "'simm'", "Did you mean 'sim'")
    refused(casemate("--bogus"), "--bogus")
    refused(casemate("sim", "--bogus"), "--bogus")
    refused(casemate("config", "shew"), "'shew'")


def test_no_command_prints_the_help(casemate) -> None:
    result = casemate()
    assert result.exit_code == 2
    for command in ("sim", "record", "convert", "traces", "audit", "export", "config"):
        assert f" {command} " in result.stdout


def test_the_page_of_the_command_line_is_fresh() -> None:
    assert (ROOT / "docs" / "command_line.md").read_text() == document(), \
        "run: python -m casemate_sim.cli.document > docs/command_line.md"
