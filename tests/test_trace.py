"""The trace file: round trips, damage named by byte, and never a partial file."""

from __future__ import annotations

import errno
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from casemate_sim import trace
from casemate_sim.trace import (
    MAGIC,
    RECORD,
    CacheLevel,
    TraceError,
    TraceHeader,
    load,
    load_header,
    make_records,
    save,
    writer,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEADER = TraceHeader(
    source="sort -u 'a b'", window_bytes=1 << 20, instructions=12345, notes="valgrind-3.19.0",
    hierarchy=(CacheLevel(name="L1", size=2**14, ways=4),
               CacheLevel(name="L2", size=2**17, ways=8)))

RECORDS = st.lists(st.tuples(
    st.one_of(st.integers(0, 2**14 - 1), st.integers(0, 2**58 - 1)),
    st.one_of(st.integers(0, 100), st.integers(0, 2**32 - 1)), st.integers(0, 3)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RECORDS)
def test_any_records_survive_a_file(tmp_path: Path, rows: list[tuple[int, int, int]]) -> None:
    records = np.array(rows, dtype=RECORD)
    header = TraceHeader(source="x", window_bytes=1 << 64)
    save(tmp_path / "a.trace", records, header)
    loaded = load(tmp_path / "a.trace")
    assert loaded.header == header
    assert loaded.records.dtype == RECORD
    assert loaded.records.tolist() == rows
    assert loaded.writes == sum(flags & 1 for _, _, flags in rows)
    assert loaded.reads + loaded.writes == len(rows)


def test_more_records_than_a_block_holds_survive_in_any_pieces(tmp_path: Path) -> None:
    places = np.arange(200_000)
    records = make_records(places % 16384, write=places % 3 == 0, distance=9)
    with writer(tmp_path / "a.trace", HEADER) as out:
        for start in range(0, 200_000, 70_001):
            out.append(records[start:start + 70_001])
    loaded = load(tmp_path / "a.trace")
    assert (loaded.records == records).all()
    assert (out.records, out.reads) == (200_000, loaded.reads)


def test_the_header_can_be_read_alone_and_stands_in_front_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    save(path, make_records([1, 2, 3]), HEADER)
    assert load_header(path) == (HEADER, 3)
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    values = json.loads(content[16:16 + length])
    assert values["source"] == "sort -u 'a b'"
    assert values["hierarchy"][1] == {"name": "L2", "size": 131072, "ways": 8}


def test_the_header_may_change_until_the_end(tmp_path: Path) -> None:
    with writer(tmp_path / "a.trace", HEADER) as out:
        out.header = TraceHeader(source="other", window_bytes=1 << 16)
    assert load(tmp_path / "a.trace").header.source == "other"


def test_the_file_is_laid_out_as_documented(tmp_path: Path) -> None:
    """A second reader, from docs/traces.md alone."""
    import zstandard

    records = make_records([5, 3, 2**40], write=[True, False, True], distance=[1, 2**20, 0],
                           dependent=[False, True, False])
    path = tmp_path / "a.trace"
    save(path, records, TraceHeader(source="x", window_bytes=1 << 60))
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<8sII", content)
    assert (magic, version) == (b"\x93CMTRACE", 1)
    count, size, checksum = struct.unpack_from("<III", content, 16 + length)
    frame = content[28 + length:]
    assert (count, size, checksum) == (3, len(frame), zlib.crc32(frame))
    columns = zstandard.ZstdDecompressor().decompress(frame)
    line, rows = 0, []
    for place in range(count):
        zigzag = sum(columns[plane * count + place] << 8 * plane for plane in range(8))
        line += zigzag >> 1 if zigzag % 2 == 0 else -(zigzag + 1 >> 1)
        distance = sum(columns[(8 + plane) * count + place] << 8 * plane for plane in range(4))
        rows.append((line, distance, columns[12 * count + place]))
    assert rows == [(5, 1, 1), (3, 2**20, 2), (2**40, 0, 1)]


# -- damage --------------------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.trace"
    save(path, make_records(np.arange(1000), distance=3), HEADER)
    return path


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.trace: cannot be read: No such file or dir"):
        load(tmp_path / "none.trace")


def test_a_file_of_another_kind_is_told_from_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for content in (b"0x1000 R\n", b"", b"\x93CM"):
        path.write_bytes(content)
        with pytest.raises(TraceError, match=r"text: byte 0: not a Casemate trace; `casemate "):
            load(path)


def test_a_trace_cut_off_anywhere_is_refused(good: Path) -> None:
    content = good.read_bytes()
    for size in range(len(content)):
        good.write_bytes(content[:size])
        with pytest.raises(TraceError, match=rf"^{re.escape(str(good))}: byte \d+: "):
            load(good)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_flipped_bit_is_found_or_harmless_to_the_records(
        good: Path, data: st.DataObject) -> None:
    content = bytearray(good.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged = good.with_name("damaged.trace")
    damaged.write_bytes(content)
    try:
        loaded = load(damaged)
    except TraceError as error:
        assert re.match(rf"{re.escape(str(damaged))}: byte \d+: ", str(error))
    else:  # a letter of the header's text
        assert (loaded.records == load(good).records).all()


def test_what_follows_the_last_record_is_refused(good: Path) -> None:
    size = good.stat().st_size
    good.write_bytes(good.read_bytes() + b"x")
    with pytest.raises(TraceError, match=f"byte {size}: more than the header's 1000 records"):
        load(good)


def rewrite_header(path: Path, **changes: object) -> None:
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    values = json.loads(content[16:16 + length])
    values.update(changes)
    header = json.dumps({k: v for k, v in values.items() if v != "drop"}).encode()
    path.write_bytes(content[:12] + struct.pack("<I", len(header)) + header + content[16 + length:])


@pytest.mark.parametrize(("changes", "message"), [
    ({"records": -1}, "byte 16: malformed header: records = -1 is not a number of records"),
    ({"records": 999}, "more than the header's 999 records"),
    ({"records": 1001}, "the file ends inside a block's head"),
    ({"line_bytes": 128}, "byte 16: malformed header: lines of 128 bytes; only 64 are known"),
    ({"window_bytes": "big"},
     "byte 16: malformed header: the header's window_bytes = 'big' is of the wrong type"),
    ({"source": "drop"}, "byte 16: malformed header: the header has ['hierarchy', "),
    ({"hierarchy": [{"name": "L1"}]}, "malformed header: the header's hierarchy is malformed: "),
    ({"window_bytes": 65536 // 2},
     "line 999 lies outside the data window of 512 lines"),
])
def test_a_header_that_cannot_be_is_refused(
        good: Path, changes: dict[str, object], message: str) -> None:
    rewrite_header(good, **changes)
    with pytest.raises(TraceError) as caught:
        load(good)
    assert str(good) in str(caught.value)
    assert message in str(caught.value)


def test_another_version_is_refused_with_both_numbers(good: Path) -> None:
    content = good.read_bytes()
    good.write_bytes(MAGIC + struct.pack("<I", 2) + content[12:])
    with pytest.raises(TraceError, match=r"byte 8: format version 2; this program reads 1$"):
        load(good)


def test_an_unknown_flag_is_refused(tmp_path: Path) -> None:
    records = make_records([1, 2])
    records["flags"][1] = 4
    save(tmp_path / "a.trace", records, HEADER)
    with pytest.raises(TraceError, match="a record has a flag that is not known"):
        load(tmp_path / "a.trace")


# -- output that cannot be written ---------------------------------------------------------------


@pytest.mark.parametrize(("path", "reason"), [
    ("missing/a.trace", "No such file or directory"), (".", "Is a directory")])
def test_an_unwritable_output_is_named_before_any_work(
        tmp_path: Path, path: str, reason: str) -> None:
    entered = False
    with pytest.raises(TraceError, match=rf"cannot be written: {reason}$"):
        with writer(tmp_path / path, HEADER):
            entered = True
    assert not entered
    assert list(tmp_path.iterdir()) == []


def test_a_full_device_is_reported() -> None:
    with pytest.raises(TraceError, match=r"^/dev/full: cannot be written: No space left on"):
        save("/dev/full", make_records([1]), HEADER)


def test_a_full_disk_leaves_the_old_file_and_no_partial_one(
        good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = good.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("casemate_sim.files.os.fsync", full)
    with pytest.raises(TraceError, match=r"good\.trace: cannot be written: No space left on"):
        save(good, make_records([1]), HEADER)
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == ["good.trace"]


def test_ctrl_c_leaves_the_old_file_and_no_partial_one(good: Path) -> None:
    before = good.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        with writer(good, HEADER) as out:
            out.append(make_records(np.arange(100_000) % 1000))
            raise KeyboardInterrupt
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == ["good.trace"]


def test_records_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="records are int64, not RECORD"):
        save(tmp_path / "a.trace", np.arange(3), HEADER)
    assert list(tmp_path.iterdir()) == []


def test_a_trace_is_as_readable_as_any_new_file(good: Path) -> None:
    other = good.with_name("other")
    other.write_bytes(b"")
    assert good.stat().st_mode == other.stat().st_mode


def test_the_record_is_13_bytes() -> None:
    assert trace.RECORD.itemsize == 13
