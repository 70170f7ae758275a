"""What the engine costs real programs: the shipped traces behind a core with 16 reads in flight."""

from collections.abc import Iterator

from casemate.config import EngineConfig
from casemate_sim.figures import Figure
from casemate_sim.simulate import MODES, PlayerConfig, Result, simulate
from casemate_sim.trace import load
from casemate_sim.traces import shipped
from common import Report, config_of


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
