"""The AXI4-Lite subordinate in front of a small memory."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, connect, flipped
from amaranth.sim import Simulator
from casemate.axi import Response
from casemate.axi.lite import LiteSignature, LiteSubordinate
from casemate_sim.lite_agent import LiteManager

WORDS = 8


class Registers(wiring.Component):
    """Eight words behind the subordinate; ``slow`` makes accesses wait."""

    def __init__(self):
        super().__init__({"i": In(LiteSignature(6)), "slow": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lite = lite = LiteSubordinate(6)
        m.submodules.memory = memory = Memory(shape=32, depth=WORDS, init=[])
        read, write = memory.read_port(domain="comb"), memory.write_port()
        connect(m, flipped(self.i), lite.i)
        bus = lite.o
        m.d.comb += [
            read.addr.eq(bus.address), write.addr.eq(bus.address), write.en.eq(bus.write),
            write.data.eq((read.data & ~bus.write_mask) | (bus.write_data & bus.write_mask)),
            bus.known.eq(bus.address < WORDS), bus.read_data.eq(read.data), bus.wait.eq(self.slow),
        ]
        return m


def run(dut, *benches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_reads_see_what_was_written_byte_by_byte_in_any_timing(seed):
    print(f"seed {seed}")
    dut = Registers()

    async def bench(ctx):
        manager = LiteManager(dut.i, ctx, seed)
        rng = random.Random(seed or 0)
        words = [0] * WORDS
        for _ in range(300):
            address = rng.randrange(64)
            word, known = address // 4, address // 4 < WORDS
            expected = Response.OKAY.value if known else Response.SLVERR.value
            if rng.random() < 0.5:
                value, strobe = rng.getrandbits(32), rng.randrange(16)
                assert await manager.write(address, value, strobe) == expected
                if known:
                    mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
                    words[word] = words[word] & ~mask | value & mask
            else:
                assert await manager.read(address) == (words[word] if known else 0, expected)

    run(dut, bench)


def test_an_access_waits_and_happens_once():
    dut = Registers()

    async def bench(ctx):
        manager = LiteManager(dut.i, ctx)
        assert await manager.write(4, 0x1234) == 0
        assert await manager.read(4) == (0x1234, 0)
        ctx.set(dut.slow, 1)
        ctx.set(dut.i.araddr, 4)
        ctx.set(dut.i.arvalid, 1)
        await ctx.tick()
        ctx.set(dut.i.arvalid, 0)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.i.rvalid)
        ctx.set(dut.slow, 0)
        await ctx.tick()
        assert ctx.get(dut.i.rvalid) and ctx.get(dut.i.rdata) == 0x1234

    run(dut, bench)


def test_an_access_waits_until_the_response_before_it_was_taken():
    dut = Registers()

    async def bench(ctx):
        for value in (1, 2):
            ctx.set(dut.i.awaddr, 60 if value == 1 else 0)
            ctx.set(dut.i.wdata, value)
            ctx.set(dut.i.awvalid, 1)
            ctx.set(dut.i.wvalid, 1)
            await ctx.tick().until(dut.i.awready)
        ctx.set(dut.i.awvalid, 0)
        ctx.set(dut.i.wvalid, 0)
        for _ in range(5):
            await ctx.tick()
            assert ctx.get(dut.i.bvalid) and ctx.get(dut.i.bresp) == Response.SLVERR.value
        assert (await LiteManager(dut.i, ctx).read(0))[0] == 0
        ctx.set(dut.i.bready, 1)
        await ctx.tick()
        assert not ctx.get(dut.i.bvalid)
        await ctx.tick()
        assert ctx.get(dut.i.bvalid) and ctx.get(dut.i.bresp) == Response.OKAY.value

    run(dut, bench)


def test_neither_direction_starves_the_other():
    dut = Registers()
    done = {"b": 0, "r": 0}

    async def bench(ctx):
        for name in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            ctx.set(getattr(dut.i, name), 1)
        for _ in range(100):
            _, _, b, r = await ctx.tick().sample(dut.i.bvalid, dut.i.rvalid)
            done["b"] += b
            done["r"] += r

    run(dut, bench)
    assert done["b"] >= 30 and done["r"] >= 30


@pytest.mark.parametrize("bits", [2, 65])
def test_impossible_address_width_is_refused(bits):
    with pytest.raises(ValueError, match=f"address_bits must be 3 to 64, not {bits}"):
        LiteSignature(bits)
