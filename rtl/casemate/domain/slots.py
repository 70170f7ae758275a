"""Domain slots: which domains have their keys in hardware, and how their lines are protected."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS, EngineConfig

__all__ = ["DomainSlots", "LookupSignature", "slot_layout"]


def slot_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of the setting of one slot.

    ``enable``: the slot belongs to ``domain``. ``encrypt`` and ``authenticate`` are the domain's
    mode bits: neither is `plain`, ``encrypt`` alone is `xts`, ``authenticate`` alone is
    `integrity`, both are `full`.
    """
    return data.StructLayout({
        "slot": range(config.domain_slots), "enable": 1, "domain": DOMAIN_BITS, "encrypt": 1,
        "authenticate": 1,
    })


class LookupSignature(wiring.Signature):
    """A combinational look-up of a domain ID.

    Members
    -------
    domain: Out(12)
    known: In(1)
        A slot belongs to the domain, and the engine can protect it as asked.
    slot: In(range(domain_slots)), encrypt: In(1), authenticate: In(1)
        Its slot and mode; meaningless unless ``known``. ``authenticate`` with a tree only.
    valid: Out(1), taken: Out(1), wait: In(1)
        With a key manager only. A burst of the domain is there, and stays until it is taken; it is
        taken in this cycle; it may not be, because it is not decided yet which slot is the
        domain's. ``wait`` depends on ``domain`` alone in the same cycle.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "domain": Out(DOMAIN_BITS), "known": In(1), "slot": In(range(config.domain_slots)),
            "encrypt": In(1), **({} if config.tree is None else {"authenticate": In(1)}),
            **({} if config.keys is None else {"valid": Out(1), "taken": Out(1), "wait": In(1)}),
        })


class DomainSlots(wiring.Component):
    """The table of slots, with one look-up for reads and one for writes.

    Without an integrity tree, a slot whose ``authenticate`` bit is set is refused like an unknown
    domain: the engine must not pretend to verify. Setting a slot takes effect in the next cycle
    and must wait until the engine is idle; of two enabled slots with one domain, the higher
    answers.

    Members
    -------
    i: In(stream.Signature(slot_layout(config), always_ready=True))
        Settings.
    read, write: In(LookupSignature(config))
    """

    i: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(slot_layout(config), always_ready=True)),
            "read": In(LookupSignature(config)), "write": In(LookupSignature(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        tree = self._config.tree is not None
        for index in range(self._config.domain_slots):
            usable = Signal(name=f"usable_{index}")
            domain = Signal(DOMAIN_BITS, name=f"domain_{index}")
            encrypt = Signal(name=f"encrypt_{index}")
            setting = self.i.payload
            with m.If(self.i.valid & (setting.slot == index)):
                m.d.sync += [
                    usable.eq(setting.enable if tree
                              else setting.enable & ~setting.authenticate),
                    domain.eq(setting.domain), encrypt.eq(setting.encrypt),
                ]
            authenticate = Signal(name=f"authenticate_{index}")
            if tree:
                with m.If(self.i.valid & (setting.slot == index)):
                    m.d.sync += authenticate.eq(setting.authenticate)
            for lookup in (self.read, self.write):
                with m.If(usable & (domain == lookup.domain)):
                    m.d.comb += [
                        lookup.known.eq(1), lookup.slot.eq(index), lookup.encrypt.eq(encrypt)]
                    if tree:
                        m.d.comb += lookup.authenticate.eq(authenticate)
        return m
