"""Domains in all four modes on one engine with an integrity tree."""

import cocotb
from casemate.config import LINE_BYTES
from casemate_sim.bursts import random_burst
from casemate_sim.faults import Response
from casemate_sim.harness import Harness
from casemate_sim.memory_agent import Answering
from common import BUS_BYTES, CONFIG, SCALE, SEED, keep_busy, line, read, within, write

FULL, OTHER, INTEGRITY, XTS = 0x0A5, 0xF01, 0x001, 0x0A4
MODES = {FULL: "full", OTHER: "full", INTEGRITY: "integrity", XTS: "xts"}


async def harness(dut, label, **options):
    h = Harness(dut, CONFIG, f"{SEED} {label}", **options)
    await h.start()
    for slot, (domain, mode) in enumerate(MODES.items()):
        await h.load_domain(slot, domain, mode)
    return h


async def worker(h, bursts, *, hot, domains):
    """Keep up to six random bursts in flight; `XTS` has the upper half of the range."""
    ids = min(4, 2**CONFIG.id_bits)
    half = h.size // 2

    def draw():
        domain = h.random.choice(domains)
        size = hot if h.random.random() < 0.6 else half
        return random_burst(h.random, write=h.random.random() < 0.5,
                            base=h.base + (half if domain == XTS else 0), size_bytes=size,
                            bus_bytes=BUS_BYTES, domain=domain, longest=24,
                            id=h.random.randrange(ids), claim=h.random.random() < 0.8)

    await keep_busy(h, bursts, draw)


@cocotb.test(timeout_time=4000 * SCALE, timeout_unit="us")
async def owners(dut):
    """A granule belongs to the domain that claimed it; nobody else reads or writes it."""
    h = await harness(dut, "owners")
    nobody = await write(h, line(8, write=True, domain=FULL))
    assert nobody.responses == [Response.SLVERR], "a write without a claim"
    mine = await write(h, line(8, write=True, domain=FULL, claim=True))
    assert mine.responses == [Response.OKAY]
    for domain in (OTHER, INTEGRITY):
        foreign = await read(h, line(8, write=False, domain=domain))
        assert set(foreign.responses) == {Response.SLVERR}
        assert not any(foreign.data)
        stolen = await write(h, line(9, write=True, domain=domain, claim=True))
        assert stolen.responses == [Response.SLVERR]
    back = await read(h, line(8, write=False, domain=FULL))
    assert set(back.responses) == {Response.OKAY}
    beside = await read(h, line(9, write=False, domain=FULL))
    assert set(beside.responses) == {Response.OKAY}
    assert not any(beside.data), "a line that was never written reads as zeros"
    await write(h, within(10, 5, write=True, length=1, domain=FULL))
    await read(h, line(10, write=False, domain=FULL))
    assert await h.read_register("error_count") & 0xFF == 5
    assert not dut.alert_integrity.value
    await h.finish()


@cocotb.test(timeout_time=4000 * SCALE, timeout_unit="us")
@cocotb.parametrize(profile=["always", "random", "stalls", "mixed"])
async def traffic(dut, profile):
    h = await harness(dut, f"tree traffic {profile}", profile=profile)
    h.agent.answering = Answering(latency=(0, 60), interleave=0.3)
    workers = [cocotb.start_soon(worker(h, 30 * SCALE, hot=hot, domains=list(MODES)))
               for hot in (8 * LINE_BYTES, 8 * LINE_BYTES, 32 * LINE_BYTES)]
    for task in workers:
        await task
    assert not dut.alert_integrity.value
    await h.finish()


@cocotb.test(timeout_time=4000 * SCALE, timeout_unit="us")
async def one_line(dut):
    """All workers on two lines of one domain: nearly everything is a hazard."""
    h = await harness(dut, "tree one line")
    h.agent.answering = Answering(latency=(0, 25))
    workers = [cocotb.start_soon(worker(h, 40 * SCALE, hot=2 * LINE_BYTES, domains=[FULL]))
               for _ in range(3)]
    for task in workers:
        await task
    await h.finish()
