"""Accesses of the data path that are not answered yet."""

from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..streams import Picker
from .entry import peer_count
from .interface import access_layout

__all__ = ["Accesses"]


class Accesses(wiring.Component):
    """Every line in flight may have one access here. New ones pass at once if the way is free.

    An access that cannot be answered is parked until the entry that it waits for is far enough,
    or until an entry is free.

    Members
    -------
    i: In(stream.Signature(access_layout(config)))
        New accesses; always accepted.
    retry: Out(stream.Signature(access_layout(config)))
        Accesses that came in an earlier cycle.
    retry_first: Out(1)
        The one on ``retry`` was never looked up.
    direct: In(1)
        The access on ``i`` needs no place: it is on its way.
    eager: Out(1)
        An access that waited for an entry of level 0 is about to look.
    retry_asked, retry_hinted: Out(1)
        It wants no hint any more; it had one.
    park: In(1), park_id: In(entry_id_bits), park_on: In(range(peers + 1)), ask: In(1)
        An access must wait for an entry of level 0, or (``peers``) for a free one; a hint is looked
        for meanwhile.
    told: In(1), told_id: In(entry_id_bits), told_hint: In(1)
        That look is over; whether there was a hint.
    confirm: Out(read_entries)
        Hints that turned out to be right: the accesses are over. Latency 1 cycle from ``trusted``.
    here, trusted, over: In(peers)
        Entries of level 0, as in ``NodeTable``.
    room: In(1)
        An entry of level 0 is free for a walk.
    locked: In(1)
        Nothing needs to be waited for.
    """

    i: stream.Interface
    retry: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        peers = peer_count(config)
        super().__init__({
            "i": In(stream.Signature(access_layout(config))),
            "retry": Out(stream.Signature(access_layout(config))),
            "retry_first": Out(1), "direct": In(1), "eager": Out(1),
            "park": In(1), "park_id": In(config.entry_id_bits), "park_on": In(range(peers + 1)),
            "ask": In(1), "told": In(1), "told_id": In(config.entry_id_bits), "told_hint": In(1),
            "confirm": Out(config.read_entries), "retry_asked": Out(1), "retry_hinted": Out(1),
            "here": In(peers), "trusted": In(peers), "over": In(peers),
            "room": In(1), "locked": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        ids, peers = 2**config.entry_id_bits, peer_count(config)
        m.submodules.held = held = Memory(shape=access_layout(config), depth=ids, init=[])
        write, read = held.write_port(), held.read_port(domain="comb")
        m.submodules.picker = picker = Picker(ids)
        m.d.comb += [
            self.i.ready.eq(1),
            write.en.eq(self.i.valid), write.addr.eq(self.i.payload.id),
            write.data.eq(self.i.payload),
            read.addr.eq(picker.o.payload), self.retry.payload.eq(read.data),
            self.retry.valid.eq(picker.o.valid), picker.o.ready.eq(self.retry.ready),
        ]
        asking, woken = Signal(ids), Signal(ids)
        m.d.comb += self.eager.eq((asking | woken).any())
        half = ids // 2  # the upper half are writes
        for i in range(ids):
            used = i % half < (config.write_entries if i >= half else config.read_entries)
            if not used:
                continue
            wanting, parked = Signal(name=f"wanting_{i}"), Signal(name=f"parked_{i}")
            park_on = Signal.like(self.park_on, name=f"park_on_{i}", reset_less=True)
            waits, ended = Signal(name=f"waits_{i}"), Signal(name=f"ended_{i}")
            hinted, asked, tried = (Signal(name=f"{name}_{i}")
                                    for name in ("hinted", "asked", "tried"))
            begin, parks = self.i.valid & (self.i.payload.id == i), self.park & (self.park_id == i)
            trusted, over, here = (mask.bit_select(park_on, 1)
                                   for mask in (self.trusted, self.over, self.here))
            end, right = over, Signal(name=f"right_{i}")
            if i < half:
                end |= (trusted & ~hinted) | (here & ~asked)
                self._hints(m, i, begin=begin, waits=waits, trusted=trusted, wanting=wanting,
                            hinted=hinted, asking=asking[i], right=right)
            m.d.comb += [
                waits.eq(wanting & parked & (park_on != peers)), ended.eq(waits & end),
                picker.requests[i].eq(wanting & ~asking[i] & ~right & (
                    ~parked | self.locked | ended | ((park_on == peers) & self.room))),
                woken[i].eq(picker.requests[i] & tried & (park_on != peers)),
            ]
            with m.If(picker.o.payload == i):
                m.d.comb += [self.retry_first.eq(~tried), self.retry_asked.eq(asked),
                             self.retry_hinted.eq(hinted)]
            # Remembered: the entry may be taken again before the picker comes here.
            with m.If(ended):
                m.d.sync += parked.eq(0)
            with m.If(parks):
                m.d.sync += [wanting.eq(1), parked.eq(1), park_on.eq(self.park_on), tried.eq(1),
                             asked.eq(asked | self.ask)]
            with m.Elif(begin):
                m.d.sync += [wanting.eq(~self.direct), parked.eq(0), tried.eq(0), asked.eq(0)]
            with m.Elif(self.retry.valid & self.retry.ready & (picker.o.payload == i)):
                m.d.sync += wanting.eq(0)
        return m

    def _hints(self, m: Module, i: int, *, begin: Value, waits: Signal, trusted: Value,
               wanting: Signal, hinted: Signal, asking: Value, right: Signal) -> None:
        """Follow a read's hint until it is confirmed, or must be taken back."""
        sound = Signal(name=f"sound_{i}")  # what the hint came from is verified
        told = self.told & (self.told_id == i)
        m.d.comb += right.eq(wanting & hinted & ~self.locked & (sound | (waits & trusted)))
        m.d.sync += self.confirm[i].eq(right)
        with m.If(waits & trusted):
            m.d.sync += sound.eq(1)
        with m.If(told):
            m.d.sync += [asking.eq(0), hinted.eq(self.told_hint)]
        with m.If(right):
            m.d.sync += wanting.eq(0)
        with m.If(self.park & (self.park_id == i)):
            m.d.sync += [asking.eq(self.ask), sound.eq(0)]
        with m.If(begin):
            m.d.sync += [hinted.eq(0), sound.eq(0)]
