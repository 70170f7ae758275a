"""Takes granules back from their owners: goes through a range of leaves, several at a time."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..streams import Picker
from .entry import peer_count
from .layouts import index_bits

__all__ = ["Reclaimer", "leaf_request_layout", "reclaim_layout"]

_SEATS = 8
"""Leaves at a time: enough to hide a walk behind a granule in 16 cycles."""


def reclaim_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a range of granules: ``count`` of them from ``first``; beyond the last, none."""
    return data.StructLayout({"first": index_bits(config), "count": index_bits(config) + 1})


def leaf_request_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a leaf to be looked up for a seat."""
    return data.StructLayout({"seat": range(_SEATS), "index": index_bits(config)})


class Reclaimer(wiring.Component):
    """Each leaf of the range gets owner 0 and no valid line; versions and tags stay.

    Every leaf has a seat until it is done: it is looked up, waits for its walk or for the end of
    the writes that are open in its granule, and is changed in the cache. A leaf whose path does not
    verify is left as it is, which ``failed`` tells.

    Members
    -------
    i: In(stream.Signature(reclaim_layout(config)))
        A range; ready when nothing is going on.
    busy: Out(1), failed: Out(1)
        A range is being taken back; of the last range, a leaf could not be, or ``stop`` came.
    o: Out(stream.Signature(leaf_request_layout(config)))
        Leaves to be looked up.
    done, refused, park, again: In(1), seat: In, park_on: In(range(peers + 1))
        What became of the leaf of a seat: changed; failed; it must wait for an entry of level 0, or
        (``peers``) for a free one; it is to be tried once more.
    over: In(peers), room: In(1)
        As in ``Accesses``.
    eager: Out(1)
        A leaf that was waited for is about to be looked up.
    stop: In(1)
        Give up.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        peers = peer_count(config)
        super().__init__({
            "i": In(stream.Signature(reclaim_layout(config))), "busy": Out(1), "failed": Out(1),
            "o": Out(stream.Signature(leaf_request_layout(config))),
            "done": In(1), "refused": In(1), "park": In(1), "again": In(1),
            "seat": In(range(_SEATS)), "park_on": In(range(peers + 1)),
            "over": In(peers), "room": In(1), "eager": Out(1), "stop": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        peers = peer_count(config)
        leaves = config.leaves
        left = Signal(index_bits(config) + 1)
        following, used = Signal(index_bits(config)), Signal(_SEATS)
        m.submodules.held = held = Memory(shape=index_bits(config), depth=_SEATS, init=[])
        write, read = held.write_port(), held.read_port(domain="comb")
        m.submodules.picker = picker = Picker(_SEATS)
        most = Signal.like(left)
        m.d.comb += [
            self.busy.eq((left != 0) | used.any()), self.i.ready.eq(~self.busy),
            most.eq(leaves - self.i.payload.first),
            read.addr.eq(picker.o.payload), write.data.eq(following),
            self.o.valid.eq(picker.o.valid), picker.o.ready.eq(self.o.ready),
            self.o.payload.seat.eq(picker.o.payload), self.o.payload.index.eq(read.data),
        ]
        taken = Signal(_SEATS)
        with m.If(left != 0):
            m.d.comb += [write.en.eq(~used.all()), taken.eq(~used & (used + 1))]
            m.d.sync += [left.eq(left - write.en), following.eq(following + write.en)]
        with m.If(self.i.valid & self.i.ready):
            count = self.i.payload.count
            m.d.sync += [following.eq(self.i.payload.first), self.failed.eq(0)]
            with m.If(self.i.payload.first < leaves):
                m.d.sync += left.eq(count)
                with m.If(count > most):
                    m.d.sync += left.eq(most)
        with m.If(self.refused):
            m.d.sync += self.failed.eq(1)

        eager = Signal(_SEATS)
        m.d.comb += self.eager.eq(eager.any())
        for i in range(_SEATS):
            wanting, parked = Signal(name=f"wanting_{i}"), Signal(name=f"parked_{i}")
            tried, ended = Signal(name=f"tried_{i}"), Signal(name=f"ended_{i}")
            park_on = Signal.like(self.park_on, name=f"park_on_{i}", reset_less=True)
            mine = self.seat == i
            with m.If(taken[i]):
                m.d.comb += write.addr.eq(i)
            m.d.comb += [
                ended.eq(wanting & parked & (park_on != peers)
                         & self.over.bit_select(park_on, 1)),
                picker.requests[i].eq(wanting & (
                    ~parked | ended | ((park_on == peers) & self.room))),
                eager[i].eq(picker.requests[i] & tried & (park_on != peers)),
            ]
            # Remembered: the entry may be taken again before the picker comes here.
            with m.If(ended):
                m.d.sync += parked.eq(0)
            with m.If(taken[i]):
                m.d.sync += [used[i].eq(1), wanting.eq(1), parked.eq(0), tried.eq(0)]
            with m.If(self.o.valid & self.o.ready & (picker.o.payload == i)):
                m.d.sync += wanting.eq(0)
            with m.If((self.park | self.again) & mine):
                m.d.sync += [wanting.eq(1), parked.eq(self.park), tried.eq(self.park)]
                with m.If(self.park):
                    m.d.sync += park_on.eq(self.park_on)
            with m.If((self.done | self.refused) & mine):
                m.d.sync += used[i].eq(0)
            with m.If(self.stop):
                m.d.sync += [used[i].eq(0), wanting.eq(0)]
        with m.If(self.stop):
            m.d.sync += left.eq(0)
            with m.If(self.busy | self.i.valid):
                m.d.sync += self.failed.eq(1)
        return m
