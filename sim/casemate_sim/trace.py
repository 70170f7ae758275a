"""Memory traces: the record, and the compact file that holds a sequence of them.

A trace is what the last cache of a processor asks of DRAM: whole lines, read or written, each with
the number of instructions since the one before. ``docs/traces.md`` documents the file byte by byte.

Byte order is little-endian everywhere.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import zstandard
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

from casemate_sim.files import check_writable, whole_file

__all__ = [
    "DEPENDENT", "MAGIC", "RECORD", "VERSION", "WRITE", "CacheLevel", "Trace", "TraceError",
    "TraceHeader", "TraceWriter", "load", "load_header", "make_records", "save", "writer",
]

RECORD = np.dtype([("line", "<u8"), ("distance", "<u4"), ("flags", "u1")])
"""One access: line number within the data window, instructions since the previous record, flags."""

WRITE = 1
"""Flag: the line is written; without it, read."""

DEPENDENT = 2
"""Flag: the access waits for the data of the previous read, as in following a pointer."""

MAGIC = b"\x93CMTRACE"
VERSION = 1

_PREFIX = struct.Struct("<8sII")  # magic, version, bytes of the JSON header
_BLOCK = struct.Struct("<III")  # records, bytes of the frame, CRC-32 of the frame
_BLOCK_RECORDS = 1 << 16
_MAXIMUM_HEADER = 1 << 20
_FLAGS = WRITE | DEPENDENT


class TraceError(ValueError):
    """A trace cannot be read, written or understood; the message names the file and the place."""


@dataclass(frozen=True, kw_only=True)
class CacheLevel:
    """One level of the cache hierarchy that filtered a trace.

    Parameters
    ----------
    name:
        ``L1``, ``L2``, ...
    size:
        Bytes; a power of two times `ways`.
    ways:
        Associativity.
    """

    name: str
    size: int
    ways: int


@dataclass(frozen=True, kw_only=True)
class TraceHeader:
    """What a trace says about itself.

    Parameters
    ----------
    source:
        The command that made it, or the file that it was converted from.
    window_bytes:
        Size of the data window that its lines lie in, a multiple of the line.
    hierarchy:
        The caches that filtered it, first level first; empty if none did.
    instructions:
        Instructions of the whole run, those behind the last record included; None if unknown.
    line_bytes:
        Bytes of a line: 64.
    notes:
        Anything else worth keeping: tool versions, how pages were placed.
    """

    source: str
    window_bytes: int
    hierarchy: tuple[CacheLevel, ...] = ()
    instructions: int | None = None
    line_bytes: int = LINE_BYTES
    notes: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the header as plain JSON values."""
        return {
            "source": self.source, "window_bytes": self.window_bytes,
            "hierarchy": [vars(level) for level in self.hierarchy],
            "instructions": self.instructions, "line_bytes": self.line_bytes, "notes": self.notes,
        }

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> TraceHeader:
        """Build a header from what :meth:`as_dict` gave.

        Raises
        ------
        ValueError
            If a value is missing, unknown or of the wrong type; the message names it.
        """
        kinds: dict[str, type | tuple[type, ...]] = {
            "source": str, "window_bytes": int, "hierarchy": list,
            "instructions": (int, type(None)), "line_bytes": int, "notes": str,
        }
        if set(values) != set(kinds):
            raise ValueError(f"the header has {sorted(values)} and not {sorted(kinds)}")
        for name, kind in kinds.items():
            if not isinstance(values[name], kind) or isinstance(values[name], bool):
                raise ValueError(f"the header's {name} = {values[name]!r} is of the wrong type")
        if values["line_bytes"] != LINE_BYTES:
            raise ValueError(f"lines of {values['line_bytes']} bytes; only {LINE_BYTES} are known")
        try:
            levels = tuple(CacheLevel(**level) for level in values["hierarchy"])  # pyright: ignore
        except TypeError as error:
            raise ValueError(f"the header's hierarchy is malformed: {error}") from None
        return cls(**{**values, "hierarchy": levels})  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Trace:
    """Records (``RECORD``, any number) and the header that describes them."""

    header: TraceHeader
    records: NDArray[np.void]

    @property
    def reads(self) -> int:
        """Records that read."""
        return len(self.records) - self.writes

    @property
    def writes(self) -> int:
        """Records that write."""
        return int(np.count_nonzero(self.records["flags"] & WRITE))


def make_records(line: object, *, write: object = False, distance: object = 0,
                 dependent: object = False) -> NDArray[np.void]:
    """Build an array of ``RECORD`` from columns; each may be an array or one value for all."""
    columns = np.broadcast_arrays(
        np.asarray(line, dtype=np.uint64), np.asarray(write, dtype=bool),
        np.asarray(distance, dtype=np.uint32), np.asarray(dependent, dtype=bool))
    records = np.empty(columns[0].shape, dtype=RECORD)
    records["line"] = columns[0]
    records["distance"] = columns[2]
    records["flags"] = columns[1] * np.uint8(WRITE) | columns[3] * np.uint8(DEPENDENT)
    return records


# -- one block of records ------------------------------------------------------------------------


def _planes(values: NDArray[np.generic]) -> bytes:
    """Byte 0 of all values, then byte 1 of all, and so on: what compresses well."""
    return values.view(np.uint8).reshape(len(values), -1).T.tobytes()


def _pack(records: NDArray[np.void]) -> bytes:
    """Columns of a block: differences of the lines, distances, flags; the first two in planes."""
    line = np.ascontiguousarray(records["line"])
    step = np.diff(line, prepend=np.uint64(0)).view(np.int64)  # modulo 2**64, as the sum is
    zigzag = ((step << 1) ^ (step >> 63)).view(np.uint64)
    distance = np.ascontiguousarray(records["distance"])
    return _planes(zigzag) + _planes(distance) + records["flags"].tobytes()


def _unpack(columns: bytes, count: int) -> NDArray[np.void]:
    planes = np.frombuffer(columns, dtype=np.uint8)
    zigzag = np.ascontiguousarray(planes[:8 * count].reshape(8, count).T).view("<u8").ravel()
    step = (zigzag >> np.uint64(1)) ^ (np.uint64(0) - (zigzag & np.uint64(1)))
    records = np.empty(count, dtype=RECORD)
    records["line"] = np.cumsum(step, dtype=np.uint64)
    records["distance"] = np.ascontiguousarray(
        planes[8 * count:12 * count].reshape(4, count).T).view("<u4").ravel()
    records["flags"] = planes[12 * count:]
    return records


# -- writing -------------------------------------------------------------------------------------


class TraceWriter:
    """Append records to a trace that is being written; made by :func:`writer`."""

    def __init__(self, blocks: BinaryIO, header: TraceHeader):
        self.header = header
        """Written last, so that it may be replaced until the trace is closed."""
        self.records = 0
        """Records appended so far."""
        self.reads = 0
        """Those of them that read."""
        # The header stands in front and is complete only at the end: the blocks wait here.
        self._blocks = blocks
        self._compressor = zstandard.ZstdCompressor(level=9)
        self._pending: list[NDArray[np.void]] = []
        self._waiting = 0

    def append(self, records: NDArray[np.void]) -> None:
        """Append `records` (``RECORD``)."""
        if records.dtype != RECORD:
            raise TypeError(f"records are {records.dtype}, not RECORD")
        self._pending.append(records)
        self._waiting += len(records)
        self.records += len(records)
        self.reads += int(np.count_nonzero(records["flags"] & WRITE == 0))
        if self._waiting >= _BLOCK_RECORDS:
            self._flush()

    def _flush(self) -> None:
        waiting = np.concatenate(self._pending) if self._pending else np.empty(0, RECORD)
        for start in range(0, len(waiting), _BLOCK_RECORDS):
            block = waiting[start:start + _BLOCK_RECORDS]
            frame = self._compressor.compress(_pack(block))
            self._blocks.write(_BLOCK.pack(len(block), len(frame), zlib.crc32(frame)))
            self._blocks.write(frame)
        self._pending, self._waiting = [], 0

    def _finish(self, path: Path) -> None:
        self._flush()
        header = json.dumps({**self.header.as_dict(), "records": self.records}).encode() + b"\n"
        self._blocks.seek(0)
        with whole_file(path) as file:
            file.write(_PREFIX.pack(MAGIC, VERSION, len(header)) + header)
            shutil.copyfileobj(self._blocks, file)


@contextmanager
def writer(path: Path | str, header: TraceHeader) -> Iterator[TraceWriter]:
    """Open a trace for writing; the file appears at `path` when the block ends without exception.

    Raises
    ------
    TraceError
        If the file cannot be written, which is tried before the block begins; nothing partial is
        left behind.
    """
    path = Path(path)
    with _named(path):
        check_writable(path)
    with tempfile.TemporaryFile() as blocks:
        trace = TraceWriter(blocks, header)
        yield trace
        with _named(path):
            trace._finish(path)


@contextmanager
def _named(path: Path, verb: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TraceError(f"{path}: cannot be {verb}: {error.strerror}") from error


def save(path: Path | str, records: NDArray[np.void] | Iterable[NDArray[np.void]],
         header: TraceHeader) -> None:
    """Write a trace: one array of records, or any iterable of such arrays.

    Raises
    ------
    TraceError
        If the file cannot be written; nothing partial is left behind.
    """
    with writer(path, header) as trace:
        for part in [records] if isinstance(records, np.ndarray) else records:
            trace.append(part)


# -- reading -------------------------------------------------------------------------------------


def _take(file: BinaryIO, path: Path, count: int, what: str) -> bytes:
    at = file.tell()
    content = file.read(count)
    if len(content) != count:
        raise TraceError(f"{path}: byte {at}: the file ends inside {what}")
    return content


def _read_header(file: BinaryIO, path: Path) -> tuple[TraceHeader, int]:
    prefix = file.read(_PREFIX.size)
    if prefix[:len(MAGIC)] != MAGIC:
        raise TraceError(f"{path}: byte 0: not a Casemate trace; `casemate convert` reads others")
    if len(prefix) < _PREFIX.size:
        raise TraceError(f"{path}: byte 0: the file ends inside its first {_PREFIX.size} bytes")
    _, version, length = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise TraceError(f"{path}: byte 8: format version {version}; this program reads {VERSION}")
    if length > _MAXIMUM_HEADER:
        raise TraceError(f"{path}: byte 12: a header of {length} bytes is not possible")
    try:
        values = json.loads(_take(file, path, length, "the header"))
        records = values.pop("records")
        if not isinstance(records, int) or records < 0:
            raise ValueError(f"records = {records!r} is not a number of records")
        return TraceHeader.from_dict(values), records
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        if isinstance(error, TraceError):
            raise
        raise TraceError(f"{path}: byte {_PREFIX.size}: malformed header: {error}") from None


def _read_block(file: BinaryIO, path: Path, line_limit: int) -> NDArray[np.void]:
    at = file.tell()
    count, size, checksum = _BLOCK.unpack(_take(file, path, _BLOCK.size, "a block's head"))
    if not 0 < count <= _BLOCK_RECORDS:
        raise TraceError(f"{path}: byte {at}: a block of {count} records is not possible")
    frame = _take(file, path, size, "a block")
    if zlib.crc32(frame) != checksum:
        raise TraceError(f"{path}: byte {at}: the block's checksum is wrong")
    try:
        columns = zstandard.ZstdDecompressor().decompress(
            frame, max_output_size=count * RECORD.itemsize)
    except zstandard.ZstdError as error:
        raise TraceError(f"{path}: byte {at}: the block does not decompress: {error}") from None
    if len(columns) != count * RECORD.itemsize:
        raise TraceError(f"{path}: byte {at}: {len(columns)} bytes are not {count} records")
    records = _unpack(columns, count)
    if (records["flags"] & ~np.uint8(_FLAGS)).any():
        raise TraceError(f"{path}: byte {at}: a record has a flag that is not known")
    if (records["line"] >= line_limit).any():
        raise TraceError(f"{path}: byte {at}: line {records['line'].max()} lies outside the data "
                         f"window of {line_limit} lines")
    return records


def load(path: Path | str) -> Trace:
    """Read a whole trace.

    Raises
    ------
    TraceError
        If the file is missing, truncated, damaged or no trace; names the file and the byte.
    """
    path = Path(path)
    with _named(path, "read"), path.open("rb") as file:
        header, expected = _read_header(file, path)
        parts = [np.empty(0, RECORD)]
        found = 0
        while found < expected:
            parts.append(_read_block(file, path, header.window_bytes // header.line_bytes))
            found += len(parts[-1])
        at = file.tell()
        if found > expected or file.read(1):
            raise TraceError(f"{path}: byte {at}: more than the header's {expected} records")
    return Trace(header, np.concatenate(parts))


def load_header(path: Path | str) -> tuple[TraceHeader, int]:
    """Read only the header and the number of records; raises as :func:`load` does."""
    path = Path(path)
    with _named(path, "read"), path.open("rb") as file:
        return _read_header(file, path)
