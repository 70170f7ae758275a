"""Rows that nobody needs become zero, and no others, however busy the write port is."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from casemate.scrubber import scrub

ROWS = 6


class Ram(wiring.Component):
    """A RAM with a user and a scrubber; ``content`` shows the row of ``look``."""

    def __init__(self):
        super().__init__({"unused": In(ROWS), "write": In(1), "row": In(range(ROWS)),
                          "value": In(8), "look": In(range(ROWS)), "content": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=ROWS, init=[255] * ROWS)
        port, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [port.en.eq(self.write), port.addr.eq(self.row), port.data.eq(self.value),
                     read.addr.eq(self.look), self.content.eq(read.data)]
        scrub(m, port, self.unused, busy=self.write, name="scrubber")
        return m


@pytest.mark.parametrize("load", [0, 0.5, 0.9])
def test_only_unused_rows_are_zeroed_and_soon(seed, load):
    rng = random.Random(f"{seed}/{load}")
    dut = Ram()

    async def bench(ctx):
        kept, content = set(range(ROWS)), [255] * ROWS
        idle = [0] * ROWS  # idle cycles of the port since a row was given up
        for _ in range(3000):
            if rng.random() < 0.05:
                kept ^= {rng.randrange(ROWS)}
            write, row, value = rng.random() < load and kept, 0, rng.randrange(1, 256)
            if write:
                row = rng.choice(sorted(kept))
                content[row] = value
            ctx.set(dut.unused, sum(1 << each for each in range(ROWS) if each not in kept))
            ctx.set(dut.write, bool(write))
            ctx.set(dut.row, row)
            ctx.set(dut.value, value)
            await ctx.tick()
            ctx.set(dut.write, 0)
            ctx.set(dut.unused, 0)
            for each in range(ROWS):
                ctx.set(dut.look, each)
                await ctx.delay(1e-8)
                now = ctx.get(dut.content)
                idle[each] = 0 if each in kept else idle[each] + (not write)
                if each in kept or now:
                    assert now == content[each]
                    assert idle[each] <= ROWS + 1
                else:
                    content[each] = 0

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
