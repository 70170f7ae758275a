"""Table of the tests: each file with the first sentence of its docstring."""

from __future__ import annotations

import ast
from pathlib import Path

from .markdown import first_sentence, table

__all__ = ["tests"]

_ROOT = Path(__file__).resolve().parents[3] / "tests"


def tests(*folders: str) -> str:
    """Return the test files of some folders or of all, with what each is about."""
    rows = []
    for path in sorted(path for folder in folders or ("",)
                       for path in (_ROOT / folder).rglob("*.py")):
        name = path.relative_to(_ROOT).as_posix()
        tree = ast.parse(path.read_text())
        if not path.name.startswith(("test_", "cocotb_")):
            continue
        text = ast.get_docstring(tree)
        if text is None:
            raise ValueError(f"{path} has no docstring")
        rows.append((f"[`{name}`](../tests/{name})", first_sentence(text)))
    if not rows:
        raise ValueError(f"there are no tests in {' '.join(folders)}")
    return table(("file", "content"), rows)
