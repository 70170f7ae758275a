"""Bundles of the block ciphers."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["ERASE_ROUND", "RoundKeyWrite"]

ERASE_ROUND = 15
"""Number of a round key that no cipher has; writing it erases what was derived from a key."""


class RoundKeyWrite(wiring.Signature):
    """A write port for round keys, one in each cycle with ``valid``.

    Parameters
    ----------
    keys:
        Number of keys that a cipher holds.

    Members
    -------
    valid: Out(1), key: Out(range(keys)), round: Out(4), value: Out(128)
        ``value`` is round key ``round`` (0 is the initial AddRoundKey's) of key ``key``. Round
        ``ERASE_ROUND`` is stored by no cipher: see ``Gmac``.
    """

    def __init__(self, keys: int):
        super().__init__({
            "valid": Out(1), "key": Out(range(keys)), "round": Out(4), "value": Out(128),
        })
