"""The latency histogram: exact counts, equal latencies in consecutive cycles, the last bin."""

import random

import pytest
from amaranth.sim import Simulator
from casemate_sim.player.histogram import Histogram


def count(latencies):
    """Feed latencies (None for a cycle without one); return the non-empty bins."""
    histogram = Histogram()
    bins = {}

    async def testbench(ctx):
        for latency in latencies:
            ctx.set(histogram.i.valid, latency is not None)
            ctx.set(histogram.i.p, latency or 0)
            await ctx.tick()
        ctx.set(histogram.i.valid, 0)
        await ctx.tick()
        for place in range(1024):
            ctx.set(histogram.bin, place)
            await ctx.tick()
            if value := ctx.get(histogram.count):
                bins[place] = value

    simulator = Simulator(histogram)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return bins


def test_equal_latencies_in_consecutive_cycles_are_all_counted():
    assert count([7] * 20) == {7: 20}


def test_everything_from_1023_cycles_on_is_in_the_last_bin():
    assert count([1022, 1023, 1024, 60000]) == {1022: 1, 1023: 3}


@pytest.mark.parametrize("seed", range(2))
def test_random_latencies_with_gaps_are_counted_exactly(seed):
    print(f"seed {seed}")
    source = random.Random(seed)
    latencies = [source.choice([None, source.randrange(8)]) for _ in range(500)]
    expected = {n: latencies.count(n) for n in range(8)}
    assert count(latencies) == expected
