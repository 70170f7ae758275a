"""What the mode `full` costs as the memory, and as the metadata cache, grows; draws both.

``python benches/sizes.py FILE`` draws the stored results.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from casemate.config import GIB, KIB, LINE_BYTES, MIB, EngineConfig
from casemate_sim.figures import Figure
from casemate_sim.modes import with_tree
from casemate_sim.player_config import PlayerConfig
from casemate_sim.plot import draw_sizes
from casemate_sim.simulate import simulate
from casemate_sim.trace import load
from casemate_sim.traces import shipped
from casemate_sim.workload import generate
from common import Report, config_of, stored

LINES = 20_000
RECORDS = 20_000
MEMORIES = (MIB, 128 * MIB, 64 * GIB)
CACHES = (4 * KIB, 32 * KIB, 256 * KIB)
PLAYER = PlayerConfig()


def with_cache(config: EngineConfig, size: int) -> EngineConfig:
    """Return a configuration whose metadata cache has `size` bytes."""
    tree = with_tree(config).tree
    assert tree is not None
    return config.replace(tree=replace(
        tree, cache_sets=size // (LINE_BYTES * tree.cache_ways)))


def figures(config: EngineConfig, report: Report) -> Iterator[Figure]:
    """Measure random lines, two reads to a write, over all of a memory; a program, by the cache."""
    for size in MEMORIES:
        records = generate("random", count=LINES, footprint_bytes=size, seed=1, read_share=2 / 3)
        yield slowdown(with_tree(config.replace(data_bytes=size)), records, report,
                       f"full.random.slowdown.memory_{size // MIB}_mib")
    records = load(shipped()["sqlite_index"]).records[:RECORDS]
    for size in CACHES:
        yield slowdown(with_cache(config, size), records, report,
                       f"full.sqlite_index.slowdown.cache_{size // KIB}_kib")


def slowdown(config: EngineConfig, records: np.ndarray, report: Report, name: str) -> Figure:
    """Compare the mode `full` with the bare wire."""
    report(name)
    bare, result = (simulate(records, config=config, mode=mode, dram="ddr3-1066", player=PLAYER)
                    for mode in ("bare", "full"))
    if not result.ok:
        raise RuntimeError(f"{name}: wrong data, error responses or alarms")
    return Figure(name=name, value=result.cycles / bare.cycles, unit="1",
                  config=config_of(result) | {"data_bytes": config.data_bytes,
                                              "cycles": result.cycles, "bare_cycles": bare.cycles,
                                              "records": len(records), "levels": config.levels,
                                              "hit_rate": result.hit_rate,
                                              "traffic_limit": result.traffic_limit})


def main(output: Annotated[Path, typer.Argument(help="Picture: .png, .svg or .pdf.")]) -> None:
    """Draw the stored results."""
    memory = {int(match[1]) * MIB: value for match, value in stored(
        r"full\.random\.slowdown\.memory_(\d+)_mib")}
    cache = {int(match[1]) * KIB: value for match, value in stored(
        r"full\.sqlite_index\.slowdown\.cache_(\d+)_kib")}
    draw_sizes(dict(sorted(memory.items())), dict(sorted(cache.items())), output)


if __name__ == "__main__":
    typer.run(main)
