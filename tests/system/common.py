"""What the cocotb tests share; they run inside the simulation, which ``test_system`` starts."""

import os
from collections.abc import Callable, Sequence

from casemate.config import LINE_BYTES
from casemate_sim.bursts import Burst, Kind, random_strobes
from casemate_sim.harness import Harness
from configurations import CONFIGS, TREES

CONFIG = (CONFIGS | TREES)[os.environ["CASEMATE_CONFIG"]]
SEED = int(os.environ["CASEMATE_SEED"])
SCALE = int(os.environ.get("CASEMATE_SCALE", "1"))
"""How many times longer the random tests are than in `make test`."""

BUS_BYTES = CONFIG.data_bits // 8
BEATS = CONFIG.beats_per_line
SIZE = (BUS_BYTES - 1).bit_length()

XTS, PLAIN, OTHER, UNKNOWN = 0x0A5, 0xF01, 0x001, 0x0A4
"""Domains: the first two are loaded everywhere, the third where there are three slots."""


async def harness(dut, label: str, **options) -> Harness:
    """Start a harness whose random choices depend on the seed and on `label` alone."""
    h = Harness(dut, CONFIG, f"{SEED} {label}", **options)
    await h.start()
    await load_domains(h)
    return h


async def load_domains(h: Harness) -> list[int]:
    """Load two domains, three if there are slots enough; return them."""
    await h.load_domain(CONFIG.domain_slots - 1, XTS, "xts")
    await h.load_domain(0, PLAIN, "plain")
    if CONFIG.domain_slots == 2:
        return [XTS, PLAIN]
    await h.load_domain(1, OTHER, "xts")
    return [XTS, PLAIN, OTHER]


def domains() -> list[int]:
    return [XTS, PLAIN] if CONFIG.domain_slots == 2 else [XTS, PLAIN, OTHER]


def line(number: int, *, write: bool, domain: int = XTS, lines: int = 1, **members) -> Burst:
    """Return a burst of whole lines, by their number from the window's start."""
    return Burst(write=write, address=CONFIG.data_base + number * LINE_BYTES,
                 length=lines * BEATS, size=SIZE, bus_bytes=BUS_BYTES, domain=domain, **members)


def within(number: int, offset: int, *, write: bool, length: int = 1, size: int = 0,
           domain: int = XTS, kind: Kind = Kind.INCR, **members) -> Burst:
    """Return a burst that begins `offset` bytes behind the start of a line."""
    return Burst(write=write, address=CONFIG.data_base + number * LINE_BYTES + offset,
                 length=length, size=size, bus_bytes=BUS_BYTES, domain=domain, kind=kind,
                 **members)


def data_for(h: Harness, burst: Burst, strobes: Sequence[int] | None = None) -> list[tuple]:
    """Return random write data, under all strobes unless some are given."""
    masks = strobes if strobes is not None else [beat.mask for beat in burst.beats]
    return [(h.random.getrandbits(8 * BUS_BYTES), mask) for mask in masks]


async def keep_busy(h: Harness, bursts: int, draw: Callable[[], Burst]) -> None:
    """Keep up to six bursts in flight that `draw` returns, writes under random strobes."""
    pending = []
    for _ in range(bursts):
        burst = draw()
        if burst.write:
            strobes = random_strobes(h.random, burst)
            pending.append(h.host.write(burst, data_for(h, burst, strobes)))
        else:
            pending.append(h.host.read(burst))
        if len(pending) > h.random.randrange(7):
            await pending.pop(0).wait()
        if h.random.random() < 0.1:
            await h.cycles(h.random.randrange(60))
    for transaction in pending:
        await transaction.wait()


async def write(h: Harness, burst: Burst, strobes: Sequence[int] | None = None):
    """Write random data and wait for the response."""
    return await h.host.write(burst, data_for(h, burst, strobes)).wait()


async def read(h: Harness, burst: Burst):
    """Read and wait for the last beat."""
    return await h.host.read(burst).wait()


async def until(h: Harness, condition, what: str, patience: int = 2000) -> None:
    """Wait until `condition` holds."""
    for _ in range(patience):
        if condition():
            return
        await h.cycles(1)
    raise AssertionError(f"{what}: not within {patience} cycles")
