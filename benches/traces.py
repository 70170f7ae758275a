"""What the engine costs real programs: the shipped traces behind a core with 16 reads in flight.

``python benches/traces.py FILE`` draws the stored results.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from casemate.config import EngineConfig
from casemate_sim.figures import Figure
from casemate_sim.modes import MODES
from casemate_sim.player_config import PlayerConfig
from casemate_sim.plot import draw_slowdowns
from casemate_sim.simulate import simulate
from casemate_sim.simulation_result import Result
from casemate_sim.trace import load
from casemate_sim.traces import shipped
from common import Report, config_of, stored


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
    found = {match.groups(): value for match, value in stored(r"trace\.(\w+)\.(\w+)\.slowdown")}
    programs = {name: {mode: found.get((name, mode)) for mode in MODES[1:]}
                for name, _ in found}
    draw_slowdowns(programs, output, "Whole traces on ecp5, DDR3-1066")


if __name__ == "__main__":
    typer.run(main)
