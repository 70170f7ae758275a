"""Recorded traces of real programs, shipped with the package; ``README.md`` tells how each came."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped"]


def shipped() -> dict[str, Path]:
    """Return the file of each shipped trace by its name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.trace"))}
