"""Single errors corrected, double errors detected: the extended Hamming code (39, 32).

Bit order of a stored word: 0 to 31 data, 32 to 37 the check bits of the Hamming positions 1, 2, 4,
8, 16 and 32, 38 the parity of all other bits. Data bits take the positions 3, 5, 6, 7, 9 and so on
up to 38 in order. A blank word, all zeros, is the codeword of 0; all ones is no codeword and no bit
away from one: its syndrome is 39.
"""

from functools import reduce
from operator import xor

from amaranth import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..aes.round import named

__all__ = ["CHECK_BITS", "DATA_BITS", "WORD_BITS", "Decoder", "encode"]

DATA_BITS = 32
CHECK_BITS = 7
WORD_BITS = DATA_BITS + CHECK_BITS

_HAMMING_BITS = CHECK_BITS - 1
_POSITIONS = tuple(n for n in range(1, WORD_BITS) if n & (n - 1))  # of the data bits
assert len(_POSITIONS) == DATA_BITS


def encode(data: Value) -> Value:
    """Compute the 39 bits that are stored for 32 bits of data."""
    hamming = Cat(
        reduce(xor, (data[bit] for bit, place in enumerate(_POSITIONS) if place >> check & 1))
        for check in range(_HAMMING_BITS))
    return Cat(data, hamming, data.xor() ^ hamming.xor())


class Decoder(wiring.Component):
    """Corrects a stored word. Combinational: latency 0 cycles.

    Members
    -------
    word: In(39)
        As stored.
    data: Out(32)
        Corrected; zero with ``bad``.
    corrected: Out(1)
        One bit was wrong: of the data or of the check bits.
    bad: Out(1)
        Two bits are wrong, or more.
    blank: Out(1)
        The word stands for zero.
    erased: Out(1)
        All bits are ones, or all but one; such a word is ``bad``.
    """

    def __init__(self):
        super().__init__({
            "word": In(WORD_BITS), "data": Out(DATA_BITS), "corrected": Out(1), "bad": Out(1),
            "blank": Out(1), "erased": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.word
        data = word[:DATA_BITS]
        expected = named(m, encode(data))
        syndrome = named(m, expected[DATA_BITS:-1] ^ word[DATA_BITS:-1])
        odd = named(m, word.xor())
        found = named(m, Cat(syndrome == place for place in _POSITIONS))
        missing = named(m, ~word)
        m.d.comb += [
            self.corrected.eq(odd & (syndrome < WORD_BITS)),
            self.bad.eq(Mux(odd, syndrome >= WORD_BITS, syndrome != 0)),
            self.data.eq(Mux(self.bad, 0, data ^ Mux(odd, found, Const(0, DATA_BITS)))),
            self.blank.eq(~self.bad & (self.data == 0)),
            self.erased.eq((missing & (missing - 1)[:WORD_BITS]) == 0),
        ]
        return m
