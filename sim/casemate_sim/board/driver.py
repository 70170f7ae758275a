"""Driver of a board: the engine's own driver, and what is around the engine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from casemate.axi.signature import Response
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

from casemate_sim.board.config import BoardConfig, Entropy
from casemate_sim.board.frames import WORD_BYTES
from casemate_sim.board.registers import (
    HISTOGRAM_BASE,
    LINE_BASE,
    MEMORY_BASE,
    RECORD_BYTES,
    TRACE_BASE,
    TRACE_RECORDS,
    block,
)
from casemate_sim.board.serial import SerialTransport
from casemate_sim.driver import Casemate, DriverError
from casemate_sim.player.layouts import LATENCY_BITS
from casemate_sim.player.player import COUNTERS, HISTOGRAMS
from casemate_sim.registers import BlockMap

__all__ = ["OKAY", "SLVERR", "Board", "Run"]

OKAY, SLVERR = Response.OKAY.value, Response.SLVERR.value
"""Responses of ``Board.read_line`` and ``Board.write_line``."""

_PATIENCE_SECONDS = 60.0
_PATIENCE_LOOKS = 2000  # at a register of the engine: seconds at least


@dataclass(frozen=True)
class Run:
    """What the player counted.

    Attributes
    ----------
    counters:
        See ``player.COUNTERS``.
    histograms:
        By name, the lines that took as many cycles as the bin's number; the last bin has all
        that took longer.
    engine:
        What the engine's own statistics counted meanwhile.
    """

    counters: Mapping[str, int]
    histograms: Mapping[str, NDArray[np.int64]]
    engine: Mapping[str, int]

    def mean_latency(self, name: str) -> float | None:
        """Return the mean of a histogram in cycles; None if nothing was counted."""
        bins = self.histograms[name]
        count = int(bins.sum())
        return float(bins @ np.arange(len(bins))) / count if count else None


class Board:
    """One board.

    Parameters
    ----------
    transport:
        Its serial line.
    config:
        What its bitstream should have been built from.

    Raises
    ------
    DriverError
        If that is another bitstream, or none of ours.

    Attributes
    ----------
    registers:
        The board's own registers, by name.
    engine:
        Driver of the engine.
    """

    def __init__(self, transport: SerialTransport, config: BoardConfig) -> None:
        self._transport = transport
        self.config = config
        self.registers = BlockMap(block(config))
        for name in ("board_id", "board_version", "memory"):
            expected, found = self.registers[name].reset, self._read32(name)
            if found != expected:
                raise DriverError(
                    f"another bitstream: register {name} is {found:#010x}; that of this version "
                    f"of Casemate, for {config.engine.name}, has {expected:#010x}")
        self.engine = self._engine()

    def _engine(self) -> Casemate:
        try:
            return Casemate(self._transport, self.config.engine, patience=_PATIENCE_LOOKS)
        except DriverError as error:
            raise DriverError(f"another bitstream: {error}") from error

    def _read32(self, name: str) -> int:
        return self._transport.read32(self.registers.offset(name))

    def read(self, name: str) -> dict[str, int]:
        """Return the fields of one of the board's registers."""
        return self.registers.unpack(name, self._read32(name))

    def write(self, name: str, **fields: int) -> None:
        """Write one of the board's registers; fields that are not given become 0."""
        self._transport.write32(self.registers.offset(name), self.registers.pack(name, **fields))

    def wait(self, name: str, what: str, **fields: int) -> None:
        """Read a register until its fields have these values; DriverError if they never do."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            found = self.read(name)
            if all(found[field] == value for field, value in fields.items()):
                return
        raise DriverError(f"{what} is not over after {_PATIENCE_SECONDS:g} s")

    # -- the board itself --------------------------------------------------------------------

    @property
    def clock_hertz(self) -> int:
        """Clock of engine, memory and all else."""
        return self._read32("clock")

    @property
    def entropy(self) -> Entropy:
        """Where entropy comes from."""
        return Entropy(self.read("entropy")["source"])

    @property
    def state(self) -> str:
        """Name of the LED that is lit: ``booting``, ``protected`` or ``tampered``."""
        state = self.read("state")
        return next((name for name in ("booting", "protected", "tampered") if state[name]), "dark")

    @property
    def cycles(self) -> int:
        """Clock cycles since the configuration of the FPGA, modulo 2**32."""
        return self._read32("cycles")

    def reset(self) -> None:
        """Reset the engine; memory and fuses keep what they hold."""
        self.write("control", reset=1)
        self.wait("control", "the reset", reset=0)

    def open_case(self, opened: bool = True) -> None:
        """Let the engine's tamper pin rise, or fall."""
        self.write("control", tamper=opened)

    # -- single lines ------------------------------------------------------------------------

    def read_line(self, domain: int, line: int) -> tuple[int, bytes]:
        """Read a line through the engine; return RRESP and the data."""
        response = self._access(domain, line, "read")
        words = self._transport.read_words(LINE_BASE, LINE_BYTES // WORD_BYTES)
        return response, _bytes(words)

    def write_line(self, domain: int, line: int, data: bytes, *, claim: bool = True) -> int:
        """Write a line through the engine; return BRESP."""
        self._transport.write_words(LINE_BASE, _words(data))
        return self._access(domain, line, "write", claim=claim)

    def _access(self, domain: int, line: int, kind: str, *, claim: bool = False) -> int:
        self._transport.write_words(self.registers.offset("line"), [
            line, self.registers.pack("line_owner", domain=domain, claim=claim),
            self.registers.pack("line_command", **{kind: 1})])
        self.wait("line_command", f"the {kind} of line {line}", read=0, write=0)
        return self.read("line_response")["response"]

    # -- the memory behind the engine --------------------------------------------------------

    def look(self, address: int, size: int) -> bytes:
        """Return bytes of the memory as a probe sees them; both multiples of 4."""
        return _bytes(self._transport.read_words(MEMORY_BASE + address, size // WORD_BYTES))

    def inject(self, address: int, content: bytes) -> None:
        """Change bytes of the memory behind the engine's back; multiples of 4."""
        self._transport.write_words(MEMORY_BASE + address, _words(content))

    # -- the player --------------------------------------------------------------------------

    def play(self, records: NDArray[np.void], domain: int, *, claim: bool = True,
             histograms: bool = True) -> Run:
        """Play a trace through the engine, as fast as its distances allow.

        Parameters
        ----------
        records:
            ``RECORD`` of ``casemate_sim.trace``, at most as many as the board's memory holds.
        domain, claim:
            On whose behalf, and whether writes claim what nobody owns.
        histograms:
            Whether to read them, before and after the run: some seconds.

        Raises
        ------
        ValueError
            If there are none, or too many.
        """
        if not 0 < len(records) <= TRACE_RECORDS:
            raise ValueError(f"a board plays 1 to {TRACE_RECORDS} records, not {len(records)}")
        words = np.zeros((len(records), RECORD_BYTES // WORD_BYTES), np.uint32)
        for place, name in enumerate(("line", "distance", "flags")):
            words[:, place] = records[name]
        self._transport.write_words(TRACE_BASE, [int(word) for word in words.reshape(-1)])
        self.write("trace", records=len(records))
        self.write("player_owner", domain=domain, claim=claim)
        before = self._histograms() if histograms else {}
        self.engine.statistics(clear=True)
        self.write("player", start=1)
        self.wait("player", "the run", start=0)
        engine = self.engine.statistics()
        halves = self._transport.read_words(self.registers.offset("cycles_low"),
                                            2 * len(list(COUNTERS)))
        counters = {name: halves[2 * at] | halves[2 * at + 1] << 32
                    for at, (name, _) in enumerate(COUNTERS)}
        after = self._histograms() if histograms else {}
        return Run(counters, {name: after[name] - before[name] for name in after}, engine)

    def _histograms(self) -> dict[str, NDArray[np.int64]]:
        bins = 1 << LATENCY_BITS
        words = self._transport.read_words(HISTOGRAM_BASE, len(HISTOGRAMS) * bins)
        return {name: np.array(words[at * bins:(at + 1) * bins], np.int64)
                for at, name in enumerate(HISTOGRAMS)}


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at:at + WORD_BYTES], "little")
            for at in range(0, len(data), WORD_BYTES)]


def _bytes(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(WORD_BYTES, "little") for word in words)
