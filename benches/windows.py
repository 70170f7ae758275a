"""Nothing grows with the memory's size: the same traffic on 64 KiB and on 64 GiB."""

from collections.abc import Iterator

from casemate.config import GIB, KIB, EngineConfig
from casemate_sim.figures import Figure
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import simulate
from casemate_sim.simulation_result import Result
from casemate_sim.workload import generate
from common import Report, config_of

LINES = 20_000
WINDOWS = (64 * KIB, 64 * GIB)


def figures(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Compare the cycles of random lines in the first 64 KiB of both windows."""
    records = generate("random", count=LINES, footprint_bytes=WINDOWS[0], seed=1, read_share=2 / 3)
    for mode in ("plain", "xts"):
        results: list[Result] = []
        for data_bytes in WINDOWS:
            report(f"{mode}, {data_bytes // KIB} KiB")
            results.append(simulate(
                records, config=config.replace(name="window", data_bytes=data_bytes), mode=mode,
                dram="ddr3-1066", player=PlayerConfig(outstanding_reads=64, outstanding_writes=64)))
        cycles = [result.cycles for result in results]
        yield Figure(
            name=f"{mode}.random.cycles_64gib_over_64kib", value=cycles[1] / cycles[0], unit="1",
            target="== 1", config=config_of(results[0]) | {
                "workload": "random", "read_share": 2 / 3, "lines": LINES,
                "data_bytes": list(WINDOWS), "cycles": cycles})
