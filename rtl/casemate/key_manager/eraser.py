"""Overwrites the round keys of slots."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..aes.signature import ERASE_ROUND, RoundKeyWrite
from ..config import EngineConfig

__all__ = ["Eraser", "erasure_layout"]

_OF_SLOTS = ("data", "tweak", "tag")


def erasure_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of what is erased: the keys of a slot, or with ``engine`` the engine's own."""
    return data.StructLayout({"slot": range(config.domain_slots), "engine": 1})


class Eraser(wiring.Component):
    """Stands between the key expansion and the ciphers; passes round keys on at once.

    Writes zero as every round key of a slot, one in a cycle to all its ciphers at the same time, or
    of the engine's key, then ``ERASE_ROUND``. Ciphers that are one, which takes one round key in a
    cycle, have it one after another. No key may be under expansion meanwhile.

    Members
    -------
    i: In(stream.Signature(erasure_layout(config)))
        Erasures; the transfer is with the last write, ``cycles`` behind its beginning.
    data, tweak, tag: In(RoundKeyWrite(domain_slots)), node: In(RoundKeyWrite(1))
        From the expansion.
    to_data, to_tweak, to_tag: Out(RoundKeyWrite(domain_slots)), to_node: Out(RoundKeyWrite(1))
        To the ciphers.
    """

    i: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        self._in_turn = config.tree is not None and config.tree.shared_cipher
        ports = {name: RoundKeyWrite(config.domain_slots) for name in _OF_SLOTS}
        ports["node"] = RoundKeyWrite(1)
        super().__init__({
            "i": In(stream.Signature(erasure_layout(config))),
            **{name: In(port) for name, port in ports.items()},
            **{f"to_{name}": Out(port) for name, port in ports.items()},
        })

    @property
    def cycles(self) -> int:
        """Cycles of the erasure of a slot."""
        return (self._config.aes_rounds + 2) * (len(_OF_SLOTS) if self._in_turn else 1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        number, turns = Signal(4), Signal(len(_OF_SLOTS), init=1 if self._in_turn else -1)
        last = (number == ERASE_ROUND) & (turns[-1] | self.i.payload.engine)
        with m.If(self.i.valid):
            m.d.sync += number.eq(number + 1)
            with m.If(number == self._config.aes_rounds):
                m.d.sync += number.eq(ERASE_ROUND)
            if self._in_turn:
                with m.If((number == ERASE_ROUND) & ~self.i.payload.engine):
                    m.d.sync += turns.eq(turns.rotate_left(1))
        m.d.comb += self.i.ready.eq(last)
        for place, name in enumerate((*_OF_SLOTS, "node")):
            given, taken = getattr(self, name), getattr(self, f"to_{name}")
            for member in ("valid", "key", "round", "value"):
                m.d.comb += getattr(taken, member).eq(getattr(given, member))
            with m.If(self.i.valid):
                m.d.comb += [
                    taken.valid.eq(self.i.payload.engine if name == "node"
                                   else ~self.i.payload.engine & turns[place]),
                    taken.key.eq(0 if name == "node" else self.i.payload.slot),
                    taken.round.eq(number), taken.value.eq(0),
                ]
        return m
