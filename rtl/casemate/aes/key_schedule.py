"""Key expansion in hardware (FIPS 197 section 5.2).

Bit and byte order: byte i of a key or a round key is bits 8i to 8i+7.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .sbox import sbox_logic

__all__ = ["KeyExpander"]


class KeyExpander(wiring.Component):
    """One key at a time, one round key per cycle; the first in the cycle after the transfer.

    Both directions use these round keys (see ``cipher``). After the last one the expander is ready
    again, and holds zeros.

    Parameters
    ----------
    aes_bits:
        Key size: 128 or 256.
    tag:
        Shape of what accompanies a key unchanged.

    Members
    -------
    i: In(stream.Signature({"key": aes_bits, "tag": tag}))
    o: Out(stream.Signature({"round": 4, "value": 128, "tag": tag}, always_ready=True))
        Round keys 0 to 10 (AES-128) or 14 (AES-256), in order.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, aes_bits: int, tag: ShapeLike):
        self._aes_bits = aes_bits
        self._rounds = {128: 10, 256: 14}[aes_bits]
        self._tag = tag
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"key": aes_bits, "tag": tag}))),
            "o": Out(stream.Signature(
                data.StructLayout({"round": 4, "value": 128, "tag": tag}), always_ready=True)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        long = self._aes_bits == 256
        busy = Signal()
        number = Signal(4)
        window = Signal(self._aes_bits)  # this round key, and the next one where keys are long
        constant = Signal(8, init=1)
        tag = Signal(self._tag)

        words = [window.word_select(n, 32) for n in range(self._aes_bits // 32)]
        # Of a long key, every second round key is derived without rotation and constant.
        plain = number[0] if long else 0
        rotated = Cat(words[-1][8:], words[-1][:8])
        substituted = sbox_logic(m, Mux(plain, words[-1], rotated), inverse=False)
        following = [words[0] ^ substituted ^ Mux(plain, 0, constant)]
        for word in words[1:4]:
            following.append(word ^ following[-1])

        m.d.comb += [
            self.i.ready.eq(~busy),
            self.o.valid.eq(busy), self.o.payload.round.eq(number),
            self.o.payload.value.eq(window[:128]), self.o.payload.tag.eq(tag),
        ]
        with m.If(busy):
            m.d.sync += [
                number.eq(number + 1),
                window.eq(Cat(window[128:], *following)),
            ]
            with m.If(~plain if long else 1):
                m.d.sync += constant.eq((constant << 1) ^ Mux(constant[7], 0x11B, 0))
            with m.If(number == self._rounds):
                m.d.sync += [busy.eq(0), number.eq(0), window.eq(0), constant.eq(1)]
        with m.Elif(self.i.valid):
            m.d.sync += [
                busy.eq(1), window.eq(self.i.payload.key), tag.eq(self.i.payload.tag)]
        return m
