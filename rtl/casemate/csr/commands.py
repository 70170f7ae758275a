"""Registers that start something."""

import enum
from typing import Any

from amaranth import Module, Signal, Value

__all__ = ["choose_command", "end_of"]


def choose_command(m: Module, register: Any, commands: type[enum.Enum],
                   busy: Value) -> tuple[Signal, Signal]:
    """Wire a register with a bit for each command, of which one goes on at a time.

    Returns
    -------
    The command that was started last, from the next cycle on; and a pulse in the cycle in which one
    is started, which never comes while it is ``busy``.
    """
    current, start = Signal(commands), Signal()
    for each in commands:
        name = each.name.lower()
        m.d.comb += getattr(register, f"{name}_busy").eq(busy & (current == each))
        with m.If(~busy & getattr(register, f"{name}_start")):
            m.d.comb += start.eq(1)
            m.d.sync += current.eq(each)
    return current, start


def end_of(m: Module, busy: Value) -> Signal:
    """Return the pulse in the first cycle in which it is not ``busy`` any more."""
    was_busy, end = Signal(), Signal()
    m.d.comb += end.eq(was_busy & ~busy)
    m.d.sync += was_busy.eq(busy)
    return end
