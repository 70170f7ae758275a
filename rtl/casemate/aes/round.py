"""The linear steps of an AES round (FIPS 197 sections 5.1.2 to 5.1.4 and 5.3.1 to 5.3.3).

Bit and byte order: byte i of the state is bits 8i to 8i+7; column c is bytes 4c to 4c+3.
"""

from amaranth import Cat, Const, Value

from . import field

__all__ = ["mix_columns", "shift_rows"]


def shift_rows(state: Value, *, inverse: bool = False) -> Value:
    """ShiftRows, or InvShiftRows: wiring only. 128 bits to 128 bits."""
    turn = -1 if inverse else 1
    return Cat(
        state.word_select(row + 4 * ((column + turn * row) % 4), 8)
        for column in range(4) for row in range(4))


def _times(constant: int, byte: Value) -> Value:
    """Multiply a byte by a constant in GF(2^8)."""
    total = Const(0, 8)
    for bit in range(8):
        total = total ^ (byte[bit].replicate(8) & field.multiply_8(constant, 1 << bit))
    return total


def mix_columns(state: Value, *, inverse: bool = False) -> Value:
    """MixColumns, or InvMixColumns. 128 bits to 128 bits."""
    row_0 = (14, 11, 13, 9) if inverse else (2, 3, 1, 1)
    mixed = []
    for column in range(4):
        for row in range(4):
            total = Const(0, 8)
            for source in range(4):
                byte = state.word_select(4 * column + source, 8)
                total = total ^ _times(row_0[(source - row) % 4], byte)
            mixed.append(total)
    return Cat(mixed)
