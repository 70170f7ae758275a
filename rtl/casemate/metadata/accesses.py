"""Accesses of the data path that are not answered yet."""

from amaranth import Module, Signal
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
        There is an access that would pass ``retry`` now.
    park: In(1), park_id: In(entry_id_bits), park_on: In(range(peers + 1))
        An access must wait for an entry of level 0, or (``peers``) for a free one.
    read_end, write_end: In(peers)
        Entries of level 0 that need not be waited for any more.
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
            "read_end": In(peers), "write_end": In(peers), "room": In(1), "locked": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        ids, peers = 2**config.entry_id_bits, peer_count(config)
        m.submodules.held = held = Memory(shape=access_layout(config), depth=ids, init=[])
        write, read = held.write_port(), held.read_port(domain="comb")
        m.submodules.picker = picker = Picker(ids)
        new = self.i.valid & ~self.direct
        m.d.comb += [
            self.i.ready.eq(1),
            write.en.eq(self.i.valid), write.addr.eq(self.i.payload.id),
            write.data.eq(self.i.payload),
            read.addr.eq(picker.o.payload), self.retry.payload.eq(read.data),
            self.retry.valid.eq(picker.o.valid), picker.o.ready.eq(self.retry.ready),
            self.eager.eq(picker.requests.any()),
        ]
        half = ids // 2  # the upper half are writes
        for i in range(ids):
            used = i % half < (config.write_entries if i >= half else config.read_entries)
            if not used:
                continue
            wanting, parked = Signal(name=f"wanting_{i}"), Signal(name=f"parked_{i}")
            park_on = Signal.like(self.park_on, name=f"park_on_{i}", reset_less=True)
            end = self.write_end if i >= half else self.read_end
            ended = Signal(name=f"ended_{i}")
            m.d.comb += [
                ended.eq((park_on != peers) & end.bit_select(park_on, 1)),
                picker.requests[i].eq(wanting & (
                    ~parked | self.locked | ended | ((park_on == peers) & self.room))),
            ]
            # Remembered: the entry may be taken again before the picker comes here.
            with m.If(ended):
                m.d.sync += parked.eq(0)
            tried = Signal(name=f"tried_{i}")
            with m.If(picker.o.payload == i):
                m.d.comb += self.retry_first.eq(~tried)
            with m.If(self.park & (self.park_id == i)):
                m.d.sync += tried.eq(1)
            with m.Elif(self.i.valid & (self.i.payload.id == i)):
                m.d.sync += tried.eq(0)
            with m.If(self.park & (self.park_id == i)):
                m.d.sync += [wanting.eq(1), parked.eq(1), park_on.eq(self.park_on)]
            with m.Elif(new & (self.i.payload.id == i)):
                m.d.sync += [wanting.eq(1), parked.eq(0)]
            with m.Elif(self.retry.valid & self.retry.ready & (picker.o.payload == i)):
                m.d.sync += wanting.eq(0)
        return m
