# amaranth: UnusedElaboratable=no
"""The serial line, bit by bit."""

import random

import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.sim import Simulator
from casemate_sim.board.uart import Receiver, Transmitter


def run(dut, *benches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


def bits_of(byte):
    """Return the levels of a byte on the line: start bit, data, stop bit."""
    return [0, *(byte >> bit & 1 for bit in range(8)), 1]


@pytest.mark.parametrize("cycles", [4, 5, 25])
def test_each_bit_is_on_the_line_for_its_time(cycles):
    dut = Transmitter(cycles)
    sent = [0x00, 0xFF, 0xA5, 0x01]

    async def bench(ctx):
        assert ctx.get(dut.line) == 1
        for byte in sent:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            for level in bits_of(byte):
                for _ in range(cycles):
                    assert ctx.get(dut.line) == level
                    await ctx.tick()
        assert ctx.get(dut.line) == 1

    run(dut, bench)


def received(cycles, levels, takes=lambda: True):
    """Return the bytes that a receiver makes of (level, cycles) on its line."""
    dut, found = Receiver(cycles), []

    async def drive(ctx):
        for level, time in levels:
            ctx.set(dut.line, level)
            await ctx.tick().repeat(time)

    async def take(ctx):
        for _ in range(sum(time for _, time in levels) + 20):
            ready = takes()
            ctx.set(dut.o.ready, ready)
            valid, byte = ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            await ctx.tick()
            if valid and ready:
                found.append(byte)

    run(dut, drive, take)
    return found


@pytest.mark.parametrize("cycles", [4, 7, 25])
def test_bytes_are_taken_off_the_line_whatever_is_between_them(cycles, seed):
    rng = random.Random(seed)
    sent = [rng.randrange(256) for _ in range(20)]
    levels = [(1, 9)]
    for byte in sent:
        levels += [(level, cycles) for level in bits_of(byte)]
        levels += [(1, rng.randrange(1, 3 * cycles))] * rng.randrange(2)
    assert received(cycles, levels) == sent


@pytest.mark.parametrize("drift", [-3, 3])
def test_a_sender_whose_clock_differs_by_three_percent_is_understood(drift):
    sent = [0x55, 0x00, 0xFF, 0x80]
    levels = [(1, 500)]
    for byte in sent:
        levels += [(level, 100 + drift) for level in bits_of(byte)]
    assert received(100, levels) == sent


def test_noise_on_an_idle_line_is_no_byte():
    levels = [(1, 20), (0, 3), (1, 40), (0, 1), (1, 40)]
    assert received(16, [*levels, *((level, 16) for level in bits_of(0x42))]) == [0x42]


def test_a_byte_without_a_stop_bit_is_dropped():
    broken = [(level, 8) for level in bits_of(0x77)[:-1]] + [(0, 8), (1, 30)]
    assert received(8, [(1, 10), *broken, *((level, 8) for level in bits_of(0x42))]) == [0x42]


def test_a_byte_that_nobody_takes_keeps_the_next_one_out():
    levels = [(1, 10)]
    for byte in (1, 2, 3):
        levels += [(level, 8) for level in bits_of(byte)]
    assert received(8, levels, iter([False] * 255 + [True] * 50).__next__) == [1]


class Loop(wiring.Component):
    """A sender and a receiver on one line."""

    def __init__(self, cycles):
        self._cycles = cycles
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = transmitter = Transmitter(self._cycles)
        m.submodules.receiver = receiver = Receiver(self._cycles)
        connect(m, flipped(self.i), transmitter.i)
        connect(m, receiver.o, flipped(self.o))
        m.d.comb += receiver.line.eq(transmitter.line)
        return m


@pytest.mark.parametrize("cycles", [4, 25])
def test_bytes_without_a_pause_arrive(cycles, seed):
    dut = Loop(cycles)
    sent = random.Random(seed).randbytes(30)

    async def put(ctx):
        ctx.set(dut.i.valid, 1)
        for byte in sent:
            ctx.set(dut.i.payload, byte)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def get(ctx):
        ctx.set(dut.o.ready, 1)
        for byte in sent:
            found, = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            assert found == byte

    run(dut, put, get)


@pytest.mark.parametrize("part", [Receiver, Transmitter])
def test_a_bit_of_less_than_four_cycles_is_refused(part):
    with pytest.raises(ValueError, match="cycles_per_bit = 3 is not possible: 4 or more"):
        part(3)
