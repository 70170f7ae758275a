"""The self-test on an engine, where the board around it is Python: no serial line, no player."""

import pytest
from casemate.config import LINE_BYTES
from casemate.key_manager.layouts import KeyState
from casemate_sim.bench import Bench, small_fused_config
from casemate_sim.board import selftest
from casemate_sim.board.config import BoardConfig, Entropy
from casemate_sim.board.driver import Board
from casemate_sim.board.registers import LINE_BASE, MEMORY_BASE, block
from casemate_sim.board.selftest import LAST_STEP, STEPS, SelfTest
from casemate_sim.registers import BlockMap, RegisterMap

CONFIG = BoardConfig(engine=small_fused_config(), entropy=Entropy.SEEDED)
ENGINE, REGISTERS = RegisterMap(CONFIG.engine), BlockMap(block(CONFIG))
_LINE_CYCLES = 3000  # on a serial line the next access comes no sooner
NAMES = {register.offset: name for name, register in REGISTERS.items()}


class PythonBoard:
    """A transport of the driver: the engine's registers are real, the board's are made up."""

    def __init__(self, bench):
        self.bench = bench
        self.buffer = [0] * 16
        self.values = {"line": 0, "line_owner": 0}
        self.response = 0

    def read_words(self, address, count):
        return [self.read32(address + 4 * at) for at in range(count)]

    def write_words(self, address, values):
        for at, value in enumerate(values):
            self.write32(address + 4 * at, value)

    def read32(self, address):
        if address < 0x1000:
            return self.bench.read32(address)
        if address >= MEMORY_BASE:
            line, place = divmod(address - MEMORY_BASE, LINE_BYTES)
            content = self.bench.memory.get(line * LINE_BYTES, bytes(LINE_BYTES))
            return int.from_bytes(content[place:place + 4], "little")
        if LINE_BASE <= address < LINE_BASE + LINE_BYTES:
            return self.buffer[(address - LINE_BASE) // 4]
        name = NAMES[address]
        made_up = {"state": self._state, "line_response": lambda: self.response,
                   "cycles": lambda: self.bench.cycle, "control": lambda: 0,
                   "line_command": lambda: 0}
        return made_up[name]() if name in made_up else REGISTERS[name].reset

    def _state(self):
        seen = self.bench.step()
        tampered = bool(seen["alert_integrity"] or seen["alert_fatal"])
        key_state, status = (ENGINE.unpack(name, self.bench.read32(ENGINE.offset(name)))
                             for name in ("key_state", "status"))
        protected = not tampered and bool(
            key_state["state"] == KeyState.READY.value and status["ready"])
        return REGISTERS.pack("state", tampered=tampered, protected=protected,
                              booting=not tampered and not protected)

    def write32(self, address, value):
        if address < 0x1000:
            self.bench.write32(address, value)
        elif address >= MEMORY_BASE:
            line, place = divmod(address - MEMORY_BASE, LINE_BYTES)
            content = bytearray(self.bench.memory.get(line * LINE_BYTES, bytes(LINE_BYTES)))
            content[place:place + 4] = value.to_bytes(4, "little")
            self.bench.memory[line * LINE_BYTES] = bytes(content)
        elif LINE_BASE <= address < LINE_BASE + LINE_BYTES:
            self.buffer[(address - LINE_BASE) // 4] = value
        else:
            self._command(NAMES[address], value)

    def _command(self, name, value):
        self.values[name] = value
        fields = REGISTERS.unpack(name, value)
        if name == "control":
            if fields["reset"]:
                self.bench.power_cycle()
            self.bench.held = {"tamper": 1} if fields["tamper"] else {}
            for _ in range(_LINE_CYCLES):
                self.bench.step()
        elif name == "line_command":
            line = self.values["line"]
            owner = REGISTERS.unpack("line_owner", self.values["line_owner"])
            if fields["write"]:
                data = b"".join(word.to_bytes(4, "little") for word in self.buffer)
                number = self.bench.write(owner["domain"], line, data, claim=bool(owner["claim"]))
            else:
                number = self.bench.read(owner["domain"], line)
            self.response, data = self.bench.done(number)
            if fields["read"]:
                self.buffer = [int.from_bytes(data[at:at + 4], "little")
                               for at in range(0, LINE_BYTES, 4)]


@pytest.fixture(scope="module")
def bench():
    return Bench(CONFIG.engine)


@pytest.fixture
def board(bench, monkeypatch):
    """A board with blank fuses, whose self-test plays no trace."""
    bench.memory.clear()
    bench.power_cycle(())
    monkeypatch.setattr(selftest, "STEPS", tuple(
        step for step in STEPS if step[1] is not SelfTest._trace))
    return Board(PythonBoard(bench), CONFIG)


@pytest.mark.verify
def test_every_step_is_as_it_must_be_and_an_open_case_is_for_good(board):
    steps = list(SelfTest(board, open_case=True).steps())
    assert [step.title for step in steps] == [
        title for title, act in (*STEPS, LAST_STEP) if act is not SelfTest._trace]
    assert all(good for step in steps for _, good in step.facts), steps[-1]
    again = list(SelfTest(board).steps())
    assert not again[-1].ok and again[-1].title == "Fuses"
    assert "the fuses raised the alarm" in again[-1].facts[-1][0]


def test_a_second_self_test_finds_the_root_key_of_the_first(board):
    first, second = (list(SelfTest(board).steps()) for _ in range(2))
    assert all(step.ok for step in (*first, *second))
    assert [len(steps[1].facts) for steps in (first, second)] == [3, 1]


def test_a_board_that_does_not_notice_is_found(board, monkeypatch):
    monkeypatch.setattr(board, "inject", lambda address, content: None)
    last = list(SelfTest(board).steps())[-1]
    assert last.title == "Somebody changes a bit of memory" and not last.ok
    assert ("the owner gets an error and zeros", False) in last.facts


def test_a_write_that_is_refused_ends_the_step(board, monkeypatch):
    monkeypatch.setattr(board, "write_line", lambda domain, line, data: 2)
    last = list(SelfTest(board).steps())[-1]
    assert last.facts[-1] == ("a write of line 0 is answered with BRESP 2", False)
