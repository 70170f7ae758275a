"""The linear steps of an AES round (FIPS 197 sections 5.1.2, 5.1.3, 5.3.1 and 5.3.3).

Bit and byte order: byte i of the state is bits 8i to 8i+7; column c is bytes 4c to 4c+3.

All 16 bytes are computed as one wide word: short to write, and fast to simulate.
"""

from amaranth import Cat, Module, Signal, Value

__all__ = ["ONES", "mix_columns", "named", "rotate_columns", "shift_rows"]

ONES = int.from_bytes(b"\x01" * 16, "little")
"""A one in each byte of a block: times a byte, that byte in all places."""


def named(m: Module, value: Value) -> Signal:
    """Give a value a signal of its own, so that it is computed once and not at each use."""
    signal = Signal(len(value))
    m.d.comb += signal.eq(value)
    return signal


def shift_rows(state: Value, *, inverse: bool = False) -> Value:
    """Compute ShiftRows, or InvShiftRows: wiring only. 128 bits to 128 bits."""
    turn = -1 if inverse else 1
    return Cat(
        state.word_select(row + 4 * ((column + turn * row) % 4), 8)
        for column in range(4) for row in range(4))


def rotate_columns(state: Value, rows: int) -> Value:
    """Move every column's bytes up by some rows: wiring only. 128 bits to 128 bits."""
    return Cat(
        state.word_select(4 * column + (row + rows) % 4, 8)
        for column in range(4) for row in range(4))


def _double(m: Module, state: Value) -> Signal:
    """Multiply every byte by x in GF(2^8), modulo x^8 + x^4 + x^3 + x + 1."""
    carry = named(m, (state >> 7) & ONES)
    shifted = (state & ONES * 0x7F) << 1
    return named(m, (shifted ^ carry ^ carry << 1 ^ carry << 3 ^ carry << 4)[:128])


def mix_columns(m: Module, state: Value, *, inverse: bool = False) -> Signal:
    """Compute MixColumns, or InvMixColumns. 128 bits to 128 bits.

    InvMixColumns is MixColumns behind a multiplication by 4x^2 + 5: (4x^2 + 5)(3x^3 + x^2 + x + 2)
    is the polynomial of section 5.3.3.
    """
    state = named(m, state)
    if inverse:
        twice = _double(m, named(m, state ^ rotate_columns(state, 2)))
        state = named(m, state ^ _double(m, twice))
    following = rotate_columns(state, 1)
    return named(m, _double(m, named(m, state ^ following))
                 ^ following ^ rotate_columns(state, 2) ^ rotate_columns(state, 3))
