# amaranth: UnusedElaboratable=no
"""Block RAM behind an AXI4 bus, and the probe on it."""

import random

from amaranth.sim import Simulator
from casemate.config import preset
from casemate_sim.board.memory import BlockMemory, memory_bytes

CONFIG = preset("tiny")
BEAT = CONFIG.data_bits // 8
BEATS = 64 // BEAT


class Traffic:
    """Bursts of lines on a memory's bus, with random back-pressure, beside what a probe does."""

    def __init__(self, seed):
        self.dut = BlockMemory(CONFIG)
        self.seed = seed
        self.lines = {}  # what the bus wrote

    def run(self, *benches):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        for bench in benches:
            simulator.add_testbench(bench)
        simulator.run()

    async def write(self, ctx, rng, line, data, strobe=-1):
        """Write a line; `strobe` has a bit for each byte."""
        bus = self.dut.bus
        ctx.set(bus.awaddr, 64 * line)
        ctx.set(bus.awid, line % 4)
        ctx.set(bus.awlen, BEATS - 1)
        ctx.set(bus.awvalid, 1)
        await ctx.tick().until(bus.awready)
        ctx.set(bus.awvalid, 0)
        for beat in range(BEATS):
            await ctx.tick().repeat(rng.randrange(1, 3))
            part = data[beat * BEAT:(beat + 1) * BEAT]
            ctx.set(bus.wdata, int.from_bytes(part, "little"))
            ctx.set(bus.wstrb, strobe >> beat * BEAT & (1 << BEAT) - 1)
            ctx.set(bus.wlast, beat == BEATS - 1)
            ctx.set(bus.wvalid, 1)
            await ctx.tick().until(bus.wready)
            ctx.set(bus.wvalid, 0)
        await ctx.tick().repeat(rng.randrange(1, 4))
        ctx.set(bus.bready, 1)
        response, identifier = await ctx.tick().sample(bus.bresp, bus.bid).until(bus.bvalid)
        ctx.set(bus.bready, 0)
        assert (response, identifier) == (0, line % 4)

    async def read(self, ctx, rng, line):
        bus = self.dut.bus
        ctx.set(bus.araddr, 64 * line)
        ctx.set(bus.arid, line % 8)
        ctx.set(bus.arlen, BEATS - 1)
        ctx.set(bus.arvalid, 1)
        await ctx.tick().until(bus.arready)
        ctx.set(bus.arvalid, 0)
        data = b""
        for beat in range(BEATS):
            await ctx.tick().repeat(rng.randrange(1, 4))
            ctx.set(bus.rready, 1)
            found = await ctx.tick().sample(bus.rdata, bus.rid, bus.rlast,
                                            bus.rresp).until(bus.rvalid)
            ctx.set(bus.rready, 0)
            assert found[1:] == (line % 8, beat == BEATS - 1, 0)
            data += found[0].to_bytes(BEAT, "little")
        return data

    async def probe(self, ctx, address, value=None):
        probe = self.dut.probe
        ctx.set(probe.address, address)
        ctx.set(probe.write, value is not None)
        ctx.set(probe.value, value or 0)
        ctx.set(probe.valid, 1)
        result, = await ctx.tick().sample(probe.result).until(probe.done)
        ctx.set(probe.valid, 0)
        return result


def test_what_is_written_is_read_while_a_probe_looks_at_and_changes_other_lines(seed):
    traffic = Traffic(seed)

    async def write(ctx):
        rng = random.Random(seed)
        for _ in range(60):
            line, data = rng.randrange(8), rng.randbytes(64)
            await traffic.write(ctx, rng, line, data)
            traffic.lines[line] = data
            assert await traffic.read(ctx, rng, line) == data

    async def look(ctx):
        rng, words = random.Random(seed + 1), {}
        for _ in range(300):
            address = 64 * rng.randrange(8, 16) + 4 * rng.randrange(16)
            if rng.random() < 0.5:
                words[address] = rng.getrandbits(32)
                await traffic.probe(ctx, address, words[address])
            else:
                assert await traffic.probe(ctx, address) == words.get(address, 0)
            await ctx.tick().repeat(rng.randrange(1, 5))

    traffic.run(write, look)
    assert len(traffic.lines) == 8


def test_the_probe_sees_what_the_bus_wrote_and_the_bus_what_the_probe_changed(seed):
    traffic, rng = Traffic(seed), random.Random(seed)
    data = rng.randbytes(64)
    last = memory_bytes(CONFIG) // 64 - 1

    async def bench(ctx):
        for line in (0, last):
            await traffic.write(ctx, rng, line, data)
            for at in range(0, 64, 4):
                assert await traffic.probe(ctx, 64 * line + at) == int.from_bytes(
                    data[at:at + 4], "little")
            await traffic.probe(ctx, 64 * line + 20, 0x0403_0201)
            assert await traffic.read(ctx, rng, line) == data[:20] + b"\1\2\3\4" + data[24:]

    traffic.run(bench)


def test_bytes_without_a_strobe_stay(seed):
    traffic, rng = Traffic(seed), random.Random(seed)
    old, new, strobe = rng.randbytes(64), rng.randbytes(64), rng.getrandbits(64)

    async def bench(ctx):
        await traffic.write(ctx, rng, 3, old)
        await traffic.write(ctx, rng, 3, new, strobe)
        assert await traffic.read(ctx, rng, 3) == bytes(
            new[at] if strobe >> at & 1 else old[at] for at in range(64))

    traffic.run(bench)


def test_a_line_takes_a_beat_per_cycle():
    traffic = Traffic(0)
    bus = traffic.dut.bus

    async def bench(ctx):
        ctx.set(bus.arlen, BEATS - 1)
        ctx.set(bus.arvalid, 1)
        ctx.set(bus.rready, 1)
        seen = []
        for _ in range(2 * (BEATS + 2)):
            seen.append(bool(ctx.get(bus.rvalid)))
            await ctx.tick()
        beats = [False, False, *[True] * BEATS]
        assert seen[:len(beats)] == beats
        assert sum(seen) == 2 * BEATS  # two cycles between two lines at most

    traffic.run(bench)
