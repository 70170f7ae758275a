"""Between a core and AXI4: the cache of lines, the single beats, against a refusing memory."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from casemate.config import preset
from casemate_sim.cpu.hardware.line_cache import LineCache
from casemate_sim.cpu.hardware.single_beats import SingleBeats
from casemate_sim.cpu.hardware.wishbone import Arbiter, Decoder

CONFIG = preset("tiny")
CACHE_BYTES = 512
BUS_BYTES = CONFIG.data_bits // 8
LATENCY = 6
BROKEN = 4096  # everything from this address on is refused


# A background testbench that is in `until` or `repeat` when the simulation ends warns.
async def sampled(ctx, condition, *values):
    while True:
        _, _, met, *found = await ctx.tick().sample(condition, *values)
        if met:
            return found


async def wait(ctx, cycles):
    for _ in range(cycles):
        await ctx.tick()


class Memory:
    """Answers an adapter's bursts after some cycles; refuses the addresses from BROKEN on."""

    def __init__(self, axi):
        self.axi, self.words = axi, {}
        self.bursts, self.spoiled = [], False

    def refused(self, address):
        return 2 * (address >= BROKEN)

    async def reads(self, ctx):
        axi = self.axi
        ctx.set(axi.arready, 1)
        while True:
            address, length, size = await sampled(
                ctx, axi.arvalid, axi.araddr, axi.arlen, axi.arsize)
            self.bursts.append(("read", address, length + 1))
            ctx.set(axi.arready, 0)
            await wait(ctx, LATENCY)
            for beat in range(length + 1):
                first = (address + (beat << size)) // BUS_BYTES * BUS_BYTES // 4
                ctx.set(axi.rdata, sum(self.words.get(first + i, 0) << 32 * i
                                       for i in range(BUS_BYTES // 4)))
                ctx.set(axi.rresp, self.refused(address))
                ctx.set(axi.rlast, beat == length)
                ctx.set(axi.rvalid, 1)
                await sampled(ctx, axi.rready)
            ctx.set(axi.rvalid, 0)
            ctx.set(axi.arready, 1)

    async def writes(self, ctx):
        axi = self.axi
        ctx.set(axi.awready, 1)
        ctx.set(axi.wready, 1)
        address, beats = None, []
        while True:
            _, _, taken, where, length, size, data_taken, data, strobes, last = \
                await ctx.tick().sample(axi.awvalid & axi.awready, axi.awaddr, axi.awlen,
                                        axi.awsize, axi.wvalid & axi.wready, axi.wdata, axi.wstrb,
                                        axi.wlast)
            if taken:
                address = where
                self.bursts.append(("write", address, length + 1))
            if data_taken:
                beats.append((data, strobes))
            if not (data_taken and last):
                continue
            assert len(beats) == length + 1
            if not self.refused(address):
                for beat, (data, strobes) in enumerate(beats):
                    self.store((address + (beat << size)) // BUS_BYTES * BUS_BYTES, data, strobes)
            beats = []
            await wait(ctx, LATENCY)
            ctx.set(axi.bresp, 2 if self.spoiled else self.refused(address))
            ctx.set(axi.bvalid, 1)
            await sampled(ctx, axi.bready)
            ctx.set(axi.bvalid, 0)

    def store(self, first, data, strobes):
        for i in range(BUS_BYTES):
            if strobes >> i & 1:
                word, shift = (first + i) // 4, 8 * (i % 4)
                self.words[word] = (self.words.get(word, 0) & ~(0xff << shift)
                                    | (data >> 8 * i & 0xff) << shift)


def adapter_of(kind):
    return (LineCache(CONFIG, size=CACHE_BYTES, domain=1) if kind == "line_cache"
            else SingleBeats(CONFIG, domain=1))


async def access(ctx, bus, address, value=None, sel=0xf, limit=400):
    """Make a transfer; return (data or None if it was refused, cycles)."""
    ctx.set(bus.cyc, 1)
    ctx.set(bus.stb, 1)
    ctx.set(bus.we, value is not None)
    ctx.set(bus.adr, address // 4)
    ctx.set(bus.sel, sel)
    ctx.set(bus.dat_w, value or 0)
    for cycle in range(1, limit):
        _, _, ack, err, data = await ctx.tick().sample(bus.ack, bus.err, bus.dat_r)
        if ack or err:
            ctx.set(bus.cyc, 0)
            ctx.set(bus.stb, 0)
            assert not (ack and err)
            return (data if ack else None), cycle
    raise AssertionError(f"no answer for {address:#x} in {limit} cycles")


def run(dut, core):
    """Run `core(ctx, memory)`; return the memory and `we` of each cycle of `write_failed`."""
    memory, told = Memory(dut.axi), []

    async def testbench(ctx):
        await core(ctx, memory)

    async def watch(ctx):
        async for _, _, failed, we in ctx.tick().sample(dut.write_failed, dut.bus.we):
            if failed:
                told.append(we)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    for background in (memory.reads, memory.writes, watch):
        simulator.add_testbench(background, background=True)
    simulator.run()
    return memory, told


@pytest.mark.parametrize("kind", ["line_cache", "single_beats"])
def test_every_read_returns_what_was_written_last(kind, seed):
    dut, rng, expected = adapter_of(kind), random.Random(seed), {}

    async def core(ctx, memory):
        for _ in range(400):
            # Lines of one index of the cache among others, words of one line behind each other.
            address = rng.choice((0, 64, CACHE_BYTES, 2 * CACHE_BYTES, 3 * CACHE_BYTES + 64))
            address += 4 * rng.randrange(16)
            if rng.random() < 0.5:
                value, sel = rng.getrandbits(32), rng.randrange(1, 16)
                await access(ctx, dut.bus, address, value, sel)
                mask = sum(0xff << 8 * i for i in range(4) if sel >> i & 1)
                expected[address] = (expected.get(address, 0) & ~mask) | (value & mask)
            else:
                data, _ = await access(ctx, dut.bus, address)
                assert data == expected.get(address, 0), hex(address)
            if rng.random() < 0.1:
                await ctx.tick().repeat(rng.randrange(1, 20))

    memory, told = run(dut, core)
    assert len(expected) > 60 and not told
    assert {length for _, _, length in memory.bursts} == {4 if kind == "line_cache" else 1}


def test_a_line_that_is_there_costs_no_burst_and_a_hit_elsewhere_three_cycles():
    dut = adapter_of("line_cache")

    async def core(ctx, memory):
        _, cycles = await access(ctx, dut.bus, 0)
        assert cycles > LATENCY
        assert [(await access(ctx, dut.bus, 4 * i))[1] for i in range(16)] == [1] * 16
        await access(ctx, dut.bus, 64, 5)
        assert (await access(ctx, dut.bus, 0))[1] == 3
        data, cycles = await access(ctx, dut.bus, 64)
        assert (data, cycles) == (5, 3)
        assert memory.bursts == [("read", 0, 4), ("read", 64, 4)]
        # Only what was changed is written back.
        await access(ctx, dut.bus, CACHE_BYTES)
        await access(ctx, dut.bus, CACHE_BYTES + 64)
        assert (await access(ctx, dut.bus, 64))[0] == 5
        assert sorted(memory.bursts[2:]) == [
            ("read", 64, 4), ("read", CACHE_BYTES, 4), ("read", CACHE_BYTES + 64, 4),
            ("write", 64, 4)]

    run(dut, core)


@pytest.mark.parametrize("kind", ["line_cache", "single_beats"])
def test_what_is_refused_is_answered_with_an_error_and_changes_nothing(kind):
    dut = adapter_of(kind)

    async def core(ctx, memory):
        await access(ctx, dut.bus, 0, 1)
        for _ in range(2):
            assert (await access(ctx, dut.bus, BROKEN))[0] is None
        assert (await access(ctx, dut.bus, BROKEN + 4, 7))[0] is None
        assert (await access(ctx, dut.bus, 0))[0] == 1
        assert (await access(ctx, dut.bus, BROKEN + 4))[0] is None

    memory, told = run(dut, core)
    assert not any(memory.words.get(BROKEN // 4 + i) for i in range(16))
    # Of the cache only the write; a core behind single beats has nothing else to look at.
    assert told == ([1] if kind == "line_cache" else [0, 0, 1, 0])


def test_a_write_back_that_is_refused_is_told():
    dut = adapter_of("line_cache")

    async def core(ctx, memory):
        await access(ctx, dut.bus, 0, 1)
        memory.spoiled = True
        data, _ = await access(ctx, dut.bus, CACHE_BYTES)
        assert data == 0
        await ctx.tick().repeat(4 * LATENCY)

    _, told = run(dut, core)
    assert len(told) == 1


def test_a_transfer_keeps_the_bus_and_its_address_decides_who_answers():
    m = Module()
    m.submodules.arbiter = arbiter = Arbiter()
    m.submodules.decoder = decoder = Decoder()
    wiring.connect(m, arbiter.bus, decoder.bus)

    async def core(ctx):
        def ask(port, address):
            ctx.set(port.cyc, 1)
            ctx.set(port.stb, 1)
            ctx.set(port.adr, address // 4)

        ask(arbiter.first, 0x40)
        await ctx.tick()
        # The other manager comes while the first waits, and has to wait.
        ask(arbiter.second, 0xf000_0004)
        assert ctx.get(decoder.memory.cyc) and not ctx.get(decoder.devices.cyc)
        ctx.set(decoder.devices.ack, 1)
        ctx.set(decoder.devices.dat_r, 9)
        assert not ctx.get(arbiter.second.ack)
        ctx.set(decoder.memory.ack, 1)
        ctx.set(decoder.memory.dat_r, 8)
        assert ctx.get(arbiter.first.ack) and ctx.get(arbiter.first.dat_r) == 8
        await ctx.tick()
        assert ctx.get(arbiter.second.ack) and ctx.get(arbiter.second.dat_r) == 9
        assert not ctx.get(arbiter.first.ack)
        assert ctx.get(decoder.devices.adr) == 0xf000_0004 // 4

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(core)
    simulator.run()

