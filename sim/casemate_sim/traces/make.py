"""Record the shipped traces again: ``python -m casemate_sim.traces.make [NAME ...]``.

Needs valgrind, gzip, the sqlite3 shell and Debian's licence texts.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from casemate_sim.caches import HIERARCHIES
from casemate_sim.record import record

__all__ = ["PROGRAMS", "Program"]

_LICENCES = "/usr/share/common-licenses"


@dataclass(frozen=True)
class Program:
    """A command, run in this directory, and how much of it is recorded."""

    command: tuple[str, ...]
    skip_instructions: int = 0
    maximum_records: int | None = None


PROGRAMS = {
    "sqlite_index": Program(("sqlite3", ":memory:", ".read programs/index.sql")),
    "gzip_text": Program((
        "gzip", "-9", "-c", *(f"{_LICENCES}/{name}" for name in (
            "GPL-1", "GPL-2", "GPL-3", "LGPL-2", "LGPL-2.1", "MPL-1.1", "MPL-2.0")))),
    # The interpreter's start takes 20.9 million instructions.
    "python_sort": Program(("/usr/bin/python3", "-I", "-S", "programs/sort_dicts.py"),
                           skip_instructions=21_000_000, maximum_records=60_000),
}
"""The shipped traces by name; all through the ``embedded`` hierarchy."""


def main(names: list[str]) -> None:
    """Record the traces called `names`, or all of them."""
    os.chdir(Path(__file__).parent)
    for name in names or PROGRAMS:
        program = PROGRAMS[name]
        result = record(program.command, Path(f"{name}.trace"),
                        hierarchy=HIERARCHIES["embedded"],
                        skip_instructions=program.skip_instructions,
                        maximum_records=program.maximum_records)
        sys.stderr.write(f"{name}: {result}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
