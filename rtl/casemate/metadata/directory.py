"""The directory of the metadata cache: what each way holds, and which one gives way."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .layouts import index_bits, way_layout

__all__ = ["Directory"]


class Directory(wiring.Component):
    """Looked up and changed within a cycle: the next look-up sees the change.

    The way that gives way is empty, or has not been used since all others of its set were, or is
    the first that is not pinned. Leaves go before nodes, even used ones, unless nodes have more
    than half of the set; nodes go level by level from below. A node saves more traffic than what is
    below it, above all when that is written back and its counter is raised.

    Members
    -------
    set: In(range(cache_sets)), level: In, index: In
        What is looked up.
    hit: Out(1), way: Out(range(cache_ways))
        Whether and where the cache holds it.
    pinned: In(cache_ways)
        Ways of ``set`` that must stay.
    room: Out(1), victim: Out(range(cache_ways)), victim_state: Out(way_layout(config))
        A way that may be replaced, and what it holds.
    look_way: In(range(cache_ways)), look_state: Out(way_layout(config))
        What a certain way of ``set`` holds.
    touch: In(1)
        The way that was hit becomes the used one.
    change: In(1), change_way: In(range(cache_ways)), change_state: In(way_layout(config))
        A way of ``set`` changes. Not together with ``touch`` of another way.
    ready: Out(1)
        All ways are empty, or filled since reset. Takes ``cache_sets`` cycles.
    """

    hit: Signal
    way: Signal
    room: Signal
    victim: Signal
    ready: Signal

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        ways = range(self._tree.cache_ways)
        state = way_layout(config)
        super().__init__({
            "set": In(range(self._tree.cache_sets)), "level": In(range(config.levels + 1)),
            "index": In(index_bits(config)),
            "hit": Out(1), "way": Out(ways), "pinned": In(self._tree.cache_ways),
            "room": Out(1), "victim": Out(ways), "victim_state": Out(state),
            "look_way": In(ways), "look_state": Out(state),
            "touch": In(1), "change": In(1), "change_way": In(ways), "change_state": In(state),
            "ready": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n, sets = self._tree.cache_ways, self._tree.cache_sets
        states = data.ArrayLayout(way_layout(self._config), n)
        m.submodules.states = memory = Memory(shape=states, depth=sets, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        held, updated = Signal(states), Signal(states)
        m.d.comb += [read.addr.eq(self.set), held.eq(read.data), updated.eq(held),
                     self.look_state.eq(held[self.look_way])]

        hits = Signal(n)
        m.d.comb += [
            hits.eq(Cat(held[i].valid & (held[i].level == self.level)
                        & (held[i].index == self.index) for i in range(n))),
            self.hit.eq(hits.any()),
        ]
        for i in range(n):
            with m.If(hits[i]):
                m.d.comb += self.way.eq(i)

        free, idle = Signal(n), Signal(n)
        m.d.comb += [
            free.eq(Cat(~held[i].valid for i in range(n))),
            idle.eq(Cat(~held[i].used for i in range(n)) & ~self.pinned),
            self.room.eq(free.any() | ~self.pinned.all()),
            self.victim_state.eq(held[self.victim]),
        ]
        chosen = Signal(n)
        m.d.comb += chosen.eq(~self.pinned)
        levels = [Cat(held[i].level == level for i in range(n))
                  for level in range(self._config.levels)]
        leaves, many_nodes = levels[0], Signal()
        m.d.comb += many_nodes.eq(sum(held[i].level != 0 for i in range(n)) > n // 2)
        nodes = [idle & mask for mask in reversed(levels[1:])]
        for candidates in (*nodes, ~self.pinned & leaves,
                           *(Mux(many_nodes, each, 0) for each in nodes), idle & leaves, free):
            with m.If(candidates.any()):
                m.d.comb += chosen.eq(candidates)
        for i in reversed(range(n)):
            with m.If(chosen[i]):
                m.d.comb += self.victim.eq(i)

        # Everybody used: only the last one stays so.
        used = Signal(n)
        touched = Signal(range(n))
        m.d.comb += [
            touched.eq(Mux(self.change, self.change_way, self.way)),
            used.eq(Cat(held[i].used for i in range(n)) | (1 << touched)),
        ]
        for i in range(n):
            with m.If(self.change & (self.change_way == i)):
                m.d.comb += updated[i].eq(self.change_state)
            with m.If(self.touch | (self.change & self.change_state.valid)):
                m.d.comb += updated[i].used.eq(
                    Mux(used.all(), touched == i, used[i]))

        clearing = Signal(range(sets))
        m.d.comb += [
            write.en.eq(self.touch | self.change | ~self.ready),
            write.addr.eq(Mux(self.ready, self.set, clearing)),
            write.data.eq(Mux(self.ready, updated, 0)),
        ]
        with m.If(~self.ready):
            m.d.sync += [clearing.eq(clearing + 1), self.ready.eq(clearing == sets - 1)]
        return m
