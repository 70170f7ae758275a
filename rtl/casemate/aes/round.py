"""The linear steps of an AES round (FIPS 197 sections 5.1.2 to 5.1.4 and 5.3.1 to 5.3.3).

Bit and byte order: byte i of the state is bits 8i to 8i+7; column c is bytes 4c to 4c+3.
"""

from amaranth import Cat, Module, Signal, Value

__all__ = ["mix_columns", "shift_rows"]


def shift_rows(state: Value, *, inverse: bool = False) -> Value:
    """ShiftRows, or InvShiftRows: wiring only. 128 bits to 128 bits."""
    turn = -1 if inverse else 1
    return Cat(
        state.word_select(row + 4 * ((column + turn * row) % 4), 8)
        for column in range(4) for row in range(4))


def _double(column: Value) -> Value:
    """Multiply each byte of a column by 2 in GF(2^8)."""
    carry = (column >> 7) & 0x01010101
    return (((column & 0x7F7F7F7F) << 1)
            ^ carry ^ (carry << 1) ^ (carry << 3) ^ (carry << 4))[:32]


def _rotate(column: Value, rows: int) -> Value:
    """Put byte ``(row + rows) % 4`` in place of each byte."""
    return Cat(column[8 * rows:], column[:8 * rows])


def mix_columns(m: Module, state: Value, *, inverse: bool = False) -> Value:
    """MixColumns, or InvMixColumns. 128 bits to 128 bits.

    Works on whole columns, which synthesis and simulators handle far better than single bits.
    InvMixColumns is MixColumns behind a multiplication by (5, 0, 4, 0).

    Parameters
    ----------
    m:
        Module that gets the intermediate signals.
    """
    mixed = []
    for index in range(4):
        column = Signal(32)
        m.d.comb += column.eq(state.word_select(index, 32))
        if inverse:
            pairs, quadruple = Signal(32), Signal(32)
            m.d.comb += [pairs.eq(_double(column ^ _rotate(column, 2))),
                         quadruple.eq(_double(pairs) ^ column)]
            column = quadruple
        double, total = Signal(32), Signal(32)
        m.d.comb += [
            double.eq(_double(column)),
            total.eq(double ^ _rotate(double ^ column, 1) ^ _rotate(column, 2)
                     ^ _rotate(column, 3)),
        ]
        mixed.append(total)
    return Cat(mixed)
