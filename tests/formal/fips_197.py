"""The steps of AES as FIPS 197 defines them, byte by byte: what the hardware's are proven equal to.

Bit and byte order: byte i of a block is bits 8i to 8i+7; row r of column c is byte r + 4c. Nothing
here comes from ``casemate``.
"""

from functools import reduce
from operator import xor

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory


def multiply(a: int, b: int) -> int:
    """Multiply two numbers as bytes: section 4.2."""
    total = reduce(xor, (a << bit for bit in range(8) if b >> bit & 1), 0)
    for bit in range(15, 7, -1):
        total ^= 0x11B << bit - 8 if total >> bit & 1 else 0
    return total


def sbox() -> list[int]:
    """Return the table of section 5.1.1: equation 5.2 of what multiplies with a byte to 1."""
    table = []
    for a in range(256):
        b = next((b for b in range(256) if multiply(a, b) == 1), 0)
        bits = [b >> bit & 1 for bit in range(8)]
        table.append(0x63 ^ sum(
            reduce(xor, (bits[(bit + by) % 8] for by in (0, 4, 5, 6, 7))) << bit
            for bit in range(8)))
    return table


SBOX = sbox()
INVERSE_SBOX = [SBOX.index(byte) for byte in range(256)]


def affine(a: Value) -> Value:
    """Equation 5.2: bit i is the sum of bits i, i+4, i+5, i+6, i+7 and of bit i of 0x63."""
    return Cat(reduce(xor, (a[(bit + by) % 8] for by in (0, 4, 5, 6, 7)))
               for bit in range(8)) ^ 0x63


def times(m: Module, a: Value, factor: int) -> Value:
    """Multiply a byte by a constant: section 4.2, one doubling after another."""
    total, power = Const(0, 8), a
    while factor:
        if factor & 1:
            total = total ^ power
        following = Signal(8)
        m.d.comb += following.eq((power << 1)[:8] ^ Mux(power[7], 0x1B, 0))
        power, factor = following, factor >> 1
    return total


def substitute(m: Module, state: Value, table: list[int] = SBOX) -> Value:
    """SubBytes, or InvSubBytes with its table: sections 5.1.1 and 5.3.2."""
    memory = Memory(shape=8, depth=256, init=table)
    m.submodules += memory
    ports = [memory.read_port(domain="comb") for _ in range(len(state) // 8)]
    m.d.comb += [port.addr.eq(state.word_select(place, 8)) for place, port in enumerate(ports)]
    return Cat(port.data for port in ports)


def shift(state: Value, *, inverse: bool) -> Value:
    """ShiftRows and InvShiftRows: sections 5.1.2 and 5.3.1."""
    turn = -1 if inverse else 1
    return Cat(state.word_select(row + 4 * ((column + turn * row) % 4), 8)
               for column in range(4) for row in range(4))


def mix(m: Module, state: Value, *, inverse: bool) -> Value:
    """MixColumns and InvMixColumns: sections 5.1.3 and 5.3.3."""
    first = (14, 11, 13, 9) if inverse else (2, 3, 1, 1)
    mixed = Signal(128)
    m.d.comb += mixed.eq(Cat(
        reduce(xor, (times(m, state.word_select((row + place) % 4 + 4 * column, 8), coefficient)
                     for place, coefficient in enumerate(first)))
        for column in range(4) for row in range(4)))
    return mixed
