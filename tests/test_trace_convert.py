"""Conversion of other tools' traces: nothing is lost, and a malformed line is named."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from casemate_sim.convert import TraceFormat, convert, detect
from casemate_sim.trace import TraceError, load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Row = tuple[int, bool, int]  # byte address, write, distance

ROWS = st.lists(st.tuples(st.integers(0, 2**40 - 1), st.booleans(), st.integers(1, 2**32 - 1)),
                min_size=1, max_size=30)


def as_csv(rows: list[Row]) -> str:
    return "address,write,distance\n" + "".join(
        f"{address:#x},{int(write)},{distance}\n" for address, write, distance in rows)


def as_dramsim(rows: list[Row]) -> str:
    cycle, text = 0, ""
    for address, write, distance in rows:
        cycle += distance
        text += f"0x{address:X} {'WRITE' if write else 'READ'} {cycle}\n"
    return text


def converted(tmp_path: Path, text: str | bytes, **options: object) -> list[Row]:
    source, output = tmp_path / "in.txt", tmp_path / "out.trace"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = convert(source, output, **options)  # pyright: ignore
    records = load(output).records
    assert result.records == len(records)
    assert result.reads == int((records["flags"] == 0).sum())
    return [(line * 64, bool(flags), distance) for line, distance, flags in records.tolist()]


def whole_lines(rows: list[Row]) -> list[Row]:
    return [(address // 64 * 64, write, distance) for address, write, distance in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROWS)
@pytest.mark.parametrize("writer", [as_csv, as_dramsim])
def test_every_row_becomes_a_record_in_order(tmp_path: Path, writer, rows: list[Row]) -> None:
    assert converted(tmp_path, writer(rows), keep_addresses=True) == whole_lines(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROWS)
def test_pages_are_placed_in_the_order_of_first_access(tmp_path: Path, rows: list[Row]) -> None:
    pages: dict[int, int] = {}
    expected = []
    for address, write, distance in rows:
        page = pages.setdefault(address // 4096, len(pages))
        expected.append((page * 4096 + address % 4096 // 64 * 64, write, distance))
    assert converted(tmp_path, as_csv(rows)) == expected
    assert load(tmp_path / "out.trace").header.window_bytes \
        == max(65536, 1 << (4096 * len(pages) - 1).bit_length())


def test_ramulator_memory_traces_are_read(tmp_path: Path) -> None:
    text = "0x1000 R\n0x1040 W\n8192 R\n"
    assert converted(tmp_path, text, keep_addresses=True) \
        == [(0x1000, False, 0), (0x1040, True, 0), (0x2000, False, 0)]


def test_ramulator_processor_traces_are_read(tmp_path: Path) -> None:
    text = "3 20734016\n1 20846400 20734016\n\n# comment\n0 0x40\n"
    assert converted(tmp_path, text, keep_addresses=True) == [
        (20734016, False, 4), (20846400, False, 2), (20734016, True, 0), (0x40, False, 1)]


def test_ramulator_load_store_traces_are_read(tmp_path: Path) -> None:
    assert converted(tmp_path, "LD 64\nST 0x80\n", keep_addresses=True) \
        == [(64, False, 0), (128, True, 0)]


def test_dramsim_kinds_of_both_generations_are_read(tmp_path: Path) -> None:
    text = "0x40 P_FETCH 5\n0x80 P_MEM_WR 7\nC0 P_MEM_RD 7\n0x100 IFETCH 9\n"
    assert converted(tmp_path, text, keep_addresses=True) \
        == [(64, False, 5), (128, True, 2), (192, False, 0), (256, False, 2)]


def test_csv_without_a_head_and_without_distances_is_read(tmp_path: Path) -> None:
    assert converted(tmp_path, "64,r\r\n128,W\r\n192,true", keep_addresses=True) \
        == [(64, False, 0), (128, True, 0), (192, True, 0)]


LACKEY = """==7== Lackey, an example Valgrind tool
I  0401ab70,3
 L 1fff000768,8
I  0401ab73,5
I  0401ab75,5
 S 1fff00077c,8
 M 04033e06,1
I  0401ab78,1
"""


def test_lackey_text_is_read_and_an_access_to_two_lines_is_two_records(tmp_path: Path) -> None:
    assert converted(tmp_path, LACKEY, keep_addresses=True) == [
        (0x1fff000740, False, 1), (0x1fff000740, True, 2), (0x1fff000780, True, 0),
        (0x04033e00, True, 0)]
    assert load(tmp_path / "out.trace").header.instructions == 4


def test_a_compressed_trace_is_read(tmp_path: Path) -> None:
    assert converted(tmp_path, gzip.compress(b"0x40 R\n"), keep_addresses=True) == [(64, False, 0)]


def test_text_longer_than_a_piece_is_read_whole(tmp_path: Path) -> None:
    rows = [(64 * place, place % 3 == 0, 1) for place in range(150_000)]
    assert converted(tmp_path, as_csv(rows), keep_addresses=True) == rows


@pytest.mark.parametrize(("text", "kind"), [
    ("# comment\n\n0x40 R\n", "ramulator"), ("3 20734016\n", "ramulator"), ("LD 64", "ramulator"),
    ("0x40 READ 3\n", "dramsim"), ("address,write\n", "csv"), ("1,0,3\n", "csv"),
    (LACKEY, "lackey"), (" S 1ffe,4\n", "lackey"),
])
def test_the_format_is_found_out(tmp_path: Path, text: str, kind: str) -> None:
    (tmp_path / "in").write_text(text)
    assert detect(tmp_path / "in") is TraceFormat(kind)


# -- bad input -----------------------------------------------------------------------------------

GOOD = {"ramulator": "0x40 R", "dramsim": "0x40 READ 3", "csv": "64,1,3", "lackey": " L 40,8"}


@pytest.mark.parametrize(("kind", "line", "message"), [
    ("ramulator", "0x40", "expected 'ADDRESS R|W', 'LD|ST ADDRESS' or 'COUNT ADDRESS [W"),
    ("ramulator", "0x40 X", "address 'X' is no number in base 10"),
    ("ramulator", "zz R", "address 'zz' is no number in base 10"),
    ("ramulator", "-64 R", "address '-64' is no number"),
    ("ramulator", "0x1ffffffffffffffff R", "address 0x1ffffffffffffffff does not fit 64 bits"),
    ("ramulator", "4294967296 64", "distance 4294967296 does not fit 32 bits"),
    ("ramulator", "4294967295 64",
     "a distance of 4294967296 instructions; 4294967295 are possible"),
    ("ramulator", "1 2 3 4", "expected 'ADDRESS R|W'"),
    ("dramsim", "0x40 READ", "expected '0xADDRESS READ|WRITE CYCLE'"),
    ("dramsim", "0x40 FETCH 4", "'FETCH' is no transaction; there are READ, WRITE, IFETCH"),
    ("dramsim", "0x40 READ 2", "cycle 2 comes after cycle 3"),
    ("dramsim", "0x40 READ 1_0", "cycle '1_0' is no number"),
    ("dramsim", "0x40 READ 4294967299", "cycle 4294967299 is 4294967296 cycles after the one"),
    ("csv", "64", "1 columns; expected address,write[,distance]"),
    ("csv", "64,2", "write = '2' is none of 0, r, read, false, 1, w, write, true"),
    ("csv", "64,1,", "distance '' is no number"),
    ("csv", "64,1,3,4", "4 columns; expected address,write[,distance]"),
    ("csv", "address,write", "address 'address' is no number in base 10"),
    ("csv", "64,1,٣", "no text"),
    ("lackey", " X 40,8", "' X 40,8' is no line of lackey's"),
    ("lackey", " L 40", "' L 40' is no line of lackey's"),
    ("lackey", " L 4g,8", "' L 4g,8' is no line of lackey's"),
    ("lackey", " L ,8", "' L ,8' is no line of lackey's"),
    ("lackey", " L 40,", "' L 40,' is no line of lackey's"),
    ("lackey", " L 40,0", "' L 40,0' is no line of lackey's"),
    ("lackey", " L 12345678123456781,8", "is no line of lackey's"),
    ("lackey", " L", "' L' is no line of lackey's"),
    ("lackey", "hello", "'hello' is no line of lackey's"),
])
def test_a_malformed_line_is_named_by_file_and_number(
        tmp_path: Path, kind: str, line: str, message: str) -> None:
    source, output = tmp_path / "bad.txt", tmp_path / "out.trace"
    source.write_text("\n".join([GOOD[kind], "", GOOD[kind], line, GOOD[kind]]) + "\n")
    with pytest.raises(TraceError) as caught:
        convert(source, output, kind=kind)
    assert str(caught.value).startswith(f"{source}:4: ")
    assert message in str(caught.value)
    assert not output.exists()


@pytest.mark.parametrize("kind", list(GOOD))
def test_the_number_is_right_far_into_a_file(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "bad.txt"
    good = 300_000
    source.write_text(f"{GOOD[kind]}\n" * good + "?\n")
    with pytest.raises(TraceError, match=rf"^{re.escape(str(source))}:{good + 1}: "):
        convert(source, tmp_path / "out.trace", kind=kind)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(list(TraceFormat)), st.binary(max_size=200))
def test_any_bytes_are_converted_or_refused_by_name(
        tmp_path: Path, kind: TraceFormat, content: bytes) -> None:
    source, output = tmp_path / "bytes", tmp_path / "out.trace"
    source.write_bytes(content)
    output.unlink(missing_ok=True)
    try:
        convert(source, output, kind=kind)
    except TraceError as error:
        assert str(error).startswith(str(source))
        assert not output.exists()
    else:
        load(output)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "holds no access"), (b"# nothing\n\n", "holds no access"),
    (b"\x93CMTRACE\x01", "is a Casemate trace already"),
    (b"hello world, again and again\n", ":1: 'hello world, again and again' fits none of the for"),
    (gzip.compress(b"0x40 R\n" * 1000, mtime=0)[:30], "cannot be read: "),
])
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    source = tmp_path / "in"
    source.write_bytes(content)
    with pytest.raises(TraceError) as caught:
        convert(source, tmp_path / "out.trace")
    assert str(source) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_and_an_unwritable_output_are_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none: cannot be read: No such file or directory$"):
        convert(tmp_path / "none", tmp_path / "out.trace")
    (tmp_path / "in").write_text("0x40 R\n")
    with pytest.raises(TraceError, match=r"b/out\.trace: cannot be written: No such file or dir"):
        convert(tmp_path / "in", tmp_path / "b" / "out.trace")


def test_an_address_outside_a_given_window_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("0x40 R\n0x10000 R\n")
    with pytest.raises(TraceError, match=r"in: address 0x10000 lies outside a window of 65536 byt"):
        convert(tmp_path / "in", tmp_path / "out", keep_addresses=True, window_bytes=65536)
    with pytest.raises(TraceError, match=r"in: a window of 70000 bytes is not possible: a power"):
        convert(tmp_path / "in", tmp_path / "out", window_bytes=70000)


def test_shuffled_pages_keep_the_order_of_lines_within_a_page(tmp_path: Path) -> None:
    rows = [(64 * place, False, 1) for place in range(16 * 64)]
    found = np.array([row[0] for row in converted(
        tmp_path, as_csv(rows), window_bytes=1 << 20, shuffle_seed=1)]).reshape(16, 64)
    assert (np.diff(found, axis=1) == 64).all()
    assert (np.diff(found[:, 0]) != 4096).any()
    assert len(set(found[:, 0].tolist())) == 16
