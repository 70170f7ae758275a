"""Text of ``valgrind --tool=lackey --trace-mem=yes``, parsed in bulk.

One line is one instruction fetch ``I  0401ab70,3`` or one data access `` L 1fff000768,8``: load
(L), store (S) or modify (M), the virtual address in hexadecimal, the bytes in decimal. Lines that
begin with ``==`` or ``--`` are valgrind's own messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Accesses", "LackeyError", "parse"]


class LackeyError(ValueError):
    """A line that lackey does not print.

    Parameters
    ----------
    line:
        Index of the line in the text, from 0.
    content:
        The line.
    """

    def __init__(self, line: int, content: str) -> None:
        super().__init__(f"{content!r} is no line of lackey's")
        self.line = line
        self.content = content


@dataclass(frozen=True)
class Accesses:
    """Data accesses of a piece of text, in order.

    Parameters
    ----------
    address:
        Virtual byte address, ``uint64``.
    size:
        Bytes, ``int64``.
    write:
        Whether it stores (S and M), ``bool``.
    instruction:
        Instructions of this text up to the access, its own included, ``int64``.
    instructions:
        Instructions in the whole text.
    lines:
        Lines in the whole text.
    """

    address: NDArray[np.uint64]
    size: NDArray[np.int64]
    write: NDArray[np.bool_]
    instruction: NDArray[np.int64]
    instructions: int
    lines: int


_NEWLINE, _SPACE, _COMMA = b"\n ,"
_INSTRUCTION, _LOAD, _STORE, _MODIFY = b"ILSM"
_MOST_DIGITS = 16
_MOST_SIZE_DIGITS = 4

_HEX = np.full(256, 255, dtype=np.uint8)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _HEX[_digit] = _value


def parse(text: bytes) -> Accesses:
    """Parse whole lines, the last one ended by a newline too.

    Raises
    ------
    LackeyError
        At the first line that is neither an access, an instruction nor a message.
    """
    # A margin, so that looking a few bytes beside a short line stays inside.
    characters = np.frombuffer(bytes(_MOST_SIZE_DIGITS + 2) + text + bytes(_MOST_DIGITS), np.uint8)
    ends = np.flatnonzero(characters == _NEWLINE)
    starts = np.empty_like(ends)
    if len(ends):
        starts[0], starts[1:] = _MOST_SIZE_DIGITS + 2, ends[:-1] + 1
    first = characters[starts]
    fetch = first == _INSTRUCTION
    data = first == _SPACE
    second = characters[starts + 1]
    message = ((first == ord("=")) | (first == ord("-"))) & (second == first)
    empty = starts == ends
    wrong = ~(fetch | data | message | empty)
    count = np.cumsum(fetch)

    index = np.flatnonzero(data)
    start, end, kind = starts[index] + 3, ends[index], second[index]
    comma = np.zeros_like(end)
    for digits in range(_MOST_SIZE_DIGITS, 0, -1):
        comma = np.where(characters[end - digits - 1] == _COMMA, end - digits - 1, comma)
    address, bad = _number(characters, start, comma, 16)
    size, bad_size = _number(characters, comma + 1, end, 10)
    bad |= bad_size | (size == 0) | (characters[start - 1] != _SPACE)
    bad |= (kind != _LOAD) & (kind != _STORE) & (kind != _MODIFY)
    wrong[index[bad]] = True
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0])
        content = characters[starts[line]:ends[line]].tobytes().decode(errors="replace")
        raise LackeyError(line, content)
    return Accesses(
        address=address, size=size.astype(np.int64), write=kind != _LOAD,
        instruction=count[index], instructions=int(count[-1]) if len(count) else 0,
        lines=len(ends))


def _number(characters: NDArray[np.uint8], start: NDArray[np.intp], end: NDArray[np.intp],
            base: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the numbers written in ``characters[start:end]``, and which are malformed."""
    length = end - start
    bad = (length <= 0) | (length > _MOST_DIGITS)
    value = np.zeros(len(start), dtype=np.uint64)
    longest = int(length[~bad].max(initial=0))
    for place in range(longest):
        inside = ~bad & (place < length)
        digit = _HEX[characters[np.where(inside, start + place, 0)]]
        bad |= inside & (digit >= base)
        value = np.where(inside, value * np.uint64(base) + digit, value)
    return value, bad
