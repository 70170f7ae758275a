"""Places and routes engines, data paths, peers and ciphers for ECP5 (``make bench-fpga``).

Every design stands between two shift registers, because devices have too few pins. Yosys and
nextpnr, seeds 1 to N, of which the median counts. Placements are remembered: what is interrupted
goes on where it ended.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import fpga_ciphers
import fpga_engines
import fpga_paths
import typer
from casemate_sim.figures import Figure
from casemate_sim.synthesis.devices import Target
from casemate_sim.synthesis.flow import Design
from casemate_sim.synthesis.implementation import Implementation, implement
from common import keep
from fpga_common import Measure
from rich.console import Console


class Group(StrEnum):
    """What can be measured."""

    ENGINES = "engines"
    PATHS = "paths"
    CIPHERS = "ciphers"


def figures(group: Group, measure: Measure, mirrors: Path | None) -> Iterator[Figure]:
    """Yield the figures of a group as they are measured."""
    match group:
        case Group.ENGINES:
            yield from fpga_engines.figures(measure)
        case Group.PATHS:
            yield from fpga_paths.figures(measure, mirrors)
        case Group.CIPHERS:
            yield from fpga_ciphers.figures(measure)


def main(
    groups: Annotated[list[Group] | None, typer.Argument(help="Which; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Placements of each design.")] = 5,
    jobs: Annotated[int, typer.Option(min=1, help="Placements at a time.")] = 1,
    mirrors: Annotated[Path | None, typer.Option(
        help="Folder with git repositories of the peers, by name, if their own cannot be "
        "reached.")] = None,
    output: Annotated[Path, typer.Option(help="File of figures.")] = Path("build/fpga.json"),
) -> None:
    """Place and route; Ctrl-C keeps what is finished."""
    errors = Console(stderr=True)

    def measure(design: Design, target: Target) -> Implementation:
        result = implement(
            design, target, range(1, seeds + 1), jobs=jobs, progress=lambda text: errors.print(
                f"{design.name}: {text}", highlight=False, markup=False))
        if result.interrupted:
            raise KeyboardInterrupt
        return result

    keep((figure for group in groups or list(Group)
          for figure in figures(group, measure, mirrors)), output)


if __name__ == "__main__":
    typer.run(main)
