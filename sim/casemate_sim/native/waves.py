"""Save files that group a waveform's interesting signals, for GTKWave and for Surfer."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_save_files"]


def write_save_files(wave: Path, *, engine: bool) -> None:
    """Write ``.gtkw`` and ``.sucl`` beside `wave`."""
