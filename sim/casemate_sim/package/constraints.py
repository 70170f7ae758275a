"""Timing constraints for a package: of the clock, and of the one asynchronous input."""

from __future__ import annotations

from collections.abc import Mapping

from casemate_sim.exported import CLOCK, Port

__all__ = ["lpf", "sdc"]

_ASYNCHRONOUS = ("tamper",)
"""Inputs that belong to no clock; a synchroniser is behind each."""


def sdc(ports: Mapping[str, Port], *, mhz: float) -> str:
    """Return the constraints in the format that Synopsys' tools, Vivado and OpenSTA read.

    Parameters
    ----------
    ports:
        The engine's ports, by name.
    mhz:
        Frequency of its clock in megahertz.
    """
    lines = [
        "# For the engine as the top of a design, or out of context. In a design whose clock is",
        "# constrained at its source, leave create_clock away.",
        f"create_clock -name {CLOCK} -period {1000 / mhz:.3f} [get_ports {CLOCK}]",
    ]
    for name in _ASYNCHRONOUS:
        if name in ports:
            lines += ["# Of any clock: two flip-flops catch it.",
                      f"set_false_path -from [get_ports {name}]"]
    return "\n".join([*lines, ""])


def lpf(*, mhz: float) -> str:
    """Return the constraint in the format that nextpnr and Lattice Diamond read.

    Parameters
    ----------
    mhz:
        Frequency of the engine's clock in megahertz.
    """
    return ("# For the engine as the top of a design. In a larger one, name the net of its clock:\n"
            f'# FREQUENCY NET "..." {mhz:g} MHZ;\n'
            f'FREQUENCY PORT "{CLOCK}" {mhz:g} MHZ;\n')
