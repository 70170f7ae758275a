"""``casemate sim``: results, outputs, and what is refused."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import casemate_sim.compare
import casemate_sim.simulate
import pytest
from casemate.config import preset
from casemate_sim.audit import audit
from casemate_sim.cli import app
from casemate_sim.cli.document import JSON_FIELDS, RUN_FIELDS
from casemate_sim.native import library
from casemate_sim.native.simulation import SimulationError
from casemate_sim.simulate import PreparedRun
from casemate_sim.sizes import SizeError, parse_size
from casemate_sim.toolchain import ToolError
from typer.testing import CliRunner

SHAPE = {
    "schema": str, "mode": str, "ok": bool, "interrupted": bool, "failure": type(None),
    "verdict": str,
    "trace": {"name": str, "source": str, "records": int, "reads": int, "writes": int,
              "footprint_bytes": int},
    "config": {"name": str, "digest": str, "parameters": dict, "geometry": dict,
               "memory_map": list},
    "comparison": {"slowdown": float, "added_mean_read_latency_cycles": float},
    "runs": {
        "mode": str, "config": str, "config_digest": str, "dram": dict, "player": dict,
        "seed": int, "records": int, "records_played": int, "cycles": int, "instructions": int,
        "reads": int, "writes": int, "bytes_read": int, "bytes_written": int,
        "error_responses": int, "window_stalls": int, "record_stalls": int,
        "reads_checked": int, "slept": int, "data_error_count": int, "data_errors": list,
        "metadata": (dict, type(None)), "traffic_limit": (float, type(None)),
        "hit_rate": (float, type(None)), "alarms": list,
        "bandwidth_bytes_per_cycle": float, "instructions_per_cycle": float,
        "latency_percentiles": dict, "latency_histograms": dict, "interval": int,
        "samples": list, "wall_seconds": float, "cycles_per_second": float,
        "build_seconds": float, "interrupted": bool, "versions": dict},
}
"""Types of the JSON; what is below a mode's name stands here without it."""


def check_shape(value: object, shape: object, where: str = "") -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        assert set(value) == set(shape), where
        for name, below in shape.items():
            found = value[name]
            if where == "" and name in ("comparison", "runs"):
                for mode, each in found.items():
                    check_shape(each, below, f"{name}.{mode}")
            else:
                check_shape(found, below, f"{where}.{name}")
    else:
        assert isinstance(value, shape), f"{where} = {value!r}"
        assert not (shape is int and isinstance(value, bool)), where


def test_runs_side_by_side_and_every_output(tiny, casemate, tmp_path: Path) -> None:
    plot, out, dump = tmp_path / "a.png", tmp_path / "a.json", tmp_path / "dump"
    # Another seed than the default: the dump has the keys that the simulation had.
    result = casemate("sim", *tiny, "--seed", 5, "--plot", plot, "--json", out, "--dump", dump)
    assert result.exit_code == 0, result.stderr
    content = json.loads(out.read_text())
    check_shape(content, SHAPE)
    assert set(JSON_FIELDS) - {"recording"} == set(content)
    assert list(content["runs"]) == ["bare", "plain", "xts", "integrity", "full"]
    assert all(set(RUN_FIELDS) == set(run) for run in content["runs"].values())
    bare, plain, xts, integrity, full = content["runs"].values()
    assert bare["cycles"] < plain["cycles"] < xts["cycles"] < full["cycles"]
    assert plain["cycles"] < integrity["cycles"]
    assert content["comparison"]["xts"]["slowdown"] == xts["cycles"] / bare["cycles"]
    assert content["ok"]
    for run in content["runs"].values():
        assert (run["reads"], run["writes"]) == (
            content["trace"]["reads"], content["trace"]["writes"])
        assert sum(count for _, count in run["latency_histograms"]["read_last"]) == run["reads"]
    assert "…" not in result.stdout  # nothing is cut off at 80 characters
    for run in integrity, full:
        assert run["reads_checked"] == run["reads"]  # every line had a content before
        counts = run["metadata"]
        assert counts["cache_accesses"] >= run["reads"] + run["writes"]
        assert run["hit_rate"] == counts["cache_hits"] / counts["cache_accesses"] < 1
        data = counts["lines_read"] + counts["lines_written"]
        assert run["traffic_limit"] == data / (
            data + counts["nodes_fetched"] + counts["nodes_written"])
    assert xts["metadata"] is None
    for label in ("bare wire", "plain", "xts", f"{xts['cycles']:,}", "integrity", "full",
                  f"{full['cycles']:,}", "(full) took", "cache hits",
                  "read latency, cycles"):
        assert label in result.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert f"plot: {plot}" in result.stderr
    assert casemate("audit", dump).exit_code == 0
    report = audit(dump)
    assert report.ok
    assert report.lines_by_mode == {"full": report.lines}
    assert report.lines > 50
    assert report.other_lines > 50
    assert report.leaves > 50 and report.nodes > 5


def test_json_on_stdout_is_alone_there(tiny, casemate) -> None:
    result = casemate("sim", *tiny, "--mode", "plain", "--json", "-")
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert list(content["runs"]) == ["bare", "plain"]
    assert "bare wire" in result.stderr


def test_the_same_seed_gives_the_same_cycles_and_another_one_others(tiny, casemate) -> None:
    def cycles(seed: int) -> list[int]:
        result = casemate("sim", *tiny, "--mode", "plain", "--seed", seed, "--json", "-")
        return [run["cycles"] for run in json.loads(result.stdout)["runs"].values()]

    assert cycles(1) == cycles(1) != cycles(2)


def test_a_converted_trace_plays_and_limit_shortens_it(casemate, tmp_path, text_trace) -> None:
    trace = tmp_path / "small.trace"
    assert casemate("convert", text_trace, "-o", trace).exit_code == 0
    result = casemate("sim", trace, "--config", "tiny", "--mode", "plain", "--limit", 30,
                      "--dram", "fixed-latency", "--outstanding", 1, "--json", "-")
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert content["trace"] == {
        "name": "small", "source": "ramulator small.txt", "records": 30, "reads": 20,
        "writes": 10, "footprint_bytes": 30 * 64}
    assert content["runs"]["plain"]["dram"]["name"] == "fixed-latency"
    assert content["runs"]["plain"]["player"]["outstanding_reads"] == 1


def test_an_svg_plot_has_labels_and_runs(tiny, casemate, tmp_path: Path, monkeypatch) -> None:
    import matplotlib as mpl
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    plot = tmp_path / "a.svg"
    assert casemate("sim", *tiny, "--mode", "xts", "--plot", plot).exit_code == 0
    text = plot.read_text()
    for words in ("latency (cycles of the DRAM controller)", "share of the reads (%)",
                  "time (µs)", "bandwidth (MB/s)", "bare wire: median", "xts: mean",
                  "added time (%)",
                  "random: 200 records on tiny, ddr3-1066"):
        assert words in text


def test_a_waveform_of_the_mode_of_interest(tiny, casemate, tmp_path: Path,
                                            monkeypatch) -> None:
    right = library.build_library

    def quick(*arguments, wave, **options):
        if wave:  # half of the time, for a run of 260 cycles
            options["cpp_flags"] = ("-O0", "-w")
        return right(*arguments, wave=wave, **options)

    monkeypatch.setattr(library, "build_library", quick)
    wave = tmp_path / "a.vcd"
    result = casemate("sim", *tiny[:-1], 20, "--mode", "xts", "--wave", wave,
                      "--wave-cycles", "200:260")
    assert result.exit_code == 0, result.stderr
    text = wave.read_text()
    assert "$enddefinitions" in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert times
    assert len(set(times)) <= 2 * 61
    assert (tmp_path / "a.gtkw").exists()
    assert f"waveform: {wave}" in result.stderr


def refused(result, *words: str, code: int = 2) -> None:
    """Check that a command ended with one line on stderr that has all of `words`."""
    assert result.exit_code == code, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("casemate")
    for word in words:
        assert word in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(("arguments", "words"), [
    ((), ("either a trace or --workload",)),
    (("sqlite_index", "--workload", "mix"), ("either a trace or --workload",)),
    (("nowhere.trace",), ("nowhere.trace", "no such file", "sqlite_index")),
    (("sqlite_index", "--count", 5), ("--count is for --workload", "--limit")),
    (("--workload", "spiral"), ("spiral", "stream", "chase")),
    (("--workload", "mix", "--read-share", 1.5), ("read_share = 1.5", "0 to 1")),
    (("--workload", "mix", "--footprint", "many"), ("'many'", "64K")),
    (("--workload", "mix", "--footprint", 100), ("footprint_bytes = 100", "multiple of 64")),
    (("--workload", "mix", "--count", 0), ("count = 0", "at least 1")),
    (("--workload", "mix", "--config", "huge"), ("'huge'", "tiny", "server")),
    (("--workload", "mix", "--dram", "ddr9"), ("ddr9", "ddr3-1066")),
    (("--workload", "mix", "--outstanding", 65), ("--outstanding", "1 to 64", "65")),
    (("--workload", "mix", "--instructions-per-cycle", 999),
     ("--instructions-per-cycle", "1/256 to 255", "999")),
    (("--workload", "mix", "--window-instructions", 0), ("--window-instructions", "0")),
    (("--workload", "mix", "--wave-cycles", "1:2"), ("--wave-cycles needs --wave",)),
    (("--workload", "mix", "--wave", "a.vcd", "--wave-cycles", "9:2"), ("'9:2'", "FIRST:LAST")),
    (("--workload", "mix", "--wave", "a.wav"), ("a.wav", ".vcd or .fst")),
    (("--workload", "mix", "--plot", "a.gif"), ("a.gif", ".png")),
    (("--workload", "mix", "--plot", "no/such/a.png"), ("no/such", "does not exist")),
    (("--workload", "mix", "--json", "/proc/a.json"), ("/proc/a.json", "cannot be written")),
    (("--workload", "mix", "--json", "/usr"), ("--json /usr", "directory")),
    (("--workload", "mix", "--dump", "/dev/null/x"), ("/dev/null", "no folder")),
    (("--workload", "mix", "--seed", -1), ("--seed", "greater than or equal to 0")),
    (("--workload", "mix", "--mode", "bare"), ("bare", "plain", "xts", "integrity", "full")),
    (("--config", "tiny", "--workload", "random", "--footprint", "1M"),
     ("data window", "tiny", "65536 bytes")),
])
def test_bad_input_is_one_line_before_anything_is_built(
        casemate, monkeypatch, tmp_path, arguments, words) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASEMATE_CACHE", str(tmp_path / "cache"))
    result = casemate("sim", *arguments)
    refused(result, *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "size"), [
    ("64", 64), ("4K", 4096), ("4 kB", 4096), ("16M", 1 << 24), ("16MiB", 1 << 24),
    ("2g", 1 << 31), ("1TiB", 1 << 40)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "M", "1P", "1KK", "0x10"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(SizeError, match="is no size"):
        parse_size(text)


def test_a_damaged_trace_names_file_and_byte(casemate, tmp_path, text_trace) -> None:
    trace = tmp_path / "small.trace"
    casemate("convert", text_trace, "-o", trace)
    content = bytearray(trace.read_bytes())
    content[-3] ^= 1
    trace.write_bytes(content)
    refused(casemate("sim", trace), f"{trace}: byte ", "checksum")
    trace.write_bytes(content[:-10])
    refused(casemate("sim", trace), f"{trace}: byte ", "ends inside a block")
    refused(casemate("sim", text_trace), "not a Casemate trace", "casemate convert")


def test_a_full_disk_loses_nothing(tiny, casemate, tmp_path: Path) -> None:
    plot = tmp_path / "full.png"
    plot.symlink_to("/dev/full")
    dump = tmp_path / "dump"
    result = casemate("sim", *tiny, "--mode", "xts", "--plot", plot, "--json", "/dev/full",
                      "--dump", dump)
    assert result.exit_code == 2
    assert f"{plot}: cannot be written: No space left on device" in result.stderr
    assert "/dev/full: cannot be written: No space left on device" in result.stderr
    table, _, rest = result.stdout.partition("\n{\n")
    assert "Encryption (xts) took" in table
    assert json.loads("{" + rest)["ok"]
    assert audit(dump).ok


def test_wrong_data_and_error_responses_are_a_fault(tiny, casemate, monkeypatch, tmp_path) -> None:
    right = PreparedRun.play

    def wrong(run, progress):
        result = right(run, progress)
        return replace(result, data_error_count=3, data_errors=("cycle 7: line 0x1 reads 00",),
                       error_responses=2, alarms=("alert_integrity is up",),
                       ) if run.mode == "xts" else result

    monkeypatch.setattr(PreparedRun, "play", wrong)
    out = tmp_path / "a.json"
    result = casemate("sim", *tiny, "--mode", "xts", "--json", out)
    assert result.exit_code == 1
    # The graver code wins over that of a file that cannot be written.
    assert casemate("sim", *tiny, "--mode", "xts", "--json", "/dev/full").exit_code == 1
    assert "xts: cycle 7: line 0x1 reads 00" in result.stderr
    assert "xts: 2 error responses" in result.stderr
    assert "xts: alert_integrity is up" in result.stderr
    for name, count in (("wrong data", 3), ("error responses", 2), ("alarms", 1)):
        assert re.search(rf"^ *{name} +0 +0 +{count} *$", result.stdout, re.MULTILINE)
    assert "WRONG DATA: 3 of" in result.stdout
    assert not json.loads(out.read_text())["ok"]


def test_tampering_is_reported_and_a_fault(tiny, casemate, monkeypatch, tmp_path) -> None:
    right = casemate_sim.simulate.create_simulation

    def tampered(config, mode, *arguments, **options):
        simulation = right(config, mode, *arguments, **options)
        if mode == "full":
            leaves = config.regions[1]
            for address in range(leaves.base, leaves.end, 64):
                byte = simulation.read_memory(address, 1)[0]
                simulation.write_memory(address, bytes([byte ^ 1]))
        return simulation

    monkeypatch.setattr(casemate_sim.simulate, "create_simulation", tampered)
    out, dump = tmp_path / "a.json", tmp_path / "dump"
    result = casemate("sim", *tiny, "--json", out, "--dump", dump)
    assert result.exit_code == 1
    assert "full: alert_integrity is up" in result.stderr
    assert "full: error log: node, address" in result.stderr
    assert "no dump, because the engine is locked" in result.stderr
    assert not dump.exists()
    content = json.loads(out.read_text())
    assert not content["ok"]
    full = content["runs"]["full"]
    assert full["error_responses"] > 0
    assert full["data_error_count"] == 0  # no wrong byte came out
    assert content["runs"]["integrity"]["alarms"] == []


@pytest.mark.parametrize(("error", "code"), [
    (ToolError("make was not found on this machine"), 3),
    (OSError("no space"), 2),
    (SimulationError("nothing happened for 1000000 cycles"), 1)])
def test_runs_that_finished_survive_the_failure_of_the_next(
        tiny, casemate, monkeypatch, tmp_path, error, code) -> None:
    right = casemate_sim.compare.prepare

    def fail(*arguments, **options):
        if options["mode"] == "xts":
            raise error
        return right(*arguments, **options)

    monkeypatch.setattr(casemate_sim.compare, "prepare", fail)
    out, plot, dump = tmp_path / "a.json", tmp_path / "a.png", tmp_path / "dump"
    result = casemate("sim", *tiny, "--mode", "xts", "--json", out, "--plot", plot, "--dump", dump)
    assert result.exit_code == code
    assert f"casemate: error: {error}" in result.stderr
    assert "(not run)" in result.stdout
    content = json.loads(out.read_text())
    assert list(content["runs"]) == ["bare", "plain"]
    assert content["failure"] == str(error)
    assert not content["ok"]
    assert content["comparison"]["plain"]["slowdown"] > 1
    assert content["comparison"]["xts"]["slowdown"] is None
    assert plot.exists()
    assert not dump.exists()
    assert "no dump, because xts was not run to its end" in result.stderr


def test_a_run_that_fails_begins_no_other_and_ends_none(
        tiny, casemate, monkeypatch, tmp_path) -> None:
    right, failed = PreparedRun.play, threading.Event()

    def fail(run, progress):
        if run.mode == "plain":
            failed.set()
            raise SimulationError("nothing happened for 1000000 cycles")
        assert run.mode == "bare" and failed.wait(60)
        return right(run, progress)

    monkeypatch.setattr(PreparedRun, "play", fail)
    out = tmp_path / "a.json"
    result = casemate("sim", *tiny, "--mode", "xts", "--jobs", "2", "--json", out)
    assert result.exit_code == 1
    assert "casemate: error: nothing happened" in result.stderr
    assert "plain: building" in result.stderr
    assert "xts: building" not in result.stderr
    content = json.loads(out.read_text())
    assert list(content["runs"]) == ["bare"]
    assert not content["runs"]["bare"]["interrupted"]


def test_runs_side_by_side_are_those_one_by_one(tiny, casemate, tmp_path) -> None:
    def runs(jobs):
        out = tmp_path / f"{jobs}.json"
        assert casemate("sim", *tiny, "--jobs", jobs, "--json", out).exit_code == 0
        return {mode: {name: value for name, value in run.items() if name not in (
                    "wall_seconds", "cycles_per_second", "build_seconds")}
                for mode, run in json.loads(out.read_text())["runs"].items()}

    alone = runs("1")
    assert list(alone) == ["bare", "plain", "xts", "integrity", "full"]
    assert runs("5") == alone


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    """A dump of a run in `full` on the smallest engine."""
    dump = tmp_path_factory.mktemp("sealed") / "dump"
    result = CliRunner().invoke(app, [
        "sim", "--config", "tiny", "--workload", "random", "--read-share", "0.6", "--count", "200",
        "--dump", str(dump)])
    assert result.exit_code == 0, result.stderr
    return dump


@pytest.mark.parametrize(("region", "kind", "level"), [
    ("data", "line", None), ("leaves", "leaf", 0), ("level 1 nodes", "node", 1)])
def test_one_flipped_bit_of_a_dump_is_found_where_it_is(
        sealed, casemate, tmp_path, region, kind, level) -> None:
    random = Random(f"flips {region}")
    regions = {each.name: each for each in preset("tiny").regions}
    content = (sealed / "dram.bin").read_bytes()
    for name in ("config.json", "secrets.json", "root.bin", "expected.npz"):
        (tmp_path / name).symlink_to(sealed / name)
    place = regions[region]
    written = [address for address in range(place.base, place.end, 64)
               if any(content[address:address + 64])]
    for address in random.sample(written, 5):
        changed = bytearray(content)
        bit = random.randrange(512)
        changed[address + bit // 8] ^= 1 << bit % 8
        (tmp_path / "dram.bin").write_bytes(changed)
        report = audit(tmp_path)
        assert report.mismatch is not None, (address, bit)
        found = report.mismatch
        assert (found.kind, found.level, found.address) == (kind, level, address), bit
    assert casemate("audit", tmp_path).exit_code == 1


def test_slowdowns_of_several_programs(casemate, tmp_path, text_trace) -> None:
    traces = [tmp_path / f"{name}.trace" for name in ("one", "two")]
    for trace in traces:
        casemate("convert", text_trace, "-o", trace)
    out, plot = tmp_path / "a.json", tmp_path / "a.png"
    result = casemate("compare", *traces, "--config", "tiny", "--limit", 60, "--json", out,
                      "--plot", plot)
    assert result.exit_code == 0, result.stderr
    content = json.loads(out.read_text())
    assert content["schema"] == "casemate.compare/1"
    assert content["ok"]
    assert list(content["traces"]) == ["one", "two"]
    one, two = (each["comparison"] for each in content["traces"].values())
    assert one == two
    assert one["full"]["slowdown"] > one["xts"]["slowdown"] > 1
    for words in ("one", "two", "geometric mean", "integrity", f"{one['full']['slowdown']:.3f}"):
        assert words in result.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    refused(casemate("compare", tmp_path / "three.trace"), "three.trace", "no such file")
    refused(casemate("compare", *traces, "--config", "tiny", "--dram", "ddr9"), "ddr9")
