"""Frames on the serial line: what is sent, what comes back, as bytes.

The host asks, the board answers, one frame at a time. Numbers of several bytes have the lowest byte
first, but for the check, whose highest byte comes first.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.lib.crc.catalog import CRC16_IBM_3740

from casemate_sim.documents.markdown import table

__all__ = ["ADDRESS_BYTES", "CHECK", "MAXIMUM_WORDS", "RESYNCHRONIZE", "WORD_BYTES", "Answer",
           "Command", "FrameError", "decode_answer", "encode_read", "encode_write", "frame_tables",
           "size_of_answer"]

WORD_BYTES = 4
"""Bytes of a register."""

ADDRESS_BYTES = 3
"""Bytes of an address."""

MAXIMUM_WORDS = 64
"""Registers that one frame can access."""

CHECK = CRC16_IBM_3740(data_width=8)
"""What the last two bytes of a frame are: the CRC of all others."""

CHECK_BYTES = 2

RESYNCHRONIZE = bytes(2 + ADDRESS_BYTES + MAXIMUM_WORDS * WORD_BYTES + CHECK_BYTES)
"""Zeros that end whatever the board takes for a frame that is not complete."""


class FrameError(ValueError):
    """What came is no answer to what was asked; the message says why."""


class Command(enum.IntEnum):
    """First byte of a frame; other bytes between frames are ignored."""

    READ = 0x52
    """ASCII `R`: registers are read, at ascending addresses."""
    WRITE = 0x57
    """ASCII `W`: registers are written, at ascending addresses."""
    REFUSED = 0x3F
    """ASCII `?`, from the board only: the check was wrong, or the number of registers."""


@dataclass(frozen=True)
class Answer:
    """What the board answered.

    Attributes
    ----------
    command:
        What it answers.
    words:
        What was read; 0 where the bus answered with an error.
    errors:
        Accesses that the bus answered with an error.
    """

    command: Command
    words: tuple[int, ...]
    errors: int


def _closed(content: bytes) -> bytes:
    return content + CHECK.compute(content).to_bytes(CHECK_BYTES, "big")


def _head(command: Command, address: int, words: int) -> bytes:
    if not 1 <= words <= MAXIMUM_WORDS:
        raise ValueError(f"{words} registers do not fit a frame: 1 to {MAXIMUM_WORDS}")
    return bytes((command, words - 1)) + address.to_bytes(ADDRESS_BYTES, "little")


def encode_read(address: int, words: int = 1) -> bytes:
    """Return the frame that reads registers from a byte address on."""
    return _closed(_head(Command.READ, address, words))


def encode_write(address: int, words: Sequence[int]) -> bytes:
    """Return the frame that writes registers from a byte address on."""
    return _closed(_head(Command.WRITE, address, len(words))
                   + b"".join(word.to_bytes(WORD_BYTES, "little") for word in words))


def size_of_answer(first: int, words: int) -> int:
    """Return how many bytes an answer has whose first byte is `first`, the first one included.

    Parameters
    ----------
    words:
        Registers that were to be read; 0 of a frame that wrote.

    Raises
    ------
    FrameError
        If no answer begins so.
    """
    if first == Command.REFUSED:
        return 1 + CHECK_BYTES
    if first != (Command.READ if words else Command.WRITE):
        raise FrameError(f"no answer begins with {first:#04x}")
    return 1 + words * WORD_BYTES + 1 + CHECK_BYTES


def decode_answer(raw: bytes) -> Answer:
    """Return what a whole answer says.

    Raises
    ------
    FrameError
        If its check is wrong.
    """
    content = raw[:-CHECK_BYTES]
    if _closed(content) != raw:
        raise FrameError(f"the check of {raw.hex(' ')} is wrong")
    command = Command(content[0])
    if command is Command.REFUSED:
        return Answer(command, (), 0)
    data = content[1:-1]
    return Answer(command, tuple(int.from_bytes(data[at:at + WORD_BYTES], "little")
                                 for at in range(0, len(data), WORD_BYTES)), content[-1])


def frame_tables() -> str:
    """Return the parts of a frame and of an answer as Markdown."""
    most = MAXIMUM_WORDS
    parts = (
        ("frame", "command", "1", f"`{Command.READ:#04x}` read, `{Command.WRITE:#04x}` write"),
        ("frame", "count", "1", f"number of registers less one, 0 to {most - 1}"),
        ("frame", "address", f"{ADDRESS_BYTES}", "byte address of the first register"),
        ("frame", "data", f"{WORD_BYTES} each", "of a write: the values"),
        ("frame", "check", f"{CHECK_BYTES}", "CRC-16/IBM-3740 of all bytes before it"),
        ("answer", "command", "1", f"as asked; `{Command.REFUSED:#04x}`: the frame was not "
                                   "understood, nothing was done, and the check follows at once"),
        ("answer", "data", f"{WORD_BYTES} each", "of a read: the values"),
        ("answer", "errors", "1", f"accesses that the bus answered with an error, 0 to {most}"),
        ("answer", "check", f"{CHECK_BYTES}", "CRC-16/IBM-3740 of all bytes before it"))
    return table(("of", "part", "bytes", "content"), parts)
