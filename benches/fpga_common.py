"""What the benches of placed and routed designs share."""

from collections.abc import Callable
from typing import Any

from casemate_sim.synthesis.devices import Placer, Target, find_device
from casemate_sim.synthesis.flow import Design
from casemate_sim.synthesis.implementation import Implementation
from casemate_sim.synthesis.pins import folding_luts

__all__ = ["BIG", "BIG_AND_FULL", "FAST_AND_FULL", "SMALL", "Measure", "core_luts",
           "figure_config"]

Measure = Callable[[Design, Target], Implementation]
"""Places and routes a design with the seeds of this run."""


def _target(device: str, grade: str, frequency_mhz: float, **how: Any) -> Target:
    return Target(device=find_device(device), package="CABGA381", grade=grade,
                  frequency_mhz=frequency_mhz, **how)


SMALL = _target("LFE5U-25F", "6", 25, placer=Placer.STATIC)
"""A small device, for learners, which an engine nearly fills."""

BIG = _target("LFE5U-85F", "6", 160)
"""A large one, slowest grade; the frequency is out of reach, so that nextpnr does all it can."""

_FULL = {"placer": Placer.STATIC, "ram_registers": True, "timing_driven": False}

BIG_AND_FULL = _target("LFE5U-85F", "6", 12, **_FULL)
"""The same for what leaves little room: it must be routed before it can be fast."""

FAST_AND_FULL = _target("LFE5UM5G-85F", "8", 12, **_FULL)
"""The same size in the fastest grade."""


def core_luts(result: Implementation, outputs: int) -> int:
    """Return the LUTs of a core with that many bits of outputs, without the shift registers.

    By number, not by name: what others wrote in Verilog is hardly named any more.
    """
    return result.mapped.luts - folding_luts(outputs)


def figure_config(result: Implementation) -> dict[str, object]:
    """Return what is needed to measure a design again, what it uses, and each seed's frequency."""
    return {"config": result.name, **result.target.as_dict(), **result.usage.as_dict(),
            "seeds": [each.seed for each in result.routed],
            "fmax_mhz": [min(each.fmax_mhz.values()) for each in result.routed],
            "unrouted": [each.seed for each in result.unrouted],
            "versions": result.versions}
