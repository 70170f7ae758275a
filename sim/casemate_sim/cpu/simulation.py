"""The native library in which a core runs a program, from Python."""

from __future__ import annotations

import ctypes

from casemate_sim.native.model import INTEGER, POINTER, U32, U64, NativeModel

__all__ = ["CpuSimulation"]

_CHUNK = 4096  # bytes of output that are taken at a time


class CpuSimulation(NativeModel):
    """Core, engine or bare wire, DRAM; the core waits in reset until it is `run`."""

    functions = (
        ("run", INTEGER, (POINTER, U64)), ("ran", U64, (POINTER,)), ("code", U32, (POINTER,)),
        ("output", U64, (POINTER, POINTER, U64)),
    )

    def run(self, cycles: int) -> bool:
        """Run on for at most `cycles`; return whether the program is over."""
        return self._check(self._library.casemate_run(self._handle, cycles)) == 1

    @property
    def cycles(self) -> int:
        """Cycles since the core started, up to the program's end."""
        return self._library.casemate_ran(self._handle)

    @property
    def code(self) -> int:
        """Exit code of a program that is over."""
        return self._library.casemate_code(self._handle)

    def output(self) -> bytes:
        """Take what the program has written since the last call."""
        parts, buffer = [], ctypes.create_string_buffer(_CHUNK)
        while count := self._library.casemate_output(self._handle, buffer, _CHUNK):
            parts.append(buffer.raw[:count])
        return b"".join(parts)
