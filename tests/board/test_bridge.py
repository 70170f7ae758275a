# amaranth: UnusedElaboratable=no
"""Frames: what host and board say to each other, and what the board does then."""

import random

import pytest
from amaranth.sim import Simulator
from casemate_sim.board.bridge import Bridge
from casemate_sim.board.frames import (
    CHECK,
    MAXIMUM_WORDS,
    RESYNCHRONIZE,
    Answer,
    Command,
    FrameError,
    decode_answer,
    encode_read,
    encode_write,
    size_of_answer,
)

BROKEN = 0xDEAD0
"""An address at which there is nothing."""


def exchange(sent, answers, seed=0):
    """Send bytes to a bridge with 32 words behind it; return words, accesses and what came back.

    `answers` is how many bytes come back; a few cycles more are run to see that no more do.
    """
    dut, rng = Bridge(), random.Random(seed)
    words, log, back = [0] * 32, [], bytearray()

    async def put(ctx):
        for byte in sent:
            await ctx.tick().repeat(rng.randrange(1, 4))
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def get(ctx):
        while len(back) < answers:
            ctx.set(dut.o.ready, rng.random() < 0.5)
            await ctx.delay(1e-8)
            taken = ctx.get(dut.o.valid) and ctx.get(dut.o.ready)
            byte = ctx.get(dut.o.payload)
            await ctx.tick()
            if taken:
                back.append(byte)
        for _ in range(40 if answers else 40 * len(sent)):
            ctx.set(dut.o.ready, 0)
            await ctx.tick()
            assert not ctx.get(dut.o.valid)

    async def serve(ctx):
        bus = dut.access
        while True:
            await ctx.tick()
            if not ctx.get(bus.valid) or rng.random() < 0.6:
                continue
            address, write = ctx.get(bus.address), ctx.get(bus.write)
            log.append((address, write))
            known = address < 4 * len(words)
            if known and write:
                words[address // 4] = ctx.get(bus.value)
            ctx.set(bus.result, words[address // 4] if known else 0xBAD)
            ctx.set(bus.error, not known)
            ctx.set(bus.done, 1)
            await ctx.tick()
            ctx.set(bus.done, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(put)
    simulator.add_testbench(get)
    simulator.add_testbench(serve, background=True)
    simulator.run()
    return words, log, bytes(back)


def test_what_is_written_is_read_back(seed):
    values = [random.Random(seed).getrandbits(32) for _ in range(32)]
    first, second = encode_write(0, values), encode_read(8, 30)
    words, log, back = exchange(first + second, 4 + 4 + 120, seed)
    assert words == values
    assert log == [*((4 * at, 1) for at in range(32)), *((4 * at, 0) for at in range(2, 32))]
    assert decode_answer(back[:4]) == Answer(Command.WRITE, (), 0)
    assert decode_answer(back[4:]) == Answer(Command.READ, tuple(values[2:]), 0)


def test_accesses_that_the_bus_refuses_are_counted_and_read_as_zero():
    words, _, back = exchange(encode_write(120, [1, 2, 3, 4]) + encode_read(124, 3), 4 + 4 + 12)
    assert words[30:] == [1, 2]
    assert decode_answer(back[:4]).errors == 2
    assert decode_answer(back[4:]) == Answer(Command.READ, (2, 0, 0), 2)


@pytest.mark.parametrize("place", range(11))
def test_a_frame_with_a_changed_byte_does_nothing(place):
    frame = bytearray(encode_write(4, [0x01020304]))
    assert len(frame) == 11
    frame[place] ^= 0x10
    after = encode_read(4)
    # A changed command is no frame at all, a changed count waits for more: zeros end it.
    _, log, back = exchange(bytes(frame) + RESYNCHRONIZE + after, 8 if place == 0 else 11)
    assert log == [(4, 0)]
    assert back[-8:] == b"R" + bytes(5) + CHECK.compute(b"R" + bytes(5)).to_bytes(2, "big")
    if place:
        assert decode_answer(back[:3]) == Answer(Command.REFUSED, (), 0)


@pytest.mark.parametrize("length", [1, 2, 4, 6, 9, 10])
def test_zeros_end_a_frame_that_is_not_complete(length):
    frame = encode_write(4, [0xFFFF_FFFF])[:length]
    _, log, back = exchange(frame + RESYNCHRONIZE + encode_read(0), 3 + 8)
    assert log == [(0, 0)]
    assert decode_answer(back[:3]).command is Command.REFUSED
    assert decode_answer(back[3:]) == Answer(Command.READ, (0,), 0)


def test_zeros_between_frames_are_nothing():
    _, log, _ = exchange(RESYNCHRONIZE, 0)
    assert not log


def test_more_registers_than_a_frame_has_are_refused():
    _, log, back = exchange(bytes((Command.READ, MAXIMUM_WORDS)), 3)
    assert not log and decode_answer(back).command is Command.REFUSED
    for count in (0, MAXIMUM_WORDS + 1):
        with pytest.raises(ValueError, match=f"{count} registers do not fit a frame: 1 to 64"):
            encode_read(0, count)


def test_the_check_is_the_standard_one():
    assert CHECK.compute(b"123456789") == 0x29B1
    assert encode_read(0x12345, 2)[:5] == b"R\x01\x45\x23\x01"


def test_garbage_is_no_answer():
    with pytest.raises(FrameError, match="no answer begins with 0x7a"):
        size_of_answer(0x7A, 1)
    with pytest.raises(FrameError, match="no answer begins with 0x57"):
        size_of_answer(Command.WRITE, 1)
    with pytest.raises(FrameError, match="the check of 57 00 12 34 is wrong"):
        decode_answer(b"W\x00\x12\x34")
