"""The engine that the tests of this folder use, on its board."""

from casemate_sim.board import OKAY, SLVERR, Board, small_managed_config

__all__ = ["CONFIG", "OKAY", "SLVERR", "EngineBench"]

CONFIG = small_managed_config()


class EngineBench(Board):
    """The board, with this configuration unless told otherwise."""

    def __init__(self, config=CONFIG, sim=None):
        super().__init__(config, sim)
