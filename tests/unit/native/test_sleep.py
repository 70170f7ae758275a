"""A trace takes the same cycles with an engine that sleeps between its records."""

import numpy as np
import pytest
from casemate.config import preset
from casemate_sim.modes import with_tree
from casemate_sim.native import PATIENCE
from casemate_sim.simulate import simulate
from casemate_sim.workload import generate

SPEED = {"slept", "wall_seconds", "cycles_per_second", "build_seconds"}


def gaps(seed):
    """Return accesses with gaps between them, every second of 250 cycles at most, or of 1500."""
    records = generate("random", count=600, footprint_bytes=1 << 15, read_share=0.6, seed=seed)
    longest = np.resize([2000, 12000], len(records))
    records["distance"] = np.random.default_rng(seed).integers(0, longest)
    return records


@pytest.mark.parametrize(("mode", "config"), [
    ("xts", preset("tiny")),
    *(pytest.param("full", with_tree(preset(name)), marks=pytest.mark.verify)
      for name in ("tiny", "ecp5"))])
def test_whenever_it_falls_asleep_everything_is_measured_as_if_it_never_did(mode, config, seed):
    def play(patience):
        return simulate(gaps(seed), config=config, mode=mode, seed=seed, patience=patience,
                        keep_image=True)

    def measured(run):
        # The statistics are those of a moment that the phase of their round shifts.
        return {name: value for name, value in run.as_dict().items()
                if name not in SPEED | {"metadata", "traffic_limit", "hit_rate"}}

    awake = play(None)
    assert awake.ok and awake.slept == 0
    slept = []
    for patience in (16, PATIENCE, 40, 61, 97, 128):
        run = play(patience)
        assert measured(run) == measured(awake), patience
        assert run.image == awake.image
        slept.append(run.slept)
    assert all(slept) and slept[0] > awake.cycles / 4
    assert slept == sorted(slept, reverse=True)
