"""A fuse macro at the pins ``otp_*``, in Python: bits only go from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casemate.fuse.map import WORDS
from casemate.fuse.secded import WORD_BITS

__all__ = ["FuseMacro"]


class FuseMacro:
    """Behaves as ``casemate.fuse.otp.OtpArray`` does; keeps its content without power.

    Parameters
    ----------
    image:
        Words from address 0 on; the rest is blank.
    bit_cycles:
        Cycles that programming a bit takes.

    Attributes
    ----------
    words:
        The content.
    """

    def __init__(self, image: Sequence[int] = (), *, bit_cycles: int = 1) -> None:
        self.words = [*image, *[0] * (WORDS - len(image))]
        self._bit_cycles = bit_cycles
        self.power_off()

    def power_off(self) -> None:
        """Forget a request; a word that was being programmed stays as far as it got."""
        self._read: int | None = None
        self._address, self._wanted, self._turn, self._cycles = 0, 0, WORD_BITS, 0
        self._busy, self._done = False, False

    @property
    def pins(self) -> dict[str, int]:
        """What the macro drives in this cycle."""
        pins = {"otp_ready": 1, "otp_busy": int(self._busy)}
        if self._read is not None:
            pins |= {"otp_valid": 1, "otp_data": self.words[self._read]}
        if self._done:
            pins["otp_done"] = 1
        return pins

    def step(self, seen: Mapping[str, int]) -> None:
        """Take what the engine drove in this cycle."""
        self._done = False
        if self._busy and self._turn < WORD_BITS:
            self._cycles += 1
            if self._cycles == self._bit_cycles:
                self.words[self._address] |= self._wanted & 1 << self._turn
                self._turn += 1
                self._cycles = 0
        elif self._busy:
            self._busy, self._done = False, True
        elif seen["otp_program"]:
            self._busy, self._turn, self._cycles = True, 0, 0
            self._address, self._wanted = seen["otp_address"], seen["otp_program_data"]
        self._read = seen["otp_address"] if seen["otp_read"] else None
