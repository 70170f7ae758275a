"""What authentication costs when every leaf is at hand: latency of a read, bandwidth."""

import pytest
from core_environment import FULL, INTEGRITY, PLAIN, XTS, Environment
from flat_metadata import Settings

HIT = 4  # cycles from an access to its answer, as the keeper of the metadata takes them
DRAM = 40
LINES = range(64)


def environment(seed, name="latency"):
    env = Environment(name, seed, lines=range(1024), latency=DRAM,
                      settings=Settings(delay=HIT, steady=True, nodes=0))
    env.pools[PLAIN], env.pools[XTS] = range(256, 320), range(384, 448)
    return env


def fill(env, domain, start):
    for number in LINES:
        env.write(domain, start + number, env.rng.randbytes(64), claim=True, id_=0)
    env.drain()


def latency(env, domain, number):
    """Return the cycles from the transfer of the address to the first beat."""
    env.read(domain, number, id_=0)
    begun = None
    while True:
        seen = env.step()
        if env.reads[0] and begun is None:
            begun = env.cycle
        if seen["host_rvalid"]:
            first = env.cycle
            env.drain()
            return first - begun


def ratio(env, events, count, channel):
    """Return the transfers of a channel over the cycles from its first to its last."""
    cycles = []
    while len(cycles) < count:
        seen = env.step()
        if seen[channel]:
            cycles.append(env.cycle)
        assert env.cycle < 20000, events
    env.drain()
    return (count - 1) / (cycles[-1] - cycles[0])


def test_a_leaf_hit_costs_a_read_one_cycle_at_most(seed):
    env = environment(seed)
    starts = {PLAIN: 256, XTS: 384, INTEGRITY: 0, FULL: 64}
    for domain, start in starts.items():
        fill(env, domain, start)
    took = {domain: latency(env, domain, start + 5) for domain, start in starts.items()}
    assert took[PLAIN] < took[XTS]
    assert took[FULL] <= took[XTS] + 1, took
    assert took[INTEGRITY] <= took[XTS] + 1, took


@pytest.mark.parametrize("domain", [INTEGRITY, FULL])
def test_streams_of_leaf_hits_fill_the_bus(domain, seed):
    env = environment(seed)
    fill(env, domain, 0)
    for number in range(0, len(LINES), 4):
        env.read(domain, number, beats=16, id_=number % 16)
    beats = 4 * len(LINES)
    assert ratio(env, "reads", beats, "host_rvalid") >= 0.95
    # A line is held from its first beat to DRAM's response: 16 lines fill the bus up to 64 cycles.
    env.dram.latency = 16
    for number in LINES:
        env.write(domain, number, env.rng.randbytes(64), id_=number % 16)
    assert ratio(env, "writes", beats, "memory_wvalid") >= 0.95
    env.audit()


def test_writes_do_not_keep_a_shared_gmac_for_themselves(seed):
    """A read among writes that fill the bus ends while they still do."""
    env = environment(seed, "shared")
    fill(env, INTEGRITY, 0)
    env.dram.latency = 4
    for turn in range(6):
        for number in LINES[:-4]:
            env.write(INTEGRITY, number, env.rng.randbytes(64), id_=number % 16)
        if turn == 1:
            for number in LINES[-4:]:
                env.read(INTEGRITY, number, id_=number % 16)
    beats = written = 0
    while beats < 16:
        seen = env.step()
        beats += seen["host_rvalid"]
        written += seen["memory_wvalid"]
        assert written < 4 * 2 * len(LINES), "the read waits for the writes"
    env.drain()
    env.audit()
