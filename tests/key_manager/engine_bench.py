"""The engine that the tests of this folder use, on its board."""

from casemate.config import CipherConfig, KeyManagerConfig, TreeConfig, preset
from casemate_sim.board import OKAY, SLVERR, Board

__all__ = ["CONFIG", "OKAY", "SLVERR", "EngineBench"]

ITERATIVE = CipherConfig(pipelined=False)
CONFIG = preset("tiny").replace(
    domain_slots=2, keys=KeyManagerConfig(domains=64),
    tree=TreeConfig(cache_sets=2, cache_ways=2, walks=2, write_backs=1, pad_cipher=ITERATIVE))


class EngineBench(Board):
    """The board, with this configuration unless told otherwise."""

    def __init__(self, config=CONFIG, sim=None):
        super().__init__(config, sim)
