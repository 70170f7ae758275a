"""After an erasure no register, no wire and no RAM of the engine holds a piece of a key.

Nor does one hold what keys leave of a line: tweaks, pads, hashes, states of a cipher's rounds.
"""

import pytest
from casemate.alert.layouts import Policy
from casemate.config import LINE_BYTES, CipherConfig, SBox, TreeConfig
from casemate.top import Casemate
from engine_bench import CONFIG, OKAY, SLVERR, EngineBench
from inspected import Inspected
from key_material import AES_BITS, NONCE, ROOT, held, of_domain, of_engine, of_line

RING = CipherConfig(pipelined=False, units=3)
CONFIGS = {
    "iterative": CONFIG.replace(
        root_counters=8, read_entries=2, write_entries=2, write_bursts=2,
        tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1,
                        pad_cipher=CipherConfig(pipelined=False))),
}
CONFIGS["pipelined"] = CONFIGS["iterative"].replace(
    data_cipher=CipherConfig(rounds_per_stage=2), tweak_cipher=RING,
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1,
                    pad_cipher=CipherConfig(rounds_per_stage=2)))
DEEP = CipherConfig(registers_per_round=2, sbox=SBox.BLOCK_RAM)
CONFIGS["deep"] = CONFIGS["iterative"].replace(
    data_cipher=DEEP, tweak_cipher=RING,
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1, pad_cipher=DEEP))
IN_RAM = CipherConfig(pipelined=False, sbox=SBox.BLOCK_RAM)
CONFIGS["shared"] = CONFIGS["iterative"].replace(
    data_cipher=IN_RAM, tweak_cipher=IN_RAM,
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1, pad_cipher=IN_RAM,
                    multiplier_stages=0, shared_gmac=True, shared_cipher=True))
CONFIGS["shared pipeline"] = CONFIGS["shared"].replace(
    data_cipher=DEEP, tweak_cipher=DEEP,
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1, pad_cipher=DEEP,
                    multiplier_stages=3, shared_gmac=True, shared_cipher=True))
assert CONFIG.aes_bits == AES_BITS


def bench_of(name):
    return EngineBench(CONFIGS[name], Inspected(Casemate(CONFIGS[name])))


@pytest.fixture(params=[pytest.param(each, marks=pytest.mark.verify)
                        for each in CONFIGS])
def bench(request):
    return bench_of(request.param)


def used(bench):
    """An engine with two domains that have written and read."""
    engine = bench.boot(ROOT, NONCE)
    engine.wait_for_boot()
    engine.set_policy(Policy.REPORT_ONLY)
    for domain in (5, 6):
        engine.create(domain)
        data = bytes([domain]) * LINE_BYTES
        assert bench.done(bench.write(domain, 8 * domain, data))[0] == OKAY
        assert bench.done(bench.read(domain, 8 * domain)) == (OKAY, data)
    return engine


def test_no_key_is_left(bench):
    engine = used(bench)
    first, second, own = of_domain(5), of_domain(6), of_engine()
    assert set(held(bench.sim, first)) == set(first)
    assert set(held(bench.sim, second)) == set(second)
    # The first blocks are needed while booting only.
    assert set(held(bench.sim, own)) == set(own) - {"first blocks"}

    engine.destroy(5)
    assert not held(bench.sim, first)
    assert set(held(bench.sim, second)) == set(second)
    assert bench.done(bench.read(6, 48)) == (OKAY, bytes([6]) * LINE_BYTES)
    assert not held(bench.sim, first)
    assert not held(bench.sim, of_domain(5, 1))

    bench.step({"tamper": 1})
    for _ in range(200):
        bench.step()
    assert not held(bench.sim, first | second | own)
    number = bench.read(6, 48)
    assert bench.done(number)[1] == bytes(LINE_BYTES)
    assert not held(bench.sim, first | second | own)


@pytest.mark.verify
def test_a_locked_engine_has_no_key_left():
    bench = bench_of("iterative")
    engine = used(bench)
    engine.set_policy(Policy.LOCK_ENGINE)
    bench.memory[40 * LINE_BYTES] = bytes(LINE_BYTES)
    assert bench.done(bench.read(5, 40))[1] == bytes(LINE_BYTES)
    for _ in range(200):
        bench.step()
    assert not held(bench.sim, of_domain(5) | of_domain(6) | of_engine())


LEFT_CYCLES = 60
"""From a line's end until nothing is left of it in this configuration, at most."""


def line_of(bench, domain, line):
    data = bytes([domain]) * LINE_BYTES
    return of_line(domain, line, data, bench.memory[line * LINE_BYTES])


def watched(bench, number, secrets, seen):
    """Run until a request is answered, and a little longer; note what is seen meanwhile."""
    cycle = 0
    while number not in bench.results or cycle % 8:
        if cycle % 3 == 0:
            seen |= set(held(bench.sim, secrets))
        bench.step()
        cycle += 1
    return bench.results.pop(number)


def wait(bench, cycles=LEFT_CYCLES):
    for _ in range(cycles):
        bench.step()


@pytest.mark.parametrize("name", [
    "iterative", *(pytest.param(each, marks=pytest.mark.verify)
                   for each in CONFIGS if each != "iterative")])
def test_nothing_is_left_of_lines_that_are_done_or_dropped(name):
    bench = bench_of(name)
    engine = used(bench)
    first, second = line_of(bench, 5, 40), line_of(bench, 6, 48)
    wait(bench)
    assert not held(bench.sim, first | second)

    # The same secrets are found while the line is read.
    seen = set()
    assert watched(bench, bench.read(5, 40), first, seen)[0] == OKAY
    assert seen == set(first)
    wait(bench)
    assert not held(bench.sim, first)

    # A destruction while both domains have lines in flight.
    bench.latency = 40
    numbers = [bench.read(5, 40, id_=1), bench.read(6, 48, id_=2)]
    wait(bench, 60)
    engine.destroy(5)
    assert bench.done(numbers[0])[0] in (OKAY, SLVERR)
    assert bench.done(numbers[1]) == (OKAY, bytes([6]) * LINE_BYTES)
    wait(bench)
    assert not held(bench.sim, first | second)

    number = bench.read(6, 48)
    wait(bench, 70)
    bench.step({"tamper": 1})
    bench.done(number)
    wait(bench, 100)
    assert not held(bench.sim, first | second)
