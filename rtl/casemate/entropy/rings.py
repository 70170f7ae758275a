"""A noise source of ring oscillators, for ECP5; and a seeded stand-in, for simulation only."""

from functools import reduce
from operator import xor

from amaranth import Cat, Instance, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .words import ENTROPY_BITS

__all__ = ["RingOscillators", "SeededSource"]

_INVERTER = 0x5555  # LUT4: not A, whatever B, C and D
_GATE = 0x7777  # LUT4: not (A and B)


class RingOscillators(wiring.Component):
    """Free-running rings of look-up tables, sampled by the clock and folded into words.

    Each ring is an odd number of inverting LUT4s; ring n has ``stages + 2 * (n % 3)`` of them, so
    that rings do not lock to each other. Two flip-flops catch each; the parity of all is a bit. A
    word is 32 times ``fold`` samples, each bit the parity of ``fold`` of them: one word every ``32
    * fold`` cycles.

    The jitter that a sample gathers depends on the device: measure it, and claim what was measured
    in ``HealthTests``. Cutting a ring would be synthesis's wish: each LUT is kept by attribute.
    Tools report the rings as combinational loops, which they are meant to be.

    Parameters
    ----------
    rings:
        Number of rings.
    stages:
        Inverters of the shortest, odd.
    fold:
        Samples of a bit.

    Members
    -------
    enable: In(1)
        Low: the rings stand still.
    o: Out(stream.Signature(32))
        A word that is not taken in time is replaced by the next.
    """

    o: stream.Interface

    def __init__(self, *, rings: int = 8, stages: int = 3, fold: int = 8):
        if rings < 1 or stages < 3 or stages % 2 == 0 or fold < 1:
            raise ValueError(f"rings = {rings}, stages = {stages}, fold = {fold} are not possible: "
                             "at least 1, an odd number of at least 3, at least 1")
        self._rings = rings
        self._stages = stages
        self._fold = fold
        super().__init__({"enable": In(1), "o": Out(stream.Signature(ENTROPY_BITS))})

    def _ring(self, m: Module, number: int) -> Signal:
        """Build one ring; return its output, which no clock knows."""
        stages = self._stages + 2 * (number % 3)
        nets = [Signal(name=f"ring_{number}_{stage}", attrs={"keep": 1})
                for stage in range(stages)]
        for stage in range(stages):
            gate = stage == 0
            m.submodules[f"ring_{number}_{stage}"] = Instance(
                "LUT4", ("p", "INIT", _GATE if gate else _INVERTER), ("a", "keep", 1),
                ("i", "A", nets[stage - 1]), ("i", "B", self.enable if gate else 0),
                ("i", "C", 0), ("i", "D", 0), ("o", "Z", nets[stage]))
        return nets[-1]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        caught = []
        for number in range(self._rings):
            first, second = Signal(name=f"first_{number}"), Signal(name=f"second_{number}")
            m.d.sync += [first.eq(self._ring(m, number)), second.eq(first)]
            caught.append(second)
        parity: Value = reduce(xor, caught)
        folded = Signal()
        samples = Signal(range(self._fold))
        bits = Signal(range(ENTROPY_BITS))
        word = Signal(ENTROPY_BITS)
        bit = Mux(samples == 0, 0, folded) ^ parity
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.enable):
            m.d.sync += [folded.eq(bit), samples.eq(samples + 1)]
            with m.If(samples == self._fold - 1):
                following = Cat(word[1:], bit)
                m.d.sync += [samples.eq(0), word.eq(following), bits.eq(bits + 1)]
                with m.If((bits == ENTROPY_BITS - 1) & (self.o.ready | ~self.o.valid)):
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(following)]
        return m


class SeededSource(wiring.Component):
    """Words that look random and are not: a xorshift generator. For simulation only.

    One word per cycle. Whoever puts it into a chip has a chip without secrets.

    Parameters
    ----------
    seed:
        First state, not 0.

    Members
    -------
    o: Out(stream.Signature(32))
    """

    o: stream.Interface

    def __init__(self, seed: int):
        if not 0 < seed < 1 << ENTROPY_BITS:
            raise ValueError(f"seed = {seed} is not possible: 1 to 2^32 - 1")
        self._seed = seed
        super().__init__({"o": Out(stream.Signature(ENTROPY_BITS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(ENTROPY_BITS, init=self._seed)
        left, right = Signal(ENTROPY_BITS), Signal(ENTROPY_BITS)
        m.d.comb += [
            left.eq(state ^ (state << 13)), right.eq(left ^ (left >> 17)),
            self.o.valid.eq(1), self.o.payload.eq(state),
        ]
        with m.If(self.o.ready):
            m.d.sync += state.eq(right ^ (right << 5))
        return m
