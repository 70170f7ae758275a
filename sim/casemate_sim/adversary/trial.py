"""One trial: a victim works, an attack strikes, the victim goes on, and the outcome is judged."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from casemate.config import LINE_BYTES

from .adapter import Adapter, AdapterError, Alarm, Operation, Response
from .attack import Attack, Later, Outcome
from .catalogue import find
from .dram import ALL_BYTES, Witness, Write, merged
from .scene import Scene

__all__ = ["Trial", "TrialResult", "run_trial"]

_ORDERLY_SHARE = 0.7


@dataclass(frozen=True)
class Trial:
    """What decides a trial completely.

    Parameters
    ----------
    attack:
        Name of the attack.
    mode:
        The victim's mode.
    seed:
        Of everything random.
    """

    attack: str
    mode: str
    seed: int


@dataclass
class TrialResult:
    """What came of a trial.

    Attributes
    ----------
    trial:
        The trial.
    outcome, expected:
        What it was, and what comes of the attack in this mode if it hits.
    parameters:
        What the attack drew.
    orderly:
        The metadata cache was empty when the attack struck, and every line was read afterwards.
    lies:
        Addresses whose reads the engine got wrong content for, in order.
    events:
        What happened, for people.
    unnoticed:
        It was harmless in a mode that authenticates, although the engine was lied to about a line
        that held something: a check may be missing.
    """

    trial: Trial
    outcome: Outcome
    expected: Outcome
    parameters: dict[str, object]
    orderly: bool
    lies: list[int]
    events: list[str]
    unnoticed: bool = False

    @property
    def ok(self) -> bool:
        """Whether the outcome is one that the attack may have: the expected one, or a miss."""
        return self.outcome in (self.expected, Outcome.HARMLESS)

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values."""
        return {**asdict(self), "outcome": self.outcome.value, "expected": self.expected.value,
                "ok": self.ok}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialResult:
        """Return what :meth:`as_dict` was made from."""
        return cls(
            trial=Trial(**values["trial"]), outcome=Outcome(values["outcome"]),
            expected=Outcome(values["expected"]), parameters=values["parameters"],
            orderly=values["orderly"], lies=values["lies"], events=values["events"],
            unnoticed=values["unnoticed"])


@dataclass
class _Victim:
    """Does accesses and judges the responses: a line holds one of the contents it may hold."""

    adapter: Adapter
    witness: Witness
    possible: dict[int, set[bytes]] = field(default_factory=dict)
    wrong: list[int] = field(default_factory=list)
    errors: int = 0
    false_alarm: bool = False
    events: list[str] = field(default_factory=list)

    async def perform(self, operations: list[Operation]) -> list[Response]:
        responses = await self.adapter.perform(operations)
        for operation, response in zip(operations, responses, strict=True):
            self._judge(operation, response)
        self.look()
        return responses

    async def sweep(self, *, empty: bool) -> None:
        await self.adapter.sweep(empty=empty)
        self.look()

    def look(self) -> None:
        """Notice an alarm that comes before any lie."""
        if (self.errors or self.adapter.alarm().any) and not self.witness.lies:
            self.false_alarm = True

    def _judge(self, operation: Operation, response: Response) -> None:
        line = operation.line
        possible = self.possible.setdefault(line, {bytes(LINE_BYTES)})
        self.errors += response.error
        if operation.data is None:
            if response.error:
                self.events.append(f"line {line}: error of a read")
            # Beats with an error must be zeros.
            allowed = {merged(content, Write(0, bytes(LINE_BYTES), response.wrong_beats))
                       for content in possible} if response.error else possible
            if response.data not in allowed:
                self.wrong.append(line)
                self.events.append(f"line {line}: wrong data")
            return
        written = {merged(old, Write(0, operation.data, operation.strobe)) for old in possible}
        if response.error:
            self.events.append(f"line {line}: error of a write")
            written |= possible
        self.possible[line] = written


def _accesses(rng: random.Random, lines: tuple[int, ...], count: int) -> list[Operation]:
    """Return reads, writes and partial writes at random."""
    operations = []
    for _ in range(count):
        line, choice = rng.choice(lines), rng.random()
        if choice < 0.5:
            operations.append(Operation(line))
        elif choice < 0.8:
            operations.append(Operation(line, rng.randbytes(LINE_BYTES)))
        else:
            operations.append(Operation(line, rng.randbytes(LINE_BYTES),
                                        rng.getrandbits(LINE_BYTES) or ALL_BYTES))
    return operations


async def run_trial(adapter: Adapter, trial: Trial) -> TrialResult:
    """Run one trial; everything follows from it and the adapter's configuration.

    Parameters
    ----------
    adapter:
        The simulation; it is started anew.
    trial:
        What to do.
    """
    try:
        return await _run(adapter, trial)
    except AdapterError as error:
        return TrialResult(
            trial=trial, outcome=Outcome.HANGS, expected=find(trial.attack).expected[trial.mode],
            parameters={}, orderly=False, lies=[], events=[str(error)])


async def _run(adapter: Adapter, trial: Trial) -> TrialResult:
    kind = find(trial.attack)
    rng = random.Random(f"{trial.attack} {trial.mode} {trial.seed}")
    scene = Scene.draw(rng, adapter.config)
    attack = kind(scene, rng)
    orderly = attack.reboots or rng.random() < _ORDERLY_SHARE
    acting = attack if orderly else Later(attack, rng.randrange(40))
    await adapter.start(trial.mode, rng.getrandbits(32))
    witness = Witness(adapter.dram, acting)
    adapter.set_hook(witness)
    victim = _Victim(adapter, witness)
    wanted = attack.wanted_data()

    async def sweep(certainly: bool) -> None:
        if certainly or rng.random() < 0.5:
            await victim.sweep(empty=certainly or rng.random() < 0.5)

    def writes(lines: tuple[int, ...]) -> list[Operation]:
        return [Operation(line, wanted.get(line) or rng.randbytes(LINE_BYTES)) for line in lines]

    acting.begin(witness)
    order = list(scene.lines)
    rng.shuffle(order)
    await victim.perform(writes(tuple(order)))
    await victim.perform(_accesses(rng, scene.others, 4))
    await sweep(orderly)
    acting.observe(witness)
    again = [scene.target, *rng.sample(scene.lines[1:], 2), *wanted]
    await victim.perform(writes(tuple(dict.fromkeys(again))))
    await sweep(orderly)
    secrets = [next(iter(contents)) for contents in victim.possible.values() if len(contents) == 1]
    acting.strike(witness)
    if attack.reboots:
        return await _after_reboot(adapter, trial, victim, attack, witness, secrets, rng)
    # The target is touched in between, so that the attack meets reads, merges and writes.
    await victim.perform([Operation(scene.target, *(
        () if rng.random() < 0.7 else (rng.randbytes(LINE_BYTES), rng.getrandbits(64))))])
    if not orderly or rng.random() < 0.5 or trial.attack.startswith("glitch"):
        await victim.perform(_accesses(rng, scene.lines, 12))
        await sweep(certainly=rng.random() < 0.5)
    await victim.perform([Operation(line) for line in scene.lines])
    learned = attack.learned(witness, secrets)
    return _judge(trial, attack, orderly, victim, adapter.alarm(), witness, learned)


async def _after_reboot(adapter: Adapter, trial: Trial, victim: _Victim, attack: Attack,
                  witness: Witness, secrets: list[bytes], rng: random.Random) -> TrialResult:
    """Read everything under the next boot's keys: whoever gets a secret has learned it."""
    alarm = adapter.alarm()
    errors = victim.errors
    await adapter.reboot(rng.getrandbits(32))
    responses = await adapter.perform([Operation(line) for line in attack.scene.lines])
    learned = attack.learned(witness, secrets) or any(
        response.data in secrets for response in responses)
    # An access error is right: after reset nobody owns anything.
    if any(response.error for response in responses):
        victim.events.append("the next boot's reads are refused")
    victim.errors = errors
    return _judge(trial, attack, True, victim, alarm | adapter.alarm(), witness, learned)


def _judge(trial: Trial, attack: Attack, orderly: bool, victim: _Victim, alarm: Alarm,
           witness: Witness, learned: bool) -> TrialResult:
    events = victim.events
    if learned:
        events.append("the adversary learned something")
    if alarm.any:
        events.append(f"alarm: {alarm}")
    if victim.wrong or learned:
        outcome = Outcome.SUCCEEDS
    elif victim.false_alarm or ((alarm.any or victim.errors) and not witness.lies):
        outcome = Outcome.FALSE_ALARM
    elif alarm.any or victim.errors:
        outcome = Outcome.DETECTED
    else:
        outcome = Outcome.HARMLESS
    return TrialResult(
        trial=trial, outcome=outcome, expected=attack.expected[trial.mode],
        parameters=attack.parameters, orderly=orderly, lies=witness.lies, events=events,
        unnoticed=(outcome is Outcome.HARMLESS and witness.grave and not attack.reboots
                   and trial.mode in ("integrity", "full")))
