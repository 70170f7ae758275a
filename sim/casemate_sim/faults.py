"""Responses on AXI4, and the errors that a simulated DRAM answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

__all__ = ["Faults", "Response"]


class Response(IntEnum):
    """RRESP and BRESP."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3

    @property
    def error(self) -> bool:
        """Whether the access failed."""
        return self >= Response.SLVERR


@dataclass
class Faults:
    """What the DRAM answers at chosen lines; anything else is OKAY.

    Attributes
    ----------
    reads:
        RRESP of each beat of a line, by the line's address.
    writes:
        BRESP, by the line's address. A line whose write has an error keeps what it held.
    """

    reads: dict[int, Sequence[Response]] = field(default_factory=dict)
    writes: dict[int, Response] = field(default_factory=dict)

    def of_row(self, address: int, beats: range) -> Response:
        """Return the first error of some beats of a line, OKAY if there is none."""
        responses = self.reads.get(address)
        errors = [responses[beat] for beat in beats if responses[beat].error] if responses else []
        return errors[0] if errors else Response.OKAY

    def of_write(self, address: int) -> Response:
        """Return the error that writing a line meets, OKAY if there is none."""
        response = self.writes.get(address, Response.OKAY)
        return response if response.error else Response.OKAY
