"""``python -m casemate_sim.documents``: print one block, fill in all, or check all."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .blocks import DocumentError, documents, refreshed, stale_blocks
from .generators import GENERATORS, generate

_ROOT = Path(__file__).resolve().parents[3]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m casemate_sim.documents",
        description="Generated blocks of the documentation.",
        epilog="generators: " + ", ".join(sorted(GENERATORS)))
    parser.add_argument("generator", nargs="*", metavar="GENERATOR [ARGUMENT]",
                        help="print what this generator makes")
    parser.add_argument("--write", action="store_true", help="fill in every block")
    parser.add_argument("--check", action="store_true",
                        help="name the stale blocks; exit code 1 if there are any")
    parser.add_argument("--root", type=Path, default=_ROOT, help="the repository")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.generator) + options.write + options.check != 1:
        parser.error("give a generator, --write or --check")
    try:
        if options.generator:
            print(generate(options.generator))
            return 0
        stale = 0
        for path in documents(options.root):
            if options.check:
                for block in stale_blocks(path):
                    stale += 1
                    print(f"{path}:{block.line}: block `{block.name}` is stale")
            elif (text := refreshed(path)) != path.read_text():
                path.write_text(text)
                print(f"{path}: written")
    except (DocumentError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if stale:
        print("run: python -m casemate_sim.documents --write", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
