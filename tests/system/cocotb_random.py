"""Random traffic of several workers on the same lines, under every kind of back-pressure."""

import cocotb
from casemate.config import LINE_BYTES
from casemate_sim.bursts import random_burst
from casemate_sim.faults import Response
from casemate_sim.memory_agent import Answering
from common import BEATS, BUS_BYTES, CONFIG, SCALE, UNKNOWN, domains, harness, keep_busy


async def worker(h, bursts, *, hot):
    """Keep up to six random bursts in flight, most of them on `hot` bytes that workers share."""
    ids = min(4, 2**CONFIG.id_bits)

    def draw():
        place = h.random.random()
        base, size = (h.base, hot) if place < 0.6 else (h.base, h.size)
        domain = UNKNOWN if h.random.random() < 0.02 else h.random.choice(domains())
        return random_burst(h.random, write=h.random.random() < 0.5, base=base, size_bytes=size,
                            bus_bytes=BUS_BYTES, domain=domain, longest=24,
                            id=h.random.randrange(ids))

    await keep_busy(h, bursts, draw)


def spoil(h):
    """Let some lines of the range fail, a few of them among the hot ones."""
    faults = h.scoreboard.faults
    numbers = [1, 6, *h.random.sample(range(8, h.size // LINE_BYTES), 60)]
    for number in numbers:
        address = h.base + number * LINE_BYTES
        errors = [Response.OKAY, Response.EXOKAY, Response.SLVERR, Response.DECERR]
        if h.random.random() < 0.7:
            faults.reads[address] = [h.random.choice(errors) for _ in range(BEATS)]
        if h.random.random() < 0.6:
            faults.writes[address] = h.random.choice(errors)


@cocotb.test(timeout_time=4000 * SCALE, timeout_unit="us")
@cocotb.parametrize(profile=["always", "alternate", "random", "stalls", "mixed"])
async def traffic(dut, profile):
    h = await harness(dut, f"traffic {profile}", profile=profile)
    if profile == "random":
        spoil(h)
    h.agent.answering = Answering(latency=(0, 60), interleave=0.3)
    workers = [cocotb.start_soon(worker(h, 40 * SCALE, hot=hot))
               for hot in (4 * LINE_BYTES, 4 * LINE_BYTES, 16 * LINE_BYTES)]
    for task in workers:
        await task
    await h.finish()


@cocotb.test(timeout_time=4000 * SCALE, timeout_unit="us")
async def one_line(dut):
    """All workers on two lines: nearly everything is a hazard."""
    h = await harness(dut, "one line")
    h.agent.answering = Answering(latency=(0, 25))
    workers = [cocotb.start_soon(worker(h, 60 * SCALE, hot=2 * LINE_BYTES)) for _ in range(3)]
    for task in workers:
        await task
    await h.finish()
