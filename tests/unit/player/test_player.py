"""The trace player against a memory in Python: limits, order, dependence, rate, statistics."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from casemate.axi.signature import Signature
from casemate_sim.player.player import Player

DATA_BITS = 128


@dataclass
class Memory:
    """Answers reads after `latency` cycles, writes after 3, and remembers everything."""

    latency: int = 20
    log: list = field(default_factory=list)  # (cycle, event, id, address)
    reads: list = field(default_factory=list)  # [due, id, beats left]
    responses: list = field(default_factory=list)
    data: list = field(default_factory=list)
    addresses: list = field(default_factory=list)
    shuffle: random.Random | None = None

    def of(self, event):
        return [(cycle, *rest) for cycle, name, *rest in self.log if name == event]


def play(records, *, memory=None, cycles=2000, data_bits=DATA_BITS, stall=0.0, **settings):
    """Play records (line, distance, write, dependent); return memory and player's counters."""
    memory = memory or Memory()
    player = Player(Signature(data_bits=data_bits, address_bits=40, id_bits=4, user_bits=13))
    values = {"base": 0, "reads": 16, "writes": 16, "rate": 256, "window": 1000, "id_mask": 3,
              "domain": 1} | settings
    counters, histograms = {}, {}
    source = random.Random(5)
    beats = 512 // data_bits

    async def testbench(ctx):
        bus, left = player.bus, list(records)
        ctx.set(player.settings, values)
        ctx.set(player.run, 1)
        seen = {"ar": False, "aw": False}
        collected = 0
        for cycle in range(cycles):
            ctx.set(player.i.valid, bool(left))
            ctx.set(player.end, not left)
            if left:
                line, distance, write, dependent = left[0]
                ctx.set(player.i.p, {"line": line, "distance": distance, "write": write,
                                     "dependent": dependent})
            for name in ("arready", "awready", "wready"):
                ctx.set(getattr(bus, name), source.random() >= stall)
            due = [read for read in memory.reads if read[0] <= cycle]
            heads = list({read[1]: read for read in reversed(due)}.values())
            running = [read for read in heads if read[2] != beats]
            head = (running or heads or [None])[0] if not memory.shuffle else (
                running[0] if running else memory.shuffle.choice(heads) if heads else None)
            ctx.set(bus.rvalid, head is not None)
            if head:
                ctx.set(bus.rid, head[1])
                ctx.set(bus.rlast, head[2] == 1)
            response = bool(memory.responses) and memory.responses[0][0] <= cycle
            ctx.set(bus.bvalid, response)
            if response:
                ctx.set(bus.bid, memory.responses[0][1])
            await ctx.delay(1e-8)
            for channel in ("ar", "aw"):
                if ctx.get(getattr(bus, f"{channel}valid")):
                    event = (ctx.get(getattr(bus, f"{channel}id")),
                             ctx.get(getattr(bus, f"{channel}addr")))
                    if not seen[channel]:
                        memory.log.append((cycle, f"{channel} shown", *event))
                    seen[channel] = not ctx.get(getattr(bus, f"{channel}ready"))
                    if not seen[channel]:
                        memory.log.append((cycle, channel, *event))
                        if channel == "ar":
                            memory.reads.append([cycle + memory.latency, event[0], beats])
                        else:
                            memory.addresses.append(event[0])
            if ctx.get(bus.wvalid) and ctx.get(bus.wready):
                memory.log.append((cycle, "w", ctx.get(bus.wdata), ctx.get(bus.wlast)))
                collected += ctx.get(bus.wlast)
            while collected and memory.addresses:
                memory.responses.append((cycle + 3, memory.addresses.pop(0)))
                collected -= 1
            if head and ctx.get(bus.rready):
                memory.log.append((cycle, "r", head[1], head[2]))
                head[2] -= 1
                if not head[2]:
                    memory.reads.remove(head)
            if response and ctx.get(bus.bready):
                memory.log.append((cycle, "b", *memory.responses.pop(0)))
            if left and ctx.get(player.i.ready):
                left.pop(0)
            if ctx.get(player.done):
                break
            await ctx.tick()
        else:
            raise AssertionError("the player is not done")
        for name in ("cycles", "reads", "writes", "read_beats", "write_beats", "errors",
                     "instructions"):
            counters[name] = ctx.get(player.counters[name])
        for index, name in enumerate(("read_first", "read_last", "write")):
            ctx.set(player.histogram, index)
            histograms[name] = {}
            for place in range(100):
                ctx.set(player.bin, place)
                await ctx.tick()
                if count := ctx.get(player.count):
                    histograms[name][place] = count

    simulator = Simulator(player)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return memory, counters, histograms


def in_flight(memory, issued, finished):
    """Largest number between an address and its last beat or response."""
    steps = sorted([(cycle, 1) for cycle, *_ in memory.of(issued)]
                   + [(cycle, -1) for cycle, *_ in finished])
    level = largest = 0
    for _, step in steps:
        level += step
        largest = max(largest, level)
    return largest


def last_beats(memory):
    return [event for event in memory.of("r") if event[2] == 1]


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_no_more_reads_than_allowed_are_outstanding(limit):
    memory, counters, _ = play([(i, 0, 0, 0) for i in range(30)], reads=limit)
    assert in_flight(memory, "ar shown", last_beats(memory)) == limit
    assert counters["reads"] == 30


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_no_more_writes_than_allowed_are_outstanding(limit):
    memory, counters, _ = play([(i, 0, 1, 0) for i in range(30)], writes=limit)
    assert in_flight(memory, "aw shown", memory.of("b")) <= limit
    assert counters["writes"] == 30


def test_reads_and_writes_fill_both_data_channels_at_the_same_time():
    records = [(i, 0, i % 2, 0) for i in range(120)]
    memory, counters, _ = play(records, reads=32, writes=32)
    beats = [cycle for cycle, *_ in memory.of("w")]
    assert len(beats) == 240
    assert beats[-1] - beats[0] == 239
    beats = [cycle for cycle, *_ in memory.of("r")]
    assert beats[-1] - beats[0] == 239
    assert counters["cycles"] < 300


def test_a_dependent_read_waits_for_the_previous_read_only():
    memory, *_ = play([(0, 0, 0, 0), (1, 0, 0, 1), (2, 0, 0, 0), (3, 0, 0, 1)])
    shown = [cycle for cycle, *_ in memory.of("ar shown")]
    done = [cycle for cycle, *_ in last_beats(memory)]
    assert shown[1] == done[0] + 2
    assert shown[2] == shown[1] + 1
    assert shown[3] == done[2] + 2


@pytest.mark.parametrize(("rate", "expected"), [(64, 80), (256, 20), (512, 10)])
def test_records_come_at_the_rate_of_the_core(rate, expected):
    memory, *_ = play([(i, 20, 0, 0) for i in range(8)], rate=rate)
    shown = [cycle for cycle, *_ in memory.of("ar shown")]
    assert [later - earlier for earlier, later in pairwise(shown)] == (
        [expected] * 7)


def test_the_core_stops_a_window_behind_the_oldest_outstanding_read():
    memory, counters, _ = play([(0, 0, 0, 0), (1, 10, 0, 0), (2, 10, 0, 0)], window=15,
                               memory=Memory(latency=60))
    shown = [cycle for cycle, *_ in memory.of("ar shown")]
    first_done = last_beats(memory)[0][0]
    assert shown[1] - shown[0] == 10
    # Instruction 15 is reached while the first read is out; the other five follow behind it
    assert first_done + 5 <= shown[2] <= first_done + 8
    assert counters["instructions"] == 21  # numbers 0 to 20


def test_ids_take_turns_and_writes_of_one_line_share_theirs():
    records = [(i % 5, 0, 1, 0) for i in range(15)] + [(i, 0, 0, 0) for i in range(8)]
    memory, *_ = play(records, id_mask=3)
    assert [id for _, id, _ in memory.of("ar")] == [0, 1, 2, 3] * 2
    ids = {}
    for _, id, address in memory.of("aw"):
        ids.setdefault(address, set()).add(id)
    assert all(len(used) == 1 for used in ids.values())
    assert len(set.union(*ids.values())) > 1


def test_addresses_are_lines_of_the_data_window():
    memory, *_ = play([(3, 0, 0, 0), (5, 0, 1, 0)], base=0x1000)
    assert memory.of("ar")[0][2] == 64 * 0x1003
    assert memory.of("aw")[0][2] == 64 * 0x1005


@pytest.mark.parametrize("data_bits", [64, 128, 256, 512])
def test_write_data_name_line_sequence_and_block(data_bits):
    memory, *_ = play([(0x3ABCDE, 0, 1, 0), (0x155555, 0, 1, 0)], data_bits=data_bits)
    content = b"".join(data.to_bytes(data_bits // 8, "little") for _, data, _ in memory.of("w"))
    assert len(content) == 128
    for sequence, line in ((1, 0x3ABCDE), (2, 0x155555)):
        for block in range(4):
            start = 64 * (sequence - 1) + 16 * block
            value = int.from_bytes(content[start:start + 16], "little")
            assert value & (1 << 48) - 1 == line
            assert value >> 48 & 0xffff == sequence
            assert value >> 64 & 0xffffffff == sequence
            assert value >> 96 & 3 == block
            assert value >> 98 == ~line & (1 << 30) - 1


def test_latencies_are_counted_exactly():
    _, _, histograms = play([(i, 50, 0, 0) for i in range(4)] + [(9, 50, 1, 0)],
                                 memory=Memory(latency=20))
    # Address and data in the same model cycle 20 apart, four beats; the write's last beat comes
    # three cycles after its address, the answer three after that
    assert histograms["read_first"] == {20: 4}
    assert histograms["read_last"] == {23: 4}
    assert histograms["write"] == {6: 1}


@pytest.mark.parametrize("seed", range(3))
def test_random_traffic_is_complete_whatever_the_order_of_responses(seed):
    print(f"seed {seed}")
    source = random.Random(seed)
    records = [(source.randrange(64), source.randrange(6), source.random() < 0.4,
                source.random() < 0.1) for _ in range(150)]
    memory, counters, histograms = play(
        records, memory=Memory(latency=9, shuffle=source), stall=0.4, cycles=5000)
    reads = sum(not write for _, _, write, _ in records)
    assert counters["reads"] == reads == len(memory.of("ar"))
    assert counters["writes"] == len(records) - reads == len(memory.of("aw"))
    assert counters["read_beats"] == 4 * reads
    assert counters["write_beats"] == 4 * (len(records) - reads)
    assert counters["instructions"] >= sum(distance for _, distance, _, _ in records)
    # The histograms agree with the log: matched by ID, in order
    expected = {}
    for id in range(16):
        shown = [cycle for cycle, used, _ in memory.of("ar shown") if used == id]
        done = [cycle for cycle, used, left in last_beats(memory) if used == id]
        for first, last in zip(shown, done, strict=True):
            expected[last - first] = expected.get(last - first, 0) + 1
    assert histograms["read_last"] == {k: v for k, v in sorted(expected.items()) if k < 100}
