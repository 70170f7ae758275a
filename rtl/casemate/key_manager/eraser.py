"""Overwrites the round keys of slots."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..aes.signature import ERASE_ROUND, RoundKeyWrite
from ..config import EngineConfig

__all__ = ["Eraser", "erasure_layout"]


def erasure_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of what is erased: the keys of a slot, or with ``engine`` the engine's own."""
    return data.StructLayout({"slot": range(config.domain_slots), "engine": 1})


class Eraser(wiring.Component):
    """Stands between the key expansion and the ciphers; passes round keys on at once.

    Writes zero as every round key of a slot, one in a cycle to all its ciphers at the same time, or
    of the engine's key, then ``ERASE_ROUND``. No key may be under expansion meanwhile.

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
        ports = {name: RoundKeyWrite(config.domain_slots) for name in ("data", "tweak", "tag")}
        ports["node"] = RoundKeyWrite(1)
        super().__init__({
            "i": In(stream.Signature(erasure_layout(config))),
            **{name: In(port) for name, port in ports.items()},
            **{f"to_{name}": Out(port) for name, port in ports.items()},
        })

    @property
    def cycles(self) -> int:
        """Cycles of an erasure."""
        return self._config.aes_rounds + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        number = Signal(4)
        last = number == ERASE_ROUND
        with m.If(self.i.valid):
            m.d.sync += number.eq(number + 1)
            with m.If(number == self._config.aes_rounds):
                m.d.sync += number.eq(ERASE_ROUND)
        m.d.comb += self.i.ready.eq(last)
        for name in ("data", "tweak", "tag", "node"):
            given, taken = getattr(self, name), getattr(self, f"to_{name}")
            for member in ("valid", "key", "round", "value"):
                m.d.comb += getattr(taken, member).eq(getattr(given, member))
            with m.If(self.i.valid):
                m.d.comb += [
                    taken.valid.eq(self.i.payload.engine == (name == "node")),
                    taken.key.eq(0 if name == "node" else self.i.payload.slot),
                    taken.round.eq(number), taken.value.eq(0),
                ]
        return m
