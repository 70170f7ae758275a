"""Asynchronous serial line, 8 data bits, no parity, 1 stop bit; the lowest bit first."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["LEAST_CYCLES_PER_BIT", "Receiver", "Transmitter"]

LEAST_CYCLES_PER_BIT = 4
"""Fewer, and a bit's middle cannot be met."""


def _checked(cycles_per_bit: int) -> int:
    if cycles_per_bit < LEAST_CYCLES_PER_BIT:
        raise ValueError(f"cycles_per_bit = {cycles_per_bit} is not possible: "
                         f"{LEAST_CYCLES_PER_BIT} or more")
    return cycles_per_bit


class Transmitter(wiring.Component):
    """Sends bytes, one every ``10 * cycles_per_bit`` cycles.

    Parameters
    ----------
    cycles_per_bit:
        Clock cycles of a bit, at least 4.

    Members
    -------
    i: In(stream.Signature(8))
    line: Out(1)
        High while nothing is sent.
    """

    i: stream.Interface

    def __init__(self, cycles_per_bit: int):
        self._cycles = _checked(cycles_per_bit)
        super().__init__({"i": In(stream.Signature(8)), "line": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Build the shift register of start bit, data and stop bit."""
        m = Module()
        rest = Signal(9, init=~0)  # what follows the bit on the line
        bits = Signal(range(11))
        cycles = Signal(range(self._cycles))
        m.d.comb += self.i.ready.eq(bits == 0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.line.eq(0), rest.eq(Cat(self.i.payload, Const(1, 1))), bits.eq(10),
                         cycles.eq(self._cycles - 1)]
        with m.Elif(cycles != 0):
            m.d.sync += cycles.eq(cycles - 1)
        with m.Elif(bits != 0):
            m.d.sync += [self.line.eq(rest[0]), rest.eq(Cat(rest[1:], Const(1, 1))),
                         bits.eq(bits - 1), cycles.eq(self._cycles - 1)]
        return m


class Receiver(wiring.Component):
    """Takes bytes off the line; one whose stop bit is not high is dropped.

    A bit counts as it is in its middle. A start bit that has gone by then was noise.

    Parameters
    ----------
    cycles_per_bit:
        Clock cycles of a bit, at least 4.

    Members
    -------
    line: In(1)
        Of any clock.
    o: Out(stream.Signature(8))
        A byte that is not taken before the next one is complete is lost.
    """

    o: stream.Interface

    def __init__(self, cycles_per_bit: int):
        self._cycles = _checked(cycles_per_bit)
        super().__init__({"line": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        """Build what waits for the start bit and then looks once per bit."""
        m = Module()
        level = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.line, level, init=1)
        was = Signal(init=1)
        bits = Signal(range(11))  # that are still to be looked at, stop bit included
        cycles = Signal(range(self._cycles))
        byte = Signal(8)
        m.d.sync += was.eq(level)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(bits == 0):
            with m.If(was & ~level):
                m.d.sync += [bits.eq(10), cycles.eq((self._cycles - 1) // 2)]
        with m.Elif(cycles != 0):
            m.d.sync += cycles.eq(cycles - 1)
        with m.Else():
            m.d.sync += [cycles.eq(self._cycles - 1), bits.eq(bits - 1)]
            with m.If((bits == 10) & level):
                m.d.sync += bits.eq(0)
            with m.Elif(bits == 1):
                # The line is free from the middle of the stop bit on.
                with m.If(level & (self.o.ready | ~self.o.valid)):
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(byte)]
            with m.Else():
                m.d.sync += byte.eq(Cat(byte[1:], level))
        return m
