"""Bundles of the block ciphers."""

from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ERASE_ROUND", "CipherPort", "RoundKeyWrite"]

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


class CipherPort(wiring.Signature):
    """What a user and a block cipher say to each other, from the user's side.

    Parameters
    ----------
    keys:
        Number of keys that the user has.
    tag:
        Shape of what accompanies a block unchanged.

    Members
    -------
    i: Out(stream.Signature({"block": 128, "key": range(keys), "tag": tag}))
        Blocks, each with the index of its key.
    o: In(stream.Signature({"block": 128, "tag": tag}, always_ready=True))
        Results, in the order of the blocks.
    round_key: Out(RoundKeyWrite(keys))
        A key's round keys must not change while its blocks are inside; blocks come
        ``key_latency`` cycles behind the last of them, or later.
    """

    def __init__(self, keys: int, tag: ShapeLike):
        self.keys, self.tag = keys, tag
        super().__init__({
            "i": Out(stream.Signature(data.StructLayout(
                {"block": 128, "key": range(keys), "tag": tag}))),
            "o": In(stream.Signature(data.StructLayout({"block": 128, "tag": tag}),
                                     always_ready=True)),
            "round_key": Out(RoundKeyWrite(keys)),
        })
