"""Markdown tables, and the parameters' texts from numpy docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["first_sentence", "member_texts", "parameter_texts", "size", "table"]


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


def member_texts(kind: type) -> dict[str, str]:
    """Return the texts below the members of an enumeration by name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        target.id: inspect.cleandoc(text.value.value).replace("\n", " ")
        for member, text in pairwise(body.body)
        if isinstance(member, ast.Assign) and isinstance(target := member.targets[0], ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)}
