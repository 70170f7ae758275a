"""What an attack can aim at: the victim's lines, and everything in DRAM that describes them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from casemate.config import COUNTERS_PER_NODE, LINE_BYTES, EngineConfig

__all__ = ["Scene"]

_NODE_COUNTER_BITS = 52
_NODE_ZEROS_END = 8 * LINE_BYTES - 64


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Lines of one victim, with known relations.

    Parameters
    ----------
    config:
        The engine's configuration.
    target:
        The line that the attack is about.
    sibling:
        A line of the target's granule.
    cousin:
        A line of another granule.
    stranger:
        A line under another node of level 1, if there are nodes and more than one of them.
    others:
        More lines.
    """

    config: EngineConfig
    target: int
    sibling: int
    cousin: int
    stranger: int
    others: tuple[int, ...]

    @classmethod
    def draw(cls, rng: random.Random, config: EngineConfig, others: int = 4, *,
             target: int | None = None) -> Scene:
        """Choose lines at random, all or all but the target."""
        per_leaf = config.leaf.lines
        if target is None:
            target = rng.randrange(config.lines)
        granule = target // per_leaf
        sibling = granule * per_leaf + (target + rng.randrange(1, per_leaf)) % per_leaf
        near = granule // COUNTERS_PER_NODE * COUNTERS_PER_NODE
        cousin = rng.choice([leaf for leaf in range(near, near + COUNTERS_PER_NODE)
                             if leaf != granule]) * per_leaf + rng.randrange(per_leaf)
        strangers = [leaf // COUNTERS_PER_NODE != granule // COUNTERS_PER_NODE
                     for leaf in (0, config.leaves - 1)]
        stranger = cousin
        while any(strangers) and stranger // per_leaf // COUNTERS_PER_NODE \
                == granule // COUNTERS_PER_NODE:
            stranger = rng.randrange(config.lines)
        chosen = {target, sibling, cousin, stranger}
        more = []
        while len(more) < others:
            line = rng.randrange(config.lines)
            if line not in chosen:
                chosen.add(line)
                more.append(line)
        return cls(config=config, target=target, sibling=sibling, cousin=cousin,
                   stranger=stranger, others=tuple(more))

    @property
    def lines(self) -> tuple[int, ...]:
        """All lines, the target first, none twice."""
        return tuple(dict.fromkeys(
            (self.target, self.sibling, self.cousin, self.stranger, *self.others)))

    @property
    def levels(self) -> int:
        """Levels that DRAM stores, the leaves included."""
        return self.config.levels

    def line_address(self, line: int) -> int:
        """Return where a line lies in DRAM."""
        return self.config.data_base + LINE_BYTES * line

    def index(self, level: int, line: int) -> int:
        """Return the number of the leaf (level 0) or node above a line."""
        return line // self.config.leaf.lines // COUNTERS_PER_NODE ** level

    def address(self, level: int, line: int) -> int:
        """Return where the leaf (level 0) or node above a line lies in DRAM."""
        return self.config.regions[1 + level].base + LINE_BYTES * self.index(level, line)

    def path(self, line: int) -> list[int]:
        """Return the addresses of a line's leaf and of the nodes above it, bottom first."""
        return [self.address(level, line) for level in range(self.levels)]

    def is_data(self, address: int) -> bool:
        """Tell whether an address lies in the data window."""
        window = self.config.regions[0]
        return window.base <= address < window.end

    def is_metadata(self, address: int) -> bool:
        """Tell whether an address holds a leaf or node."""
        return any(region.base <= address < region.end for region in self.config.regions[1:])

    def leaf_bits(self, field: str, line: int) -> range:
        """Return the bits of a leaf's ``version``, ``tag``, ``owner``, ``valid`` or ``mac``.

        The first two and ``valid`` are those of `line`.
        """
        shape = self.config.leaf
        place = line % shape.lines
        tags = shape.lines * shape.version_bits
        owner = tags + shape.lines * shape.tag_bits
        valid = owner + shape.owner_bits
        return {
            "version": range(place * shape.version_bits, (place + 1) * shape.version_bits),
            "tag": range(tags + place * shape.tag_bits, tags + (place + 1) * shape.tag_bits),
            "owner": range(owner, valid),
            "valid": range(valid + place, valid + place + 1),
            "mac": range(8 * LINE_BYTES - shape.mac_bits, 8 * LINE_BYTES),
        }[field]

    def node_bits(self, field: str, level: int, line: int) -> range:
        """Return the bits of a node's ``counter``, towards `line`, of its ``zeros`` or ``mac``."""
        child = self.index(level - 1, line) % COUNTERS_PER_NODE
        return {
            "counter": range(child * _NODE_COUNTER_BITS, (child + 1) * _NODE_COUNTER_BITS),
            "zeros": range(COUNTERS_PER_NODE * _NODE_COUNTER_BITS, _NODE_ZEROS_END),
            "mac": range(_NODE_ZEROS_END, 8 * LINE_BYTES),
        }[field]
