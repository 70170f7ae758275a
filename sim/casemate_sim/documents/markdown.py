"""Markdown tables, and the parameters' texts from numpy docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

__all__ = ["first_sentence", "parameter_texts", "size", "table"]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; vertical bars in cells are escaped."""
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)])


def size(count: int) -> str:
    """Return a number of bytes with the largest binary unit that divides it."""
    for exponent, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and count % (1 << exponent) == 0:
            return f"{count >> exponent} {unit}"
    return f"{count} bytes"


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring on one line, with Markdown's code marks."""
    paragraph = inspect.cleandoc(text).split("\n\n")[0].replace("\n", " ")
    match = re.match(r"(.*?[.:])(?=\s+[A-Z`]|$)", paragraph)
    return (match.group(1) if match else paragraph).replace("``", "`")


def parameter_texts(kind: type) -> dict[str, str]:
    """Return the texts of a class's ``Parameters`` section by name.

    Names that share a text (``a, b:``) get it each.
    """
    lines = inspect.cleandoc(kind.__doc__ or "").split("\n")
    try:
        start = lines.index("Parameters") + 2
    except ValueError:
        return {}
    texts: dict[str, list[str]] = {}
    names: list[str] = []
    for number, line in enumerate(lines[start:], start):
        if number + 1 < len(lines) and lines[number + 1].startswith("---"):
            break
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.rstrip(":").split(",")]
            texts |= {name: [] for name in names}
        elif line.strip():
            for name in names:
                texts[name].append(line.strip())
    return {name: " ".join(parts).replace("``", "`") for name, parts in texts.items()}
