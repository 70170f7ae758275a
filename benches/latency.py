"""Cycles that the engine adds to a read on an idle system."""

from collections.abc import Iterator

import numpy as np
from casemate.config import preset
from casemate_sim.dram.timing import timing_preset
from casemate_sim.figures import Figure
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import simulate
from casemate_sim.workload import generate
from common import Report, config_of

LINES = 500
FAST_DRAM = timing_preset("fixed-latency").replace(name="fast_dram", read_latency=12)
TARGETS = {("latency", "plain"): "<= 2", ("latency", "xts"): "<= 14",
           ("ecp5", "plain"): None, ("ecp5", "xts"): "<= 24"}


def figures(report: Report) -> Iterator[Figure]:
    """Measure with one dependent read at a time on DRAM of fixed latency.

    Every read of a run must take the same time; the figure is the difference of that time to the
    bare wire's. ``fast_dram`` answers in 12 cycles, as the DDR3 model does when its row is open:
    then the tweak has little time.
    """
    records = generate("chase", count=LINES, footprint_bytes=LINES * 64, seed=1, distance=100)
    usual = timing_preset("fixed-latency")
    for name, dram in (("latency", usual), ("ecp5", usual),
                       ("latency", FAST_DRAM), ("ecp5", FAST_DRAM)):
        config = preset(name)
        suffix = ("" if name == "latency" else f".{name}") + (
            "" if dram is usual else f".{dram.name}")
        cycles: dict[str, int] = {}
        for mode in ("bare", "plain", "xts"):
            report(f"{mode}, {name}, {dram.name}")
            result = simulate(records, config=config, mode=mode, dram=dram,
                              player=PlayerConfig(outstanding_reads=1, window_instructions=1))
            found = np.flatnonzero(result.latency["read_last"])
            if len(found) != 1 or not result.ok:
                raise RuntimeError(f"{mode}, {name}: latencies {found.tolist()}, errors "
                                   f"{result.data_errors}: the system was not idle")
            cycles[mode] = int(found[0])
            if mode == "bare":
                continue
            yield Figure(
                name=f"{mode}.idle_read.added_cycles{suffix}",
                value=cycles[mode] - cycles["bare"], unit="cycles", target=TARGETS[name, mode],
                config=config_of(result) | {
                    "workload": "chase", "lines": LINES, "cycles": cycles[mode],
                    "bare_cycles": cycles["bare"]})
