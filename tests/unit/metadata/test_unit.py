"""The metadata unit under random traffic: answers, coherence, no circle, DRAM after a flush."""

import pytest
from casemate.metadata.interface import Outcome
from metadata_environment import Environment


@pytest.mark.parametrize("name", [
    "two_levels", "one_set", "deep", pytest.param("wide", marks=pytest.mark.verify)])
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
