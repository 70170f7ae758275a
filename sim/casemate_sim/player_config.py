"""The core that plays a trace: how fast it is, and how much it has outstanding."""

from __future__ import annotations

from dataclasses import dataclass

from casemate.config import LINE_BYTES, EngineConfig

from casemate_sim.tenant import DOMAIN

__all__ = ["PlayerConfig"]


@dataclass(frozen=True, kw_only=True)
class PlayerConfig:
    """The core that plays the trace.

    Parameters
    ----------
    outstanding_reads, outstanding_writes:
        Most lines being read, and being written, at the same time: 1 to 64.
    instructions_per_cycle:
        Speed of the core between the records in cycles of the DRAM controller, up to 255 and in
        steps of 1/256. The controller has an eighth of the data rate: 8 is a core of 1.07 GHz
        beside DDR3-1066 that completes an instruction per clock.
    window_instructions:
        How many instructions the core may be past its oldest outstanding read: its reorder buffer.
        1 to 1048575.
    ids:
        AXI IDs in use per direction, a power of two up to 16; responses of different IDs may
        overtake each other.
    """

    outstanding_reads: int = 16
    outstanding_writes: int = 16
    instructions_per_cycle: float = 8.0
    window_instructions: int = 192
    ids: int = 4

    def __post_init__(self) -> None:
        for name in ("outstanding_reads", "outstanding_writes"):
            if not 1 <= getattr(self, name) <= 64:
                raise ValueError(f"{name} must be 1 to 64, not {getattr(self, name)}")
        if not 1 / 256 <= self.instructions_per_cycle <= 255:
            raise ValueError("instructions_per_cycle must be 1/256 to 255, not "
                             f"{self.instructions_per_cycle}")
        if not 1 <= self.window_instructions < 1 << 20:
            raise ValueError("window_instructions must be 1 to 1048575, not "
                             f"{self.window_instructions}")
        if self.ids not in (1, 2, 4, 8, 16):
            raise ValueError(f"ids must be 1, 2, 4, 8 or 16, not {self.ids}")

    def settings(self, config: EngineConfig) -> dict[str, int]:
        """Return the values of the player's ``SETTINGS`` for the data window of `config`."""
        if self.ids > 1 << config.id_bits:
            raise ValueError(f"ids = {self.ids} needs more than the {config.id_bits} ID bits of "
                             f"configuration {config.name!r}")
        return {
            "base": config.data_base // LINE_BYTES, "reads": self.outstanding_reads,
            "writes": self.outstanding_writes, "rate": round(256 * self.instructions_per_cycle),
            "window": self.window_instructions, "id_mask": self.ids - 1, "domain": DOMAIN,
        }
