"""Counters against exact counts of the same events."""

import random

import pytest
from amaranth import ResetInserter, Signal
from amaranth.sim import Simulator
from casemate.csr.statistics import Statistics


def run(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


async def settled(dut, ctx):
    for _ in range(40):
        if not ctx.get(dut.busy):
            return
        await ctx.tick()
    raise AssertionError("busy for ever")


@pytest.mark.parametrize("counters", [2, 3, 7, 8])
def test_snapshots_are_one_moment_and_clearing_loses_nothing(counters, seed):
    print(f"seed {seed}")
    dut = Statistics(counters)

    async def bench(ctx):
        rng = random.Random(seed + counters)
        # All counters get the same events: a snapshot of one moment shows the same count in all.
        happened = 0
        seen = 0

        async def tick():
            nonlocal happened
            event = rng.random() < 0.7
            ctx.set(dut.events, (1 << counters) - 1 if event else 0)
            happened += event
            await ctx.tick()

        for _ in range(60):
            for _ in range(rng.randrange(60)):
                await tick()
            clear = rng.random() < 0.5
            ctx.set(dut.snapshot, 1)
            ctx.set(dut.clear, clear)
            before = happened
            await tick()
            ctx.set(dut.snapshot, 0)
            ctx.set(dut.clear, 0)
            cycles = 0
            while ctx.get(dut.busy):
                cycles += 1
                assert cycles <= 2 * (counters + 1)
                await tick()
            counts = set()
            for index in range(counters):
                ctx.set(dut.index, index)
                await ctx.delay(1e-9)
                counts.add(ctx.get(dut.count))
            assert len(counts) == 1
            count, = counts
            assert before <= seen + count <= happened
            if clear:
                seen += count
        # At rest the sum of all intervals is exact.
        ctx.set(dut.events, 0)
        await ctx.tick().repeat(2 * counters + 4)
        ctx.set(dut.snapshot, 1)
        await ctx.tick()
        ctx.set(dut.snapshot, 0)
        await settled(dut, ctx)
        assert seen + ctx.get(dut.count) == happened

    run(dut, bench)


def test_counters_are_apart_and_reset_clears_them():
    reset = Signal()
    inner = Statistics(7)
    dut = ResetInserter(reset)(inner)

    async def bench(ctx):
        async def snapshot():
            ctx.set(inner.snapshot, 1)
            await ctx.tick()
            ctx.set(inner.snapshot, 0)
            await settled(inner, ctx)
            counts = []
            for index in range(7):
                ctx.set(inner.index, index)
                await ctx.delay(1e-9)
                counts.append(ctx.get(inner.count))
            return counts

        for cycle in range(700):
            ctx.set(inner.events, 1 << cycle % 7 | (1 if cycle % 2 else 0))
            await ctx.tick()
        ctx.set(inner.events, 0)
        await ctx.tick().repeat(16)
        counts = await snapshot()
        assert counts[1:] == [100] * 6 and counts[0] == 400
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await settled(inner, ctx)
        ctx.set(inner.index, 0)
        await ctx.delay(1e-9)
        assert ctx.get(inner.count) == 0
        assert await snapshot() == [0] * 7

    run(dut, bench)
