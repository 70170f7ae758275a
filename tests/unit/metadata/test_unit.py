"""The metadata unit under random traffic: answers, coherence, no circle, DRAM after a flush."""

import pytest
from casemate.metadata.interface import Outcome
from metadata_environment import DOMAINS, Environment

DEEP, WIDE = (pytest.param(name, marks=pytest.mark.verify) for name in ("deep", "wide"))


@pytest.mark.parametrize("name", ["two_levels", "one_set", DEEP, WIDE])
def test_random_traffic_ends_in_a_consistent_tree(name, seed):
    environment = Environment(name, seed)
    environment.traffic(4000, rate=0.5)
    environment.drain_accesses()
    environment.flush()
    environment.audit()
    assert environment.outcomes[Outcome.GRANTED] > 20
    assert environment.outcomes[Outcome.DENIED] > 20
    assert environment.statistics["evicted"] > 15
    environment.traffic(500)
    environment.drain_accesses()
    environment.flush(invalidate=True)
    environment.audit()


@pytest.mark.parametrize("name", ["two_levels", DEEP])
def test_memory_of_a_long_life_is_kept_to_the_last_bit(name, seed):
    environment = Environment(name, seed)
    environment.age()
    environment.traffic(3000, rate=0.5, granules=64)
    environment.drain_accesses()
    environment.flush()
    environment.audit()
    assert environment.outcomes[Outcome.GRANTED] > 20
    assert environment.statistics["evicted"] > 15
    environment.traffic(500, rate=0.5)
    environment.drain_accesses()
    environment.flush(invalidate=True)
    environment.audit()


@pytest.mark.parametrize("name", ["two_levels", "one_set", DEEP])
def test_a_reclaimed_granule_has_no_owner_and_keeps_its_versions(name, seed):
    environment = Environment(name, seed)
    leaves = environment.config.leaves
    for attempt in range(4):
        environment.traffic(800, rate=0.5)
        if not attempt:
            environment.drain_accesses()
        first = environment.rng.randrange(leaves)
        count = environment.rng.randint(1, 40)
        environment.reclaim(first, count, traffic=200)
        environment.drain_accesses()
    assert sum(environment.versions.values()) > 10
    environment.reclaim(0, leaves)
    environment.flush()
    environment.audit()
    assert not environment.owners and not environment.tags


def test_a_reclaim_leaves_a_tampered_granule_alone_and_says_so(seed):
    environment = Environment("deep", seed)
    environment.traffic(600, rate=0.5, granules=8)
    environment.drain_accesses()
    environment.flush(invalidate=True)
    bases, dram = environment.bases(), environment.dram
    victim = next(leaf for leaf in range(8) if environment.owners.get(leaf))
    address = bases[0] + 64 * victim
    dram.on_read = lambda each, content: (
        bytes([content[0] ^ 1]) + content[1:] if each == address else content)
    environment.expect_failures = True
    environment.step(reclaim_valid=1, reclaim_first=victim, reclaim_count=1)
    for _ in range(2000):
        out = environment.step()
        if out["reclaim_ready"]:
            break
    assert out["reclaim_failed"]
    assert [failure[1:] for failure in environment.failures] == [(0, address, False)]


def test_writes_cannot_keep_a_granule_from_being_reclaimed(seed):
    """A domain writes on and on: it is refused as soon as the granule is to be taken back."""
    environment = Environment("two_levels", seed)
    domain, entries = DOMAINS[0], range(environment.config.write_entries)
    environment.access(0, 0, domain, write=True, claim=True)
    environment.drain_accesses()
    environment.reclaiming = range(1)
    environment.step(reclaim_valid=1, reclaim_first=0, reclaim_count=1)
    for cycle in range(400):
        for entry in entries:
            busy = entry in environment.open or entry | environment.half in environment.outstanding
            if not busy and entry not in environment.lines_in_use(True):
                environment.access(entry, entry, domain, write=True)
        if cycle % 7 == 0 and environment.open and not environment.to_close:
            environment.close(environment.rng.choice(list(environment.open)))
        if environment.step()["reclaim_ready"]:
            break
    else:
        raise AssertionError("the domain keeps its granule")
    assert environment.outcomes[Outcome.DENIED] > 0


def test_a_granule_is_not_reclaimed_under_a_write(seed):
    """Its leaf waits for the end of a write that was granted: its tag would make the line valid."""
    environment = Environment("two_levels", seed)
    environment.access(0, 2, DOMAINS[0], write=True, claim=True)
    while not environment.open:
        environment.step()
    environment.step(reclaim_valid=1, reclaim_first=0, reclaim_count=1)
    for _ in range(300):
        assert not environment.step()["reclaim_ready"], "the write is open"
    environment.close(0)
    for _ in range(300):
        if environment.step()["reclaim_ready"]:
            break
    else:
        raise AssertionError("the reclaim does not end")
    environment.owners.clear()
    environment.tags.clear()
    environment.flush()
    environment.audit()
