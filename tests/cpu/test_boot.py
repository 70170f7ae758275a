"""Programs run from protected memory, and see an attack on it as a bus error."""

import pytest
from casemate.config import preset
from casemate_sim.cpu.boot import BUS_ERROR_CODE, boot
from casemate_sim.cpu.hardware.cores import CORES
from casemate_sim.cpu.program import find_program, shipped
from casemate_sim.cpu.strike import Strike, target_of
from casemate_sim.modes import MODES

TINY = preset("tiny")
SHORT = "-O0"  # a model that is compiled in a fraction of the time, for runs of a second


def start(name, mode, core="vexriscv", **options):
    return boot(find_program(name), core=core, config=TINY, mode=mode, limit=50_000_000, **options)


def struck(name, mode, attack, cycle, target=None, **options):
    program = find_program(name)
    first, size = target_of(program, target, TINY.replace(data_bytes=2**18))
    return start(name, mode, strike=Strike(attack=attack, cycle=cycle, first=first, size=size),
                 **options)


def test_a_program_in_full_does_what_it_does_in_plain_and_later():
    runs = {mode: start("mixed", mode, optimise=SHORT) for mode in ("plain", "full")}
    for mode, run in runs.items():
        assert run.ok and run.code == 0, (mode, run.output, run.alarms)
    assert runs["full"].output == runs["plain"].output == b"mixed: 1 round, CRC 9014\n"
    assert runs["full"].cycles > runs["plain"].cycles
    # Its instructions came from protected memory: leaves and nodes were needed for them.
    assert runs["full"].metadata["lines_read"] > 50
    assert runs["full"].metadata["nodes_fetched"] > 10
    again = start("mixed", "full", optimise=SHORT)
    assert (again.cycles, again.metadata) == (runs["full"].cycles, runs["full"].metadata)


@pytest.mark.parametrize(("attack", "target", "cause"), [
    ("flip_data", None, b"TRAP: bus error: load"),
    ("flip_data_multi", "main", b"TRAP: bus error: instruction fetch"),
    ("replay_line", None, b"TRAP: bus error: load"),
])
def test_a_running_program_sees_an_attack_as_a_bus_error(attack, target, cause):
    # The chase counts its visits in the lines that are attacked, so an old line is a wrong one; it
    # is in main all the time, so that is attacked before its first instruction.
    run = struck("chase", "full", attack, 2 if target else 200_000, target, optimise=SHORT)
    assert run.code == BUS_ERROR_CODE, run.output
    assert cause in run.output
    assert run.strike["attack"] == attack
    assert any("line" in alarm for alarm in run.alarms)


def test_without_integrity_the_same_attack_goes_unnoticed_or_wrong():
    run = struck("chase", "plain", "flip_data_multi", 200_000, optimise=SHORT)
    assert run.code != BUS_ERROR_CODE
    assert run.strike is not None and run.alarms == ()


def test_a_program_that_does_not_end_is_given_up():
    run = boot(find_program("mixed"), core="vexriscv", config=TINY, mode="plain", limit=5000,
               optimise=SHORT)
    assert run.code is None and not run.ok and run.cycles == 5000


@pytest.mark.verify
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", shipped())
def test_every_program_writes_the_same_in_every_mode(core, name):
    runs = {mode: start(name, mode, core) for mode in MODES}
    for mode, run in runs.items():
        assert run.ok, (mode, run.code, run.output, run.alarms)
        assert run.output == runs["bare"].output and run.output, mode
        assert run.cycles >= runs["bare"].cycles
    assert runs["full"].cycles > runs["plain"].cycles


@pytest.mark.verify
@pytest.mark.parametrize("core", CORES)
def test_every_core_sees_an_attack_on_its_data(core):
    run = struck("chase", "full", "flip_data", 400_000 if core == "vexriscv" else 3_000_000,
                 core=core)
    assert run.code == BUS_ERROR_CODE and b"bus error" in run.output
