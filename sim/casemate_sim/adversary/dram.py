"""DRAM as the adversary sees it: content to read and write, and hooks in the engine's traffic.

Everything is in whole lines of 64 bytes at byte addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from casemate.config import LINE_BYTES

__all__ = ["ALL_BYTES", "Dram", "Hook", "Witness", "Write", "flipped", "merged"]

ALL_BYTES = (1 << LINE_BYTES) - 1
"""Strobe of a write of the whole line."""


class Dram(Protocol):
    """The content of DRAM, which the adversary owns."""

    def read_line(self, address: int) -> bytes:
        """Return 64 bytes."""
        ...

    def write_line(self, address: int, content: bytes) -> None:
        """Replace 64 bytes."""
        ...

    def addresses(self) -> list[int]:
        """Return the addresses of all lines that the engine or the adversary has touched."""
        ...


@dataclass(frozen=True)
class Write:
    """A line on its way from the engine to DRAM.

    Parameters
    ----------
    address:
        Byte address.
    data:
        64 bytes.
    strobe:
        A bit for each byte that is written.
    """

    address: int
    data: bytes
    strobe: int = ALL_BYTES


class Hook:
    """Sits between the engine and DRAM; this one lets everything pass."""

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Return what DRAM gets: the write, another one, or None, which drops it."""
        return write

    def on_read(self, dram: Dram, address: int) -> int | bytes:
        """Return the address that DRAM sees, or the 64 bytes that the engine gets."""
        return address


def flipped(content: bytes, bit: int) -> bytes:
    """Return `content` with one bit changed; bit 0 is the lowest bit of byte 0."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def merged(old: bytes, write: Write) -> bytes:
    """Return a line that held `old` after a write."""
    if write.strobe == ALL_BYTES:
        return write.data
    return bytes(new if write.strobe >> place & 1 else before
                 for place, (before, new) in enumerate(zip(old, write.data, strict=True)))


class Witness(Hook):
    """Knows what an honest DRAM would hold, and so whether the engine was ever lied to.

    It is the hook that a simulation calls, and the DRAM that attacks work on.

    Parameters
    ----------
    dram:
        The content.
    attack:
        The hook that may change what passes.
    """

    def __init__(self, dram: Dram, attack: Hook) -> None:
        self._dram = dram
        self._attack = attack
        self._honest: dict[int, bytes] = {}
        self.lies: list[int] = []
        """Addresses of reads whose answer was not what the engine wrote last."""
        self.grave = False
        """Whether one of them was about a line that held something."""

    def _touch(self, address: int) -> None:
        if address not in self._honest:
            self._honest[address] = self._dram.read_line(address)

    # -- for the adversary -------------------------------------------------------------------

    def read_line(self, address: int) -> bytes:
        """Return 64 bytes."""
        return self._dram.read_line(address)

    def write_line(self, address: int, content: bytes) -> None:
        """Replace 64 bytes."""
        self._touch(address)
        self._dram.write_line(address, content)

    def addresses(self) -> list[int]:
        """Return the addresses of all lines that were touched."""
        return sorted(self._honest)

    # -- for the simulation ------------------------------------------------------------------

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Note a write and let the attack have it."""
        self._touch(write.address)
        passed = self._attack.on_write(self, write)
        self._honest[write.address] = merged(self._honest[write.address], write)
        if passed is not None:
            self._touch(passed.address)
        return passed

    def on_read(self, dram: Dram, address: int) -> int | bytes:
        """Let the attack answer a read, and note if the answer is a lie."""
        self._touch(address)
        answer = self._attack.on_read(self, address)
        content = answer if isinstance(answer, bytes) else self._dram.read_line(answer)
        if content != self._honest[address]:
            self.lies.append(address)
            self.grave |= any(self._honest[address])
        return answer
