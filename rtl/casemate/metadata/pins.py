"""Leaves that must stay in the cache because a write of theirs is open."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig

__all__ = ["Pins"]


class Pins(wiring.Component):
    """Where the leaf of each open write is; takes effect in the next cycle.

    Members
    -------
    pin: In(1), pin_entry: In(range(write_entries)), pin_set: In, pin_way: In
        A write is opened.
    unpin: In(1), unpin_entry: In(range(write_entries))
        It is over.
    cancel: In(1), cancel_entry: In(range(write_entries))
        It is refused after all.
    entry: In(range(write_entries)), set: Out, way: Out
        Where the leaf of an open write is, combinational.
    look_set: In(range(cache_sets)), pinned: Out(cache_ways)
        Ways of a set that must stay, combinational.
    """

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._entries, self._ways = config.write_entries, config.tree.cache_ways
        entry, ways = range(self._entries), range(self._ways)
        sets = range(config.tree.cache_sets)
        super().__init__({
            "pin": In(1), "pin_entry": In(entry), "pin_set": In(sets), "pin_way": In(ways),
            "unpin": In(1), "unpin_entry": In(entry), "cancel": In(1), "cancel_entry": In(entry),
            "entry": In(entry), "set": Out(sets), "way": Out(ways),
            "look_set": In(sets), "pinned": Out(self._ways),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pinned = 0
        for i in range(self._entries):
            held = Signal(name=f"held_{i}")
            place = Signal.like(self.set, name=f"set_{i}", reset_less=True)
            way = Signal.like(self.way, name=f"way_{i}", reset_less=True)
            with m.If(self.pin & (self.pin_entry == i)):
                m.d.sync += [held.eq(1), place.eq(self.pin_set), way.eq(self.pin_way)]
            with m.Elif((self.unpin & (self.unpin_entry == i))
                        | (self.cancel & (self.cancel_entry == i))):
                m.d.sync += held.eq(0)
            with m.If(self.entry == i):
                m.d.comb += [self.set.eq(place), self.way.eq(way)]
            here = Signal(self._ways, name=f"here_{i}")
            with m.If(held & (place == self.look_set)):
                m.d.comb += here.eq(1 << way)
            pinned = pinned | here
        m.d.comb += self.pinned.eq(pinned)
        return m
