"""The engine that the tests of this folder use, on its bench."""

from casemate_sim.bench import OKAY, SLVERR, Bench, small_managed_config

__all__ = ["CONFIG", "OKAY", "SLVERR", "EngineBench"]

CONFIG = small_managed_config()


class EngineBench(Bench):
    """The bench, with this configuration unless told otherwise."""

    def __init__(self, config=CONFIG, sim=None):
        super().__init__(config, sim)
