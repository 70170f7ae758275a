"""Collects the boot nonce from the words of the entropy source."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..entropy.words import ENTROPY_BITS
from .kdf import NONCE_BITS

__all__ = ["NonceCollector"]


class NonceCollector(wiring.Component):
    """Takes as many words as make one nonce, and then no more until reset.

    Members
    -------
    i: In(stream.Signature(32))
        Words that passed the health tests. The first one is bytes 0 to 3 of the nonce, its byte 0
        the lowest.
    o: Out(stream.Signature(128))
        The nonce, once.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(ENTROPY_BITS)), "o": Out(stream.Signature(NONCE_BITS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nonce, taken = Signal(NONCE_BITS), Signal()
        words = NONCE_BITS // ENTROPY_BITS
        count = Signal(range(words + 1))
        m.d.comb += [
            self.i.ready.eq(count != words), self.o.valid.eq((count == words) & ~taken),
            self.o.payload.eq(nonce),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [nonce.eq(Cat(nonce[ENTROPY_BITS:], self.i.payload)), count.eq(count + 1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [taken.eq(1), nonce.eq(0)]
        return m
