"""Finds the generated blocks of Markdown files and compares them with what belongs there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .generators import generate

__all__ = ["Block", "DocumentError", "documents", "find_blocks", "refreshed", "stale_blocks"]

_BEGIN = re.compile(r"^<!-- BEGIN GENERATED (.*?) -->$")
_END = "<!-- END GENERATED -->"
_COMMAND = "python -m casemate_sim.documents "


class DocumentError(ValueError):
    """A Markdown file cannot be processed; the message begins with ``FILE:LINE:``."""


@dataclass(frozen=True)
class Block:
    """One generated block.

    Attributes
    ----------
    path:
        The file.
    line:
        Number of its first comment's line, from 1.
    arguments:
        The words behind ``python -m casemate_sim.documents``; None when another command makes it.
    content:
        What stands between the comments now.
    """

    path: Path
    line: int
    arguments: tuple[str, ...] | None
    content: str

    @property
    def name(self) -> str:
        """Name for messages."""
        return " ".join(self.arguments or ())


def documents(root: Path) -> list[Path]:
    """Return the Markdown files of the repository at `root` that may hold blocks."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def find_blocks(path: Path) -> Iterator[Block]:
    """Find the blocks of a file.

    Raises
    ------
    DocumentError
        If a block does not end, or ends without having begun.
    """
    start: tuple[int, str] | None = None
    content: list[str] = []
    fenced = False  # the comments may be quoted in a listing
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if start is None and line.startswith("```"):
            fenced = not fenced
        begin = None if fenced else _BEGIN.match(line)
        if begin and start is not None:
            raise DocumentError(f"{path}:{number}: a block begins inside the one of line "
                                f"{start[0]}")
        if begin:
            start, content = (number, begin.group(1)), []
        elif not fenced and line == _END:
            if start is None:
                raise DocumentError(f"{path}:{number}: a block ends that did not begin")
            command = start[1]
            arguments = (tuple(shlex.split(command.removeprefix(_COMMAND)))
                         if command.startswith(_COMMAND) else None)
            yield Block(path, start[0], arguments, "\n".join(content).strip("\n"))
            start = None
        elif start is not None:
            content.append(line)
    if start is not None:
        raise DocumentError(f"{path}:{start[0]}: the block has no line {_END!r}")


def _generated(block: Block) -> str:
    """Return what belongs into a block."""
    if block.arguments is None:
        return block.content
    try:
        return generate(block.arguments)
    except ValueError as error:
        raise DocumentError(f"{block.path}:{block.line}: {error}") from error


def stale_blocks(path: Path) -> list[Block]:
    """Return the blocks of a file that do not hold what belongs there."""
    return [block for block in find_blocks(path) if block.content != _generated(block)]


def refreshed(path: Path) -> str:
    """Return the text of a file with all blocks filled in."""
    lines = path.read_text().splitlines()
    for block in reversed(list(find_blocks(path))):
        end = lines.index(_END, block.line)
        lines[block.line:end] = _generated(block).split("\n")
    return "\n".join(lines) + "\n"
