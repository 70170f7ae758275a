# amaranth: UnusedElaboratable=no
"""The driver on what is around the engine, with a bare wire where the engine would be."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from casemate.config import LINE_BYTES
from casemate_sim.board.access import AccessSignature
from casemate_sim.board.config import BoardConfig
from casemate_sim.board.driver import OKAY, Board
from casemate_sim.board.host_side import HostSide
from casemate_sim.board.memory import BlockMemory
from casemate_sim.board.registers import TRACE_RECORDS
from casemate_sim.component import NativeComponent
from casemate_sim.driver import DriverError
from casemate_sim.native.memory_system import connect_wire
from casemate_sim.registers import RegisterMap
from casemate_sim.trace import make_records
from casemate_sim.workload import generate

CONFIG = BoardConfig()


class Bare(wiring.Component):
    """The board without serial line and engine."""

    def __init__(self):
        super().__init__({"access": In(AccessSignature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.host = host = HostSide(CONFIG)
        m.submodules.memory = memory = BlockMemory(CONFIG.engine)
        connect(m, flipped(self.access), host.access)
        connect(m, host.probe, memory.probe)
        connect_wire(m, host.bus, memory.bus)
        return m


class Transport:
    """Accesses to the simulated part; the engine's registers hold what a reset leaves there."""

    def __init__(self, sim):
        self._sim = sim
        self._engine = {register.offset: register.reset
                        for register in RegisterMap(CONFIG.engine).values()}

    def _access(self, address, **pins):
        for _ in range(10):
            seen = self._sim.step({"access_valid": 1, "access_address": address} | {
                f"access_{name}": value for name, value in pins.items()})
            if seen["access_done"]:
                self._sim.step({})
                if seen["access_error"]:
                    raise DriverError(f"nothing at {address:#x}")
                return seen["access_result"]
        raise AssertionError(f"no answer at {address:#x}")

    def read32(self, address):
        return self._engine[address] if address in self._engine else self._access(address)

    def write32(self, address, value):
        if address not in self._engine:
            self._access(address, write=1, value=value)

    def read_words(self, address, count):
        return [self.read32(address + 4 * at) for at in range(count)]

    def write_words(self, address, values):
        for at, value in enumerate(values):
            self.write32(address + 4 * at, value)


@pytest.fixture(scope="module")
def sim():
    return NativeComponent(Bare())


@pytest.fixture
def board(sim):
    sim.restart()
    return Board(Transport(sim), CONFIG)


def data_of(number):
    return bytes((number + at) & 0xFF for at in range(LINE_BYTES))


def test_lines_are_written_and_read_and_a_probe_sees_them(board):
    last = CONFIG.engine.lines - 1
    for line in (0, 5, last):
        assert board.write_line(1, line, data_of(line)) == OKAY
    for line in (0, 5, last):
        assert board.read_line(1, line) == (OKAY, data_of(line))
        assert board.look(64 * line, 64) == data_of(line)
    board.inject(64 * 5 + 8, b"injected")
    assert board.read_line(1, 5)[1] == data_of(5)[:8] + b"injected" + data_of(5)[16:]
    assert board.read_line(1, 0)[1] == data_of(0)


def test_a_trace_is_played_and_counted(board):
    records = generate("random", count=300, footprint_bytes=4096, read_share=0.5, seed=3)
    writes = int(np.count_nonzero(records["flags"] & 1))
    run = board.play(records, 1)
    assert run.counters["reads"] == 300 - writes and run.counters["writes"] == writes
    assert run.counters["errors"] == 0
    assert run.counters["read_beats"] == 4 * (300 - writes)
    assert run.histograms["read_last"].sum() == run.histograms["read_first"].sum() == 300 - writes
    assert run.histograms["write"].sum() == writes
    assert 4 < run.mean_latency("read_last") < 200
    # What the player writes names its line.
    written = {int(line) for line in records["line"][records["flags"] & 1 == 1]}
    for line in sorted(written)[:4]:
        assert int.from_bytes(board.look(64 * line, 4), "little") == line


def test_each_run_begins_anew_and_a_longer_trace_does_not_continue_an_old_one(board):
    first = board.play(make_records([1, 2, 3], write=[True] * 3), 1)
    assert first.counters["writes"] == 3
    board.write("trace", records=TRACE_RECORDS)
    assert board.read("player")["start"] == 0
    assert board.write_line(1, 9, data_of(9)) == OKAY  # the bus is free
    second = board.play(make_records([4] * 5), 1)
    assert (second.counters["reads"], second.counters["writes"]) == (5, 0)
    assert second.histograms["write"].sum() == 0
    assert second.mean_latency("write") is None


def test_distances_and_dependences_take_their_time(board):
    lines = list(range(20))
    fast = board.play(make_records(lines), 1, histograms=False)
    spread = board.play(make_records(lines, distance=[50] * 20), 1, histograms=False)
    chained = board.play(make_records(lines, dependent=[True] * 20), 1, histograms=False)
    assert spread.counters["cycles"] >= 20 * 50
    assert fast.counters["cycles"] < chained.counters["cycles"] < spread.counters["cycles"]


def test_a_trace_that_does_not_fit_is_refused(board):
    for count in (0, TRACE_RECORDS + 1):
        with pytest.raises(ValueError, match=f"a board plays 1 to 1024 records, not {count}"):
            board.play(make_records([0] * count), 1)


def test_a_reset_ends_by_itself_and_keeps_memory_and_settings(board):
    board.write_line(1, 7, data_of(7))
    board.write("player_limits", reads=2, writes=3, id_mask=1)
    board.reset()
    assert board.look(64 * 7, 64) == data_of(7)
    assert board.read("player_limits") == {"reads": 2, "writes": 3, "id_mask": 1}


def test_there_is_nothing_between_the_windows(board):
    size = board.read("memory")["bytes"]
    board.look(size - 4, 4)
    for read in (lambda: board.look(size, 4), lambda: board._transport.read32(0x1FFC),
                 lambda: board._transport.read32(0x4000), lambda: board._transport.read32(0x3000),
                 lambda: board._transport.write32(0x8000, 1)):
        with pytest.raises(DriverError, match="nothing at"):
            read()


def test_the_registers_say_what_the_board_is(board):
    before = board.cycles
    assert board.clock_hertz == 15_000_000
    assert board.entropy is CONFIG.entropy
    assert board.state == "dark"  # nobody drives the LEDs here
    assert board.cycles > before
