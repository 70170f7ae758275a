"""What the driver says of a port that is not there, and of things that are no board."""

import os
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest
from casemate.config import ConfigError
from casemate_sim.board.config import BoardConfig
from casemate_sim.board.driver import Board
from casemate_sim.board.frames import (
    CHECK,
    RESYNCHRONIZE,
    Command,
    encode_read,
    encode_write,
)
from casemate_sim.board.registers import block
from casemate_sim.board.serial import PortError, open_port
from casemate_sim.board.simulation import pseudo_terminal
from casemate_sim.driver import DriverError
from casemate_sim.registers import BlockMap, RegisterMap

CONFIG = BoardConfig()
ENGINE, AROUND = RegisterMap(CONFIG.engine), BlockMap(block(CONFIG))
BOARD_ID = AROUND.offset("board_id")


def closed(content):
    return content + CHECK.compute(content).to_bytes(2, "big")


class FakeBoard:
    """A device that answers single reads from a table, or what it is told to answer."""

    def __init__(self):
        self.words = {register.offset: register.reset for map_ in (ENGINE, AROUND)
                      for register in map_.values()}
        self.answer = None  # what comes instead, a function of the frame
        self.seen = Counter()

    def handle(self, frame):
        self.seen[frame[:1]] += 1
        if self.answer is not None:
            return self.answer(frame)
        address = int.from_bytes(frame[2:5], "little")
        if frame[0] == Command.WRITE:
            return closed(b"W\0")
        found = self.words.get(address)
        return closed(b"R" + (found or 0).to_bytes(4, "little") + bytes((found is None,)))

    def serve(self, descriptor):
        while True:
            try:
                frame = os.read(descriptor, 4096)
            except OSError:
                return
            frame = frame.lstrip(b"\0")
            if frame == b"stop":
                return
            if frame:
                answer = self.handle(frame)
                if answer is None:
                    return
                os.write(descriptor, answer)


@pytest.fixture
def fake():
    """A fake board, and the name of its port."""
    board = FakeBoard()
    with pseudo_terminal() as (ours, name):
        thread = Thread(target=board.serve, args=(ours,), daemon=True)
        thread.start()
        yield board, name
        with Path(name).open("wb", buffering=0) as port:
            port.write(b"stop")
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_registers_are_read_and_written(fake):
    board, name = fake
    with open_port(name) as transport:
        assert transport.read32(ENGINE.offset("id")) == ENGINE["id"].reset
        transport.write32(ENGINE.offset("policy"), 1)
        assert Board(transport, CONFIG).engine.version
    assert board.seen[b"W"] == 1


@pytest.mark.parametrize("name", ["/dev/ttyNOWHERE", "/dev/null", "/tmp"])
def test_a_port_that_is_none(name):
    with pytest.raises(PortError, match=f"{name}: cannot be opened: "), open_port(name):
        pass


def test_a_device_that_says_nothing(fake):
    fake[0].answer = lambda frame: b""
    with open_port(fake[1], timeout=0.5) as transport, pytest.raises(
            PortError, match=r"no bytes in answer to a read at 0x01000 within 0.5 s: is the "
            r"board configured, and the rate right\?"):
        Board(transport, CONFIG)


@pytest.mark.parametrize(("answer", "message"), [
    (b"hello, who is there?\r\n", "garbage in answer to a read at 0x01000: no answer begins with "
                                  "0x68"),
    (b"R\1\2\3\4\0\0\0", "garbage in answer to .*: the check of 52 01 02 03 04 00 00 00 is wrong"),
    (b"R\1\2", "3 bytes in answer to a read at 0x01000"),
    (closed(b"?"), "the board did not understand a read at 0x01000: bytes are lost or changed"),
])
def test_a_device_that_answers_something_else(fake, answer, message):
    fake[0].answer = lambda frame: answer
    with open_port(fake[1], timeout=0.5) as transport, pytest.raises(PortError, match=message):
        Board(transport, CONFIG)


def test_an_error_of_the_bus_is_no_fault_of_the_line(fake):
    with open_port(fake[1]) as transport, pytest.raises(
            DriverError, match="1 of 1 accesses of a read at 0x00ffc were answered with an error"):
        transport.read32(0xFFC)


@pytest.mark.parametrize(("registers", "name", "message"), [
    (AROUND, "board_id", "another bitstream: register board_id is 0x00c0ffee"),
    (AROUND, "memory", "another bitstream: register memory is 0x00c0ffee"),
    (ENGINE, "id", "another bitstream: register id is 0x00c0ffee"),
    (ENGINE, "digest", "another bitstream: register digest is 0x00c0ffee; this configuration's"),
])
def test_another_bitstream_is_told_from_ours(fake, registers, name, message):
    fake[0].words[registers.offset(name)] = 0xC0FFEE
    with open_port(fake[1]) as transport, pytest.raises(DriverError, match=message):
        Board(transport, CONFIG)


def test_what_came_before_is_forgotten(fake):
    board, name = fake
    board.words[0x1234] = 7
    with Path(name).open("wb", buffering=0) as port:
        port.write(encode_read(0x1234))  # its answer waits for the next who opens the port
    with open_port(name) as transport:
        assert transport.read32(BOARD_ID) == AROUND["board_id"].reset


def test_zeros_are_longer_than_any_frame():
    assert len(RESYNCHRONIZE) >= len(encode_write(0, [0] * 64))


def test_a_rate_that_the_clock_cannot_make_is_refused():
    with pytest.raises(ConfigError, match="baud = 9000000 is not possible"):
        BoardConfig(baud=9_000_000)
    with pytest.raises(ConfigError, match="a board needs an engine with fuses"):
        BoardConfig(engine=CONFIG.engine.replace(keys=None))
