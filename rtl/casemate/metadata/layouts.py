"""Formats of leaf and node, the numbering of entries, and the operations of the metadata unit."""

from amaranth import Const, Mux, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, enum

from ..config import COUNTERS_PER_NODE, DOMAIN_BITS, LINE_BYTES, EngineConfig

__all__ = [
    "COUNTER_FIELD_BITS", "MAC_BITS", "Operation", "index_bits", "leaf_layout", "level_shape",
    "node_layout", "operation_layout", "parent_index", "region_bases", "set_of", "way_layout",
]

COUNTER_FIELD_BITS = 52
"""Width of a counter's field in a node, whatever part of it counts."""

MAC_BITS = 64
"""Width of the MAC of leaf and node."""


class Operation(enum.Enum, shape=3):
    """What passes through the unit's pipeline."""

    ACCESS = 0
    """The data path wants a leaf."""
    CLOSE = 1
    """The data path stores version and tag of a line that it has written."""
    GET = 2
    """A walk wants its counter from the parent."""
    RAISE = 3
    """A write-back raises its counter in the parent."""
    LEAVE = 4
    """A walk is over: into the cache with what it fetched, or away with it."""
    SWEEP = 5
    """A way of the cache is written back or dropped."""
    RECLAIM = 6
    """A granule is taken back from its owner."""


def leaf_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a leaf: see docs/formats.md."""
    shape = config.leaf
    used = shape.lines * (shape.version_bits + shape.tag_bits + 1) + shape.owner_bits
    return data.StructLayout({
        "version": data.ArrayLayout(shape.version_bits, shape.lines),
        "tag": data.ArrayLayout(shape.tag_bits, shape.lines),
        "owner": shape.owner_bits, "valid": shape.lines,
        "unused": 8 * LINE_BYTES - MAC_BITS - used, "mac": MAC_BITS,
    })


def node_layout() -> data.StructLayout:
    """Layout of a node: see docs/formats.md."""
    return data.StructLayout({
        "counter": data.ArrayLayout(COUNTER_FIELD_BITS, COUNTERS_PER_NODE),
        "unused": 8 * LINE_BYTES - MAC_BITS - COUNTERS_PER_NODE * COUNTER_FIELD_BITS,
        "mac": MAC_BITS,
    })


def index_bits(config: EngineConfig) -> int:
    """Width of a leaf's or node's number in its level."""
    return max(1, (config.leaves - 1).bit_length())


def level_shape(config: EngineConfig) -> range:
    """Shape of a level: 0 the leaves, ``config.levels`` the root."""
    return range(config.levels + 1)


def way_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of what the directory knows of a way of the cache.

    ``used``: looked up since every other way of its set was.
    """
    return data.StructLayout({
        "valid": 1, "dirty": 1, "used": 1, "level": range(max(2, config.levels)),
        "index": index_bits(config),
    })


def operation_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of an operation.

    ``level`` and ``index`` name the leaf or node to look up; ``source`` is the line in flight or
    the entry that asks; ``place`` is a line's or a child's place in what is looked up. ``write``,
    ``domain``, ``claim``, ``first`` (never looked up before), ``asked`` (no hint is wanted any
    more) and ``hinted`` belong to accesses, ``way`` to a close or a sweep, ``drop`` to sweeps.
    """
    assert config.tree is not None
    return data.StructLayout({
        "operation": Operation, "level": level_shape(config), "index": index_bits(config),
        "set": range(config.tree.cache_sets),
        "source": max(config.entry_id_bits, (config.node_entries - 1).bit_length()),
        "place": range(max(COUNTERS_PER_NODE, config.leaf.lines)), "write": 1,
        "domain": DOMAIN_BITS, "claim": 1, "first": 1, "asked": 1, "hinted": 1,
        "way": range(config.tree.cache_ways), "drop": 1,
    })


def set_of(config: EngineConfig, level: ValueLike, index: Value) -> Value:
    """Return the set of the cache where a leaf or node may be: levels start at different sets."""
    assert config.tree is not None
    sets = config.tree.cache_sets
    if sets == 1:
        return Const(0, 0)
    bits = (sets - 1).bit_length()
    low = index[:bits]
    start: Value = Const(0, bits)
    for each in range(1, config.levels):
        start = Mux(Value.cast(level) == each, each * sets // config.levels, start)
    return (low + start)[:bits]


def parent_index(config: EngineConfig, level: int, index: Value) -> tuple[Value, Value]:
    """Return which node of the level above holds the counter of a leaf or node, and at what place.

    Of the highest stored level, the first is the number of the root counter.
    """
    bits = (COUNTERS_PER_NODE - 1).bit_length()
    if level == config.levels - 1:
        return index, Const(0, bits)
    return index[bits:], index[:bits]


def region_bases(config: EngineConfig) -> tuple[int, ...]:
    """Return the byte address of the first leaf, then of each level's first node."""
    return tuple(region.base for region in config.regions[1:])
