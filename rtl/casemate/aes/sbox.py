"""SubBytes and InvSubBytes of a block, in three constructions (FIPS 197 sections 5.1.1, 5.3.2).

Bit and byte order: byte i of the state is bits 8i to 8i+7.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import xor

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import SBox
from . import field
from .round import named

__all__ = ["SubBytes", "look_up", "sbox_logic"]


def _sum(m: Module, terms: Iterable[Value], constant: int = 0) -> Signal:
    """Add planes, and a constant bit to every byte of the result."""
    total = reduce(xor, terms)
    return named(m, ~total if constant else total)


def _matrix(m: Module, columns: tuple[int, ...], planes: Sequence[Value],
            constant: int = 0) -> list[Signal]:
    """Multiply a bit matrix with the vector of planes and add a constant."""
    return [
        _sum(m, (plane for plane, column in zip(planes, columns, strict=True)
                 if column >> row & 1), constant >> row & 1)
        for row in range(len(planes))
    ]


def _multiply_4(m: Module, a: Sequence[Value], b: Sequence[Value]) -> list[Signal]:
    """Multiply in GF(2^4): each bit is a sum of products of bits."""
    products = {(i, j): named(m, a[i] & b[j]) for i in range(4) for j in range(4)}
    return [
        _sum(m, (product for (i, j), product in products.items()
                 if field.multiply_4(1 << i, 1 << j) >> bit & 1))
        for bit in range(4)
    ]


def _invert_4(m: Module, a: Sequence[Value]) -> list[Signal]:
    """Invert in GF(2^4): each bit as a sum of products, its algebraic normal form."""
    products = {1 << bit: plane for bit, plane in enumerate(a)}
    for term in range(16):
        if term and term not in products:
            low = term & -term
            products[term] = named(m, products[low] & products[term - low])
    coefficients = [field.inverse_4(value) for value in range(16)]
    for bit in range(4):
        for value in range(16):
            if value >> bit & 1:
                coefficients[value] ^= coefficients[value - (1 << bit)]
    return [
        _sum(m, (products[term] for term in range(1, 16) if coefficients[term] >> bit & 1))
        for bit in range(4)
    ]


def sbox_logic(m: Module, a: Value, *, inverse: bool) -> Value:
    """Compute the S-box of some bytes by inversion in the composite field.

    Bit k of all bytes is one word, a plane, so that each gate is written once for all bytes: short
    Verilog, and fast to simulate.

    Parameters
    ----------
    m:
        Module that gets the intermediate signals.
    a:
        The bytes; their result is as wide.
    inverse:
        InvSubBytes instead of SubBytes.
    """
    count = len(a) // 8
    a = named(m, a)
    planes = [named(m, Cat(a[8 * byte + bit] for byte in range(count))) for bit in range(8)]
    into = field.AES_TO_COMPOSITE
    offset = 0
    if inverse:
        # First undo the affine map: fold its inverse into the change of basis.
        undo = {field.affine(value): value for value in range(256)}
        into = tuple(field.apply_matrix(into, undo[1 << bit]) for bit in range(8))
        offset = field.apply_matrix(into, 0x63)
    composite = _matrix(m, into, planes, offset)
    low, high = composite[:4], composite[4:]
    total = [named(m, x ^ y) for x, y in zip(high, low, strict=True)]
    square = tuple(field.multiply_4(1 << bit, 1 << bit) for bit in range(4))
    scaled = tuple(field.multiply_4(column, field.NU) for column in square)
    norm = [
        named(m, x ^ y ^ z) for x, y, z in zip(
            _matrix(m, scaled, high), _multiply_4(m, high, low), _matrix(m, square, low),
            strict=True)
    ]
    inverted = _invert_4(m, norm)
    result = [*_multiply_4(m, total, inverted), *_multiply_4(m, high, inverted)]
    back, constant = field.COMPOSITE_TO_AES, 0
    if not inverse:
        back, constant = tuple(field.affine(column) for column in back), 0x63
    bits = _matrix(m, back, result, constant)
    return Cat(bits[bit][byte] for byte in range(count) for bit in range(8))


def look_up(m: Module, table: Sequence[int], state: Value, *, width: int,
            synchronous: bool) -> list[Value]:
    """Look each of the 16 bytes of a state up in a table, in ROMs that `m` gets.

    Parameters
    ----------
    m:
        Module that gets the ROMs, under the names ``rom_0`` to ``rom_7``.
    table:
        256 entries.
    width:
        Bits of an entry.
    synchronous:
        In block RAM, one cycle later; otherwise at once.
    """
    # Two bytes share a ROM: a block RAM has two ports. Synthesis would not spend one on so few bits
    # unasked.
    style = {"ram_style": "block"} if synchronous else {}
    found: list[Value] = []
    for pair in range(8):
        rom = Memory(shape=width, depth=256, init=table, attrs=style)
        m.submodules[f"rom_{pair}"] = rom
        for byte in (2 * pair, 2 * pair + 1):
            port = rom.read_port(domain="sync" if synchronous else "comb")
            m.d.comb += port.addr.eq(state.word_select(byte, 8))
            found.append(port.data)
    return found


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
            m.d.comb += self.o.eq(sbox_logic(m, self.i, inverse=self._inverse))
            return m
        m.d.comb += self.o.eq(Cat(look_up(
            m, table, self.i, width=8, synchronous=self._construction is SBox.BLOCK_RAM)))
        return m
