"""Fuse images as text: a word per line, as ``$readmemh`` reads it.

A line holds 10 hexadecimal digits, the 39 bits of a word; lines are words 0, 1, 2 and so on. What
follows ``//`` is a comment; empty lines are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from casemate_sim.model.fuse_words import ALL_ONES, WORD_BITS
from casemate_sim.model.fuses import WORDS, FuseError, partition_of

__all__ = ["fuse_text", "read_fuses"]


def _lines(image: Sequence[int]) -> Iterator[str]:
    yield "// Fuses of a device: 34 words of 39 bits. Lines of the secret are the root key."
    for address, word in enumerate(image):
        part = partition_of(address)
        name = f"{part.name}: {part.name_of(address)}" if part else "not used"
        yield f"{word:010x}  // {address:2} {name}"


def fuse_text(image: Sequence[int]) -> str:
    """Return an image as text."""
    return "\n".join(_lines(image)) + "\n"


def read_fuses(path: Path) -> list[int]:
    """Read an image.

    Raises
    ------
    FuseError
        If it is none; the message has the line.
    OSError
        If it cannot be read.
    """
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        raise FuseError(f"{path}: not a text file") from None
    image = []
    for number, line in enumerate(text.splitlines(), 1):
        digits = line.partition("//")[0].strip()
        if not digits:
            continue
        try:
            word = int(digits, 16)
        except ValueError:
            raise FuseError(f"{path}:{number}: {digits!r} is no hexadecimal number") from None
        if not 0 <= word <= ALL_ONES:
            raise FuseError(f"{path}:{number}: {digits!r} does not fit {WORD_BITS} bits")
        image.append(word)
    if len(image) != WORDS:
        raise FuseError(f"{path}: an image has {WORDS} words, not {len(image)}")
    return image
