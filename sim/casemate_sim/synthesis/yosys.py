"""Runs a script of Yosys in a process of its own: ``python -m casemate_sim.synthesis.yosys FILE``.

Yosys comes as a library (pyosys); an error in it ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["main"]


def main(script: Path) -> None:
    """Run the commands of `script`, one a line."""
    from pyosys import libyosys

    design = libyosys.Design()
    for command in script.read_text().splitlines():
        libyosys.Pass.call(design, command)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
