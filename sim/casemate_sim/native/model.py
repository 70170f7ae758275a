"""What every native library offers: an engine or a bare wire, its keys, its registers, its DRAM."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from casemate_sim.dram.layouts import TIMING, timing_values
from casemate_sim.dram.timing import DramTiming

__all__ = ["FIRST_STEP", "INTEGER", "PAGE_BYTES", "POINTER", "TEXT", "U32", "U64", "NativeModel",
           "SimulationError", "next_step", "pack"]

PAGE_BYTES = 4096
"""Size of a page of the sparse DRAM content."""

FIRST_STEP = 2000
"""Cycles of the first stretch of a run; see :func:`next_step`."""

_STEP_SECONDS = 0.2

U64, U32, POINTER = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
INTEGER, TEXT = ctypes.c_int, ctypes.c_char_p

_MASK = (1 << 64) - 1

Function = tuple[str, object, tuple[object, ...]]
"""Name without ``casemate_``, type of the result, types of the arguments."""


class SimulationError(RuntimeError):
    """The simulation cannot go on; the message says why."""


def pack(layout: data.StructLayout, values: Mapping[str, int]) -> ctypes.Array:
    """Return a structure's value as 32-bit words, least significant first."""
    packed = 0
    for name, field in layout:
        value = values[str(name)]
        if not 0 <= value < 1 << field.width:
            raise ValueError(f"{name} = {value} does not fit {field.width} bits")
        packed |= value << field.offset
    count = (layout.size + 31) // 32 + 1
    return (ctypes.c_uint32 * count)(*((packed >> 32 * i) & 0xffffffff for i in range(count)))


def next_step(step: int, seconds: float) -> int:
    """Return the cycles of the next stretch: long enough for speed, short enough to watch.

    Parameters
    ----------
    step, seconds:
        Cycles of the last one, and how long they took.
    """
    return max(1000, min(10_000_000, int(step * _STEP_SECONDS / max(seconds, 1e-3))))


class NativeModel:
    """One simulation: model and DRAM content. Reset is over when it is constructed.

    Calls of its methods must not overlap; several objects may live at the same time. What runs
    for long lets other threads of Python go on.

    Parameters
    ----------
    library:
        What `build_library` returned.

    Attributes
    ----------
    functions:
        What a library has beside what all have.
    """

    functions: ClassVar[tuple[Function, ...]] = ()
    _COMMON: ClassVar[tuple[Function, ...]] = (
        ("create", POINTER, ()), ("destroy", None, (POINTER,)), ("error", TEXT, (POINTER,)),
        ("timing", None, (POINTER, POINTER)),
        ("trace", INTEGER, (POINTER, TEXT, U64, U64)),
        ("key", INTEGER, (POINTER, U32, U32, POINTER)),
        ("slot", INTEGER, (POINTER, U32, U32, INTEGER, INTEGER)),
        ("wait_idle", INTEGER, (POINTER, U64)), ("ticks", INTEGER, (POINTER, U64)),
        ("register", INTEGER, (POINTER, INTEGER, U32, ctypes.POINTER(U32))),
        ("load_root", INTEGER, (POINTER, POINTER, U64)), ("root", None, (POINTER, POINTER, U64)),
        ("let_sleep", None, (POINTER, U64)), ("slept", U64, (POINTER,)),
        ("cycle", U64, (POINTER,)),
        ("memory_read", None, (POINTER, U64, POINTER, U64)),
        ("memory_write", None, (POINTER, U64, POINTER, U64)),
        ("memory_pages", U64, (POINTER, POINTER, U64)),
    )

    def __init__(self, library: Path):
        self._library = ctypes.CDLL(str(library))
        for name, result, arguments in (*self._COMMON, *self.functions):
            function = getattr(self._library, f"casemate_{name}")
            function.restype = result
            function.argtypes = arguments
        self._handle = self._library.casemate_create()
        if not self._handle:
            raise SimulationError(f"the model of {library} does not start")

    def close(self) -> None:
        """Free the simulation and finish its waveform."""
        if self._handle:
            self._library.casemate_destroy(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
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

    def set_timing(self, timing: DramTiming) -> None:
        """Set the DRAM's timing, before anything is accessed."""
        self._library.casemate_timing(self._handle, pack(TIMING, timing_values(timing)))

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

    def trace(self, path: Path, *, first: int = 0, last: int = _MASK) -> None:
        """Write a waveform of the cycles from `first` up to `last`, counted from reset."""
        self._check(self._library.casemate_trace(self._handle, str(path).encode(), first, last))

    def let_sleep(self, patience: int) -> None:
        """Let the engine sleep after so many inactive cycles of a run; at first it never does."""
        self._library.casemate_let_sleep(self._handle, patience)

    @property
    def slept(self) -> int:
        """Cycles in which the engine slept."""
        return self._library.casemate_slept(self._handle)

    def idle(self, cycles: int) -> None:
        """Let cycles pass."""
        self._check(self._library.casemate_ticks(self._handle, cycles))

    @property
    def cycle(self) -> int:
        """Cycles since reset."""
        return self._library.casemate_cycle(self._handle)

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
