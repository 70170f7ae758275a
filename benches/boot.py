"""What the trust anchor costs: boot, slot misses, erasure of a domain, reclaiming of memory.

One engine on its bench: an ideal DRAM of fixed latency, a fuse macro that reads in a cycle, a
noise source that gives a word a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator

from casemate.config import (
    LINE_BYTES,
    CipherConfig,
    EngineConfig,
    FuseConfig,
    KeyManagerConfig,
    TreeConfig,
    preset,
)
from casemate_sim.bench import OKAY, Bench
from casemate_sim.driver import Casemate
from casemate_sim.figures import Figure
from casemate_sim.model.fuses import Device, encode_device
from casemate_sim.toolchain import toolchain
from common import Report

LATENCY = 25
GRANULES = 512
START_UP_WORDS = 1024
NONCE_WORDS = 4
FUSES = tuple(encode_device(Device(
    life_cycle="production", device=b"a board's device", serial=b"00000001", key_size=128,
    policy="report", root_key=bytes(range(32)))))


def config() -> EngineConfig:
    """Return preset `tiny` with the pipelined ciphers of `latency` and a small cache.

    Write-backs are as many as hide their latency behind a granule in 16 cycles.
    """
    return preset("tiny").replace(
        name="tiny_pipelined", data_bytes=1 << 20, read_entries=16, write_entries=16,
        write_bursts=16, data_cipher=CipherConfig(), tweak_cipher=CipherConfig(),
        tree=TreeConfig(cache_sets=8, cache_ways=4, write_backs=12),
        keys=KeyManagerConfig(fuses=FuseConfig()))


def _cycles(bench: Bench, request: int) -> int:
    """Return the cycles until a request is answered; nothing may go wrong."""
    start = bench.cycle
    response, _ = bench.done(request)
    if response != OKAY:
        raise RuntimeError(f"request {request} was answered {response}")
    return bench.cycle - start


def figures(report: Report) -> Iterator[Figure]:
    """Measure one boot, then misses, an erasure, and a range of memory."""
    engine_config = config()
    report("building the engine")
    bench = Bench(engine_config)
    bench.latency = LATENCY
    settings: dict[str, object] = {
        "config": engine_config.name, "config_digest": engine_config.digest,
        "dram": f"fixed {LATENCY} cycles", "versions": dict(toolchain().versions)}
    report("boot")
    bench.power_cycle(FUSES)
    yield _boot(bench, settings)
    engine = Casemate(bench, engine_config)
    report("slot misses")
    yield _miss(bench, engine, settings)
    report("erasure")
    yield _erasure(bench, engine, settings)
    report("reclaiming")
    yield _reclaim(bench, engine, settings)


def _boot(bench: Bench, settings: dict[str, object]) -> Figure:
    """From reset to the answer of a line that a domain has written."""
    sensed = 0
    while len(bench.drawn) < START_UP_WORDS + NONCE_WORDS:
        bench.step()
        if bench.cycle < START_UP_WORDS:
            sensed = bench.last_sensed
    engine = Casemate(bench, bench.config)
    ready = engine.wait_for_boot()
    engine.create(1)
    created = bench.cycle
    _cycles(bench, bench.write(1, 0, bytes(LINE_BYTES)))
    assert bench.config.keys is not None
    tables = max(bench.config.keys.domains, bench.config.root_counters) // 16
    tested, nonce = bench.drawn[START_UP_WORDS - 1][0] + 1, bench.drawn[-1][0] + 1
    return Figure(
        name="boot.cycles_to_first_access", value=bench.cycle, unit="cycles", target="<= 3000",
        config=settings | {"breakdown": {
            "last word of the fuses read, from reset, beside the health tests": sensed,
            "health tests, from reset": tested, "boot nonce": nonce - tested,
            "tables, from reset, beside the health tests": tables,
            "key derivation and expansion": ready - nonce,
            "software: boot seen, domain created": created - ready,
            "slot miss and first write": bench.cycle - created}, "boot_cycles": ready})


def _miss(bench: Bench, engine: Casemate, settings: dict[str, object]) -> Figure:
    """Three domains share two slots: the one that was used least recently misses."""
    for domain in (2, 3):
        engine.create(domain)
    for domain in (1, 2, 3):
        _cycles(bench, bench.write(domain, 8 * domain, bytes(LINE_BYTES)))
    hit = _cycles(bench, bench.read(3, 24))
    misses = [_cycles(bench, bench.read(domain, 8 * domain)) - hit for domain in (1, 2, 3)]
    return Figure(name="keys.slot_miss_cycles", value=max(misses), unit="cycles",
                  target="<= 400", config=settings | {"misses": misses, "hit": hit})


def _erasure(bench: Bench, engine: Casemate, settings: dict[str, object]) -> Figure:
    """Destroy a domain whose keys are in a slot, while another one reads."""
    for line in range(64):
        _cycles(bench, bench.write(3, 512 + line, bytes(LINE_BYTES)))
    reads = [bench.read(3, 512 + line, id_=1) for line in range(8)]
    engine.write("domain", domain=3)
    start = bench.cycle
    engine.write("domain_command", destroy=1)
    while engine.read("domain_command")["destroy"]:
        pass
    cycles = bench.cycle - start
    for read in reads:
        bench.done(read)
    return Figure(name="erase.domain_cycles", value=cycles, unit="cycles", target="<= 100",
                  config=settings | {"lines_written": 65, "reads_in_flight": len(reads)})


def _zeros(bench: Bench) -> int:
    """Return the cycles of writing zeros to all lines of the range."""
    requests = [bench.write(1, line, bytes(LINE_BYTES), id_=line % 16)
                for line in range(4096, 4096 + 4 * GRANULES)]
    return sum(_cycles(bench, request) for request in requests)


def _reclaim(bench: Bench, engine: Casemate, settings: dict[str, object]) -> Figure:
    """Write zeros to a range that is not in the metadata cache, then reclaim it as cold."""
    first = 4096 // 4
    _zeros(bench)
    engine.invalidate()
    zeros = _zeros(bench)
    start = bench.cycle
    engine.invalidate()
    zeros_flush = bench.cycle - start
    engine.write("interrupt_enable", reclaim_done=1)
    engine.write("reclaim_first_low", first=first)
    engine.write("reclaim_count_low", count=GRANULES)
    start = bench.cycle
    engine.write("reclaim", start=1)
    while not bench.step()["irq"]:
        if bench.cycle - start > 200 * GRANULES:
            raise RuntimeError("the reclaiming does not end")
    cycles = bench.cycle - start
    if engine.read("reclaim")["failed"]:
        raise RuntimeError("a granule could not be taken back")
    start = bench.cycle
    engine.invalidate()
    flush = bench.cycle - start
    if bench.done(bench.read(1, 4096))[0] == OKAY:
        raise RuntimeError("the old owner still reads")
    return Figure(
        name="reclaim.cycles_per_granule", value=cycles / GRANULES, unit="cycles",
        target="<= 16", config=settings | {
            "granules": GRANULES, "cycles": cycles, "flush_cycles": flush,
            "writing_zeros_cycles_per_granule": round(zeros / GRANULES, 2),
            "writing_zeros_flush_cycles": zeros_flush})
