"""What is fixed when a board's bitstream is built."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from casemate.config import ConfigError, EngineConfig, preset

from casemate_sim.board.uart import LEAST_CYCLES_PER_BIT
from casemate_sim.modes import with_fuses

__all__ = ["BAUD", "CLOCK_HERTZ", "BoardConfig", "Entropy"]

CLOCK_HERTZ = 15_000_000
"""Clock of everything, on every board: what the engine's longest paths allow, with some in reserve.

A multiple of the serial line's bits; see docs/board.md for what placements reach."""

BAUD = 1_000_000
"""Bits per second of the serial line: what USB bridges of boards can do, and clocks divide by."""

_TOLERANCE = 0.02  # of the length of a bit: ten bits add up to a fifth of one


class Entropy(enum.Enum):
    """Where a board's entropy comes from."""

    RINGS = 0
    """Ring oscillators of the FPGA."""
    SEEDED = 1
    """A generator with a known seed: for simulation."""


@dataclass(frozen=True, kw_only=True)
class BoardConfig:
    """One board.

    Parameters
    ----------
    engine:
        The engine, with fuses.
    clock_hertz:
        Clock of everything.
    baud:
        Bits per second of the serial line.
    entropy:
        Where entropy comes from.
    fuses:
        Words that the fuses hold when the FPGA was configured; blank by default. A root key in them
        is in the bitstream, for everybody to read.
    """

    engine: EngineConfig = field(default_factory=lambda: with_fuses(preset("tiny")))
    clock_hertz: int = CLOCK_HERTZ
    baud: int = BAUD
    entropy: Entropy = Entropy.RINGS
    fuses: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.engine.keys is None or self.engine.keys.fuses is None:
            raise ConfigError("a board needs an engine with fuses")
        exact = self.clock_hertz / self.baud
        if exact < LEAST_CYCLES_PER_BIT or abs(self.cycles_per_bit / exact - 1) > _TOLERANCE:
            raise ConfigError(f"baud = {self.baud} is not possible: a clock of {self.clock_hertz} "
                              f"Hz must have about a whole number of cycles for each bit, at least "
                              f"{LEAST_CYCLES_PER_BIT}")

    @property
    def cycles_per_bit(self) -> int:
        """Clock cycles of a bit on the serial line."""
        return round(self.clock_hertz / self.baud)
