"""Between the shift registers, every port of a component can be reached and is seen."""

import pytest
from amaranth import Fragment, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from casemate_sim.synthesis.pins import ShiftedPins, output_bits

OUTPUTS = 5


class Ports(wiring.Component):
    """Outputs of which one shows an input, and a `ready` that is constant."""

    def __init__(self, live=0):
        self._live = live
        super().__init__({"a": In(3), "b": In(2), "x": Out(3), "y": Out(2),
                          "s": In(stream.Signature(1, always_ready=True))})

    def elaborate(self, platform):
        m = Module()
        outputs = [*self.x, *self.y]
        m.d.comb += outputs[self._live].eq(self.a[0])
        return m


def simulate(component, bits, *, load=lambda cycle: True):
    """Shift `bits` in and return the component's inputs, and what came out, in each cycle."""
    top = ShiftedPins(component)
    seen, out = [], []

    async def testbench(ctx):
        for cycle, bit in enumerate(bits):
            ctx.set(top.i, bit)
            ctx.set(top.load, load(cycle))
            await ctx.tick()
            seen.append((ctx.get(component.a), ctx.get(component.b),
                         ctx.get(component.s.payload), ctx.get(component.s.valid)))
            out.append(ctx.get(top.o))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return seen, out


def test_one_bit_passes_through_every_input():
    seen, _ = simulate(Ports(), [1, *[0] * 8])
    assert [sum(value.bit_count() for value in values) for values in seen] == [0] + [1] * 7 + [0]
    for port, width in enumerate((3, 2, 1, 1)):
        assert {values[port] for values in seen} == {0, *(1 << bit for bit in range(width))}


def test_inputs_stay_as_they_are_while_nothing_is_loaded():
    seen, _ = simulate(Ports(), [1] * 12, load=lambda cycle: cycle == 3)
    assert seen[:3] == [(0, 0, 0, 0)] * 3
    assert seen[3:] == [(0b111, 0, 0, 0)] * 9


@pytest.mark.parametrize("live", range(OUTPUTS))
def test_every_output_is_seen_at_the_pin(live):
    _, quiet = simulate(Ports(live), [0] * 20)
    _, loud = simulate(Ports(live), [1, *[0] * 19])
    assert sum(a != b for a, b in zip(quiet, loud, strict=True)) == 1


def test_what_is_constant_is_no_output():
    component = Ports()
    Fragment.get(component, None)  # Amaranth warns of what is made for nothing
    assert output_bits(component) == OUTPUTS
