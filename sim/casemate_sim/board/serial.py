"""Registers of a board over its serial line: a transport of the driver, and of many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from casemate_sim.board.config import BAUD
from casemate_sim.board.frames import (
    MAXIMUM_WORDS,
    RESYNCHRONIZE,
    WORD_BYTES,
    Answer,
    Command,
    FrameError,
    decode_answer,
    encode_read,
    encode_write,
    size_of_answer,
)
from casemate_sim.driver import DriverError
from casemate_sim.toolchain import ToolError

__all__ = ["TIMEOUT_SECONDS", "PortError", "SerialTransport", "open_port"]

TIMEOUT_SECONDS = 3.0
"""How long to wait for an answer: a board needs milliseconds, a simulated one more."""


class PortError(DriverError):
    """A serial port cannot be opened, is silent, or says what no board says."""


class SerialTransport:
    """Frames over a serial port.

    Parameters
    ----------
    port:
        An open port of pyserial, whose reads end after a time.
    """

    def __init__(self, port) -> None:
        self._port = port
        self._name = port.name
        self.resynchronize()

    def resynchronize(self) -> None:
        """End what the board may take for half a frame, and forget what it says to that."""
        self._port.write(RESYNCHRONIZE)
        self._port.flush()
        patience, self._port.timeout = self._port.timeout, 0.2
        try:
            # A board that was in step says nothing to zeros.
            while self._port.read(len(RESYNCHRONIZE)):
                pass
        finally:
            self._port.timeout = patience

    def read32(self, offset: int) -> int:
        """Read the register at a byte address."""
        return self.read_words(offset, 1)[0]

    def write32(self, offset: int, value: int) -> None:
        """Write the register at a byte address."""
        self.write_words(offset, [value])

    def read_words(self, address: int, count: int) -> list[int]:
        """Read registers from a byte address on, as many as wanted; DriverError as for one."""
        words: list[int] = []
        while len(words) < count:
            size = min(MAXIMUM_WORDS, count - len(words))
            start = address + len(words) * WORD_BYTES
            words += self._ask(encode_read(start, size), size, f"a read at {start:#07x}").words
        return words

    def write_words(self, address: int, values: Sequence[int]) -> None:
        """Write registers from a byte address on; DriverError as for one."""
        for at in range(0, len(values), MAXIMUM_WORDS):
            start = address + at * WORD_BYTES
            self._ask(encode_write(start, values[at:at + MAXIMUM_WORDS]), 0,
                      f"a write at {start:#07x}")

    def _ask(self, frame: bytes, words: int, what: str) -> Answer:
        """Send a frame; return its answer, without errors of the bus."""
        import serial

        try:
            self._port.write(frame)
            raw = self._port.read(1)
            if raw:
                raw += self._port.read(size_of_answer(raw[0], words) - 1)
            if len(raw) == 0 or len(raw) < size_of_answer(raw[0], words):
                raise PortError(
                    f"{self._name}: {len(raw) or 'no'} bytes in answer to {what} within "
                    f"{self._port.timeout:g} s: is the board configured, and the rate right?")
            answer = decode_answer(raw)
        except FrameError as error:
            raise PortError(f"{self._name}: garbage in answer to {what}: {error}") from error
        except serial.SerialException as error:
            raise PortError(f"{self._name}: {error}") from error
        if answer.command is Command.REFUSED:
            raise PortError(f"{self._name}: the board did not understand {what}: bytes are lost "
                            "or changed on the line")
        if answer.errors:
            raise DriverError(f"{self._name}: {answer.errors} of {max(words, 1)} accesses of "
                              f"{what} were answered with an error")
        return answer


@contextmanager
def open_port(name: str, *, baud: int = BAUD,
              timeout: float = TIMEOUT_SECONDS) -> Iterator[SerialTransport]:
    """Open a serial port and speak to the board on it.

    Parameters
    ----------
    name:
        The port.
    baud:
        Bits per second; a pseudo-terminal has none.
    timeout:
        Seconds to wait for an answer.

    Raises
    ------
    PortError
        If it cannot be opened.
    ToolError
        If pyserial is not installed.
    """
    try:
        import serial
    except ImportError as error:
        raise ToolError("pyserial is not installed: pip install 'casemate[board]'") from error
    try:
        port = serial.Serial(name, baud, timeout=timeout, exclusive=True)
    except (serial.SerialException, ValueError, OSError) as error:
        raise PortError(f"{name}: cannot be opened: {error}") from error
    with port:
        try:
            yield SerialTransport(port)
        except serial.SerialException as error:
            raise PortError(f"{name}: {error}") from error
