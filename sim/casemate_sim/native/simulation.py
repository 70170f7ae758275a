"""The native library from Python."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from casemate_sim.dram.layouts import TIMING, timing_values
from casemate_sim.dram.timing import DramTiming
from casemate_sim.player.layouts import LATENCY_BITS, LINE_BITS, SETTINGS
from casemate_sim.player.player import COUNTERS, HISTOGRAMS

__all__ = ["PAGE_BYTES", "CheckReport", "NativeSimulation", "ReadError", "SimulationError",
           "write_data"]

PAGE_BYTES = 4096
"""Size of a page of the sparse DRAM content."""

_BINS = 1 << LATENCY_BITS
_MASK = (1 << 64) - 1


class SimulationError(RuntimeError):
    """The simulation cannot go on; the message says why."""


class _ReadError(ctypes.Structure):
    _fields_ = (("cycle", ctypes.c_uint64), ("line", ctypes.c_uint64),
                ("oldest_legal", ctypes.c_uint64), ("newest_legal", ctypes.c_uint64),
                ("block", ctypes.c_uint32), ("pad", ctypes.c_uint32),
                ("data", ctypes.c_uint8 * 16))


@dataclass(frozen=True)
class ReadError:
    """A read that returned data which no legal order of the writes explains.

    Attributes
    ----------
    cycle:
        Cycle of the last beat since reset.
    line:
        Line number in the data window.
    block:
        First wrong 16-byte block of the line.
    oldest_legal, newest_legal:
        Sequence numbers of the writes that the read could legally see.
    data:
        The block's 16 bytes.
    """

    cycle: int
    line: int
    block: int
    oldest_legal: int
    newest_legal: int
    data: bytes

    def __str__(self) -> str:
        legal = (f"write {self.newest_legal}" if self.oldest_legal == self.newest_legal
                 else f"a write from {self.oldest_legal} to {self.newest_legal}")
        return (f"cycle {self.cycle}: line {self.line:#x}, block {self.block} reads "
                f"{self.data.hex()}, not the data of {legal}")


@dataclass(frozen=True)
class CheckReport:
    """What the read checker saw.

    Attributes
    ----------
    checked:
        Reads compared with the writes of this run, and with what the memory was filled with.
    unknown:
        Reads of lines that had no answered write in this run.
    refused:
        Reads answered with an error response.
    failed:
        Reads with illegal data.
    errors:
        The first of them.
    """

    checked: int
    unknown: int
    refused: int
    failed: int
    errors: tuple[ReadError, ...]


def write_data(lines: NDArray[np.uint64], sequences: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the 64 bytes that the player's writes carry (see ``player.layouts.write_beat``).

    Parameters
    ----------
    lines, sequences:
        Line numbers and sequence numbers, N of each.

    Returns
    -------
    Array of shape (N, 64).
    """
    words = np.empty((len(lines), 8), dtype="<u8")
    line = lines.astype("<u8") & np.uint64((1 << LINE_BITS) - 1)
    sequence = sequences.astype("<u8")
    inverted = (~line & np.uint64((1 << 30) - 1)) << np.uint64(34)
    for block in range(4):
        words[:, 2 * block] = line | ((sequence & np.uint64(0xffff)) << np.uint64(48))
        words[:, 2 * block + 1] = ((sequence & np.uint64(0xffffffff))
                                   | np.uint64(block << 32) | inverted)
    return words.view(np.uint8).reshape(len(lines), 64)


def _pack(layout: data.StructLayout, values: Mapping[str, int]) -> ctypes.Array:
    """Return a structure's value as 32-bit words, least significant first."""
    packed = 0
    for name, field in layout:
        value = values[str(name)]
        if not 0 <= value < 1 << field.width:
            raise ValueError(f"{name} = {value} does not fit {field.width} bits")
        packed |= value << field.offset
    count = (layout.size + 31) // 32 + 1
    return (ctypes.c_uint32 * count)(*((packed >> 32 * i) & 0xffffffff for i in range(count)))


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    u64, pointer, u32 = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint32
    integer, text = ctypes.c_int, ctypes.c_char_p
    for name, result, arguments in (
        ("create", pointer, ()), ("destroy", None, (pointer,)), ("error", text, (pointer,)),
        ("configure", None, (pointer, pointer, pointer, u64, u64)),
        ("records", None, (pointer, pointer, u64)), ("records_taken", u64, (pointer,)),
        ("trace", integer, (pointer, text, u64, u64)),
        ("key", integer, (pointer, u32, u32, pointer)),
        ("slot", integer, (pointer, u32, u32, integer, integer)),
        ("wait_idle", integer, (pointer, u64)), ("ticks", integer, (pointer, u64)),
        ("register", integer, (pointer, integer, u32, ctypes.POINTER(u32))),
        ("load_root", integer, (pointer, pointer, u64)), ("root", None, (pointer, pointer, u64)),
        ("filled", None, (pointer,)),
        ("run", integer, (pointer, u64)), ("cycle", u64, (pointer,)),
        ("counters", None, (pointer, pointer, integer)),
        ("histogram", integer, (pointer, integer, pointer, integer)),
        ("samples", u64, (pointer, pointer, u64)),
        ("memory_read", None, (pointer, u64, pointer, u64)),
        ("memory_write", None, (pointer, u64, pointer, u64)),
        ("memory_pages", u64, (pointer, pointer, u64)),
        ("check", u64, (pointer, pointer, pointer, u64)),
        ("written", u64, (pointer, pointer, u64)),
    ):
        function = getattr(library, f"casemate_{name}")
        function.restype = result
        function.argtypes = arguments
    return library


class NativeSimulation:
    """One simulation: model, DRAM content, checker. Reset is over when it is constructed.

    Calls of its methods must not overlap; several objects may live at the same time. `run` lets
    other threads of Python go on.

    Parameters
    ----------
    library:
        What `build_library` returned.
    """

    def __init__(self, library: Path):
        self._library = _load(library)
        self._handle = self._library.casemate_create()
        if not self._handle:
            raise SimulationError(f"the model of {library} does not start")
        self._records: NDArray | None = None

    def close(self) -> None:
        """Free the simulation and finish its waveform."""
        if self._handle:
            self._library.casemate_destroy(self._handle)
            self._handle = None

    def __enter__(self) -> NativeSimulation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def _check(self, result: int) -> int:
        if result < 0:
            raise SimulationError(self._library.casemate_error(self._handle).decode())
        return result

    def configure(self, settings: Mapping[str, int], timing: DramTiming, *,
                  interval: int = 1024) -> None:
        """Set the player's settings, the DRAM's timing and the interval of samples in cycles."""
        self._library.casemate_configure(
            self._handle, _pack(SETTINGS, settings), _pack(TIMING, timing_values(timing)),
            settings["base"], interval)

    def load_key(self, slot: int, name: int, key: bytes) -> None:
        """Load key `name` (0 for K1) of a domain slot, as the engine's key port takes it."""
        words = (ctypes.c_uint32 * 8).from_buffer_copy(key.ljust(32, b"\0"))
        self._check(self._library.casemate_key(self._handle, slot, name, words))

    def set_slot(self, slot: int, domain: int, *, encrypt: bool, authenticate: bool) -> None:
        """Give a slot to a domain and set its mode."""
        self._check(self._library.casemate_slot(self._handle, slot, domain, encrypt, authenticate))

    def wait_idle(self, limit: int = 100_000) -> None:
        """Run until the engine has nothing to do, in particular no key to expand."""
        self._check(self._library.casemate_wait_idle(self._handle, limit))

    def read_register(self, offset: int) -> int:
        """Return a register of an engine with a tree; see ``control.Control`` for names."""
        value = ctypes.c_uint32()
        self._access(0, offset, value)
        return value.value

    def write_register(self, offset: int, value: int) -> None:
        """Write a register."""
        self._access(1, offset, ctypes.c_uint32(value))

    def _access(self, write: int, offset: int, value: ctypes.c_uint32) -> None:
        response = self._check(self._library.casemate_register(
            self._handle, write, offset, ctypes.byref(value)))
        if response:
            raise SimulationError(f"the access to register {offset:#x} was refused")

    def load_root(self, counters: NDArray[np.uint64]) -> None:
        """Set the root counters, while nothing else is going on."""
        values = np.ascontiguousarray(counters, dtype=np.uint64)
        self._check(self._library.casemate_load_root(
            self._handle, values.ctypes.data, len(values)))

    def root_counters(self, count: int) -> NDArray[np.uint64]:
        """Return the first `count` root counters."""
        values = np.zeros(count, dtype=np.uint64)
        self._library.casemate_root(self._handle, values.ctypes.data, count)
        return values

    def check_all_reads(self) -> None:
        """Expect of lines that were not written the data of write 0, and check all reads."""
        self._library.casemate_filled(self._handle)

    def load_records(self, records: NDArray) -> None:
        """Hand over a trace of dtype ``casemate_sim.trace.RECORD``; it is not copied."""
        self._records = np.ascontiguousarray(records)
        self._library.casemate_records(self._handle, self._records.ctypes.data,
                                       len(self._records))

    def trace(self, path: Path, *, first: int = 0, last: int = _MASK) -> None:
        """Write a waveform of the cycles from `first` up to `last`, counted from reset."""
        self._check(self._library.casemate_trace(self._handle, str(path).encode(), first, last))

    def run(self, cycles: int) -> bool:
        """Play on for at most `cycles`; return whether everything is done."""
        return self._check(self._library.casemate_run(self._handle, cycles)) == 1

    def idle(self, cycles: int) -> None:
        """Let cycles pass."""
        self._check(self._library.casemate_ticks(self._handle, cycles))

    @property
    def cycle(self) -> int:
        """Cycles since reset."""
        return self._library.casemate_cycle(self._handle)

    @property
    def records_taken(self) -> int:
        """Records that the player took."""
        return self._library.casemate_records_taken(self._handle)

    def counters(self) -> dict[str, int]:
        """Return the player's counters by name (see ``player.COUNTERS``)."""
        names = [str(name) for name, _ in COUNTERS]
        values = (ctypes.c_uint64 * len(names))()
        self._library.casemate_counters(self._handle, values, len(names))
        return dict(zip(names, (int(value) for value in values), strict=True))

    def histogram(self, name: str) -> NDArray[np.uint32]:
        """Return the 1024 bins of a latency histogram; it takes as many cycles, so do it last."""
        bins = np.zeros(_BINS, dtype=np.uint32)
        self._check(self._library.casemate_histogram(
            self._handle, HISTOGRAMS.index(name), bins.ctypes.data, _BINS))
        return bins

    def samples(self) -> NDArray[np.uint64]:
        """Return (cycle, read beats, write beats) so far, every interval: shape (N, 3)."""
        count = self._library.casemate_samples(self._handle, None, 0)
        values = np.zeros((count, 3), dtype=np.uint64)
        self._library.casemate_samples(self._handle, values.ctypes.data, count)
        return values

    def read_memory(self, address: int, size: int) -> bytes:
        """Return bytes of DRAM through the back door."""
        buffer = ctypes.create_string_buffer(size)
        self._library.casemate_memory_read(self._handle, address, buffer, size)
        return buffer.raw

    def write_memory(self, address: int, content: bytes) -> None:
        """Change bytes of DRAM through the back door."""
        self._library.casemate_memory_write(self._handle, address, content, len(content))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield address and content of each 4 KiB page of DRAM that was ever written."""
        count = self._library.casemate_memory_pages(self._handle, None, 0)
        addresses = np.zeros(count, dtype=np.uint64)
        self._library.casemate_memory_pages(self._handle, addresses.ctypes.data, count)
        for address in addresses:
            yield int(address), self.read_memory(int(address), PAGE_BYTES)

    def check(self) -> CheckReport:
        """Return what the read checker saw so far."""
        counts = (ctypes.c_uint64 * 4)()
        errors = (_ReadError * 16)()
        found = self._library.casemate_check(self._handle, counts, errors, len(errors))
        return CheckReport(*(int(count) for count in counts), errors=tuple(
            ReadError(error.cycle, error.line, error.block, error.oldest_legal,
                      error.newest_legal, bytes(error.data)) for error in errors[:found]))

    def written(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the lines written in this run, ascending, and their newest sequence numbers."""
        count = self._library.casemate_written(self._handle, None, 0)
        pairs = np.zeros((count, 2), dtype=np.uint64)
        self._library.casemate_written(self._handle, pairs.ctypes.data, count)
        pairs = pairs[np.argsort(pairs[:, 0])]
        return pairs[:, 0].copy(), pairs[:, 1].copy()
