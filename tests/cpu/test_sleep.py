"""An engine that sleeps while it has nothing to do is the same, cycle for cycle."""

import pytest
from casemate.config import KeyManagerConfig, preset
from casemate_sim.cpu.boot import boot
from casemate_sim.cpu.program import Program, find_program
from casemate_sim.exported import unused_hardware
from casemate_sim.modes import with_tree
from casemate_sim.native import PATIENCE
from casemate_sim.native.sleep import SleepingEngine

TINY = preset("tiny")
SAME = ("code", "output", "cycles", "memory_digest", "metadata", "alarms")

ZERO, T0, T1, T2, S0, S1, S2, T3, T4 = 0, 5, 6, 7, 8, 9, 18, 28, 29
ADD, SLL, XOR, SRL, AND = 0, 1, 4, 5, 7


def with_register(operation, target, left, right):
    return right << 20 | left << 15 | operation << 12 | target << 7 | 0x33


def with_number(operation, target, left, number):
    return (number & 0xfff) << 20 | left << 15 | operation << 12 | target << 7 | 0x13


def upper(target, number):
    return number << 12 | target << 7 | 0x37


def load(target, base):
    return base << 15 | 2 << 12 | target << 7 | 0x03


def store(source, base, offset=0):
    return source << 20 | base << 15 | 2 << 12 | offset << 7 | 0x23


def back(words, left, right, *, kind):
    """A branch to `words` instructions before."""
    offset = -4 * words
    return ((offset >> 12 & 1) << 31 | (offset >> 5 & 0x3f) << 25 | right << 20 | left << 15
            | kind << 12 | (offset >> 1 & 0xf) << 8 | (offset >> 11 & 1) << 7 | 0x63)


UNEQUAL, NOT_LESS = 1, 5

# Changes a word of a random line, behind random pauses of up to some 400 cycles.
START = (upper(T0, 0xf0000), upper(S2, 0x10), upper(S0, 0x12345), with_number(ADD, S1, ZERO, 150))
LOOP = (
    with_number(SLL, T1, S0, 13), with_register(XOR, S0, S0, T1),
    with_number(SRL, T1, S0, 17), with_register(XOR, S0, S0, T1),
    with_number(SLL, T1, S0, 5), with_register(XOR, S0, S0, T1),
    with_number(SRL, T2, S0, 22), with_number(SLL, T2, T2, 6), with_register(ADD, T2, T2, S2),
    load(T3, T2), with_register(XOR, T3, T3, S0), store(T3, T2),
    with_number(AND, T4, S0, 127),
    with_number(ADD, T4, T4, -1), back(1, T4, ZERO, kind=NOT_LESS),
    with_number(ADD, S1, S1, -1),
)
PAUSES = Program(name="pauses", symbols={}, segments={0: b"".join(
    word.to_bytes(4, "little") for word in (
        *START, *LOOP, back(len(LOOP), S1, ZERO, kind=UNEQUAL),
        store(T3, T0), store(ZERO, T0, 4), 0x0000006f))})


def start(program, mode, config, patience):
    return boot(program, core="vexriscv", config=config, mode=mode, patience=patience,
                limit=1_000_000, optimise="-O0")


def check(program, mode, config, patiences):
    awake = start(program, mode, config, None)
    assert awake.ok and awake.slept == 0
    slept = []
    for patience in patiences:
        run = start(program, mode, config, patience)
        for name in SAME:
            assert getattr(run, name) == getattr(awake, name), (patience, name)
        slept.append(run.slept)
    assert all(slept) and slept == sorted(slept, reverse=True)
    return awake, slept


def test_a_program_takes_the_same_cycles_with_an_engine_that_sleeps():
    awake, (slept,) = check(find_program("hello"), "xts", TINY, [PATIENCE])
    assert slept > awake.cycles / 4


def test_accesses_that_come_when_the_engine_falls_asleep_are_not_lost():
    check(PAUSES, "xts", TINY, range(8, 2 * PATIENCE, 5))


def test_an_engine_that_looks_after_its_fuses_is_not_put_to_sleep():
    with unused_hardware(), pytest.raises(ValueError, match="never sleeps"):
        SleepingEngine(with_tree(TINY).replace(keys=KeyManagerConfig(domains=16)))


@pytest.mark.verify
@pytest.mark.parametrize("name", ["hello", "mixed", "sha256"])
def test_a_program_takes_the_same_cycles_with_a_tree_that_sleeps(name):
    awake, _ = check(find_program(name), "full", with_tree(TINY), [PATIENCE])
    assert awake.metadata["nodes_fetched"] > 10


@pytest.mark.verify
def test_accesses_that_come_when_the_tree_falls_asleep_are_not_lost():
    check(PAUSES, "full", with_tree(TINY), range(8, 2 * PATIENCE, 13))
