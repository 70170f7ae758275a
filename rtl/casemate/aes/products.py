"""SubBytes and the multiplications of MixColumns in one table (FIPS 197 sections 5.1.3, 5.3.3).

A block RAM yields 16 bits as readily as 8: two products of the substituted byte instead of the byte
itself. They are chosen so that a bit of any product in a mixed column is the sum of three of their
bits at most, mostly of one or two. A mixed bit so has 6 inputs, or 8 where it is decrypted, and the
key: two levels of LUTs.

Bit and byte order: byte i of the state is bits 8i to 8i+7; column c is bytes 4c to 4c+3.
"""

from functools import cache, reduce
from itertools import chain, combinations
from operator import xor

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from . import field
from .round import ONES, named, rotate_columns
from .sbox import look_up

__all__ = ["SubProducts", "mix_products"]

_COEFFICIENTS = {False: (2, 3, 1, 1), True: (14, 11, 13, 9)}
"""What a row of a mixed column takes of the row itself and of those below it; True: inverse."""

_STORED = {False: (1, 2), True: (14, 17)}
"""The two factors whose products are stored; for the inverse, they need the fewest additions."""


def _row_of(factor: int, bit: int) -> int:
    """Return which bits of a byte add up to a bit of its product with a factor."""
    return sum((field.multiply_8(1 << source, factor) >> bit & 1) << source for source in range(8))


@cache
def _terms(coefficient: int, *, inverse: bool) -> tuple[tuple[int, int, int], ...]:
    """Return how a product is made of the stored ones: stored one, shift to the left, result bits.

    The result is the sum of all stored ones, each shifted and with only these bits.
    """
    stored = {(place, bit): _row_of(factor, bit)
              for place, factor in enumerate(_STORED[inverse]) for bit in range(8)}
    masks: dict[tuple[int, int], int] = {}
    for bit in range(8):
        choices = chain.from_iterable(combinations(stored, count) for count in (1, 2, 3))
        for place, source in next(
                chosen for chosen in choices
                if reduce(xor, (stored[each] for each in chosen)) == _row_of(coefficient, bit)):
            masks[place, bit - source] = masks.get((place, bit - source), 0) | 1 << bit
    return tuple((place, shift, mask) for (place, shift), mask in masks.items())


class SubProducts(wiring.Component):
    """Two products of each of the 16 bytes that SubBytes makes of a state.

    Latency: 1 cycle. Throughput: one state per cycle.

    Parameters
    ----------
    inverse:
        InvSubBytes instead of SubBytes.

    Members
    -------
    i: In(128)
    o: Out(ArrayLayout(128, 2))
        What ``mix_products`` takes. Unless inverse, the first is the substituted state itself.
    """

    def __init__(self, *, inverse: bool):
        self._inverse = inverse
        super().__init__({"i": In(128), "o": Out(data.ArrayLayout(128, 2))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sbox = field.inverse_sbox() if self._inverse else field.sbox()
        low, high = _STORED[self._inverse]
        table = [field.multiply_8(byte, high) << 8 | field.multiply_8(byte, low) for byte in sbox]
        found = look_up(m, table, self.i, width=16, synchronous=True)
        m.d.comb += [self.o[place].eq(Cat(word.word_select(place, 8) for word in found))
                     for place in range(2)]
        return m


def mix_products(m: Module, products: data.View, *, inverse: bool) -> Signal:
    """Compute MixColumns, or InvMixColumns, of what ``SubProducts`` looked up. 128 bits."""
    total: list[Value] = []
    for rows, coefficient in enumerate(_COEFFICIENTS[inverse]):
        parts = [(products[place] << shift if shift > 0 else products[place] >> -shift)
                 & ONES * mask
                 for place, shift, mask in _terms(coefficient, inverse=inverse)]
        product = named(m, reduce(xor, parts))
        total.append(rotate_columns(product, rows))
    return named(m, reduce(xor, total))
