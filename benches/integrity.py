"""What integrity and freshness cost: preset `ecp5` with a metadata cache of 32 KiB, 128 MiB.

The *traffic limit* of a run is data lines over all lines that went to and from DRAM. Memory is
sealed before the first cycle, the cache is empty.
"""

from collections.abc import Iterator

import numpy as np
from casemate.config import EngineConfig, preset
from casemate_sim.figures import Figure
from casemate_sim.modes import config_of_mode
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import simulate
from casemate_sim.simulation_result import Result
from casemate_sim.workload import generate
from common import Report, config_of

LINES = 20_000
WINDOW = 128 << 20
HOT = 64 << 10
PLAYER = PlayerConfig(outstanding_reads=64, outstanding_writes=64, ids=16)
ONE = PlayerConfig(outstanding_reads=1, outstanding_writes=64, window_instructions=1)
LIMITED = {
    # name: workload, read share, promised share of the traffic limit
    "stream_read": ("stream", 1.0, 0.95),
    "stream_write": ("stream", 0.0, 0.95),
    "random_read": ("random", 1.0, 0.85),
    "mix_2_1": ("mix", 2 / 3, 0.85),
    "random_2_1": ("random", 2 / 3, 0.85),
}


def run(config: EngineConfig, mode: str, records: np.ndarray, player: PlayerConfig,
        report: Report, name: str, dram: str = "ddr3-1066") -> Result:
    """Simulate; nothing may go wrong."""
    report(f"{mode}, {name}")
    result = simulate(records, config=config, mode=mode, dram=dram, player=player)
    if not result.ok:
        raise RuntimeError(f"{mode}, {name}: {result.data_errors}")
    return result


def figures(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Measure leaf hits, streams, random lines, a chain of reads, single cold reads."""
    yield from hits(config, report)
    for name in LIMITED:
        yield from limited(config, report, name)
    yield from limited(config, report, "stream_write", dram="fixed-latency")
    yield from slowdowns(config, report)


def limited(config: EngineConfig, report: Report, name: str,
            dram: str = "ddr3-1066") -> Iterator[Figure]:
    """Compare with the bare wire and the traffic limit; the promises are for ``ddr3-1066``."""
    kind, share, promised = LIMITED[name]
    usual_dram = dram == "ddr3-1066"
    records = generate(kind, count=LINES, footprint_bytes=WINDOW, seed=1, read_share=share)
    bare = run(config, "bare", records, PLAYER, report, name, dram)
    for mode in ("integrity", "full"):
        result = run(config, mode, records, PLAYER, report, name, dram)
        limit = result.traffic_limit
        assert limit is not None
        ratio = bare.cycles / result.cycles
        settings = config_of(result) | {
            "workload": kind, "read_share": share, "lines": LINES, "footprint_bytes": WINDOW,
            "cycles": result.cycles, "bare_cycles": bare.cycles,
            "bandwidth_ratio": round(ratio, 4), "traffic_limit": round(limit, 4)}
        suffix = "" if usual_dram else f".{dram.replace('-', '_')}"
        promise = usual_dram and mode == "full" and name != "random_2_1"
        yield Figure(name=f"{mode}.{name}.of_traffic_limit{suffix}", value=ratio / limit, unit="1",
                     target=f">= {promised}" if promise else None, config=settings)


def hits(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Leaf hits: every leaf of a small range is in the cache after its first use."""
    records = generate("random", count=LINES, footprint_bytes=HOT, seed=1)
    bare = run(config, "bare", records, PLAYER, report, "hit_read")
    for mode in ("integrity", "full"):
        result = run(config, mode, records, PLAYER, report, "hit_read")
        yield Figure(
            name=f"{mode}.hit_read.bandwidth_ratio", value=bare.cycles / result.cycles, unit="1",
            target=">= 0.98" if mode == "full" else None, config=config_of(result) | {
                "workload": "random", "lines": LINES, "footprint_bytes": HOT,
                "cycles": result.cycles, "bare_cycles": bare.cycles})
    latency = preset("latency")
    records = generate("chase", count=2000, footprint_bytes=HOT // 16, seed=1, distance=100)
    cycles = {}
    for mode in ("bare", "xts", "integrity", "full"):
        result = run(latency, mode, records, ONE, report, "idle_read_hit", "fixed-latency")
        cycles[mode] = usual(result)
        if mode in ("integrity", "full"):
            yield Figure(
                name=f"{mode}.idle_read_hit.added_cycles", unit="cycles",
                value=cycles[mode] - cycles["bare"],
                target=(f"<= {cycles['xts'] - cycles['bare'] + 1}" if mode == "full" else None),
                config=config_of(result) | {"workload": "chase", "lines": 2000,
                                            "footprint_bytes": HOT // 16})


def usual(result: Result) -> int:
    """Return the median latency of a read, up to its last beat."""
    counts = np.cumsum(result.latency["read_last"])
    return int(np.searchsorted(counts, counts[-1] / 2))


def slowdowns(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Dependent reads and random writes over the whole window."""
    for name, kind, share, player, promised in (
            ("pointer_chase", "chase", 1.0, ONE, "<= 1.5"),
            ("random_write", "random", 0.0, PLAYER, "<= 2.0")):
        records = generate(kind, count=LINES // 2, footprint_bytes=WINDOW, seed=1,
                           read_share=share)
        bare = run(config, "bare", records, player, report, name)
        for mode in ("integrity", "full"):
            result = run(config, mode, records, player, report, name)
            yield Figure(
                name=f"{mode}.{name}.slowdown", value=result.cycles / bare.cycles, unit="1",
                target=promised if mode == "full" else None, config=config_of(result) | {
                    "workload": kind, "read_share": share, "lines": LINES // 2,
                    "footprint_bytes": WINDOW, "cycles": result.cycles,
                    "bare_cycles": bare.cycles,
                    "traffic_limit": round(result.traffic_limit or 0, 4)})
            if name == "pointer_chase" and mode == "full":
                yield cold_read(config, bare, result)


def cold_read(config: EngineConfig, bare: Result, result: Result) -> Figure:
    """Return the usual latency of a read whose leaf is not in the cache, less the cryptography.

    One tweak and one decryption follow the leaf whatever the depth; the checks of leaf and nodes
    run beside them.
    """
    tree = config_of_mode(config, "full")
    assert tree.tree is not None
    rounds = tree.aes_rounds
    cryptography = {
        "tweak": rounds + 2,
        "decryption": rounds * tree.data_cipher.registers_per_round + 1,
    }
    spent = sum(cryptography.values())
    return Figure(
        name="full.cold_read.dram_latencies", unit="1", target="<= 1.5",
        value=(usual(result) - spent) / usual(bare), config=config_of(result) | {
            "latency_cycles": usual(result), "dram_latency_cycles": usual(bare),
            "cryptography_cycles": cryptography})
