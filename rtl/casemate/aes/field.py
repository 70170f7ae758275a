"""Arithmetic in the fields of AES, in plain Python: where every table comes from.

GF(2^8) is GF(2)[x] / (x^8 + x^4 + x^3 + x + 1) (FIPS 197 section 4). The composite field that the
logic S-box computes in is GF(2^4)[y] / (y^2 + y + NU) over GF(2)[z] / (z^4 + z + 1); an element
``a*y + b`` is the byte ``a << 4 | b``. The map between the two is found here, not quoted.
"""

from functools import cache

__all__ = [
    "AES_TO_COMPOSITE",
    "COMPOSITE_TO_AES",
    "NU",
    "affine",
    "apply_matrix",
    "inverse_4",
    "inverse_sbox",
    "multiply_4",
    "multiply_8",
    "sbox",
]

NU = 0x8
"""Constant of the composite field's polynomial; any value that makes it irreducible would do."""


def _multiply(a: int, b: int, degree: int, polynomial: int) -> int:
    product = 0
    for bit in range(degree):
        if b >> bit & 1:
            product ^= a << bit
    for bit in reversed(range(degree, 2 * degree)):
        if product >> bit & 1:
            product ^= polynomial << (bit - degree)
    return product


def multiply_8(a: int, b: int) -> int:
    """Multiply in GF(2^8)."""
    return _multiply(a, b, 8, 0x11B)


def multiply_4(a: int, b: int) -> int:
    """Multiply in GF(2^4)."""
    return _multiply(a, b, 4, 0x13)


def inverse_4(a: int) -> int:
    """Invert in GF(2^4); 0 stays 0."""
    return next((b for b in range(16) if multiply_4(a, b) == 1), 0)


def _inverse_8(a: int) -> int:
    return next((b for b in range(256) if multiply_8(a, b) == 1), 0)


def _multiply_composite(a: int, b: int) -> int:
    a1, a0, b1, b0 = a >> 4, a & 15, b >> 4, b & 15
    high = multiply_4(a1, b1)
    return ((multiply_4(a1, b0) ^ multiply_4(a0, b1) ^ high) << 4
            | multiply_4(a0, b0) ^ multiply_4(high, NU))


def affine(a: int) -> int:
    """Compute the S-box's linear part, without its constant 0x63 (FIPS 197 equation 5.2)."""
    result = 0
    for shift in range(5):
        result ^= a << shift | a >> (8 - shift)
    return result & 0xFF


@cache
def sbox() -> tuple[int, ...]:
    """Return the table of SubBytes."""
    return tuple(affine(_inverse_8(a)) ^ 0x63 for a in range(256))


@cache
def inverse_sbox() -> tuple[int, ...]:
    """Return the table of InvSubBytes."""
    table = [0] * 256
    for a, b in enumerate(sbox()):
        table[b] = a
    return tuple(table)


def apply_matrix(columns: tuple[int, ...], a: int) -> int:
    """Multiply a bit matrix, given as the images of the unit vectors, with a vector."""
    result = 0
    for bit, column in enumerate(columns):
        if a >> bit & 1:
            result ^= column
    return result


def _isomorphism() -> tuple[int, ...]:
    """Images in the composite field of the powers of x."""
    for root in range(2, 256):
        powers = [1]
        for _ in range(8):
            powers.append(_multiply_composite(powers[-1], root))
        # A root of the AES polynomial: x^8 = x^4 + x^3 + x + 1.
        if powers[8] == powers[4] ^ powers[3] ^ powers[1] ^ powers[0]:
            return tuple(powers[:8])
    raise AssertionError(f"y^2 + y + {NU} is reducible: choose another NU")


AES_TO_COMPOSITE = _isomorphism()
"""Columns of the matrix from GF(2^8) to the composite field."""

_BACK = {apply_matrix(AES_TO_COMPOSITE, a): a for a in range(256)}
COMPOSITE_TO_AES = tuple(_BACK[1 << bit] for bit in range(8))
"""Columns of the inverse matrix."""
