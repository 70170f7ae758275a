"""The part of Yosys's command line that SymbiYosys uses, on the native Yosys inside pyosys.

``python -m casemate_sim.yosys -ql LOG SCRIPT`` runs a script. The WebAssembly build of the same
version needs many times as long for a large design.
"""

from __future__ import annotations

import argparse
import os
import sys

from pyosys import libyosys

__all__ = ["main"]


def main() -> int:
    """Run a script; return the exit code."""
    parser = argparse.ArgumentParser(prog="casemate_sim.yosys", description="Run a Yosys script.")
    parser.add_argument("-q", action="store_true", help="print nothing")
    parser.add_argument("-l", metavar="LOG", help="file that the log is written to")
    parser.add_argument("script")
    options = parser.parse_args()
    if options.q:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    command = f"script {options.script}"
    libyosys.run_pass(f"tee -o {options.l} {command}" if options.l else command,
                      libyosys.Design())
    return 0


if __name__ == "__main__":
    sys.exit(main())
