"""The engine's key port: expands a key and writes its round keys beside the ciphers' stages."""

from amaranth import Module, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..aes.key_schedule import KeyExpander
from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig

__all__ = ["KeyLoader", "KeyName", "key_layout"]


class KeyName(enum.Enum, shape=2):
    """The keys of a domain (K1 to K3) and of the engine (K4)."""

    K1 = 0
    K2 = 1
    K3 = 2
    K4 = 3


def key_layout(config: EngineConfig) -> data.StructLayout:
    """One key on its way into the engine; byte i of the key is bits 8i to 8i+7."""
    return data.StructLayout({
        "slot": range(config.domain_slots), "name": KeyName, "key": config.aes_bits,
    })


class KeyLoader(wiring.Component):
    """One key at a time. Nothing reads a key back.

    K1 goes to the data ciphers of both directions, K2 to the tweak cipher, K3 to the tags of lines,
    K4 (one key, whatever its slot) to the MACs of leaves and nodes. Without a tree K3 and K4 are
    accepted and dropped. A slot's keys
    must not change while lines of its domain are in flight.

    Members
    -------
    i: In(stream.Signature(key_layout(config)))
    data: Out(RoundKeyWrite(domain_slots))
        Round keys of K1.
    tweak: Out(RoundKeyWrite(domain_slots))
        Round keys of K2.
    tag: Out(RoundKeyWrite(domain_slots)), node: Out(RoundKeyWrite(1))
        Round keys of K3 and of K4; with a tree only.
    idle: Out(1)
        No key is being expanded.
    """

    i: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(key_layout(config))),
            "data": Out(RoundKeyWrite(config.domain_slots)),
            "tweak": Out(RoundKeyWrite(config.domain_slots)),
            **({} if config.tree is None else {
                "tag": Out(RoundKeyWrite(config.domain_slots)), "node": Out(RoundKeyWrite(1))}),
            "idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        tree = config.tree is not None
        ports = [(KeyName.K1, self.data), (KeyName.K2, self.tweak)]
        if tree:
            ports += [(KeyName.K3, self.tag), (KeyName.K4, self.node)]
        target = data.StructLayout({"slot": range(config.domain_slots), "name": KeyName})
        m.submodules.expander = expander = KeyExpander(aes_bits=config.aes_bits, tag=target)
        busy, used = Signal(), Signal()
        name = self.i.payload.name
        m.d.comb += [
            used.eq(1 if tree else (name == KeyName.K1) | (name == KeyName.K2)),
            expander.i.valid.eq(self.i.valid & used & ~busy),
            expander.i.payload.key.eq(self.i.payload.key),
            expander.i.payload.tag.slot.eq(self.i.payload.slot),
            expander.i.payload.tag.name.eq(name),
            self.i.ready.eq(~used | (expander.i.ready & ~busy)),
            self.idle.eq(~busy),
        ]
        out = expander.o.payload
        with m.If(expander.i.valid & expander.i.ready):
            m.d.sync += busy.eq(1)
        with m.Elif(expander.o.valid & (out.round == config.aes_rounds)):
            m.d.sync += busy.eq(0)
        for key_name, port in ports:
            m.d.comb += [
                port.valid.eq(expander.o.valid & (out.tag.name == key_name)),
                port.key.eq(0 if key_name is KeyName.K4 else out.tag.slot),
                port.round.eq(out.round), port.value.eq(out.value),
            ]
        return m
