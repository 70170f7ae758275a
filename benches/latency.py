"""Cycles that the engine adds to a read on an idle system."""

from collections.abc import Iterator

import numpy as np
from casemate.config import preset
from casemate_sim.figures import Figure
from casemate_sim.simulate import PlayerConfig, simulate
from casemate_sim.workload import generate
from common import Report, config_of

LINES = 500
TARGETS = {("latency", "plain"): "<= 2", ("latency", "xts"): "<= 14",
           ("ecp5", "plain"): None, ("ecp5", "xts"): "<= 24"}


def figures(report: Report) -> Iterator[Figure]:
    """Measure with one dependent read at a time on DRAM of fixed latency.

    Every read of a run must take the same time; the figure is the difference of that time to the
    bare wire's.
    """
    records = generate("chase", count=LINES, footprint_bytes=LINES * 64, seed=1, distance=100)
    for name in ("latency", "ecp5"):
        config = preset(name)
        cycles: dict[str, int] = {}
        for mode in ("bare", "plain", "xts"):
            report(f"{mode}, {name}")
            result = simulate(records, config=config, mode=mode, dram="fixed-latency",
                              player=PlayerConfig(outstanding_reads=1, window_instructions=1))
            found = np.flatnonzero(result.latency["read_last"])
            if len(found) != 1 or not result.ok:
                raise RuntimeError(f"{mode}, {name}: latencies {found.tolist()}, errors "
                                   f"{result.data_errors}: the system was not idle")
            cycles[mode] = int(found[0])
            if mode == "bare":
                continue
            yield Figure(
                name=f"{mode}.idle_read.added_cycles" + ("" if name == "latency" else f".{name}"),
                value=cycles[mode] - cycles["bare"], unit="cycles", target=TARGETS[name, mode],
                config=config_of(result) | {
                    "workload": "chase", "lines": LINES, "cycles": cycles[mode],
                    "bare_cycles": cycles["bare"]})
