"""Reads the response files of NIST's validation programmes (CAVP) as they are published."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

__all__ = ["Vector", "nist_file", "read_vectors"]

_SECTION = re.compile(r"\[(?P<name>[\w ]+?)(?: *= *(?P<value>\w+))?\]$")


class Vector(NamedTuple):
    """One test case.

    Attributes
    ----------
    section:
        What the brackets above it say: ``{"ENCRYPT": ""}``, ``{"PTlen": "0", ...}``.
    values:
        Its lines; a line without ``=`` (``FAIL``) has an empty value.
    """

    section: dict[str, str]
    values: dict[str, str]

    def data(self, name: str) -> bytes:
        """Return a hexadecimal value as bytes."""
        return bytes.fromhex(self.values[name])

    def number(self, name: str) -> int:
        """Return a hexadecimal value as the hardware holds it: byte i is bits 8i to 8i+7."""
        return int.from_bytes(self.data(name), "little")


def nist_file(name: str) -> Path:
    """Return the path of a file of the package cryptography_vectors, below ``ciphers/AES``."""
    return Path(str(resources.files("cryptography_vectors"))) / "ciphers" / "AES" / name


def read_vectors(path: Path) -> list[Vector]:
    """Read a response file.

    Raises
    ------
    ValueError
        If a line is neither a comment, a section, a value nor ``FAIL``; the message names it.
    """
    vectors: list[Vector] = []
    section: dict[str, str] = {}
    fresh = True  # a section's line that follows values starts a new set
    values: dict[str, str] = {}
    for number, raw in enumerate(path.read_text().splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            if values:
                vectors.append(Vector(section, values))
                values = {}
            continue
        match = _SECTION.match(line)
        if match:
            if not fresh:
                section = {}
            section = section | {match["name"]: match["value"] or ""}
            fresh = True
            continue
        fresh = False
        name, equals, value = line.partition("=")
        if not equals and line != "FAIL":
            raise ValueError(f"{path}, line {number}: {line!r} is not understood")
        values[name.strip()] = value.strip()
    if values:
        vectors.append(Vector(section, values))
    return vectors
