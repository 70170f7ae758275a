"""A component between two shift registers: devices have fewer pins than components have ports."""

from __future__ import annotations

from functools import reduce
from operator import xor

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ENGINE", "ShiftedPins", "folding_luts", "output_bits"]

ENGINE = "engine"
"""Name of the submodule that holds the component."""

_FOLDED = 3  # outputs that a LUT takes beside the bit before it


def _ports(component: wiring.Component, flow: wiring.Flow) -> list[Value]:
    """Return the ports of one direction."""
    values = [Value.cast(port)  # pyright: ignore[reportArgumentType]
              for _, member, port in component.signature.flatten(component) if member.flow is flow]
    # Constants are such as the `ready` of an `always_ready` stream.
    return [value for value in values if not isinstance(value, Const)]


def output_bits(component: wiring.Component) -> int:
    """Return how many bits a component puts out."""
    return sum(map(len, _ports(component, wiring.Out)))


def folding_luts(outputs: int) -> int:
    """Return how many LUTs ``ShiftedPins`` has for so many bits of outputs."""
    return -(-outputs // _FOLDED)


class ShiftedPins(wiring.Component):
    """Feeds all ports of a component from one pin and folds what comes out into another.

    Every path of the component begins and ends at a register, as it does in a design where its
    neighbours register what they exchange; nothing is known at synthesis, so nothing is left out.
    The registers in front of it hold what was shifted in before: were they the shift register
    itself, a register of the component that only delays an input would be the next bit of it.

    Parameters
    ----------
    component:
        What is wrapped, as the submodule :data:`ENGINE`.

    Members
    -------
    i: In(1)
        Shifts into the registers of all inputs of the component, one bit per cycle.
    load: In(1)
        The inputs change in the next cycle to what was shifted in.
    o: Out(1)
        Depends on every output of the component.
    """

    i: Signal
    load: Signal
    o: Signal

    def __init__(self, component: wiring.Component):
        self._component = component
        super().__init__({"i": In(1), "load": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Shift in and hold, register what comes out, fold it."""
        m = Module()
        m.submodules[ENGINE] = component = self._component
        inputs, outputs = (_ports(component, flow) for flow in (wiring.In, wiring.Out))
        shifted = Signal(sum(map(len, inputs)), reset_less=True)
        # Of all names that a wire has, Yosys keeps one: it shall be the pins'.
        held = Signal(len(shifted), reset_less=True, attrs={"keep": 1})
        captured = Signal(sum(map(len, outputs)), reset_less=True)
        folded = Signal(folding_luts(len(captured)), reset_less=True)
        m.d.comb += Cat(inputs).eq(held)
        with m.If(self.load):
            m.d.sync += held.eq(shifted)
        m.d.sync += [shifted.eq(Cat(self.i, shifted)), captured.eq(Cat(outputs)),
                     folded.eq((folded << 1) ^ reduce(xor, (
                         captured[first::_FOLDED] for first in range(_FOLDED)))),
                     self.o.eq(folded[-1])]
        return m
