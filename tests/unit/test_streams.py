"""Register, holder and picker."""

import random
from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from casemate.streams import Holder, Picker, Register


def run(dut, *testbenches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("stage", [Register, Holder])
@pytest.mark.parametrize("readiness", [1.0, 0.5, 0.1])
def test_what_goes_in_comes_out_once_in_order_and_stays_stable(stage, readiness):
    seed = 7
    print(f"seed {seed}")
    dut = stage(8)
    count = 200
    received = []

    async def send(ctx):
        rng = random.Random(seed)
        for n in range(count):
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.i.payload, n % 256)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def receive(ctx):
        rng = random.Random(seed + 1)
        stalled = None
        while len(received) < count:
            ready = rng.random() < readiness
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if stalled is not None:
                assert valid and payload == stalled
            stalled = payload if valid and not ready else None
            if valid and ready:
                received.append(payload)

    run(dut, send, receive)
    assert received == [n % 256 for n in range(count)]


def test_holder_passes_in_the_same_cycle_and_accepts_while_the_far_side_stalls():
    dut = Holder(8)

    async def bench(ctx):
        ctx.set(dut.i.payload, 0x5A)
        ctx.set(dut.i.valid, 1)
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload) == 0x5A
        assert ctx.get(dut.i.ready)
        await ctx.tick()
        ctx.set(dut.i.payload, 0xA5)
        assert not ctx.get(dut.i.ready)
        assert ctx.get(dut.o.payload) == 0x5A

    run(dut, bench)


@pytest.mark.parametrize("requesters", [1, 2, 5, 16])
def test_picker_serves_everybody_in_turn_and_nobody_twice(requesters):
    dut = Picker(requesters)
    served = []

    async def bench(ctx):
        open_requests = (1 << requesters) - 1
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.requests, open_requests)
        for _ in range(requesters + 1):
            _, _, valid, index = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                served.append(index)
                open_requests &= ~(1 << index)
                ctx.set(dut.requests, open_requests)

    run(dut, bench)
    assert sorted(served) == list(range(requesters))


def test_picker_does_not_starve_a_requester_behind_a_busy_one():
    dut = Picker(3)
    served = []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        waiting = 0b101
        for _ in range(6):
            ctx.set(dut.requests, waiting)
            _, _, valid, index = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            # A request is gone for one cycle after it was served, then comes again.
            waiting = 0b101 & ~(valid << index)
            if valid:
                served.append(index)

    run(dut, bench)
    assert {0, 2} == set(served)
    assert all(a != b for a, b in pairwise(served))


def test_picker_serves_busy_requesters_equally_often():
    requesters = 4
    dut = Picker(requesters)
    served = []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        waiting = (1 << requesters) - 1
        while len(served) < 40:
            ctx.set(dut.requests, waiting)
            _, _, valid, index = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            # Everybody requests again after one cycle.
            waiting = (1 << requesters) - 1 & ~(valid << index)
            if valid:
                served.append(index)

    run(dut, bench)
    assert served == [0, 1, 2, 3] * 10
