"""Multiplication in the field of GHASH (SP 800-38D section 6.3), one product per cycle.

Bit order, here and in ``ghash``. Byte i of a block is bits 8i to 8i+7, and bit 7 of a byte is its
most significant. The standard counts from the other end: bit k of a block, the coefficient of x^k,
starts at the most significant bit of byte 0. So the coefficient of x^k is bit ``7 - k % 8`` of byte
``k // 8``: each byte is mirrored, which is wiring. ``mirror`` does it once where a block enters and
once where a result leaves; in between bit k is the coefficient of x^k.

The modulus is x^128 + x^7 + x^2 + x + 1.
"""

from collections.abc import Callable

from amaranth import Cat, Module, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..aes.round import named

__all__ = ["Multiplier", "mirror", "multiply_add_digit", "reduce_product"]

_LEAF_BITS = 16


def mirror(block: Value) -> Value:
    """Exchange the bit order of a block and that of a polynomial: mirror each byte."""
    return Cat(block[8 * byte + 7 - bit] for byte in range(len(block) // 8) for bit in range(8))


def reduce_product(m: Module, product: Value) -> Signal:
    """Reduce a polynomial of up to 255 bits modulo the field's polynomial: a few XORs a bit."""
    low, high = product[:128], named(m, product[128:])
    folded = named(m, high ^ high << 1 ^ high << 2 ^ high << 7)
    over = folded[128:]  # what the first step pushed out again, at most 6 bits
    return named(m, (low ^ folded[:128] ^ over ^ over << 1 ^ over << 2 ^ over << 7)[:128])


def multiply_add_digit(m: Module, total: Value, a: Value, digit: Value) -> Signal:
    """Compute ``total * x^n + a * digit`` in the field, for a digit of n bits: Horner's rule."""
    value = total << len(digit)
    for bit in range(len(digit)):
        value = value ^ (a & digit[bit].replicate(len(a))) << bit
    return reduce_product(m, named(m, value))


def _product(m: Module, a: Value, b: Value, operand: Callable[[Value], Value],
             hold: Callable[[Value], Value]) -> Value:
    """Multiply polynomials of equal length (Karatsuba).

    Operands of the small products pass through `operand`, the small products through `hold`.
    """
    if len(a) <= _LEAF_BITS:
        a, b = operand(a), operand(b)
        terms = named(m, a & b[0].replicate(len(a)))
        for bit in range(1, len(b)):
            terms = terms ^ (a & b[bit].replicate(len(a))) << bit
        return hold(terms)
    half = len(a) // 2
    low = _product(m, a[:half], b[:half], operand, hold)
    high = _product(m, a[half:], b[half:], operand, hold)
    both = _product(m, named(m, a[:half] ^ a[half:]), named(m, b[:half] ^ b[half:]),
                    operand, hold)
    middle = named(m, both ^ low ^ high)
    return named(m, low ^ middle << half ^ high << 2 * half)


class Multiplier(wiring.Component):
    """Multiplies two elements, both in polynomial order.

    Latency: `stages` cycles. Throughput: one product per cycle; never stalls.

    Karatsuba's method, three levels down to 16 bits: 27 small products instead of 64.

    Parameters
    ----------
    stages:
        Registers: 1, at the output; 2, another behind the small products; 3, another before them.
    tag:
        Shape of what accompanies a product unchanged.

    Members
    -------
    i: In(stream.Signature({"a": 128, "b": 128, "tag": tag}, always_ready=True))
    o: Out(stream.Signature({"product": 128, "tag": tag}, always_ready=True))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, stages: int, tag: ShapeLike):
        if stages not in (1, 2, 3):
            raise ValueError(f"stages must be 1, 2 or 3, not {stages!r}")
        self._stages = stages
        self._tag = tag
        super().__init__({
            "i": In(stream.Signature(
                data.StructLayout({"a": 128, "b": 128, "tag": tag}), always_ready=True)),
            "o": Out(stream.Signature(
                data.StructLayout({"product": 128, "tag": tag}), always_ready=True)),
        })

    @property
    def latency(self) -> int:
        """Cycles from a transfer on `i` to its product on `o`."""
        return self._stages

    def elaborate(self, platform: object) -> Module:
        m = Module()

        def register(value: Value) -> Signal:
            held = Signal(len(value), reset_less=True)
            m.d.sync += held.eq(value)
            return held

        def wire(value: Value) -> Signal:
            return named(m, value)

        product = _product(m, self.i.payload.a, self.i.payload.b,
                           operand=register if self._stages == 3 else wire,
                           hold=register if self._stages >= 2 else wire)
        valid, tag = self.i.valid, self.i.payload.tag
        for _ in range(self._stages):
            next_valid, next_tag = Signal(), Signal(self._tag, reset_less=True)
            m.d.sync += [next_valid.eq(valid), next_tag.eq(tag)]
            valid, tag = next_valid, next_tag
        m.d.comb += [
            self.o.valid.eq(valid), self.o.payload.tag.eq(tag),
            self.o.payload.product.eq(register(reduce_product(m, product))),
        ]
        return m
