"""Table of the mutation run: the bugs that the tests must find."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .markdown import table

__all__ = ["mutants"]

_ROOT = Path(__file__).resolve().parents[3]


def mutants() -> str:
    """Return the listed bugs by source file."""
    from casemate_sim.mutation import MUTANTS, load_mutants

    listed = load_mutants(_ROOT / MUTANTS)
    files = Counter(mutant.file for mutant in listed)
    rows = [(f"[`{file}`](../{file})", count,
             "; ".join(mutant.name for mutant in listed if mutant.file == file))
            for file, count in sorted(files.items())]
    return f"{table(('file', 'bugs', 'which'), rows)}\n\nThese are {len(listed)} bugs."
