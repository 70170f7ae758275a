"""What a campaign needs of a simulation, whatever drives it.

What takes simulated time is a coroutine, so that it can run inside cocotb; a simulation that is
called simply never waits, and :func:`run_now` runs its coroutines.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from casemate.config import EngineConfig

from .dram import ALL_BYTES, Dram, Hook

__all__ = ["Adapter", "AdapterError", "Alarm", "Operation", "Response", "run_now"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class Operation:
    """A host access to one line by the victim.

    Parameters
    ----------
    line:
        Line number.
    data:
        64 bytes to write; None reads.
    strobe:
        A bit for each byte that is written.
    """

    line: int
    data: bytes | None = None
    strobe: int = ALL_BYTES


@dataclass(frozen=True)
class Response:
    """What the host got.

    Parameters
    ----------
    error:
        SLVERR or DECERR, of any beat.
    data:
        Of a read: 64 bytes.
    wrong_beats:
        Of a read with an error: a bit for each byte whose beat had it. A lock may come in the
        middle of a burst, behind beats that were verified.
    """

    error: bool
    data: bytes = b""
    wrong_beats: int = ALL_BYTES


@dataclass(frozen=True)
class Alarm:
    """State of the alert pins and of the locks.

    Parameters
    ----------
    integrity, fatal:
        ``alert_integrity`` and ``alert_fatal``.
    locked:
        The engine, or a slot, is locked.
    """

    integrity: bool = False
    fatal: bool = False
    locked: bool = False

    @property
    def any(self) -> bool:
        """Whether there is one at all."""
        return self.integrity or self.fatal or self.locked

    def __or__(self, other: Alarm) -> Alarm:
        return Alarm(self.integrity or other.integrity, self.fatal or other.fatal,
                     self.locked or other.locked)


class AdapterError(RuntimeError):
    """The simulated system does not answer, or an assertion in it failed."""


class Adapter(Protocol):
    """One simulated system with one victim; its domain claims what it writes."""

    @property
    def config(self) -> EngineConfig:
        """The engine's configuration."""
        ...

    @property
    def dram(self) -> Dram:
        """Content of DRAM, without the engine's knowledge."""
        ...

    @property
    def cycle(self) -> int:
        """Cycles that were simulated; 0 where there are none."""
        ...

    async def start(self, mode: str, seed: int) -> None:
        """Power up with empty DRAM, keys of `seed`, and no hook; the victim's domain is in `mode`.

        Everything that the simulation chooses at random follows from `seed`. Also after an
        ``AdapterError``, which any of the coroutines may raise.
        """
        ...

    async def reboot(self, seed: int) -> None:
        """Reset, with fresh keys of `seed`; DRAM, the hook and the domain's mode stay."""
        ...

    def set_hook(self, hook: Hook) -> None:
        """Let every line that passes between engine and DRAM pass through `hook`, in DRAM's order.

        A read is answered with what DRAM holds, or the hook says, in the moment of the call.
        """
        ...

    async def perform(self, operations: Sequence[Operation]) -> list[Response]:
        """Do accesses, those of one line in order, and wait until nothing is in flight.

        Accesses to different lines may be in flight together.
        """
        ...

    async def sweep(self, *, empty: bool) -> None:
        """Flush the metadata cache, or write it back and empty it; wait for the end."""
        ...

    def alarm(self) -> Alarm:
        """Return the state of the alerts."""
        ...

    def close(self) -> None:
        """End the simulation."""
        ...


def run_now(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of a coroutine that never waits.

    Raises
    ------
    RuntimeError
        If it does.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("the coroutine waits for something")
