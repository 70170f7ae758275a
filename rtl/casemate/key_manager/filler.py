"""Derives the keys of a domain, or of the engine, and puts them into the ciphers."""

from amaranth import Module, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS, EngineConfig
from ..engine.keys import KeyName, key_layout
from .kdf import GENERATION_BITS, derivation_layout

__all__ = ["Filler", "KeyComparator", "fill_layout"]


def fill_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of what is filled: a slot with a domain's keys, or with ``engine`` K4's place."""
    return data.StructLayout({
        "slot": range(config.domain_slots), "engine": 1, "domain": DOMAIN_BITS,
        "generation": GENERATION_BITS})


class KeyComparator(wiring.Component):
    """Tells whether K2 equals K1, which SP 800-38E and FIPS 140-3 do not allow for XTS.

    Members
    -------
    key: In(aes_bits)
        A key.
    keep: In(1), clear: In(1)
        It is K1, kept from the next cycle on; what is kept becomes zero.
    equal: Out(1)
        The key is the one that is kept.
    """

    key: Signal
    keep: Signal
    clear: Signal
    equal: Signal

    def __init__(self, aes_bits: int):
        super().__init__({
            "key": In(aes_bits), "keep": In(1), "clear": In(1), "equal": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal.like(self.key)
        m.d.comb += self.equal.eq(self.key == kept)
        with m.If(self.clear):
            m.d.sync += kept.eq(0)
        with m.Elif(self.keep):
            m.d.sync += kept.eq(self.key)
        return m


class _Step(enum.Enum, shape=2):
    """The key that is next."""

    TAG = 0
    DATA = 1
    TWEAK = 2
    NODE = 3


_NAMES = {_Step.TAG: KeyName.K3, _Step.DATA: KeyName.K1, _Step.TWEAK: KeyName.K2,
          _Step.NODE: KeyName.K4}


class Filler(wiring.Component):
    """K3 first, because its hash key takes longest; then K1 and K2. For the engine K4 alone.

    Parameters
    ----------
    config:
        The engine's configuration.
    comparator:
        What compares K1 and K2; for tests and proofs, another one with the same members.

    Members
    -------
    i: In(stream.Signature(fill_layout(config)))
        What is filled; transferred in the cycle after the last key was handed over.
    equal: Out(1)
        In that cycle: K2 equals K1. It was not handed over.
    stop: In(1)
        Nothing more is handed over; to be held until ``stopped``, with ``i`` not valid.
    stopped: Out(1)
        No key is here, and none is under way from the KDF.
    request: Out(stream.Signature(derivation_layout())), derived: In(stream.Signature(aes_bits))
        To and from the KDF.
    key: Out(stream.Signature(key_layout(config)))
        To the key expansion.
    """

    i: stream.Interface
    request: stream.Interface
    derived: stream.Interface
    key: stream.Interface

    def __init__(self, config: EngineConfig, *, comparator: wiring.Component | None = None):
        self._comparator = comparator or KeyComparator(config.aes_bits)
        super().__init__({
            "i": In(stream.Signature(fill_layout(config))), "equal": Out(1),
            "stop": In(1), "stopped": Out(1),
            "request": Out(stream.Signature(derivation_layout())),
            "derived": In(stream.Signature(config.aes_bits)),
            "key": Out(stream.Signature(key_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.comparator = comparator = self._comparator
        step, asked, done = Signal(_Step), Signal(), Signal()
        wanted = Signal(derivation_layout())  # held, so that the KDF sees no change of mind
        given, key = self.i.payload, self.key.payload
        asking, same = Signal(), Signal()
        name = Signal(KeyName)
        with m.Switch(step):
            for each, its_name in _NAMES.items():
                with m.Case(each):
                    m.d.comb += name.eq(its_name)
        m.d.comb += [
            self.request.valid.eq(asking), self.request.payload.eq(wanted),
            self.key.valid.eq(self.derived.valid & asked & ~self.stop & ~same),
            key.slot.eq(given.slot), key.name.eq(name), key.key.eq(self.derived.payload),
            self.derived.ready.eq(self.key.ready | self.stop | same),
            comparator.key.eq(self.derived.payload),
            same.eq(comparator.equal & (step == _Step.TWEAK) & self.derived.valid),
            self.i.ready.eq(done), self.stopped.eq(~asked),
        ]
        with m.If(asking & self.request.ready):
            m.d.sync += asking.eq(0)
        with m.If(self.derived.valid & self.derived.ready):
            m.d.sync += asked.eq(0)
        with m.If(self.stop):
            m.d.comb += comparator.clear.eq(1)
            m.d.sync += [step.eq(_Step.TAG), done.eq(0)]
        with m.Elif(done):
            m.d.sync += [done.eq(0), step.eq(_Step.TAG)]
        with m.Elif(self.derived.valid & self.derived.ready):
            m.d.comb += [comparator.keep.eq(step == _Step.DATA),
                         comparator.clear.eq(step == _Step.TWEAK)]
            with m.Switch(step):
                with m.Case(_Step.TAG):
                    m.d.sync += step.eq(_Step.DATA)
                with m.Case(_Step.DATA):
                    m.d.sync += step.eq(_Step.TWEAK)
                with m.Default():
                    m.d.sync += [done.eq(1), self.equal.eq(same)]
        with m.Elif(self.i.valid & ~asked):
            m.d.sync += [asked.eq(1), asking.eq(1), wanted.domain.eq(given.domain),
                         wanted.generation.eq(given.generation), wanted.name.eq(name)]
            with m.If(given.engine & (step != _Step.NODE)):
                m.d.sync += [step.eq(_Step.NODE), wanted.name.eq(KeyName.K4)]
        return m
