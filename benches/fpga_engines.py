"""Whole engines, placed and routed: whether they fit, and how fast they are."""

from collections.abc import Iterator

from casemate.config import EngineConfig, preset
from casemate_sim.figures import Figure
from casemate_sim.modes import with_fuses, with_tree
from casemate_sim.synthesis.devices import Target
from casemate_sim.synthesis.implementation import engine_design
from fpga_common import BIG, FAST, SMALL, Measure, figure_config

LARGE = with_fuses(preset("compact"))
ENGINES: dict[str, tuple[EngineConfig, Target, float, float | None]] = {
    "tiny": (with_tree(preset("tiny")), SMALL, 0, None),
    "compact.grade_6": (LARGE, BIG, 25, 110),
    "compact.grade_8": (LARGE, FAST, 25, 140),
}
"""By name: configuration, target, share of LUTs in percent that must be free, MHz to reach."""


def figures(measure: Measure) -> Iterator[Figure]:
    """Measure each engine in the mode `full`."""
    for name, (config, target, free, frequency) in ENGINES.items():
        result = measure(engine_design(config), target)
        details = figure_config(result) | {"failure": result.failure}
        capacity = target.device.capacity.luts
        yield Figure(name=f"fpga.engine.{name}.luts", value=result.usage.luts, unit="LUT4",
                     config=details, target=f"<= {capacity}")
        yield Figure(name=f"fpga.engine.{name}.luts_free_percent", unit="%", config=details,
                     value=round(100 * (1 - result.usage.luts / capacity), 1),
                     target=f">= {free:g}")
        yield Figure(name=f"fpga.engine.{name}.block_rams", value=result.usage.block_rams,
                     unit="1", config=details, target=f"<= {target.device.capacity.block_rams}")
        if result.slowest_mhz is not None:
            yield Figure(name=f"fpga.engine.{name}.fmax_mhz", value=result.slowest_mhz,
                         unit="MHz", config=details,
                         target=None if frequency is None else f">= {frequency:g}")
