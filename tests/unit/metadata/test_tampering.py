"""What was changed in DRAM is noticed, at its place; what is wrong is never answered."""

import pytest
from casemate.metadata.interface import Failure, Outcome
from metadata_environment import DOMAINS, Environment

NAMES = ["two_levels", "one_set", pytest.param("deep", marks=pytest.mark.verify)]


@pytest.fixture(params=NAMES)
def environment(request, seed):
    """A unit whose DRAM is full of leaves and nodes, and whose cache is empty."""
    environment = Environment(request.param, seed, latency=(2, 8), stall=0)
    environment.traffic(1000, rate=0.6, claims=1, granules=64)
    environment.drain_accesses()
    environment.flush(invalidate=True)
    environment.audit()
    environment.answers.clear()
    environment.expect_failures = True
    return environment


def owned_line(environment):
    """A line of a leaf that was stored, and its owner."""
    leaf = environment.rng.choice(sorted(environment.owners))
    return 4 * leaf + environment.rng.randrange(4), environment.owners[leaf]


def path_addresses(environment, line):
    """Byte addresses of a line's leaf and nodes."""
    index, addresses = line // 4, []
    for base in environment.bases():
        addresses.append(base + 64 * index)
        index //= 8
    return addresses


def flip(environment, address, bit):
    content = bytearray(environment.dram.read(address))
    content[bit // 8] ^= 1 << bit % 8
    environment.dram.content[address] = bytes(content)


def read(environment, line, domain):
    environment.access(0, line, domain)
    environment.drain_accesses(3000)
    for _ in range(300):  # until what failed has left
        if environment.step()["idle"]:
            break
    return environment.answers[-1][2]


def test_a_flipped_bit_is_found_in_its_leaf_or_node(environment):
    for level in range(environment.config.levels):
        for _ in range(3):
            line, owner = owned_line(environment)
            address = path_addresses(environment, line)[level]
            bit = environment.rng.randrange(512)
            flip(environment, address, bit)
            environment.failures.clear()
            assert read(environment, line, owner) is Outcome.FAILED, f"level {level}, bit {bit}"
            assert environment.failures == [(Failure.MAC, level, address, False)]
            flip(environment, address, bit)
            assert read(environment, line, owner) is Outcome.GRANTED, "it is as it was"
            environment.flush(invalidate=True)


def test_old_leaves_and_nodes_are_found(environment):
    line, owner = owned_line(environment)
    addresses = path_addresses(environment, line)
    old = {address: environment.dram.read(address) for address in addresses}
    environment.access(0, line, owner, write=True)
    environment.drain_accesses()
    environment.flush(invalidate=True)
    for count in range(1, len(addresses) + 1):  # the leaf alone, up to the whole path
        new = {address: environment.dram.read(address) for address in addresses}
        environment.dram.content |= {address: old[address] for address in addresses[:count]}
        environment.failures.clear()
        assert read(environment, line, owner) is Outcome.FAILED
        # What was brought back fits together: the highest of it does not fit what is above.
        assert environment.failures == [
            (Failure.MAC, count - 1, addresses[count - 1], False)]
        environment.dram.content |= new
        environment.flush(invalidate=True)
    assert read(environment, line, owner) is Outcome.GRANTED


def test_swapped_leaves_are_found(environment):
    (one, owner), (other, _) = owned_line(environment), owned_line(environment)
    while other // 4 == one // 4:
        other, _ = owned_line(environment)
    first, second = (path_addresses(environment, line)[0] for line in (one, other))
    content = environment.dram.content
    content[first], content[second] = content[second], content[first]
    assert read(environment, one, owner) is Outcome.FAILED
    assert environment.failures == [(Failure.MAC, 0, first, False)]


def test_what_was_never_written_need_not_be_in_dram(environment):
    """A counter of zero means zeros, whatever DRAM holds."""
    leaf = next(leaf for leaf in range(environment.config.leaves)
                if not environment.dram.stores[environment.bases()[0] + 64 * leaf])
    environment.dram.content[environment.bases()[0] + 64 * leaf] = b"\xAA" * 64
    assert read(environment, 4 * leaf, DOMAINS[0]) is Outcome.DENIED
    assert not environment.failures


def test_a_dropped_store_is_found(environment):
    line, owner = owned_line(environment)
    leaf_address = path_addresses(environment, line)[0]
    environment.dram.on_write = (
        lambda address, content: None if address == leaf_address else content)
    environment.access(0, line, owner, write=True)
    environment.drain_accesses()
    environment.flush(invalidate=True)
    assert read(environment, line, owner) is Outcome.FAILED
    assert environment.failures == [(Failure.MAC, 0, leaf_address, False)]


def test_an_error_of_dram_is_passed_on_and_changes_nothing(environment):
    for level in range(environment.config.levels):
        line, owner = owned_line(environment)
        address = path_addresses(environment, line)[level]
        environment.dram.read_response = lambda each, bad=address: 2 if each == bad else 0
        environment.failures.clear()
        assert read(environment, line, owner) is Outcome.BUS_ERROR
        assert environment.failures == [(Failure.BUS_ERROR, level, address, False)]
        environment.dram.read_response = lambda _: 0
        assert read(environment, line, owner) is Outcome.GRANTED
        environment.flush(invalidate=True)
    environment.audit()


def test_a_store_that_fails_is_fatal(environment):
    line, owner = owned_line(environment)
    address = path_addresses(environment, line)[0]
    environment.dram.write_response = lambda each: 2 if each == address else 0
    environment.access(0, line, owner, write=True)
    environment.drain_accesses()
    environment.step(flush=1)
    for _ in range(2000):
        environment.step()
    assert environment.failures == [(Failure.BUS_ERROR, 0, address, True)]
    assert read(environment, line, owner) is Outcome.FAILED, "everything is refused"


def set_of_cache(environment, level, index):
    """The set that may hold a leaf or node: levels start at different sets."""
    sets = environment.config.tree.cache_sets
    return (index + level * sets // environment.config.levels) % sets


@pytest.mark.parametrize("environment", ["two_levels"], indirect=True)
def test_a_change_under_a_tampered_path_is_fatal(environment):
    """Its parent cannot be trusted, so that the change cannot be sealed."""
    def sets(leaf):
        return set_of_cache(environment, 0, leaf), set_of_cache(environment, 1, leaf // 8)

    leaf = next(leaf for leaf in environment.owners if len(set(sets(leaf))) == 2)
    line, owner = 4 * leaf, environment.owners[leaf]
    parent = path_addresses(environment, line)[1]
    # Their walks press the parent out of the cache, but not the leaf.
    rivals = [4 * other for other in range(environment.config.leaves) if other // 8 != leaf // 8
              and sets(other)[1] == sets(leaf)[1] and sets(other)[0] != sets(leaf)[0]]
    for attempt in range(50):
        environment.access(0, line, owner, write=True)
        environment.drain_accesses()
        for _ in range(attempt % 8):
            environment.access(1, environment.rng.choice(rivals), DOMAINS[0])
            environment.drain_accesses()
        environment.dram.on_read = lambda address, content: (
            bytes([content[0] ^ 4]) + content[1:] if address == parent else content)
        environment.step(flush=1)
        for _ in range(60 * environment.config.tree.cache_sets):
            environment.step()
        if environment.failures:
            break
        environment.dram.on_read = lambda address, content: content
    assert environment.failures[0] == (
        Failure.MAC, 1, parent, True), "a path update, no walk, fetched the parent"
    assert read(environment, line, owner) is Outcome.FAILED, "everything is refused"


def test_tampering_under_traffic_gives_no_wrong_answer(environment):
    """Every answer is right or FAILED; accesses all end."""
    rng, dram = environment.rng, environment.dram
    before = environment.outcomes.copy()

    def glitch(address, content):
        if rng.random() < 0.05:
            place = rng.randrange(64)
            return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) \
                + content[place + 1:]
        return content

    dram.on_read = glitch
    environment.traffic(2500, granules=64)
    environment.drain_accesses()
    new = environment.outcomes - before
    assert new[Outcome.FAILED] > 0
    assert environment.locked or new[Outcome.GRANTED] > 0


def test_a_counter_at_its_end_is_fatal(seed):
    environment = Environment("narrow_counters", seed, latency=(2, 8), stall=0)
    environment.expect_failures = True
    line, address = 4 * 17, environment.bases()[0] + 64 * 17
    for _ in range(7):  # 3 bits
        environment.access(0, line, DOMAINS[0], write=True, claim=True)
        environment.drain_accesses()
        environment.flush()
    assert not environment.failures
    assert environment.dram.stores[address] == 7
    environment.access(0, line, DOMAINS[0], write=True)
    environment.drain_accesses()
    environment.step(flush=1)
    for _ in range(500):
        environment.step()
    assert environment.failures == [(Failure.EXHAUSTED, 0, address, True)]
    assert environment.dram.stores[address] == 7
