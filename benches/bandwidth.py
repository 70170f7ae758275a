"""Sustained bandwidth behind the engine over that of a bare wire, same DRAM, same run."""

from collections.abc import Iterator

from casemate.config import EngineConfig
from casemate_sim.figures import Figure
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import simulate
from casemate_sim.simulation_result import Result
from casemate_sim.workload import generate
from common import Report, config_of

LINES = 20_000
FOOTPRINT = 16 << 20
WORKLOADS = {
    "stream_read": ("stream", 1.0),
    "stream_write": ("stream", 0.0),
    "mix_2_1": ("mix", 2 / 3),
    "random": ("random", 2 / 3),
}
PLAYER = PlayerConfig(outstanding_reads=64, outstanding_writes=64, ids=16)


def figures(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Measure every workload on every DRAM; the promise is about ``ddr3-1066`` and stricter ones.

    A ratio is cycles of the bare wire over cycles of the engine for the same 20 000 lines.
    """
    for dram in ("ddr3-1066", "ddr4-2400", "fixed-latency"):
        suffix = "" if dram == "ddr3-1066" else "." + dram.replace("-", "_")
        for name, (kind, read_share) in WORKLOADS.items():
            records = generate(kind, count=LINES, footprint_bytes=FOOTPRINT, seed=1,
                               read_share=read_share)
            results: dict[str, Result] = {}
            for mode in ("bare", "plain", "xts"):
                report(f"{mode}, {name}, {dram}")
                result = simulate(records, config=config, mode=mode, dram=dram, player=PLAYER)
                if not result.ok:
                    raise RuntimeError(f"{mode}, {name}, {dram}: {result.data_errors}")
                results[mode] = result
            bare = results["bare"]
            for mode in ("plain", "xts"):
                result = results[mode]
                yield Figure(
                    name=f"{mode}.{name}.bandwidth_ratio{suffix}",
                    value=bare.cycles / result.cycles, unit="1", target=">= 0.99",
                    config=config_of(result) | {
                        "workload": kind, "read_share": read_share, "lines": LINES,
                        "footprint_bytes": FOOTPRINT, "cycles": result.cycles,
                        "bare_cycles": bare.cycles,
                        "bare_bytes_per_cycle": round(bare.bandwidth, 3)})
