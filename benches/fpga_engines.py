"""Whole engines, placed and routed: whether they fit, and how fast they are."""

from collections.abc import Iterator

from casemate.config import EngineConfig, preset
from casemate_sim.figures import Figure
from casemate_sim.modes import with_fuses, with_tree
from casemate_sim.synthesis.devices import Target
from casemate_sim.synthesis.implementation import engine_design
from fpga_common import BIG_AND_FULL, FAST_AND_FULL, SMALL, Measure, figure_config

LARGE = with_fuses(preset("compact"))
ENGINES: dict[str, tuple[EngineConfig, Target, float, float | None]] = {
    "ecp5_25f_6": (with_tree(preset("tiny")), SMALL, 0, None),
    "ecp5_85f_6": (LARGE, BIG_AND_FULL, 0.25, 110),
    "ecp5_85f_8": (LARGE, FAST_AND_FULL, 0.25, 140),
}
"""By size and speed grade of the ECP5: configuration, target, share of its LUTs that must be free,
MHz to reach."""


def figures(measure: Measure) -> Iterator[Figure]:
    """Measure each engine in the mode `full`."""
    for name, (config, target, free, frequency) in ENGINES.items():
        result = measure(engine_design(config), target)
        details = figure_config(result) | {"failure": result.failure}
        capacity = target.device.capacity.luts
        yield Figure(name=f"fpga.{name}.luts", value=result.usage.luts, unit="LUT4",
                     config=details, target=f"<= {capacity}")
        yield Figure(name=f"fpga.{name}.luts_free_share", unit="1", config=details,
                     value=round(1 - result.usage.luts / capacity, 3),
                     target=f">= {free:g}")
        yield Figure(name=f"fpga.{name}.block_rams", value=result.usage.block_rams,
                     unit="1", config=details, target=f"<= {target.device.capacity.block_rams}")
        if result.slowest_mhz is not None:
            yield Figure(name=f"fpga.{name}.fmax_mhz", value=result.slowest_mhz,
                         unit="MHz", config=details,
                         target=None if frequency is None else f">= {frequency:g}")
