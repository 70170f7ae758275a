"""Campaigns of faults on a device with fuses, each fault judged and counted.

A fault may end in a right start, the alarm, or a device that stays closed. It must never end in a
wrong key, key bits where there should be none, or a debugger beside a secret: ``EscapeError``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from operator import itemgetter
from random import Random
from typing import Any

from casemate.fuse.codes import LifeCycle

from casemate_sim.fuses.bench import FROZEN
from casemate_sim.fuses.device import BOOT_CYCLES, FuseDevice
from casemate_sim.fuses.scenarios import (
    KEY,
    SCENARIOS,
    Scenario,
    Stage,
    Stimulus,
    device_in,
    length,
    record,
)
from casemate_sim.model.fuse_words import MARKS, STATES, WORD_BITS, decode_word
from casemate_sim.model.fuses import (
    CONFIGURATION,
    IDENTITY,
    WORDS,
    Boot,
    boot,
    is_torn,
    partition_of,
)

__all__ = ["CAMPAIGNS", "Campaign", "EscapeError", "double_bits", "forced_codes", "forced_states",
           "glitches", "interruptions", "judge", "restart", "single_bits"]

_MORE_CYCLES = {"erase": 1200, "finish": 1500}
"""Cycles that a start takes longer, by outcome: the secret may be erased before a mark."""
_KEY_REGISTERS = 1 << FROZEN.index("block") | 1 << FROZEN.index("offer")
_STATES = ("test", "production", "return")


_Fault = tuple[Scenario, list[Stimulus], int, Mapping[str, int] | None, str]


@lru_cache(maxsize=4096)
def _expected(image: tuple[int, ...]) -> Boot:
    """Return what the golden model expects; most faults leave one of a few images."""
    return boot(image)


@dataclass(frozen=True)
class Campaign:
    """Faults in an order that depends on the source of random numbers alone.

    Attributes
    ----------
    total:
        How many there are.
    faults:
        Each puts one fault in and returns the names of its outcomes, each of which is counted; or
        raises ``EscapeError``.
    """

    total: int
    faults: Iterator[Callable[[], Sequence[str]]]

    def count(self) -> Counter[str]:
        """Put all faults in; return how often each outcome came."""
        return Counter(outcome for fault in self.faults for outcome in fault())


class EscapeError(AssertionError):
    """A fault had an effect that it must not have; the message says which and how to repeat it."""


def judge(outputs: Mapping[str, Any], what: str, keys: int = 1) -> str:
    """Return how a fault ended: ``right``, ``alarm`` or ``closed``.

    Parameters
    ----------
    outputs:
        At the end.
    what:
        The fault.
    keys:
        How often the right key may have been handed over.

    Raises
    ------
    EscapeError
        If it had an effect that it must not have.
    """
    seen = [text for name, text in (
        ("key_wrong", "a wrong key was handed over"), ("key_leak", "key bits without a key"),
        ("exposed", "a debugger beside a secret")) if outputs[name]]
    if outputs["keys"] > keys:
        seen.append("more than one key was handed over")
    closed = not outputs["ready"]
    if closed and (outputs["debug"] or outputs["identity"] or outputs["configuration"]
                   or outputs["life_cycle"] != LifeCycle.SCRAP.value):
        seen.append("closed, and an output is open")
    if outputs["alert"] and (outputs["ready"] or outputs["held"]):
        seen.append("alarm, and something is held or open")
    if seen:
        raise EscapeError(f"{what}: {'; '.join(seen)}")
    return "alarm" if outputs["alert"] else "closed" if closed else "right"


def restart(device: FuseDevice, image: list[int], what: str) -> str:
    """Switch off and on; the start must be what the golden model expects of these fuses.

    A torn mark makes it two starts; the result is that of the second.
    """
    expected = _expected(tuple(image))
    outputs = device.start(BOOT_CYCLES + _MORE_CYCLES.get(expected.outcome, 0))
    result = judge(outputs, what)
    if expected.outcome == "finish" and result == "closed" and not outputs["keys"]:
        expected, entered = _expected(tuple(device.look())), expected.life_cycle
        outputs = device.start(BOOT_CYCLES + _MORE_CYCLES.get(expected.outcome, 0))
        result = judge(outputs, what)
        if expected.outcome not in ("run", "erase") or expected.life_cycle != entered:
            raise EscapeError(f"{what}: the mark of {entered} was torn, and is not finished")
    wanted = "alarm" if expected.outcome == "alarm" else "right"
    life = LifeCycle[expected.life_cycle.upper()].value
    same = (result == wanted and outputs["life_cycle"] == life
            and outputs["keys"] == (expected.root_key is not None)
            and outputs["debug"] == expected.debug
            and expected.root_key in (None, KEY))
    if not same:
        raise EscapeError(f"{what}: the next start is {result}, in state "
                          f"{outputs['life_cycle']:#x}, instead of {expected}")
    return result


def _unchanged(image: list[int], scenario: Scenario, what: str) -> None:
    """Check that nothing in a locked partition has changed, and no state of life was left."""
    before, after = _expected(scenario.image), _expected(tuple(image))
    for part in (IDENTITY, CONFIGURATION):
        if part.name in before.locked and (
                image[part.base:part.end] != list(scenario.image[part.base:part.end])):
            raise EscapeError(f"{what}: the {part.name} was locked, and has changed")
    if STATES.index(after.life_cycle) < STATES.index(before.life_cycle):
        raise EscapeError(f"{what}: from state {before.life_cycle} back to {after.life_cycle}")


def _flip(device: FuseDevice, state: str, bits: Iterable[tuple[int, int]]) -> str:
    image = device_in(state, erased=state == "return")
    what = f"{state} device, " + ", ".join(f"word {word} bit {bit}" for word, bit in bits)
    for word, bit in bits:
        image[word] ^= 1 << bit
    device.load(image, KEY)
    return restart(device, image, what)


def single_bits(device: FuseDevice, states: Sequence[str] = _STATES) -> Campaign:
    """Flip every bit of the array, one at a time: all are corrected."""
    def fault(state: str, word: int, bit: int) -> Sequence[str]:
        result = _flip(device, state, [(word, bit)])
        if result != "right":
            raise EscapeError(f"{state} device, word {word} bit {bit}: {result}")
        return ("corrected",)

    every = tuple(product(states, range(WORDS), range(WORD_BITS)))
    return Campaign(len(every), (lambda each=each: fault(*each) for each in every))


def double_bits(device: FuseDevice, count: int, random: Random) -> Campaign:
    """Flip two bits of a production device: of one word, the alarm; of two words, corrected.

    Two bits of one word may also make a torn mark, which is finished.
    """
    used = [address for address in range(WORDS) if partition_of(address)]

    def fault(first: int, second: int, bits: Sequence[int]) -> Sequence[str]:
        word = decode_word(device_in("production")[first] ^ sum(1 << bit for bit in bits))
        torn = first == second and first in (2, 3, 4) and is_torn(word, MARKS[first])
        result = _flip(device, "production", [(first, bits[0]), (second, bits[1])])
        wanted = "alarm" if first == second and not torn else "right"
        if result != wanted:
            raise EscapeError(f"words {first} and {second}, bits {bits}: {result}")
        return (f"{'torn mark' if torn else 'one word' if first == second else 'two words'}: "
                f"{wanted}",)

    def faults() -> Iterator[Callable[[], Sequence[str]]]:
        for number in range(count):
            first = random.choice(used)
            second = first if number % 2 else random.choice(
                [word for word in used if word != first])
            bits = random.sample(range(WORD_BITS), 2)
            yield lambda chosen=(first, second, bits): fault(*chosen)

    return Campaign(count, faults())


def _played(device: FuseDevice, total: int, faults: Iterable[_Fault],
            alarm: bool = False) -> Campaign:
    """Return the campaign that plays scenarios with a fault; with `alarm` all end in one.

    Reset reaches every register, so that the next start depends on the fuses alone: it is done once
    for each content that they are left with.
    """
    started: dict[tuple[int, ...], str] = {}
    stage = Stage(device)

    def play_one(fault: _Fault) -> Sequence[str]:
        scenario, log, cycle, inputs, what = fault
        what = f"{scenario.name}, cycle {cycle}: {what}"
        outputs = stage.play(scenario, log, cycle, inputs)
        outcomes = []
        if inputs is not None:
            outputs = device.run(50)
            if outputs["alert"]:  # perhaps just now
                outputs = device.run(3)
            # A register that stands still with all others does not see that the key was taken.
            stood = inputs.get("freeze", 0) & _KEY_REGISTERS == _KEY_REGISTERS
            result = judge(outputs, what, keys=1 + stood)
            outcomes.append(result)
            if alarm and result != "alarm":
                raise EscapeError(f"{what}: no alarm, {result}")
        image = device.look()
        _unchanged(image, scenario, what)
        if tuple(image) not in started:
            started[tuple(image)] = restart(device, image, what)
        return (*outcomes, f"next start {started[tuple(image)]}")

    return Campaign(total, (lambda fault=fault: play_one(fault) for fault in faults))


def _recorded(device: FuseDevice) -> list[list[Stimulus]]:
    return [record(device, scenario) for scenario in SCENARIOS]


def forced_codes(device: FuseDevice, count: int | None, random: Random) -> Campaign:
    """Force registers to values that are no codewords; each of them ends in the alarm.

    Parameters
    ----------
    count:
        How many, taken at random; None: every value of every register once.
    """
    logs = _recorded(device)
    every = [(name, value) for name, register in device.registers.items()
             for value in sorted(
                 set(range(1 << len(register.as_value()))) - set(device.codes(name)))]
    chosen = random.sample(every, len(every) if count is None else count)

    numbers = [random.randrange(len(SCENARIOS)) for _ in chosen]
    placed = sorted((number, random.randrange(length(logs[number])), name, value)
                    for number, (name, value) in zip(numbers, chosen, strict=True))

    def faults() -> Iterator[_Fault]:
        for number, cycle, name, value in placed:
            yield (SCENARIOS[number], logs[number], cycle, _force(device, name, value),
                   f"{name} is {value:#x}")

    return _played(device, len(chosen), faults(), alarm=True)


def _force(device: FuseDevice, name: str, value: int) -> Mapping[str, int]:
    return {"force": 1, "force_register": list(device.registers).index(name),
            "force_value": value}


def forced_states(device: FuseDevice, count: int | None, random: Random) -> Campaign:
    """Force registers to each of their other codewords.

    Parameters
    ----------
    count:
        How many, taken at random; None: every codeword of the two state machines in every cycle,
        and of the other registers in every fourth.
    """
    logs = _recorded(device)
    every = [(number, cycle, name, code) for number, log in enumerate(logs)
             for name in device.registers
             for cycle in range(0, length(log), 1 if name in ("step", "port") else 4)
             for code in device.codes(name)]
    chosen = sorted(every if count is None else random.sample(every, count))
    return _played(device, len(chosen), (
        (SCENARIOS[number], logs[number], cycle, _force(device, name, value),
         f"{name} is {value:#x}") for number, cycle, name, value in chosen))


def glitches(device: FuseDevice, count: int, random: Random) -> Campaign:
    """Let enables of registers fail, and pins of the macro, for a cycle."""
    logs = _recorded(device)
    pins: list[Callable[[], dict[str, int]]] = [
        lambda: {"drop_read": 1}, lambda: {"drop_program": 1}, lambda: {"drop_valid": 1},
        lambda: {"fake_valid": 1}, lambda: {"fake_done": 1},
        lambda: {"fake_valid": 1, "garble": random.getrandbits(WORD_BITS)},
        lambda: {"garble": random.getrandbits(WORD_BITS)}, lambda: {"fail": 1},
        lambda: {"garble": (1 << WORD_BITS) - 1},
    ]
    single = [1 << bit for bit in range(len(FROZEN))]
    pairs = [a | b for a, b in combinations(single, 2)]

    def draw(kind: int) -> tuple[int, int, dict[str, int]]:
        which = random.randrange(len(SCENARIOS))
        fault = (random.choice(pins)() if kind == 0 else
                 {"freeze": random.choice(single)} if kind == 1 else
                 {"freeze": random.choice(pairs)} if kind == 2 else
                 {"freeze": random.getrandbits(len(FROZEN))})
        return which, random.randrange(length(logs[which])), fault

    drawn = sorted((draw(number % 4) for number in range(count)), key=itemgetter(0, 1))
    return _played(device, count, (
        (SCENARIOS[which], logs[which], cycle, fault, str(fault))
        for which, cycle, fault in drawn))


def interruptions(device: FuseDevice, step: int = 1) -> Campaign:
    """Lose power in every cycle of every scenario, or in every `step` of them."""
    every = [(scenario, log, cycle)
             for scenario, log in zip(SCENARIOS, _recorded(device), strict=True)
             for cycle in range(0, length(log), step)]
    return _played(device, len(every), (
        (scenario, log, cycle, None, "power lost") for scenario, log, cycle in every))


CAMPAIGNS: dict[str, Callable[[FuseDevice, int | None, Random], Campaign]] = {
    "single bit errors": lambda device, effort, random: single_bits(
        device, ("production",) if effort == 1 else _STATES),
    "double bit errors": lambda device, effort, random: double_bits(
        device, 2_000 * (effort or 20), random),
    "invalid codes": lambda device, effort, random: forced_codes(
        device, effort and 800 * effort, random),
    "other states": lambda device, effort, random: forced_states(
        device, effort and 800 * effort, random),
    "glitches": lambda device, effort, random: glitches(device, 800 * (effort or 50), random),
    "interrupted power": lambda device, effort, random: interruptions(
        device, 17 if effort == 1 else 1),
}
"""By name: device, effort (1 for a sample, None for everything), source of random numbers."""
