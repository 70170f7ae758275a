"""SubBytes and InvSubBytes of a block, in three constructions (FIPS 197 sections 5.1.1, 5.3.2).

Bit and byte order: byte i of the state is bits 8i to 8i+7.
"""

from functools import reduce
from operator import xor

from amaranth import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import SBox
from . import field
from .round import named

__all__ = ["SubBytes", "sbox_logic"]


def _matrix(columns: tuple[int, ...], bits: Value, constant: int = 0) -> Value:
    """Multiply a bit matrix with a vector of signals and add a constant."""
    return Cat(
        reduce(xor, (bits[bit] for bit, column in enumerate(columns) if column >> row & 1))
        ^ (constant >> row & 1)
        for row in range(len(bits)))


def _multiply_4(a: Value, b: Value) -> Value:
    """Multiply in GF(2^4): each bit is a sum of products of bits."""
    return Cat(
        reduce(xor, (a[i] & b[j] for i in range(4) for j in range(4)
                     if field.multiply_4(1 << i, 1 << j) >> bit & 1))
        for bit in range(4))


def _function_4(function, a: Value) -> Value:
    """Compute a function of four bits, each bit of the result from its truth table."""
    return Cat(
        Cat(Const(function(value) >> bit & 1, 1) for value in range(16)).bit_select(a, 1)
        for bit in range(4))


def sbox_logic(m: Module, a: Value, *, inverse: bool) -> Value:
    """Compute one byte's S-box by inversion in the composite field.

    Parameters
    ----------
    m:
        Module that gets the intermediate signals.
    a:
        8 bits.
    inverse:
        InvSubBytes instead of SubBytes.
    """
    into = field.AES_TO_COMPOSITE
    offset = 0
    if inverse:
        # First undo the affine map: fold its inverse into the change of basis.
        undo = {field.affine(value): value for value in range(256)}
        into = tuple(field.apply_matrix(into, undo[1 << bit]) for bit in range(8))
        offset = field.apply_matrix(into, 0x63)
    composite = named(m, _matrix(into, named(m, a), offset))
    low, high = composite[:4], composite[4:]
    total = named(m, high ^ low)
    norm = named(m, _function_4(
        lambda v: field.multiply_4(field.multiply_4(v, v), field.NU), high)
        ^ _multiply_4(high, low) ^ _function_4(lambda v: field.multiply_4(v, v), low))
    inverted = named(m, _function_4(field.inverse_4, norm))
    result = named(m, Cat(_multiply_4(total, inverted), _multiply_4(high, inverted)))
    if inverse:
        return _matrix(field.COMPOSITE_TO_AES, result)
    back = tuple(field.affine(column) for column in field.COMPOSITE_TO_AES)
    return _matrix(back, result, 0x63)


class SubBytes(wiring.Component):
    """The S-box of all 16 bytes of a state.

    Latency: 0 cycles (``table``, ``logic``) or 1 cycle (``block_ram``, whose RAM holds its output
    while ``enable`` is low). Throughput: one state per cycle.

    Parameters
    ----------
    construction:
        How the S-box is built.
    inverse:
        InvSubBytes instead of SubBytes.

    Members
    -------
    i: In(128)
    o: Out(128)
    """

    def __init__(self, construction: SBox, *, inverse: bool):
        self._construction = construction
        self._inverse = inverse
        super().__init__({"i": In(128), "o": Out(128)})

    @property
    def latency(self) -> int:
        """Cycles from `i` to `o`."""
        return 1 if self._construction is SBox.BLOCK_RAM else 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table = field.inverse_sbox() if self._inverse else field.sbox()
        if self._construction is SBox.LOGIC:
            m.d.comb += self.o.eq(Cat(
                sbox_logic(m, self.i.word_select(byte, 8), inverse=self._inverse)
                for byte in range(16)))
            return m
        synchronous = self._construction is SBox.BLOCK_RAM
        # Two bytes share a ROM: a block RAM has two ports.
        for pair in range(8):
            rom = Memory(shape=8, depth=256, init=table)
            m.submodules[f"rom_{pair}"] = rom
            for byte in (2 * pair, 2 * pair + 1):
                port = rom.read_port(domain="sync" if synchronous else "comb")
                m.d.comb += [port.addr.eq(self.i.word_select(byte, 8)),
                             self.o.word_select(byte, 8).eq(port.data)]
        return m
