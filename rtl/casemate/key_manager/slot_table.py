"""The slots as a cache of domains: look-ups, the one that was used least recently, locks."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..alert.layouts import Policy
from ..config import DOMAIN_BITS, EngineConfig
from ..domain.slots import LookupSignature

__all__ = ["SlotTable", "slot_set_layout"]


def slot_set_layout() -> data.StructLayout:
    """Layout of what a slot is set to."""
    return data.StructLayout({
        "domain": DOMAIN_BITS, "encrypt": 1, "authenticate": 1, "policy": Policy})


class SlotTable(wiring.Component):
    """Which domain each slot holds the keys of. A look-up that hits costs no cycle.

    A look-up that misses waits until the domain was put into a slot or refused. Of the slots that
    may be given to another domain, the choice falls on one that is empty, then on the one that was
    used least recently of those with nothing in flight, then on the one of all.

    Members
    -------
    read, write: In(LookupSignature(config))
        Of the data path.
    missing: Out(2), missing_domain: Out(12).array(2)
        Look-ups that miss, reads first, and their domains.
    refuse: In(2)
        A look-up that misses is answered: there is no such domain. It counts for one burst.
    refuse_all: In(1)
        No look-up waits: what misses is refused.
    in_use: In(domain_slots), locked: In(domain_slots)
        Slots with lines in flight; slots that are refused and stay what they are.
    victim: Out(range(domain_slots)), victim_full: Out(1), some: Out(1), some_idle: Out(1)
        A slot that may be given away; it belongs to a domain; there is one; there is one that
        nothing uses.
    find: In(12), found: Out(1), found_slot: Out(range(domain_slots))
        Whether a domain has a slot, and which.
    slot: In(range(domain_slots)), close: In(1), reopen: In(1), set: In(1)
        The slot's domain is unknown from the next cycle on; it is known again, as it was; it is
        another, as ``setting`` says.
    setting: In(slot_set_layout())
    policies: Out(ArrayLayout(Policy, domain_slots)), resident: Out(domain_slots)
        Of the domain that each slot was given to last; whether it is in the slot, or lines of it
        still are.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        slots = config.domain_slots
        super().__init__({
            "read": In(LookupSignature(config)), "write": In(LookupSignature(config)),
            "missing": Out(2), "missing_domain": Out(DOMAIN_BITS).array(2), "refuse": In(2),
            "refuse_all": In(1),
            "in_use": In(slots), "locked": In(slots),
            "victim": Out(range(slots)), "victim_full": Out(1), "some": Out(1), "some_idle": Out(1),
            "find": In(DOMAIN_BITS), "found": Out(1), "found_slot": Out(range(slots)),
            "slot": In(range(slots)), "close": In(1), "reopen": In(1), "set": In(1),
            "setting": In(slot_set_layout()),
            "policies": Out(data.ArrayLayout(Policy, slots)), "resident": Out(slots),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slots = self._config.domain_slots
        enabled = Signal(slots)
        settings = [Signal(slot_set_layout(), name=f"setting_{slot}") for slot in range(slots)]
        touched = [Signal(slots, name=f"touched_{channel}") for channel in range(2)]
        wanted = [Signal(slots, name=f"wanted_{channel}") for channel in range(2)]
        for channel, lookup in enumerate((self.read, self.write)):
            hits = Signal(slots, name=f"hits_{channel}")
            refused, miss = Signal(name=f"refused_{channel}"), Signal(name=f"miss_{channel}")
            for slot, setting in enumerate(settings):
                m.d.comb += hits[slot].eq(enabled[slot] & (setting.domain == lookup.domain))
                with m.If(hits[slot]):
                    m.d.comb += [
                        lookup.slot.eq(slot), lookup.encrypt.eq(setting.encrypt),
                        lookup.authenticate.eq(setting.authenticate)]
            m.d.comb += [
                lookup.known.eq(hits.any()), miss.eq(~hits.any() & ~refused & ~self.refuse_all),
                lookup.wait.eq(miss), self.missing[channel].eq(lookup.valid & miss),
                self.missing_domain[channel].eq(lookup.domain),
                wanted[channel].eq(Mux(lookup.valid, hits, 0)),
                touched[channel].eq(Mux(lookup.taken, hits, 0)),
            ]
            with m.If(self.refuse[channel]):
                m.d.sync += refused.eq(1)
            with m.Elif(lookup.taken):
                m.d.sync += refused.eq(0)
        self._choose(m, enabled, touched, wanted[0] | wanted[1])

        m.d.comb += self.resident.eq(enabled | self.in_use)
        for slot, setting in enumerate(settings):
            m.d.comb += self.policies[slot].eq(setting.policy)
            with m.If(enabled[slot] & (setting.domain == self.find)):
                m.d.comb += [self.found.eq(1), self.found_slot.eq(slot)]
            with m.If(self.slot == slot):
                with m.If(self.set):
                    m.d.sync += [enabled[slot].eq(1), setting.eq(self.setting)]
                with m.Elif(self.reopen):
                    m.d.sync += enabled[slot].eq(1)
                with m.Elif(self.close):
                    m.d.sync += enabled[slot].eq(0)
        return m

    def _choose(self, m: Module, enabled: Signal, touched: list[Signal], wanted: Value) -> None:
        """Keep the order of the last uses, and choose a victim."""
        slots = len(enabled)
        free, idle, candidates = Signal(slots), Signal(slots), Signal(slots)
        m.d.comb += [
            idle.eq(~self.locked & ~self.in_use & ~wanted), free.eq(idle & ~enabled),
            candidates.eq(Mux(free.any(), free, Mux(idle.any(), idle, ~self.locked))),
            self.some.eq(candidates.any()), self.some_idle.eq(idle.any()),
        ]
        filled = Signal(slots)
        m.d.comb += filled.eq(Mux(self.set, 1 << self.slot, 0))
        older: dict[tuple[int, int], Value] = {}
        for low in range(slots):
            for high in range(low + 1, slots):
                low_newer = Signal(name=f"newer_{low}_{high}")
                older[low, high], older[high, low] = ~low_newer, low_newer
                # The last of these that happens counts: a write's burst is later than a read's.
                for used in (*touched, filled):
                    with m.If(used[low] ^ used[high]):
                        m.d.sync += low_newer.eq(used[low])
        for slot in range(slots):
            oldest = Cat(~candidates[other] | older[slot, other]
                         for other in range(slots) if other != slot).all()
            with m.If(candidates[slot] & oldest):
                m.d.comb += [self.victim.eq(slot), self.victim_full.eq(enabled[slot])]
