"""What a design uses of a device, and what a device has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

__all__ = ["NAMES", "Usage"]

NAMES = {"luts": "LUTs", "registers": "registers", "block_rams": "block RAMs", "dsps": "DSPs"}
"""What the parts of a ``Usage`` are called."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Numbers of the four things that a device runs out of.

    Parameters
    ----------
    luts:
        Look-up tables of four inputs; those that serve as memory or carry chain count too.
    registers:
        Flip-flops.
    block_rams:
        Block RAMs of 16 or 18 Kbit.
    dsps:
        Multipliers of 18 by 18 bits.
    """

    luts: int = 0
    registers: int = 0
    block_rams: int = 0
    dsps: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    @classmethod
    def total(cls, parts: Iterable[Usage]) -> Usage:
        """Return the sum."""
        return sum(parts, start=cls())

    def over(self, limit: Usage) -> list[str]:
        """Return the names of those that are above `limit`."""
        return [field.name for field in fields(self)
                if getattr(self, field.name) > getattr(limit, field.name)]

    def as_dict(self) -> dict[str, int]:
        """Return plain JSON values."""
        return asdict(self)
