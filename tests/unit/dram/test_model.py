"""The DRAM model at its AXI4 port: latencies to the cycle, order, data."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from casemate.axi.signature import Burst
from casemate_sim.dram.array import MemoryArray
from casemate_sim.dram.frontend import array_signature
from casemate_sim.dram.layouts import Geometry, timing_values
from casemate_sim.dram.model import DramModel
from casemate_sim.dram.timing import DramTiming, timing_preset

TIMING = DramTiming(
    clock_mhz=100, t_rcd=3, t_rp=4, t_ras=9, t_rc=15, t_rtp=2, t_wtp=6, t_rtw=3, t_wtr=5, t_rrd=2,
    t_faw=12, t_refi=0, t_rfc=20, read_latency=10)

HIT = 1 + TIMING.read_latency
"""From the transfer of the address to the first beat, row open."""

ROW = 32 * 64
"""Bytes of an open row, 128-bit bus."""

BANK_ROW = 8 * ROW
"""Distance of two rows of one bank."""


class Bench:
    """Drives the port; every event is logged with its cycle."""

    def __init__(self, ctx, dram):
        self.ctx, self.dram, self.bus = ctx, dram, dram.bus
        self.cycle = 0
        self.reads, self.writes = [], []  # addresses to send
        self.data = []  # (data, strobe, last)
        self.accepted = []  # (cycle, channel, id)
        self.beats = []  # (cycle, id, data, last)
        self.responses = []  # (cycle, id)

    async def step(self, cycles=1):
        ctx, bus = self.ctx, self.bus
        for _ in range(cycles):
            for channel, queue in (("ar", self.reads), ("aw", self.writes)):
                ctx.set(getattr(bus, f"{channel}valid"), bool(queue))
                if queue:
                    for name, value in queue[0].items():
                        ctx.set(getattr(bus, channel + name), value)
            ctx.set(bus.wvalid, bool(self.data))
            if self.data:
                for name, value in zip(("wdata", "wstrb", "wlast"), self.data[0], strict=True):
                    ctx.set(getattr(bus, name), value)
            ctx.set(bus.rready, 1)
            ctx.set(bus.bready, 1)
            for channel, queue in (("ar", self.reads), ("aw", self.writes)):
                if queue and ctx.get(getattr(bus, f"{channel}ready")):
                    self.accepted.append((self.cycle, channel, queue.pop(0)["id"]))
            if self.data and ctx.get(bus.wready):
                self.data.pop(0)
            if ctx.get(bus.rvalid):
                self.beats.append((self.cycle, ctx.get(bus.rid), ctx.get(bus.rdata),
                                   ctx.get(bus.rlast)))
            if ctx.get(bus.bvalid):
                self.responses.append((self.cycle, ctx.get(bus.bid)))
            await ctx.tick()
            self.cycle += 1

    def read(self, address, *, id=0, length=3, size=4, burst=Burst.INCR):
        self.reads.append({"id": id, "addr": address, "len": length, "size": size,
                           "burst": burst.value})

    def write(self, address, beats, *, id=0, size=4, burst=Burst.INCR, strobes=None):
        self.writes.append({"id": id, "addr": address, "len": len(beats) - 1, "size": size,
                            "burst": burst.value})
        for i, beat in enumerate(beats):
            self.data.append((beat, strobes[i] if strobes else 0xffff, i == len(beats) - 1))

    async def latencies(self, *addresses, gap=60):
        """First-beat latencies of reads that do not overlap."""
        found = []
        for address in addresses:
            self.read(address)
            before = len(self.accepted), len(self.beats)
            await self.step(gap)
            found.append(self.beats[before[1]][0] - self.accepted[before[0]][0])
        return found


def run(body, timing=TIMING, data_bits=128, depth=1 << 12):
    geometry = Geometry(data_bits=data_bits, address_bits=32, id_bits=4, banks=timing.banks)
    m = Module()
    m.submodules.dram = dram = DramModel(geometry)
    m.submodules.array = array = MemoryArray(array_signature(geometry), depth=depth)
    wiring.connect(m, dram.array, array.port)

    async def testbench(ctx):
        ctx.set(dram.timing, timing_values(timing))
        await ctx.tick()
        await body(Bench(ctx, dram))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_a_read_of_a_closed_bank_takes_trcd_more_than_one_of_an_open_row():
    async def body(bench):
        assert await bench.latencies(0, 64) == [HIT + TIMING.t_rcd, HIT]
    run(body)


def test_a_read_of_another_row_of_the_bank_takes_trp_and_trcd_more():
    async def body(bench):
        assert await bench.latencies(0, BANK_ROW) == [
            HIT + TIMING.t_rcd, HIT + TIMING.t_rp + TIMING.t_rcd]
    run(body)


def test_another_bank_keeps_its_own_row():
    async def body(bench):
        assert await bench.latencies(0, ROW, 64, ROW + 64) == [
            HIT + TIMING.t_rcd, HIT + TIMING.t_rcd, HIT, HIT]
    run(body)


def test_a_row_conflict_right_behind_the_first_read_waits_for_tras_and_trc():
    async def body(bench):
        bench.read(0, id=0)
        bench.read(BANK_ROW, id=1)
        await bench.step(80)
        (start, _, _), _ = bench.accepted
        second = next(cycle for cycle, id, _, _ in bench.beats if id == 1)
        # First activate one cycle after the transfer; the next tRC later (tRAS + tRP = 13 < 15)
        assert second - start == 1 + TIMING.t_rc + TIMING.t_rcd + TIMING.read_latency
    run(body)


def test_the_beats_of_a_line_follow_each_other():
    async def body(bench):
        bench.read(0)
        await bench.step(40)
        cycles = [cycle for cycle, *_ in bench.beats]
        assert cycles == list(range(cycles[0], cycles[0] + 4))
        assert [last for *_, last in bench.beats] == [0, 0, 0, 1]
    run(body)


@pytest.mark.parametrize("data_bits", [64, 128, 256, 512])
def test_a_stream_of_reads_keeps_the_data_bus_full(data_bits):
    lines, beats = 24, 512 // data_bits

    async def body(bench):
        for line in range(lines):
            bench.read(64 * line, id=line % 4, length=beats - 1,
                       size=(data_bits // 8).bit_length() - 1)
        await bench.step(lines * beats + 40)
        cycles = [cycle for cycle, *_ in bench.beats]
        assert len(cycles) == lines * beats
        assert cycles[-1] - cycles[0] == lines * beats - 1
    run(body, data_bits=data_bits)


def test_a_read_of_an_open_row_overtakes_one_that_waits_for_its_row():
    async def body(bench):
        await bench.latencies(0)
        # While the second waits for the data bus, its row stays open
        for address, id in ((64, 3), (128, 4), (BANK_ROW, 1), (192, 2)):
            bench.read(address, id=id)
        await bench.step(80)
        assert [id for _, id, _, last in bench.beats[4:] if last] == [3, 4, 2, 1]
    run(body)


def test_reads_of_one_id_stay_in_order():
    async def body(bench):
        for address, value in ((64, 1), (128, 2), (BANK_ROW, 3), (192, 4)):
            bench.write(address, [value] * 4)
        await bench.step(120)
        await bench.latencies(0)
        for address, id in ((64, 3), (128, 4), (BANK_ROW, 1), (192, 1)):
            bench.read(address, id=id)
        await bench.step(80)
        assert [data for _, _, data, last in bench.beats[4:] if last] == [1, 2, 3, 4]
    run(body)


def test_the_oldest_read_is_overtaken_at_most_starvation_times():
    timing = TIMING.replace(starvation=3)

    async def body(bench):
        await bench.latencies(0)
        for address, id in ((64, 13), (128, 14), (BANK_ROW, 0)):
            bench.read(address, id=id)
        for i in range(12):
            bench.read(64 * (i + 3), id=1 + i)
        await bench.step(200)
        order = [id for _, id, _, last in bench.beats[4:] if last]
        assert order == [13, 14, 1, 2, 3, 0, *range(4, 13)]
    run(body, timing)


def test_a_write_is_answered_one_cycle_after_its_last_beat_and_read_back():
    async def body(bench):
        bench.write(128, [1, 2, 3, 4], id=5)
        await bench.step(20)
        # AW in cycle 0, the data in 1 to 4
        assert bench.responses == [(5, 5)]
        bench.read(128)
        await bench.step(40)
        assert [data for _, _, data, _ in bench.beats] == [1, 2, 3, 4]
    run(body)


def test_a_read_behind_an_answered_write_sees_it_while_it_still_waits():
    async def body(bench):
        for i in range(12):  # more than the DRAM writes meanwhile
            bench.write(BANK_ROW * i, [i + 1] * 4, id=i)
        while len(bench.responses) < 12:
            await bench.step()
        bench.read(BANK_ROW * 11)
        await bench.step(100)
        assert [data for _, _, data, _ in bench.beats] == [12] * 4
    run(body)


def test_a_read_behind_a_write_waits_for_the_turnaround():
    async def body(bench):
        await bench.latencies(0)
        bench.write(64, [7] * 4)
        await bench.step(6)  # address in 1, data in 4; its access starts in the cycle after next
        latency, = await bench.latencies(128)
        assert latency > HIT
        # Write mode begins one cycle after the request is queued, the access one later, in cycle
        # 6: the read's may start 3 + tWTR cycles after it; its address came in cycle 6
        assert latency == 3 + TIMING.t_wtr + TIMING.read_latency
    run(body)


def test_writes_wait_in_groups_while_reads_flow():
    async def body(bench):
        for i in range(60):
            bench.read(64 * (i % 32), id=i % 8)
        for i in range(30):
            bench.write(ROW + 64 * i, [i] * 4, id=i % 8)
        await bench.step(700)
        assert len(bench.responses) == 30
        assert len(bench.beats) == 240
        # 90 lines of 4 beats share the bus: no more than 6 pairs of turnarounds on top
        last = max(bench.beats[-1][0], bench.responses[-1][0])
        assert last < 90 * 4 + 6 * 12 + 40
    run(body)


def test_a_refresh_closes_all_rows_and_delays_the_read_behind_it():
    timing = TIMING.replace(t_refi=200)

    async def body(bench):
        found = []
        for _ in range(12):
            found += await bench.latencies(0, gap=40)
        assert found[0] == HIT + timing.t_rcd
        assert found.count(HIT) >= 6
        reopened = [latency for latency in found[1:] if latency > HIT]
        assert len(reopened) == 2
        assert all(HIT + timing.t_rcd <= latency <= HIT + timing.t_rcd + timing.t_rp + timing.t_rfc
                   for latency in reopened)
    run(body, timing)


def test_fixed_latency_is_the_same_for_every_read():
    timing = timing_preset("fixed-latency")

    async def body(bench):
        assert await bench.latencies(0, 64, BANK_ROW, 0) == [1 + timing.read_latency] * 4
    run(body, timing)


def test_a_wrapping_burst_starts_at_its_word_and_wraps_at_its_own_size():
    async def body(bench):
        bench.write(0, [10, 11, 12, 13])
        await bench.step(20)
        bench.read(32, length=3, burst=Burst.WRAP)
        bench.read(16, length=1, burst=Burst.WRAP)
        bench.read(48, length=1, burst=Burst.FIXED)
        await bench.step(60)
        assert [data for _, _, data, _ in bench.beats] == [12, 13, 10, 11, 11, 10, 13, 13]
    run(body)


def test_narrow_beats_move_through_their_words():
    async def body(bench):
        bench.write(0, [10, 11, 12, 13])
        await bench.step(20)
        bench.read(12, length=5, size=2)
        await bench.step(40)
        assert [data for _, _, data, _ in bench.beats] == [10, 11, 11, 11, 11, 12]
    run(body)


def test_only_bytes_with_their_strobe_are_written():
    async def body(bench):
        bench.write(0, [(1 << 128) - 1])
        bench.write(0, [0], strobes=[0x8001])
        await bench.step(20)
        bench.read(0, length=0)
        await bench.step(40)
        assert bench.beats[0][2] == (1 << 120) - (1 << 8)
    run(body)


def test_a_burst_that_leaves_its_line_fails_an_assertion():
    async def body(bench):
        bench.read(16, length=3)
        await bench.step(5)
    with pytest.raises(AssertionError, match="leaves its line"):
        run(body)


@pytest.mark.parametrize("seed", range(3))
def test_random_traffic_reads_what_was_written(seed):
    print(f"seed {seed}")
    source = random.Random(seed)
    lines = [64 * source.randrange(512) for _ in range(24)]
    timing = timing_preset("ddr3-1066").replace(t_refi=150)

    async def body(bench):
        content = {line: [0] * 4 for line in lines}
        expected = {id: [] for id in range(16)}
        for _ in range(6):
            # Reads and writes of one round touch different lines, as their order is free
            source.shuffle(lines)
            for line in lines[:10]:
                content[line] = [source.getrandbits(128) for _ in range(4)]
                bench.write(line, content[line], id=source.randrange(16))
            for line in lines[10:]:
                id = source.randrange(16)
                bench.read(line, id=id)
                expected[id] += content[line]
            await bench.step(300)
            assert not bench.reads
            assert not bench.writes
        for id, data in expected.items():
            assert [beat for _, beat_id, beat, _ in bench.beats if beat_id == id] == data
        assert len(bench.responses) == 60
    run(body, timing)
