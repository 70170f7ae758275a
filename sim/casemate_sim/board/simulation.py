"""The board simulated: the same top, and the far end of its serial line as a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from amaranth import Module
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.board.config import BoardConfig, Entropy
from casemate_sim.board.top import BoardTop
from casemate_sim.board.uart import LEAST_CYCLES_PER_BIT, Receiver, Transmitter
from casemate_sim.component import NativeComponent

__all__ = ["BoardSimulation", "SerialFarEnd", "pseudo_terminal",
           "serve", "served", "simulated"]

_DEPTH = 512  # bytes: more than the longest frame and the longest answer
_CYCLES = 2048  # between two looks at the pseudo-terminal
_IDLE_SECONDS = 0.02  # of real time, when nobody has said anything for long
_IDLE_LOOKS = 200


def simulated(config: BoardConfig) -> BoardConfig:
    """Return a configuration for simulation: entropy from a seed, the fastest serial line."""
    return BoardConfig(
        engine=config.engine, clock_hertz=config.clock_hertz, entropy=Entropy.SEEDED,
        baud=config.clock_hertz // LEAST_CYCLES_PER_BIT, fuses=config.fuses)


class SerialFarEnd(wiring.Component):
    """The board with what is at the other end of its line: bytes in, bytes out.

    Every bit passes over the line.

    Parameters
    ----------
    config:
        The board.

    Members
    -------
    i: In(stream.Signature(8)), o: Out(stream.Signature(8))
        Bytes to and from the board, behind queues of 512.
    level: Out(10)
        Bytes that wait on `o`.
    tamper: In(1), booting, protected, tampered: Out(1)
        Of the board.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: BoardConfig):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(8)), "o": Out(stream.Signature(8)),
            "level": Out(range(_DEPTH + 2)), "tamper": In(1), "booting": Out(1),
            "protected": Out(1), "tampered": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect queue, line, board, line, queue."""
        m = Module()
        cycles = self._config.cycles_per_bit
        m.submodules.board = board = BoardTop(self._config)
        m.submodules.inward = inward = fifo.SyncFIFOBuffered(width=8, depth=_DEPTH)
        m.submodules.outward = outward = fifo.SyncFIFOBuffered(width=8, depth=_DEPTH)
        m.submodules.transmitter = transmitter = Transmitter(cycles)
        m.submodules.receiver = receiver = Receiver(cycles)
        wiring.connect(m, wiring.flipped(self.i), inward.w_stream)
        wiring.connect(m, inward.r_stream, transmitter.i)
        wiring.connect(m, receiver.o, outward.w_stream)
        wiring.connect(m, outward.r_stream, wiring.flipped(self.o))
        m.d.comb += [
            board.rx.eq(transmitter.line), receiver.line.eq(board.tx),
            board.tamper.eq(self.tamper), self.level.eq(outward.level),
            *(getattr(self, name).eq(getattr(board, name))
              for name in ("booting", "protected", "tampered")),
        ]
        return m


class BoardSimulation:
    """A board that runs on this machine.

    Parameters
    ----------
    config:
        The board; entropy must be seeded.
    optimise:
        Option of the C++ compiler.

    Raises
    ------
    casemate_sim.toolchain.ToolError
        If a program is missing or fails.

    Attributes
    ----------
    cycle:
        Clock cycles since the configuration of the FPGA.
    led:
        Name of the one that is lit.
    tamper:
        Whether the button is pressed.
    """

    def __init__(self, config: BoardConfig, *, optimise: str = "-O1") -> None:
        if config.entropy is not Entropy.SEEDED:
            raise ValueError("ring oscillators cannot be simulated")
        self.config = config
        self._sim = NativeComponent(SerialFarEnd(config), optimise=optimise)
        self.cycle, self.led, self.tamper = 0, "booting", False
        self._waiting = b""

    def restart(self) -> None:
        """Configure the FPGA anew: fuses and memory are as in the beginning."""
        self._sim.restart()
        self.cycle, self._waiting = 0, b""

    def exchange(self, sent: bytes, cycles: int = _CYCLES) -> bytes:
        """Put bytes on the line, run some cycles; return the bytes that came back."""
        self._waiting += sent
        pins = {"tamper": int(self.tamper)}
        for at, byte in enumerate(self._waiting):
            if not self._run(pins | {"i_valid": 1, "i": byte})["i_ready"]:
                self._waiting = self._waiting[at:]
                break
        else:
            self._waiting = b""
        found = self._run(pins, cycles)
        self.led = next(name for name in ("booting", "protected", "tampered") if found[name])
        received = bytearray()
        while self._run(pins)["level"]:
            received.append(self._run(pins | {"o_ready": 1})["o"])
        return bytes(received)

    def _run(self, pins: dict[str, int], cycles: int = 1) -> dict[str, int]:
        self.cycle += cycles
        return self._sim.step(pins, cycles)


@contextmanager
def pseudo_terminal() -> Iterator[tuple[int, str]]:
    """Open a pseudo-terminal in raw mode; yield the descriptor of our end, and the other's name."""
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)
        # `theirs` stays open, so that hosts can come and go.
        yield ours, os.ttyname(theirs)
    finally:
        for descriptor in (ours, theirs):
            with suppress(OSError):
                os.close(descriptor)


def serve(board: BoardSimulation, descriptor: int, stop: Callable[[], bool]) -> None:
    """Connect a board's serial line to our end of a pseudo-terminal until told to stop.

    Time goes on in the board, slowly while the host is silent.
    """
    silent = 0
    while not stop():
        idle = _IDLE_SECONDS if silent > _IDLE_LOOKS else 0
        ready, _, _ = select.select([descriptor], [], [], idle)
        sent = os.read(descriptor, 4096) if ready else b""
        received = board.exchange(sent)
        silent = 0 if sent or received else silent + 1
        while received:
            received = received[os.write(descriptor, received):]


@contextmanager
def served(board: BoardSimulation) -> Iterator[str]:
    """Serve a board beside what the caller does; yield the name of its pseudo-terminal."""
    over = Event()
    with pseudo_terminal() as (descriptor, name):
        thread = Thread(target=serve, args=(board, descriptor, over.is_set), daemon=True)
        thread.start()
        try:
            yield name
        finally:
            over.set()
            thread.join()
