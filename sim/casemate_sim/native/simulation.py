"""The native library that plays a trace, from Python."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from casemate_sim.dram.timing import DramTiming
from casemate_sim.native.model import INTEGER, POINTER, U64, NativeModel, SimulationError, pack
from casemate_sim.player.layouts import LATENCY_BITS, LINE_BITS, SETTINGS
from casemate_sim.player.player import COUNTERS, HISTOGRAMS

__all__ = ["CheckReport", "NativeSimulation", "ReadError", "SimulationError", "write_data"]

_BINS = 1 << LATENCY_BITS


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


class NativeSimulation(NativeModel):
    """Player, engine or bare wire, DRAM and the checker of what is read."""

    functions = (
        ("configure", None, (POINTER, POINTER, U64, U64)),
        ("records", None, (POINTER, POINTER, U64)), ("records_taken", U64, (POINTER,)),
        ("filled", None, (POINTER,)), ("run", INTEGER, (POINTER, U64)),
        ("counters", None, (POINTER, POINTER, INTEGER)),
        ("histogram", INTEGER, (POINTER, INTEGER, POINTER, INTEGER)),
        ("samples", U64, (POINTER, POINTER, U64)),
        ("check", U64, (POINTER, POINTER, POINTER, U64)),
        ("written", U64, (POINTER, POINTER, U64)),
    )

    def __init__(self, library: Path):
        super().__init__(library)
        self._records: NDArray | None = None

    def configure(self, settings: Mapping[str, int], timing: DramTiming, *,
                  interval: int = 1024) -> None:
        """Set the player's settings, the DRAM's timing and the interval of samples in cycles."""
        self.set_timing(timing)
        self._library.casemate_configure(
            self._handle, pack(SETTINGS, settings), settings["base"], interval)

    def check_all_reads(self) -> None:
        """Expect of lines that were not written the data of write 0, and check all reads."""
        self._library.casemate_filled(self._handle)

    def load_records(self, records: NDArray) -> None:
        """Hand over a trace of dtype ``casemate_sim.trace.RECORD``; it is not copied."""
        self._records = np.ascontiguousarray(records)
        self._library.casemate_records(self._handle, self._records.ctypes.data,
                                       len(self._records))

    def run(self, cycles: int) -> bool:
        """Play on for at most `cycles`; return whether everything is done."""
        return self._check(self._library.casemate_run(self._handle, cycles)) == 1

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
