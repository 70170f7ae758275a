"""A hostile supervisor: the victim gets its own data or an error, always."""

from collections import Counter
from random import Random

import pytest
from casemate_sim.adversary.supervisor import Breach, HostileSupervisor
from casemate_sim.bench import OKAY, SLVERR, Bench, small_managed_config


@pytest.fixture(scope="module")
def bench():
    return Bench(small_managed_config())


def campaign(bench, seed, trials):
    outcomes, actions = Counter(), Counter()
    for trial in range(trials):
        try:
            supervisor = HostileSupervisor(bench, Random(f"{seed}/{trial}"))
            supervisor.run(12)
        except Breach as breach:
            breach.add_note(f"trial {trial} of seed {seed}")
            raise
        outcomes += supervisor.outcomes
        actions += supervisor.actions
    return outcomes, actions


def check(bench, seed, trials):
    outcomes, actions = campaign(bench, seed, trials)
    print(f"{trials} trials: {dict(outcomes)}; {dict(actions)}")
    assert all(outcomes[kind] for kind in ("data", "zeros", "error", "command refused"))
    assert len(actions) == 10


def test_the_victim_gets_its_own_data_or_an_error(bench, seed):
    check(bench, seed, 25)


@pytest.mark.verify
def test_the_victim_gets_its_own_data_or_an_error_at_length(bench, seed):
    check(bench, seed, 1000)


def test_only_beats_of_its_own_may_come_before_an_error(bench):
    """A lock between two beats: what was given out before it was the victim's."""
    supervisor = HostileSupervisor(bench, Random(1))
    (own,) = supervisor._allowed[0]
    (other,) = supervisor._allowed[1]
    zeros = bytes(48)
    supervisor._seen(0, SLVERR, own[:16] + zeros)
    for data in (other[:16] + zeros, zeros + own[48:], own, own[:15] + b"\0" + zeros):
        with pytest.raises(Breach, match="data with an error response"):
            supervisor._seen(0, SLVERR, data)


def test_data_beside_an_error_response_is_seen(bench, monkeypatch):
    supervisor = HostileSupervisor(bench, Random(1))
    step = bench.sim.step

    def leak(pins, *more):
        seen = step(pins, *more)
        return seen | {"s_axi_rdata": 1} if seen["s_axi_rresp"] != OKAY else seen

    monkeypatch.setattr(bench.sim, "step", leak)
    with pytest.raises(AssertionError, match="data beside an error response"):
        supervisor.read_it()


def test_a_breach_is_seen(bench):
    """The supervisor's books say that a line was lost, but the engine still returns it."""
    supervisor = HostileSupervisor(bench, Random(1))
    supervisor._lost()
    with pytest.raises(Breach, match="the victim got"):
        supervisor._victim_reads(0)
