"""Every shape of burst that AXI4 allows: kind, size, length, alignment."""

import cocotb
from casemate_sim.bursts import Burst, Kind, legal_shapes, random_strobes, shape_burst
from casemate_sim.memory_agent import Answering
from common import BUS_BYTES, SIZE, data_for, domains, harness


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def every_shape(dut):
    h = await harness(dut, "shapes")
    h.agent.answering = Answering(latency=(1, 6))
    shapes = list(legal_shapes(BUS_BYTES))
    h.random.shuffle(shapes)
    for shape in shapes:
        for is_write in (True, False):
            burst = shape_burst(h.random, shape, write=is_write, base=h.base, size_bytes=h.size,
                                bus_bytes=BUS_BYTES, id=h.random.randrange(4),
                                domain=h.random.choice(domains()))
            if is_write:
                strobes = random_strobes(h.random, burst) if h.random.random() < 0.3 else None
                h.host.write(burst, data_for(h, burst, strobes))
            else:
                h.host.read(burst)
    await h.finish()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def every_wrap(dut):
    h = await harness(dut, "wraps")
    h.agent.answering = Answering(latency=(1, 6))
    for length in (2, 4, 8, 16):
        for size in range(SIZE + 1):
            container = length << size
            # Every start in a small container, some in a large one.
            starts = range(length) if size == SIZE else h.random.sample(range(length), 2)
            for start in starts:
                for is_write in (True, False):
                    base = h.base + container * h.random.randrange(h.size // container)
                    burst = Burst(
                        write=is_write, address=base + (start << size), length=length, size=size,
                        kind=Kind.WRAP, bus_bytes=BUS_BYTES, id=h.random.randrange(4),
                        domain=h.random.choice(domains()))
                    if is_write:
                        h.host.write(burst, data_for(h, burst))
                    else:
                        h.host.read(burst)
    await h.finish()
