"""What devices do while faults strike: short stories, recorded once and played with a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from casemate.fuse.registers import Command

from casemate_sim.fuses.device import FuseDevice
from casemate_sim.model.fuse_words import MARKS, STATES, encode_word
from casemate_sim.model.fuses import CONFIGURATION, IDENTITY, Device, encode_device

__all__ = ["DRAWN", "KEY", "SCENARIOS", "SHARE", "Scenario", "Stage", "Stimulus", "device_in",
           "length", "record", "torn_device"]

Stimulus = tuple[Mapping[str, int], int]
"""Inputs and for how many cycles they stand."""

SHARE = bytes(range(0x40, 0x60))
DRAWN = 0x1234_5678
KEY = bytes(a ^ b for a, b in zip(SHARE, DRAWN.to_bytes(4, "little") * 8, strict=True))
"""The root key of every device: the licensee's share and eight equal words of entropy."""


def device_in(state: str, *, secret: bool | None = None, **options: Any) -> list[int]:
    """Return the fuses of a device in a state of life.

    Parameters
    ----------
    secret:
        Leave the root key in a state that has none: the device was moved, and not yet started.
    """
    options = {"device": b"a test device ..", "serial": b"00000001", "key_size": 256,
               "debug": "returned"} | options
    if state == "blank":
        options = {}
    keyed = state in ("provisioned", "production")
    image = encode_device(Device(life_cycle=state, root_key=KEY if keyed else None, **options))
    if secret:
        other = encode_device(Device(life_cycle="production", root_key=KEY, **options))
        image[IDENTITY.base:] = other[IDENTITY.base:]
    return image


def torn_device(state: str) -> list[int]:
    """Return the fuses of a device that lost power while it programmed the mark of a state."""
    before = {"test": "blank", "scrap": "production"}.get(state, STATES[STATES.index(state) - 1])
    image = device_in(before, secret=state == "provisioned")
    number = STATES.index(state) - 1
    image[number] = encode_word(MARKS[number]) & 0xFFFF
    return image


@dataclass(frozen=True)
class Scenario:
    """A story.

    Attributes
    ----------
    name:
        What people call it.
    image:
        The fuses at its beginning.
    act:
        What is done, after the start.
    """

    name: str
    image: tuple[int, ...]
    act: Callable[[FuseDevice], object] = lambda device: device.run(600)
    cycles: int = 400


def _provision(device: FuseDevice) -> None:
    for at in range(0, len(SHARE), 4):
        device.command(Command.SHARE, data=int.from_bytes(SHARE[at:at + 4], "little"))
    device.command(Command.PROVISION)


def _personalise(device: FuseDevice) -> None:
    content = device_in("test")
    for part in (IDENTITY, CONFIGURATION):
        for address in range(part.base, part.base + part.words):
            device.command(Command.PROGRAM, address, content[address] & 0xFFFF_FFFF)
        device.command(Command.LOCK, part.base)


SCENARIOS = (
    Scenario("start and check again", tuple(device_in("production"))),
    Scenario("blank device enters test", tuple(device_in("blank")),
             lambda device: device.command(Command.MOVE, 0)),
    Scenario("identity and configuration", tuple(device_in("test", device=None, serial=None,
                                                           key_size=None)), _personalise),
    Scenario("provisioning", tuple(device_in("test")), _provision),
    Scenario("provisioned enters production", tuple(device_in("provisioned")),
             lambda device: device.command(Command.MOVE, 2)),
    Scenario("production is returned", tuple(device_in("production")),
             lambda device: device.command(Command.MOVE, 3)),
    Scenario("returned device erases", tuple(device_in("return", secret=True)),
             lambda device: device.run(1100)),
    Scenario("provisioned mark is finished", tuple(torn_device("provisioned")),
             lambda device: device.run(400)),
    Scenario("scrap mark is finished", tuple(torn_device("scrap")),
             lambda device: device.run(400)),
    Scenario("tamper", tuple(device_in("production")),
             lambda device: (device.run(40, tamper=1), device.run(700))),
)


def record(device: FuseDevice, scenario: Scenario) -> list[Stimulus]:
    """Play a scenario without a fault; return its inputs, with which it can be played again.

    Cycles with equal inputs are one stimulus.
    """
    device.load(scenario.image, KEY)
    device.off()
    device.log = log = []
    try:
        device.run(scenario.cycles)
        scenario.act(device)
        device.run(20)
    finally:
        device.log = None
    return [(dict(inputs), sum(cycles for _, cycles in equal))
            for inputs, equal in groupby(log, key=itemgetter(0))]


def length(log: list[Stimulus]) -> int:
    """Return the cycles of a recorded scenario."""
    return sum(cycles for _, cycles in log)


def _between(log: list[Stimulus], begin: int, end: int) -> Iterator[Stimulus]:
    """Yield what happens in some of the cycles."""
    at = 0
    for inputs, cycles in log:
        first, last = max(begin, at), min(end, at + cycles)
        if first < last:
            yield inputs, last - first
        at += cycles


class Stage:
    """Where recorded scenarios are played again, each time with another fault.

    What comes before a fault is the same each time: if the cycles of the faults rise, it is
    simulated once.
    """

    def __init__(self, device: FuseDevice) -> None:
        self._device = device
        self._reached: tuple[Scenario, int, bytes] | None = None

    def _reach(self, scenario: Scenario, log: list[Stimulus], cycle: int) -> None:
        """Bring the device to the beginning of a cycle."""
        device, at = self._device, 0
        device.expect(KEY)
        if self._reached and self._reached[0] is scenario and self._reached[1] <= cycle:
            _, at, state = self._reached
            device.go_back(state)
        else:
            device.load(scenario.image, KEY)
            device.off()
        for inputs, cycles in _between(log, at, cycle):
            device.run(cycles, **inputs)
        self._reached = scenario, cycle, device.save()

    def play(self, scenario: Scenario, log: list[Stimulus], cycle: int,
             fault: Mapping[str, int] | None) -> dict[str, Any]:
        """Play a scenario with a fault in one cycle; return the outputs at the end.

        Parameters
        ----------
        cycle:
            Counted from power.
        fault:
            Inputs of that cycle; None: power is lost, and there are no outputs.
        """
        device = self._device
        self._reach(scenario, log, cycle)
        if fault is None:
            return {}
        (inputs, _), = _between(log, cycle, cycle + 1)
        outputs = device.run(1, **(dict(inputs) | dict(fault)))
        for inputs, cycles in _between(log, cycle + 1, length(log)):
            # Software stops at the first command that is not done.
            if outputs["complained"]:
                break
            outputs = device.run(cycles, **inputs)
        return outputs
