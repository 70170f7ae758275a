"""Recording: with a stand-in for valgrind everywhere, and with valgrind where it is installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from casemate_sim.caches import CacheError
from casemate_sim.pages import PageError, PageTable
from casemate_sim.record import RecordError, record
from casemate_sim.trace import TraceError, load
from hypothesis import given
from hypothesis import strategies as st

# Prints what lackey does for a program that walks argv[-1] lines, storing to each third; stops for
# a while in the middle if the program is called "slow".
STAND_IN = f"""#!{sys.executable}
import os, sys, time
if sys.argv[1:] == ["--version"]:
    print("valgrind-0.0.0")
    sys.exit()
sink = next(int(word[9:]) for word in sys.argv if word.startswith("--log-fd="))
program = sys.argv[sys.argv.index("--") + 1:]
with os.fdopen(sink, "w") as log:
    print("==1== Lackey, an example Valgrind tool", file=log)
    if program[0] == "garbage":
        print("what is this", file=log)
    if program[0] == "quiet":
        sys.exit(3)
    for number in range(int(program[-1])):
        print("I  0401ab70,3", file=log)
        print(f" {{'LLS'[number % 3]}} {{0x1fff000000 + 64 * number:08x}},8", file=log)
        if program[0] == "slow" and number == 1000:
            log.flush()
            print("halfway", flush=True)
            time.sleep(60)
sys.exit(7)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for valgrind, and programs that need not run, in front of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("valgrind", "walk", "slow", "quiet", "garbage"):
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_every_access_is_a_record_without_caches(tmp_path: Path, stand_in: Path) -> None:
    seen = []
    result = record(["walk", "a b", "500"], tmp_path / "a.trace", hierarchy=(),
                    progress=lambda *now: seen.append(now))
    trace = load(tmp_path / "a.trace")
    assert trace.records["line"].tolist() == list(range(500))
    assert (trace.records["distance"] == 1).all()
    assert (trace.records["flags"] == (np.arange(500) % 3 == 2)).all()
    assert (result.records, result.reads, result.writes) == (500, 334, 166)
    assert (result.instructions, result.accesses, result.exit_code) == (500, 500, 7)
    assert not result.interrupted
    assert not result.limited
    assert seen[-1] == (500, 500)
    header = trace.header
    assert (header.source, header.instructions) == ("walk 'a b' 500", 500)
    assert header.window_bytes == result.window_bytes == 65536
    assert "valgrind-0.0.0 lackey" in header.notes


def test_distances_add_up_to_the_instruction_of_the_last_record(
        tmp_path: Path, stand_in: Path) -> None:
    pytest.importorskip("cachesim", reason="needs pycachesim: pip install 'casemate[record]'")
    result = record(["walk", "100000"], tmp_path / "a.trace")
    trace = load(tmp_path / "a.trace")
    assert trace.reads == result.misses["L3"] == 100_000
    assert trace.writes > 20_000
    assert int(trace.records["distance"].sum()) <= result.instructions == 100_000
    assert [level.name for level in trace.header.hierarchy] == ["L1", "L2", "L3"]


def test_a_limit_of_records_ends_the_program(tmp_path: Path, stand_in: Path) -> None:
    begin = time.monotonic()
    result = record(["walk", "100000000"], tmp_path / "a.trace", hierarchy=(), maximum_records=1234)
    assert result.limited
    assert len(load(tmp_path / "a.trace").records) == result.records == 1234
    assert result.exit_code == -signal.SIGTERM
    assert time.monotonic() - begin < 30


def test_a_limit_of_instructions_ends_the_program(tmp_path: Path, stand_in: Path) -> None:
    result = record(["walk", "100000000"], tmp_path / "a.trace", hierarchy=(),
                    maximum_instructions=1000)
    assert result.limited
    assert 1000 <= result.instructions < 2_000_000
    assert len(load(tmp_path / "a.trace").records) == result.records


def test_skipped_instructions_leave_no_record(tmp_path: Path, stand_in: Path) -> None:
    record(["walk", "500"], tmp_path / "a.trace", hierarchy=(), skip_instructions=100)
    trace = load(tmp_path / "a.trace")
    assert trace.records["line"].tolist() == list(range(100, 500))
    assert (trace.records["distance"] == 1).all()
    assert trace.header.instructions == 400
    assert "first 100 instructions skipped" in trace.header.notes


def test_ctrl_c_keeps_what_was_recorded_so_far(tmp_path: Path, stand_in: Path) -> None:
    output = tmp_path / "a.trace"
    code = ("import sys\n"
            "from casemate_sim.record import record\n"
            f"result = record(['slow', '5000'], {str(output)!r}, hierarchy=())\n"
            "sys.exit(42 if result.interrupted else 1)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "halfway\n"
        time.sleep(0.3)
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) == 42
    assert time.monotonic() - begin < 10
    assert load(output).records["line"].tolist() == list(range(1001))
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "a.trace"}


def test_missing_valgrind_is_said_with_how_to_get_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecordError, match="valgrind is not installed; on Debian and Ubuntu `apt"):
        record(["ls"], tmp_path / "a.trace", hierarchy=())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "message"), [
    ([], "no program to record"),
    (["no-such-program"], "no-such-program: no such program"),
    (["quiet"], r"quiet: valgrind recorded nothing \(exit code 3\)"),
    (["garbage", "1"], "valgrind printed what is not understood: 'what is this' is no line of"),
])
def test_a_program_that_cannot_be_recorded_is_named_and_leaves_no_file(
        tmp_path: Path, stand_in: Path, command: list[str], message: str) -> None:
    with pytest.raises(RecordError, match=f"^{message}"):
        record(command, tmp_path / "a.trace", hierarchy=())
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_an_unwritable_output_is_found_before_the_program_starts(
        tmp_path: Path, stand_in: Path) -> None:
    with pytest.raises(TraceError, match=r"none/a\.trace: cannot be written: No such file or dir"):
        record(["walk", "100000000"], tmp_path / "none" / "a.trace", hierarchy=())


def test_an_impossible_hierarchy_or_window_is_refused(tmp_path: Path, stand_in: Path) -> None:
    with pytest.raises(RecordError, match="a window of 5 bytes is not possible: a power of two of"):
        record(["walk", "1"], tmp_path / "a.trace", hierarchy=(), window_bytes=5)
    with pytest.raises(RecordError, match="shuffled pages need a window of a given size"):
        record(["walk", "1"], tmp_path / "a.trace", hierarchy=(), shuffle_seed=5)
    with pytest.raises(RecordError, match=r"the program touches more than the 16 pages of a window "
                                          r"of 65536 bytes; give a larger one"):
        record(["walk", "2000"], tmp_path / "a.trace", hierarchy=(), window_bytes=65536)
    with pytest.raises(CacheError):
        from casemate_sim.caches import parse_hierarchy
        record(["walk", "1"], tmp_path / "a.trace", hierarchy=parse_hierarchy("3:3"))


# -- placement of pages --------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 2**52 - 1), max_size=20), max_size=10))
def test_pages_come_in_the_order_of_first_touch(pieces: list[list[int]]) -> None:
    table, pages = PageTable(), {}
    for piece in pieces:
        expected = [pages.setdefault(line // 64, len(pages)) * 64 + line % 64 for line in piece]
        assert table.place(np.array(piece, np.uint64)).tolist() == expected
    assert table.pages == len(pages)
    assert table.window_bytes >= 4096 * len(pages)


def test_shuffled_pages_fill_the_whole_window_once() -> None:
    table = PageTable(1 << 20, seed=3)
    first = table.place(np.arange(128, dtype=np.uint64) * np.uint64(64))
    second = table.place(np.arange(128, 256, dtype=np.uint64) * np.uint64(64))
    places = np.r_[first, second] // np.uint64(64)
    assert sorted(places.tolist()) == list(range(256))
    assert (np.diff(places.astype(int)) != 1).sum() > 200
    with pytest.raises(PageError, match="touches more than the 256 pages"):
        table.place(np.array([256 * 64], np.uint64))


# -- the real one --------------------------------------------------------------------------------

needs_valgrind = pytest.mark.skipif(
    shutil.which("valgrind") is None, reason="valgrind is not installed: apt install valgrind")


@needs_valgrind
def test_a_real_program_is_recorded(tmp_path: Path) -> None:
    pytest.importorskip("cachesim", reason="needs pycachesim: pip install 'casemate[record]'")
    result = record(["ls", "-l", "/"], tmp_path / "a.trace")
    trace = load(tmp_path / "a.trace")
    assert result.exit_code == 0
    assert result.instructions > 100_000
    assert trace.reads == result.misses["L3"] > 500
    assert trace.header.source == "ls -l /"
    assert 0 < trace.records["distance"].sum() <= result.instructions
    assert trace.records["line"].max() * 64 < trace.header.window_bytes


@needs_valgrind
def test_a_real_program_is_recorded_alike_twice(tmp_path: Path) -> None:
    first = record(["true"], tmp_path / "a.trace", hierarchy=())
    second = record(["true"], tmp_path / "b.trace", hierarchy=())
    assert abs(first.instructions - second.instructions) < first.instructions / 100
    assert abs(first.pages - second.pages) < 5
