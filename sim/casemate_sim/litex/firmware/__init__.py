"""The example's program: sources, what it was built to, and the addresses it was built for."""

from pathlib import Path

__all__ = ["FIRMWARE"]

FIRMWARE = Path(__file__).parent / "firmware.bin"
"""Content of the ROM."""
