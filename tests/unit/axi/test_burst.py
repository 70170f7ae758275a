"""The burst splitter against AXI4's burst address equations, written out beat by beat."""

import functools
import itertools
import random
from types import SimpleNamespace

import pytest
from amaranth.sim import Simulator
from casemate.axi import Burst
from casemate.axi.burst import BurstSplitter
from casemate.config import preset
from casemate.engine.layouts import next_offset
from casemate_sim.component import NativeComponent

CONFIG = preset("tiny").replace(data_bytes=1 << 20, data_base=1 << 20, data_bits=512)


def beat_addresses(address, length, size, burst):
    """Addresses of the beats, from the standard's equations (Start_Address, Number_Bytes, ...)."""
    number_bytes, burst_length = 1 << size, length + 1
    aligned = address // number_bytes * number_bytes
    boundary = address // (number_bytes * burst_length) * (number_bytes * burst_length)
    addresses = [address]
    for n in range(2, burst_length + 1):
        following = aligned + (n - 1) * number_bytes
        if burst is Burst.WRAP and following >= boundary + number_bytes * burst_length:
            following -= number_bytes * burst_length
        addresses.append(following)
    return addresses


@functools.cache
def splitter():
    return NativeComponent(BurstSplitter(CONFIG))


def split(commands):
    """Run the commands through the splitter; return the chunks and the cycles it took."""
    dut = splitter()
    dut.restart()
    chunks, cycles, bursts = [], 0, 0
    waiting = [{"i_valid": 1, "i_address": address, "i_length": length, "i_size": size,
                "i_burst": burst.value} for address, length, size, burst in reversed(commands)]
    while bursts < len(commands):
        seen = dut.step({"o_ready": 1} | (waiting[-1] if waiting else {}))
        cycles += 1
        if waiting and seen["i_ready"]:
            waiting.pop()
        if seen["o_valid"]:
            chunk = SimpleNamespace(**{name.removeprefix("o_"): value
                                       for name, value in seen.items() if name.startswith("o_")})
            chunks.append(chunk)
            bursts += chunk.last
    return chunks, cycles


def check(commands):
    chunks, _ = split(commands)
    position = iter(chunks)
    for command in commands:
        expected = beat_addresses(*command)
        seen, lines = [], []
        while True:
            chunk = next(position)
            offset = chunk.offset
            lines.append(chunk.line)
            for _ in range(chunk.beats + 1):
                seen.append(CONFIG.data_base + chunk.line * 64 + offset)
                offset = follow(offset, chunk.size, chunk.wrap)
            if chunk.last:
                break
        assert seen == expected, command
        assert len(lines) <= len({a // 64 for a in expected}) + (command[3] is Burst.WRAP)
        assert not any(c.refused for c in chunks)


def follow(offset, size, wrap):
    """Evaluate the RTL's `next_offset` on constants."""
    step = 1 << size
    return (offset & ~wrap) | ((offset // step * step + step) & wrap)


def test_next_offset_is_what_the_test_evaluates():
    from amaranth import Module, Signal

    offset, size, wrap, out = Signal(6), Signal(3), Signal(6), Signal(6)
    m = Module()
    m.d.comb += out.eq(next_offset(offset, size, wrap))

    async def bench(ctx):
        for o, s, w in itertools.product(range(64), range(7), (7, 15, 31, 63)):
            ctx.set(offset, o), ctx.set(size, s), ctx.set(wrap, w)
            await ctx.delay(1e-9)
            assert ctx.get(out) == follow(o, s, w), (o, s, w)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("size", range(7))
def test_every_wrap_of_every_length_and_start_is_split_as_the_standard_says(size):
    commands = [
        (CONFIG.data_base + 4096 + (beat << size), length, size, Burst.WRAP)
        for length in (1, 3, 7, 15) for beat in range(length + 1)
    ]
    check(commands)


@pytest.mark.parametrize("size", range(7))
def test_every_length_of_incr_is_split_as_the_standard_says(size):
    rng = random.Random(size)
    commands = []
    for length in range(256):
        room = 4096 - (length << size)
        if room > 0:
            commands.append((CONFIG.data_base + rng.randrange(room), length, size, Burst.INCR))
    check([c for c in commands if (c[0] % 4096 >> size) + c[1] < 4096 >> size])


def test_bursts_of_one_line_follow_each_other_in_every_cycle():
    commands = [(CONFIG.data_base + 64 * n, 0, 6, Burst.INCR) for n in range(50)]
    _, cycles = split(commands)
    assert cycles == 51


def test_what_lies_outside_the_window_is_refused():
    for address in (CONFIG.data_base - 64, CONFIG.data_base + CONFIG.data_bytes, 1 << 39):
        chunks, _ = split([(address, 3, 4, Burst.INCR)])
        assert [c.refused for c in chunks] == [1], hex(address)
