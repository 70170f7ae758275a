"""What the engine costs real programs: the shipped traces behind a core with 16 reads in flight.

``python benches/traces.py FILE`` draws the stored results.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from casemate.config import EngineConfig
from casemate_sim.figures import Figure
from casemate_sim.plot import draw_slowdowns
from casemate_sim.simulate import MODES, PlayerConfig, Result, simulate
from casemate_sim.trace import load
from casemate_sim.traces import shipped
from common import Report, config_of

RESULTS = Path(__file__).parent / "results" / "bench.json"


@dataclass
class Stored:
    """Stored slowdowns of one program, by mode."""

    factors: dict[str, float] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes of which there is a result."""
        return tuple(mode for mode in MODES if mode in self.factors)

    def slowdown(self, mode: str) -> float | None:
        """Return the cycles of `mode` over those of the bare wire."""
        return self.factors.get(mode)


def figures(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Compare cycles of engine and bare wire, whole traces, on ``ddr3-1066``."""
    for name, path in shipped().items():
        records = load(path).records
        results: dict[str, Result] = {}
        for mode in MODES:
            report(f"{mode}, {name}")
            results[mode] = simulate(records, config=config, mode=mode, dram="ddr3-1066",
                                     player=PlayerConfig())
        for mode in MODES[1:]:
            result = results[mode]
            if not result.ok:
                raise RuntimeError(f"{name} in {mode}: wrong data, error responses or alarms")
            tree = {} if result.metadata is None else {
                "hit_rate": result.hit_rate, "traffic_limit": result.traffic_limit}
            yield Figure(
                name=f"trace.{name}.{mode}.slowdown", unit="1",
                value=result.cycles / results["bare"].cycles,
                config=config_of(result) | {"records": len(records), "cycles": result.cycles,
                                            "bare_cycles": results["bare"].cycles} | tree)


def main(output: Annotated[Path, typer.Argument(help="Picture: .png, .svg or .pdf.")]) -> None:
    """Draw the stored results."""
    programs: dict[str, Stored] = {}
    for name, figure in json.loads(RESULTS.read_text()).items():
        if found := re.fullmatch(r"trace\.(\w+)\.(\w+)\.slowdown", name):
            programs.setdefault(found[1], Stored()).factors[found[2]] = figure["value"]
    draw_slowdowns(programs, output, "Whole traces on ecp5, DDR3-1066")


if __name__ == "__main__":
    typer.run(main)
