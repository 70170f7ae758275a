"""Convert the memory traces of other tools.

Text is read line by line; a line that cannot be understood stops the conversion with the file's
name and the line's number, and no output appears. Files compressed with gzip are read as they are.
``docs/traces.md`` describes the formats.
"""

from __future__ import annotations

import enum
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from casemate_sim.lackey import Accesses, LackeyError
from casemate_sim.lackey import parse as parse_lackey
from casemate_sim.pages import KeptAddresses, PageError, PageTable
from casemate_sim.record import Recorder
from casemate_sim.trace import MAGIC, CacheLevel, TraceError, TraceHeader, writer

__all__ = ["Conversion", "TraceFormat", "convert", "detect"]

_CHUNK_BYTES = 1 << 20
_MOST_DISTANCE = 2**32 - 1


class TraceFormat(enum.StrEnum):
    """Formats that are understood."""

    RAMULATOR = "ramulator"
    """``ADDRESS R``, ``LD ADDRESS``, or ``INSTRUCTIONS ADDRESS [WRITE-BACK]``."""
    DRAMSIM = "dramsim"
    """``0xADDRESS READ CYCLE``, of DRAMSim2 and DRAMsim3."""
    LACKEY = "lackey"
    """Text of ``valgrind --tool=lackey --trace-mem=yes``."""
    CSV = "csv"
    """``address,write[,distance]``, with or without these names in the first line."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What was converted: counts of input accesses and of records, and the data window."""

    format: TraceFormat
    accesses: int
    reads: int
    writes: int
    window_bytes: int

    @property
    def records(self) -> int:
        """Records in the trace."""
        return self.reads + self.writes


class _LineError(ValueError):
    """A malformed line; the caller adds file and number."""


Access = tuple[int, bool, int]
"""Byte address, whether it writes, instructions since the access before."""


class _Ramulator:
    """The two formats of Ramulator and the load-store format of Ramulator 2."""

    def parse(self, line: str) -> tuple[Access, ...]:
        words = line.split()
        match words:
            case [address, "R" | "W" as kind]:
                return ((_address(address, 10), kind == "W", 0),)
            case ["LD" | "ST" as kind, address]:
                return ((_address(address, 10), kind == "ST", 0),)
            case [before, address]:
                return ((_address(address, 10), False, _distance(before, 1)),)
            case [before, address, write_back]:
                return ((_address(address, 10), False, _distance(before, 1)),
                        (_address(write_back, 10), True, 0))
        raise _LineError("expected 'ADDRESS R|W', 'LD|ST ADDRESS' or 'COUNT ADDRESS [WRITE-BACK]'")


class _Dramsim:
    """DRAMsim3, and the 'mase' and 'k6' flavours of DRAMSim2."""

    KINDS: ClassVar[dict[str, bool]] = {
        "READ": False, "WRITE": True, "IFETCH": False, "P_FETCH": False, "P_MEM_RD": False,
        "P_MEM_WR": True, "P_LOCK_RD": False, "P_LOCK_WR": True}

    def __init__(self) -> None:
        self._cycle = 0

    def parse(self, line: str) -> tuple[Access, ...]:
        words = line.split()
        if len(words) != 3:
            raise _LineError("expected '0xADDRESS READ|WRITE CYCLE'")
        address, kind, at = words
        if kind not in self.KINDS:
            raise _LineError(f"{kind!r} is no transaction; there are {', '.join(self.KINDS)}")
        cycle = _integer(at, "cycle", 10, bits=64)
        if cycle < self._cycle:
            raise _LineError(f"cycle {cycle} comes after cycle {self._cycle}")
        if cycle - self._cycle > _MOST_DISTANCE:
            raise _LineError(f"cycle {cycle} is {cycle - self._cycle} cycles after the one before; "
                             f"a distance is at most {_MOST_DISTANCE}")
        distance, self._cycle = cycle - self._cycle, cycle
        return ((_address(address, 16), self.KINDS[kind], distance),)


class _Csv:
    """Comma-separated address, write and, if present, distance."""

    KINDS: ClassVar[dict[str, bool]] = {
        "0": False, "r": False, "read": False, "false": False,
        "1": True, "w": True, "write": True, "true": True}

    def __init__(self) -> None:
        self._first = True

    def parse(self, line: str) -> tuple[Access, ...]:
        cells = [cell.strip() for cell in line.split(",")]
        first, self._first = self._first, False
        if first and cells[0].lower() == "address":
            if cells not in (["address", "write"], ["address", "write", "distance"]):
                raise _LineError(f"columns {line!r}; expected address,write[,distance]")
            return ()
        if len(cells) not in (2, 3):
            raise _LineError(f"{len(cells)} columns; expected address,write[,distance]")
        kind = self.KINDS.get(cells[1].lower())
        if kind is None:
            raise _LineError(f"write = {cells[1]!r} is none of {', '.join(self.KINDS)}")
        distance = _distance(cells[2]) if len(cells) == 3 else 0
        return ((_address(cells[0], 10), kind, distance),)


def _address(text: str, base: int) -> int:
    return _integer(text, "address", base, bits=64)


def _distance(text: str, more: int = 0) -> int:
    """Read a number of instructions and add `more`."""
    value = _integer(text, "distance", 10, bits=32) + more
    if value > _MOST_DISTANCE:
        raise _LineError(f"a distance of {value} instructions; {_MOST_DISTANCE} are possible")
    return value


def _integer(text: str, what: str, base: int, bits: int) -> int:
    """Read a number in `base`, or in hexadecimal if it begins with 0x."""
    digits, base = (text[2:], 16) if text[:2] in ("0x", "0X") else (text, base)
    # int() takes signs, underscores and the digits of other scripts, which are mistakes here.
    if not digits.isalnum() or not digits.isascii():
        raise _LineError(f"{what} {text!r} is no number")
    try:
        value = int(digits, base)
    except ValueError:
        raise _LineError(f"{what} {text!r} is no number in base {base}") from None
    if value >= 1 << bits:
        raise _LineError(f"{what} {text} does not fit {bits} bits")
    return value


_PARSERS = {TraceFormat.RAMULATOR: _Ramulator, TraceFormat.DRAMSIM: _Dramsim,
            TraceFormat.CSV: _Csv}


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # pyright: ignore[reportReturnType]


def _texts(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in pieces of whole lines, each ended by a newline."""
    waiting = b""
    while piece := file.read(_CHUNK_BYTES):
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield waiting + head + newline
            waiting = tail
        else:
            waiting += tail
    if waiting:
        yield waiting + b"\n"


def _accesses(path: Path, kind: TraceFormat) -> Iterator[Accesses]:
    """Yield the accesses of a file, piece by piece; TraceError names the line that is wrong."""
    parser = None if kind is TraceFormat.LACKEY else _PARSERS[kind]()
    done = 0
    with _open(path) as file:
        for text in _texts(file):
            if parser is None:
                try:
                    accesses = parse_lackey(text)
                except LackeyError as error:
                    raise TraceError(f"{path}:{done + error.line + 1}: {error}") from None
                done += accesses.lines
                yield accesses
            else:
                lines = text[:-1].split(b"\n")
                yield _parse_lines(path, parser, lines, done)
                done += len(lines)


def _parse_lines(path: Path, parser: _Ramulator | _Dramsim | _Csv, lines: list[bytes],
                 done: int) -> Accesses:
    found: list[Access] = []
    for number, raw in enumerate(lines, start=done + 1):
        try:
            line = raw.decode("ascii").strip()
            if line and not line.startswith("#"):
                found.extend(parser.parse(line))
        except UnicodeDecodeError:
            raise TraceError(f"{path}:{number}: no text") from None
        except _LineError as error:
            raise TraceError(f"{path}:{number}: {error}") from None
    distance = np.array([access[2] for access in found], dtype=np.int64)
    instruction = np.cumsum(distance)
    return Accesses(
        address=np.array([access[0] for access in found], dtype=np.uint64),
        size=np.ones(len(found), dtype=np.int64),
        write=np.array([access[1] for access in found], dtype=bool), instruction=instruction,
        instructions=int(instruction[-1]) if found else 0, lines=len(lines))


def detect(path: Path | str) -> TraceFormat:
    """Guess a file's format from its first line that is neither empty nor a comment.

    Raises
    ------
    TraceError
        If the file cannot be read or its first line fits no format.
    """
    path = Path(path)
    try:
        with _open(path) as file:
            start = file.read(1 << 16)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    if start.startswith(MAGIC):
        raise TraceError(f"{path}: is a Casemate trace already")
    for number, line in enumerate(start.split(b"\n"), start=1):
        if not line.strip() or line.startswith(b"#"):
            continue
        text = line.decode("ascii", errors="replace")
        if text.startswith(("==", "--", "I  ", " L ", " S ", " M ")):
            return TraceFormat.LACKEY
        for kind, parser in _PARSERS.items():
            try:
                parser().parse(text.strip())
                return kind
            except _LineError:
                continue
        raise TraceError(f"{path}:{number}: {text[:60]!r} fits none of the formats "
                         f"{', '.join(TraceFormat)}")
    raise TraceError(f"{path}: holds no access")


def _unreadable(path: Path, error: Exception) -> TraceError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return TraceError(f"{path}: cannot be read: {reason}")


def convert(source: Path | str, output: Path | str, *, kind: TraceFormat | str | None = None,
            hierarchy: Sequence[CacheLevel] = (), keep_addresses: bool = False,
            window_bytes: int | None = None, shuffle_seed: int | None = None,
            progress: Callable[[int], None] | None = None) -> Conversion:
    """Convert a trace of another tool.

    Parameters
    ----------
    source:
        The text file, possibly compressed with gzip.
    output:
        Trace file to write.
    kind:
        Its format; found out by :func:`detect` if None.
    hierarchy:
        Caches to filter it with, for traces taken before the caches; none by default.
    keep_addresses:
        Take a byte address as one within the data window. Otherwise 4 KiB pages are placed in the
        order of their first access, so that the window is no larger than what the trace touches.
    window_bytes:
        Size of the data window, a power of two; by default the least that holds the trace.
    shuffle_seed:
        Place pages in an order shuffled by this seed; needs `window_bytes`.
    progress:
        Called with the number of accesses so far.

    Raises
    ------
    TraceError
        If a file cannot be read or written, or a line is malformed: ``FILE:LINE: ...``.
    CacheError
        If the hierarchy is impossible or pycachesim is not installed.
    """
    source = Path(source)
    kind = detect(source) if kind is None else TraceFormat(kind)
    try:
        pages = KeptAddresses(window_bytes) if keep_addresses else PageTable(
            window_bytes, shuffle_seed)
        recorder = Recorder(hierarchy, pages)
        header = TraceHeader(
            source=f"{kind} {source.name}", window_bytes=pages.window_bytes,
            hierarchy=tuple(hierarchy), notes="addresses kept" if keep_addresses else
            "4096-byte pages placed in order of first touch" if shuffle_seed is None else
            f"4096-byte pages shuffled by seed {shuffle_seed}")
        with writer(output, header) as trace:
            try:
                for accesses in _accesses(source, kind):
                    trace.append(recorder.take(accesses))
                    if progress is not None:
                        progress(recorder.accesses)
            except (OSError, EOFError, zlib.error) as error:
                raise _unreadable(source, error) from error
            if not recorder.accesses:
                raise TraceError(f"{source}: holds no access")
            trace.header = replace(header, window_bytes=pages.window_bytes,
                                   instructions=recorder.instructions)
    except PageError as error:
        raise TraceError(f"{source}: {error}") from None
    return Conversion(format=kind, accesses=recorder.accesses, reads=trace.reads,
                      writes=trace.records - trace.reads, window_bytes=pages.window_bytes)
