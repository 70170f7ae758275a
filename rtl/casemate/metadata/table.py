"""All entries: the pools of walks and write-backs of every level."""

from collections.abc import Callable

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from ..streams import Picker, Register
from .entry import EntryState, NodeEntry, peer_count
from .interface import failure_layout, node_request_layout
from .layouts import index_bits, level_shape, region_bases

__all__ = ["NodeTable", "entry_shape", "named_node_layout"]


def entry_shape(config: EngineConfig) -> range:
    """Shape of an entry's number: level by level, first its walks, then its write-backs."""
    return range(max(2, config.node_entries))


def named_node_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of an entry with the leaf or node that it holds."""
    return data.StructLayout({
        "entry": entry_shape(config), "level": level_shape(config), "index": index_bits(config),
        "write_back": 1,
    })


class NodeTable(wiring.Component):
    """Entries, looked up by level and index, and the choice among those that want something.

    Members
    -------
    look_level: In, look_index: In
        What is looked up, combinational: at most one entry holds it.
    found: Out(1), found_entry: Out, found_peer: Out(range(peers)), found_state: Out
        Its number, its number within its level, and what is known of it.
    pool_level: In, pool_write_back: In(1)
        A pool, combinational.
    pool_free: Out(1), pool_entry: Out, pool_peer: Out(range(peers))
        Its first free entry.
    allocate: In(1), allocate_index: In, allocate_fetch: In(1)
        That entry is taken.
    request, leave, seal, pad: Out(stream.Signature(named_node_layout(config)))
        Entries that want their counter, to leave, to be sealed, a pad for their check.
    fetch: Out(stream.Signature(node_request_layout(config)))
        Leaves and nodes to fetch.
    failure: Out(stream.Signature(failure_layout(config)))
        What failed.
    park, counted, poison, arrive, check, raised, stay, free, stored, unstored, exhausted: In(1)
        As in ``NodeEntry``, of the entry ``..._entry``.
    here, trusted, over: Out(peers)
        Of level 0, as in ``EntryState``; ``over``: failed, or not in use.
    walk_room: Out(1)
        A walk of level 0 is free.
    idle: Out(1), write_backs_idle: Out(1)
        Nothing is on its way, nothing is on its way to DRAM.
    """

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        peers = peer_count(config)
        entry, peer = entry_shape(config), range(peers)
        node = stream.Signature(named_node_layout(config))
        super().__init__({
            "look_level": In(level_shape(config)), "look_index": In(index_bits(config)),
            "found": Out(1), "found_entry": Out(entry), "found_peer": Out(peer),
            "found_state": Out(EntryState(config)),
            "pool_level": In(level_shape(config)), "pool_write_back": In(1),
            "pool_free": Out(1), "pool_entry": Out(entry), "pool_peer": Out(peer),
            "allocate": In(1), "allocate_index": In(index_bits(config)), "allocate_fetch": In(1),
            "request": Out(node), "leave": Out(node), "seal": Out(node), "pad": Out(node),
            "fetch": Out(stream.Signature(node_request_layout(config))),
            "failure": Out(stream.Signature(failure_layout(config))),
            "park": In(1), "park_entry": In(entry), "park_on": In(range(peers + 1)),
            "counted": In(1), "counted_entry": In(entry), "counter_zero": In(1),
            "parent_trusted": In(1), "parent": In(peer),
            "poison": In(1), "poison_entry": In(entry), "poison_response": In(2),
            "arrive": In(1), "arrive_entry": In(entry), "arrive_response": In(2),
            "check": In(1), "check_entry": In(entry), "check_good": In(1),
            "raised": In(1), "raised_entry": In(entry),
            "stay": In(1), "stay_entry": In(entry), "free": In(1), "free_entry": In(entry),
            "stored": In(1), "stored_entry": In(entry),
            "unstored": In(1), "unstored_entry": In(entry),
            "exhausted": In(1), "exhausted_entry": In(entry),
            "here": Out(peers), "trusted": Out(peers), "over": Out(peers),
            "walk_room": Out(1), "idle": Out(1), "write_backs_idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, tree = self._config, self._tree
        peers = peer_count(config)
        levels = [[NodeEntry(config, level=level, write_back=peer >= tree.walks)
                   for peer in range(peers)] for level in range(config.levels)]
        entries = [entry for level in levels for entry in level]
        for level, members in enumerate(levels):
            for peer, entry in enumerate(members):
                kind = "walk" if peer < tree.walks else "write_back"
                m.submodules[f"{kind}_{level}_{peer}"] = entry
                if level + 1 < config.levels:
                    self._show_peers(m, entry, levels[level + 1], kind)
                if level and kind == "walk":
                    below = levels[level - 1]
                    walks, write_backs = below[:tree.walks], below[tree.walks:]
                    m.d.comb += [
                        entry.children.eq(Cat(child.bound[peer] for child in walks).any()),
                        entry.pressing.eq(Cat(
                            *(child.bound[peer] for child in write_backs),
                            *(child.starving for child in walks)).any()),
                    ]

        self._fetch_at_once = Signal()
        self._look_up(m, levels)
        self._pools(m, levels)
        for number, entry in enumerate(entries):
            for name, parts in (
                    ("park", ("park_on",)),
                    ("counted", ("counter_zero", "parent_trusted", "parent")),
                    ("poison", ("poison_response",)), ("arrive", ("arrive_response",)),
                    ("check", ("check_good",)), ("raised", ()), ("stay", ()), ("free", ()),
                    ("stored", ()), ("unstored", ()), ("exhausted", ())):
                m.d.comb += [
                    getattr(entry, name).eq(
                        getattr(self, name) & (getattr(self, f"{name}_entry") == number)),
                    *(getattr(entry, part).eq(getattr(self, part)) for part in parts),
                ]
            m.d.comb += entry.allocate.eq(self.allocate & (self.pool_entry == number))
            m.d.comb += [entry.allocate_index.eq(self.allocate_index),
                         entry.allocate_fetch.eq(self.allocate_fetch),
                         entry.allocate_fetched.eq(self.allocate_fetch & self._fetch_at_once)]

        for name in ("request", "leave", "seal", "pad"):
            self._choose(m, name, entries, getattr(self, name))
        self._fetch(m, entries)
        self._report(m, entries)
        m.d.comb += [
            self.here.eq(Cat(entry.state.here for entry in levels[0])),
            self.trusted.eq(Cat(entry.state.trusted for entry in levels[0])),
            self.over.eq(Cat(entry.state.failed | ~entry.state.active for entry in levels[0])),
            self.walk_room.eq(Cat(~entry.state.active for entry in levels[0][:tree.walks]).any()),
            self.idle.eq(~Cat(entry.state.active for entry in entries).any()),
            self.write_backs_idle.eq(~Cat(entry.state.active for level in levels
                                          for entry in level[tree.walks:]).any()),
        ]
        return m

    def _show_peers(self, m: Module, entry: NodeEntry, above: list[NodeEntry], kind: str) -> None:
        """Tell an entry about those of the level above."""
        walks = self._tree.walks
        same = above[:walks] if kind == "walk" else above[walks:]
        for name in ("active", "readable", "trusted", "failed", "open"):
            m.d.comb += getattr(entry, f"peer_{name}").eq(
                Cat(getattr(other.state, name) for other in above))
        m.d.comb += [
            *(entry.peer_response[i].eq(other.state.response) for i, other in enumerate(above)),
            entry.peer_free.eq(Cat(~other.state.active for other in same).any()),
        ]

    def _look_up(self, m: Module, levels: list[list[NodeEntry]]) -> None:
        found = []
        peers = peer_count(self._config)
        for level, members in enumerate(levels):
            for peer, entry in enumerate(members):
                hit = Signal(name=f"hit_{level}_{peer}")
                m.d.comb += hit.eq(entry.state.active & (self.look_level == level)
                                   & (entry.state.index == self.look_index))
                found.append(hit)
                with m.If(hit):
                    m.d.comb += [
                        self.found_entry.eq(level * peers + peer), self.found_peer.eq(peer),
                        *(getattr(self.found_state, name).eq(getattr(entry.state, name))
                          for name in self.found_state.signature.members),
                    ]
        m.d.comb += self.found.eq(Cat(found).any())

    def _pools(self, m: Module, levels: list[list[NodeEntry]]) -> None:
        peers, walks = peer_count(self._config), self._tree.walks
        for level, members in enumerate(levels):
            for write_back, first, pool in ((0, 0, members[:walks]), (1, walks, members[walks:])):
                with m.If((self.pool_level == level) & (self.pool_write_back == write_back)):
                    for place, entry in reversed(list(enumerate(pool))):
                        with m.If(~entry.state.active):
                            m.d.comb += [
                                self.pool_free.eq(1), self.pool_peer.eq(first + place),
                                self.pool_entry.eq(level * peers + first + place),
                            ]

    def _describe(self, number: Value, entries: list[NodeEntry], o: data.View) -> list:
        """Assign what is known of an entry by its number."""
        peers = peer_count(self._config)
        each = range(len(entries))
        return [
            o.entry.eq(number),
            o.level.eq(Array(i // peers for i in each)[number]),
            o.index.eq(Array(entry.state.index for entry in entries)[number]),
            o.write_back.eq(Array(i % peers >= self._tree.walks for i in each)[number]),
        ]

    def _choose(self, m: Module, name: str, entries: list[NodeEntry], o: stream.Interface) -> None:
        """Pass on, one by one, the entries that raise a flag, and tell them so."""
        m.submodules[f"{name}_picker"] = picker = Picker(len(entries))
        taken: dict[str, Callable[[NodeEntry], Signal]] = {
            "request": lambda entry: entry.take, "seal": lambda entry: entry.seal_take,
            "pad": lambda entry: entry.pad_take, "leave": lambda entry: entry.leave_take}
        m.d.comb += [
            picker.requests.eq(Cat(getattr(entry, name) for entry in entries)),
            o.valid.eq(picker.o.valid), picker.o.ready.eq(o.ready),
            *self._describe(picker.o.payload, entries, o.payload),
        ]
        m.d.comb += [taken[name](entry).eq(o.valid & o.ready & (picker.o.payload == number))
                     for number, entry in enumerate(entries)]

    def _fetch(self, m: Module, entries: list[NodeEntry]) -> None:
        """Ask DRAM for what was looked up in vain at once, if no entry waits for its turn."""
        config = self._config
        m.submodules.fetch_picker = picker = Picker(len(entries))
        m.submodules.fetches = fetches = Register(node_request_layout(config))
        node = Signal(named_node_layout(config))
        skip = Signal()
        m.d.comb += [
            picker.requests.eq(Cat(entry.fetch for entry in entries)),
            *self._describe(picker.o.payload, entries, node),
            skip.eq(Array(entry.skip for entry in entries)[picker.o.payload]),
            self._fetch_at_once.eq(fetches.i.ready & (~picker.o.valid | skip)),
            fetches.i.valid.eq(Mux(self._fetch_at_once, self.allocate & self.allocate_fetch,
                                   picker.o.valid & ~skip)),
            fetches.i.payload.entry.eq(Mux(self._fetch_at_once, self.pool_entry, node.entry)),
            fetches.i.payload.address.eq(Mux(
                self._fetch_at_once, self.address_of(self.pool_level, self.allocate_index),
                self.address_of(node.level, node.index))),
            picker.o.ready.eq(fetches.i.ready | skip),
            *(entry.fetch_take.eq(picker.o.valid & ~skip & fetches.i.ready
                                  & (picker.o.payload == number))
              for number, entry in enumerate(entries)),
            *(entry.fetch_skip.eq(picker.o.valid & skip & (picker.o.payload == number))
              for number, entry in enumerate(entries)),
        ]
        wiring.connect(m, fetches.o, wiring.flipped(self.fetch))

    def _report(self, m: Module, entries: list[NodeEntry]) -> None:
        m.submodules.report_picker = picker = Picker(len(entries))
        node = Signal(named_node_layout(self._config))
        m.d.comb += [
            picker.requests.eq(Cat(entry.report for entry in entries)),
            *self._describe(picker.o.payload, entries, node),
            self.failure.valid.eq(picker.o.valid), picker.o.ready.eq(self.failure.ready),
            Value.cast(self.failure.payload.failure).eq(
                Array(Value.cast(entry.report_failure) for entry in entries)[picker.o.payload]),
            self.failure.payload.level.eq(node.level),
            self.failure.payload.address.eq(self.address_of(node.level, node.index)),
            self.failure.payload.fatal.eq(node.write_back),
            *(entry.report_take.eq(picker.o.valid & picker.o.ready & (picker.o.payload == number))
              for number, entry in enumerate(entries)),
        ]

    def address_of(self, level: Value, index: Value) -> Value:
        """Return the byte address of a leaf or node."""
        base: Value | int = 0
        for number, start in enumerate(region_bases(self._config)):
            base = Mux(level == number, start, base)
        shift = (LINE_BYTES - 1).bit_length()
        return (Value.cast(base) + (index << shift))[:self._config.address_bits]
