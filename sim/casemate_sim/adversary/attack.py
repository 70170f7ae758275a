"""What an attack is, what it may lead to, and how attacks combine."""

from __future__ import annotations

import enum
import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from .dram import Dram, Hook, Write
from .scene import Scene

__all__ = ["ALWAYS_SEEN", "DATA_ATTACK", "METADATA_ATTACK", "MODES", "Attack", "Later", "Outcome",
           "Together"]

MODES = ("plain", "xts", "integrity", "full")
"""Modes of a domain."""


class Outcome(enum.StrEnum):
    """What came of an attack."""

    DETECTED = "detected"
    """The engine raised an alarm, and the victim got no wrong byte."""
    HARMLESS = "harmless"
    """The victim got its own bytes without an alarm, and the adversary learned nothing."""
    SUCCEEDS = "succeeds"
    """The victim got wrong bytes without an error, or the adversary learned something."""
    FALSE_ALARM = "false alarm"
    """The engine raised an alarm although all that it read was what it wrote."""
    HANGS = "hangs"
    """Something was not answered, or an assertion in the engine failed."""


DATA_ATTACK: Mapping[str, Outcome] = {
    "plain": Outcome.SUCCEEDS, "xts": Outcome.SUCCEEDS,
    "integrity": Outcome.DETECTED, "full": Outcome.DETECTED}
"""Of what changes the victim's data: modes without authentication are defenceless."""

METADATA_ATTACK: Mapping[str, Outcome] = {
    "plain": Outcome.HARMLESS, "xts": Outcome.HARMLESS,
    "integrity": Outcome.DETECTED, "full": Outcome.DETECTED}
"""Of what changes leaves and nodes only: other modes have none."""

ALWAYS_SEEN: Mapping[str, Outcome] = {
    "plain": Outcome.SUCCEEDS, "xts": Outcome.HARMLESS,
    "integrity": Outcome.SUCCEEDS, "full": Outcome.HARMLESS}
"""Of what only encryption hinders."""


class Attack(Hook):
    """One attack with its parameters; lives for one trial.

    Parameters
    ----------
    scene:
        The victim's lines.
    rng:
        Where its parameters come from.

    Attributes
    ----------
    name, description:
        Of the kind of attack.
    expected:
        For each mode, what comes of it if it hits; if it misses it is harmless.
    reboots:
        The system is reset, with new keys, behind the strike.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    expected: ClassVar[Mapping[str, Outcome]]
    reboots: ClassVar[bool] = False

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self.scene = scene

    @property
    def parameters(self) -> dict[str, object]:
        """What was drawn, as plain JSON values."""
        return {name: value for name, value in vars(self).items()
                if not name.startswith("_") and isinstance(value, int | str | list | bool)}

    def begin(self, dram: Dram) -> None:
        """Act before the victim has written anything."""

    def observe(self, dram: Dram) -> None:
        """Act when the victim has written its lines, and before it writes them again."""

    @abstractmethod
    def strike(self, dram: Dram) -> None:
        """Act when the victim has written its lines again."""

    def learned(self, dram: Dram, secrets: list[bytes]) -> bool:
        """Tell, after everything, whether the adversary knows what it must not.

        Parameters
        ----------
        dram:
            DRAM at the end.
        secrets:
            Lines that the victim had written.
        """
        return False

    def wanted_data(self) -> Mapping[int, bytes]:
        """Return what the victim writes to some lines, both times, for the attack to mean much."""
        return {}


class Together(Attack):
    """Several attacks at once; on the bus, the first sees the engine's traffic first."""

    name = "together"
    description = "Several attacks at once."

    def __init__(self, *attacks: Attack) -> None:
        self.scene = attacks[0].scene
        self._attacks = attacks

    @property
    def parameters(self) -> dict[str, object]:
        """Those of all of them."""
        return {attack.name: attack.parameters for attack in self._attacks}

    def begin(self, dram: Dram) -> None:
        """Begin all."""
        for attack in self._attacks:
            attack.begin(dram)

    def observe(self, dram: Dram) -> None:
        """Let all observe."""
        for attack in self._attacks:
            attack.observe(dram)

    def strike(self, dram: Dram) -> None:
        """Strike with all."""
        for attack in self._attacks:
            attack.strike(dram)

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Pass a write through all."""
        passed: Write | None = write
        for attack in self._attacks:
            if passed is not None:
                passed = attack.on_write(dram, passed)
        return passed

    def on_read(self, dram: Dram, address: int) -> int | bytes:
        """Pass a read through all, until one answers it."""
        answer: int | bytes = address
        for attack in self._attacks:
            if not isinstance(answer, bytes):
                answer = attack.on_read(dram, answer)
        return answer


class Later(Attack):
    """Strikes in the middle of traffic: a number of DRAM accesses after it was told to.

    Parameters
    ----------
    attack:
        The attack.
    accesses:
        Accesses of the engine to DRAM that it waits for.
    """

    name = "later"
    description = "An attack in the middle of traffic."

    def __init__(self, attack: Attack, accesses: int) -> None:
        self.scene = attack.scene
        self.accesses = accesses
        self._attack = attack
        self._left: int | None = None

    def begin(self, dram: Dram) -> None:
        """Begin at once."""
        self._attack.begin(dram)

    def observe(self, dram: Dram) -> None:
        """Observe at once."""
        self._attack.observe(dram)

    def strike(self, dram: Dram) -> None:
        """Begin to count."""
        self._left = self.accesses

    def _count(self, dram: Dram) -> None:
        if self._left is not None:
            if self._left == 0:
                self._left = None
                self._attack.strike(dram)
            else:
                self._left -= 1

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Count, and pass a write to the attack."""
        self._count(dram)
        return self._attack.on_write(dram, write)

    def on_read(self, dram: Dram, address: int) -> int | bytes:
        """Count, and pass a read to the attack."""
        self._count(dram)
        return self._attack.on_read(dram, address)
