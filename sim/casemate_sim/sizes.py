"""Sizes in bytes, as people write and read them."""

from __future__ import annotations

import re

__all__ = ["SizeError", "parse_size", "size_text"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class SizeError(ValueError):
    """A text is no size; the message says how one is written."""


def parse_size(text: str) -> int:
    """Return the bytes that `text` names: ``65536``, ``64K``, ``16M``, ``1GiB``.

    Raises
    ------
    SizeError
        If it is no size.
    """
    match = re.fullmatch(r"(\d+) ?([KMGT]?)(?:iB|B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise SizeError(f"{text!r} is no size; write bytes, or a number with K, M, G or T, as in "
                        "64K or 16M")
    return int(match[1]) * _UNITS[match[2].upper()]


def size_text(size: int) -> str:
    """Return a size for people: in the largest binary unit that leaves an integer."""
    for unit in ("T", "G", "M", "K"):
        if size >= _UNITS[unit] and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]} {unit}iB"
    return f"{size:,} bytes"
