"""Programs run from protected memory, and see an attack on it as a bus error."""

import pytest
from casemate.config import preset
from casemate_sim.cpu.boot import BUS_ERROR_CODE, boot, machine_config
from casemate_sim.cpu.hardware.cores import CORES
from casemate_sim.cpu.program import Program, find_program, shipped
from casemate_sim.cpu.strike import Strike, target_of
from casemate_sim.modes import MODES, with_tree

TINY = preset("tiny")
SHORT = "-O0"  # a model that is compiled in a fraction of the time, for runs of a second

# t0 is the devices, t1 an address behind the data window, which is refused, mtvec 0x20; the trap
# handler there makes its cause the exit code.
BEHIND = (0xf00002b7, 0x00040337, 0x02000393, 0x30539073)
HANDLER = (0x34202ef3, 0x01d2a223, 0x0000006f)  # csrr t4, mcause; sw t4, 4(t0); j .
LOAD, JUMP, NOP = 0x00032e03, 0x00030067, 0x00000013  # lw t3, 0(t1); jr t1


def image(*words):
    content = b"".join(word.to_bytes(4, "little") for word in words)
    return Program(name="image", segments={0: content}, symbols={})


def start(program, mode, core="vexriscv", config=TINY, **options):
    program = find_program(program) if isinstance(program, str) else program
    return boot(program, core=core, config=config, mode=mode, **options)


def struck(name, mode, attack, cycle, target=None, **options):
    first, size = target_of(find_program(name), target, machine_config(TINY))
    return start(name, mode, strike=Strike(attack=attack, cycle=cycle, first=first, size=size),
                 **options)


# -- the engine without a tree, which builds faster ----------------------------------

def test_a_program_from_encrypted_memory_does_what_it_does_in_plain():
    runs = {mode: start("sha256", mode, optimise=SHORT) for mode in ("plain", "xts")}
    for mode, run in runs.items():
        assert run.ok and b"sha256: two blocks 248d6a61" in run.output, (mode, run.code, run.output)
    assert runs["xts"].output == runs["plain"].output
    assert runs["xts"].cycles > runs["plain"].cycles


def test_the_same_seed_gives_the_same_cycles():
    runs = [start("hello", "xts", optimise=SHORT) for _ in range(2)]
    assert runs[0].cycles == runs[1].cycles > 1000


@pytest.mark.parametrize(("refused", "cause"), [(LOAD, 5), (JUMP, 1)])
def test_what_the_engine_refuses_is_an_access_fault_of_the_core(refused, cause):
    run = start(image(*BEHIND, refused, NOP, NOP, NOP, *HANDLER), "xts", limit=20_000,
                optimise=SHORT)
    assert run.code == cause


def test_an_attack_on_a_program_without_a_tree_gets_through():
    # Its instructions are garbage now, and nobody told it so.
    run = struck("sha256", "xts", "flip_data_multi", 2, "main", limit=60_000, optimise=SHORT)
    assert run.strike is not None and run.code != 0 and run.alarms == ()
    assert run.code != BUS_ERROR_CODE or b"instruction fetch" not in run.output


def test_a_program_that_does_not_end_is_given_up():
    run = start("mixed", "plain", limit=5000, optimise=SHORT)
    assert run.code is None and not run.ok and run.cycles == 5000


# -- the engine with one -----------------------------------------------------------------------

@pytest.mark.verify
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", shipped())
def test_every_program_writes_the_same_in_every_mode(core, name):
    runs = {mode: start(name, mode, core, with_tree(TINY)) for mode in MODES}
    for mode, run in runs.items():
        assert run.ok, (mode, run.code, run.output, run.alarms)
        assert run.output == runs["bare"].output and run.output, mode
        assert run.cycles >= runs["bare"].cycles
    assert runs["full"].cycles > runs["plain"].cycles
    # Its instructions came from protected memory: leaves and nodes were needed for them.
    assert runs["full"].metadata["nodes_fetched"] > 10


@pytest.mark.verify
@pytest.mark.parametrize(("attack", "target", "cause"), [
    ("flip_data", None, b"TRAP: bus error: load"),
    ("flip_data_multi", "main", b"TRAP: bus error: instruction fetch"),
    ("replay_line", None, b"TRAP: bus error: load"),
])
def test_a_running_program_sees_an_attack_as_a_bus_error(attack, target, cause):
    # The chase counts its visits in the lines that are attacked, so an old line is a wrong one; it
    # is in main all the time, so that is attacked before its first instruction.
    run = struck("chase", "full", attack, 2 if target else 400_000, target)
    assert run.code == BUS_ERROR_CODE, run.output
    assert cause in run.output
    assert run.strike["attack"] == attack
    assert any("line" in alarm for alarm in run.alarms)


@pytest.mark.verify
def test_a_core_without_caches_sees_an_attack_as_an_interrupt():
    run = struck("chase", "full", "flip_data", 3_000_000, core="picorv32")
    assert run.code == BUS_ERROR_CODE and b"TRAP: bus error, imprecise" in run.output
