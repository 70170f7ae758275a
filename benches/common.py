"""What the benches share."""

from collections.abc import Callable
from dataclasses import asdict

from casemate_sim.simulate import Result

Report = Callable[[str], None]
"""Called with what is being measured now."""


def config_of(result: Result) -> dict[str, object]:
    """Return what is needed to run a simulation again."""
    return {"config": result.config, "config_digest": result.config_digest,
            "dram": result.dram.name, "player": asdict(result.player), "seed": result.seed,
            "versions": dict(result.versions)}
