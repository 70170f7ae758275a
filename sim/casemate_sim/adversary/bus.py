"""Attacks on the way between engine and DRAM: aliases, dropped writes, glitches."""

from __future__ import annotations

import random

from casemate.config import LINE_BYTES

from .attack import DATA_ATTACK, METADATA_ATTACK, Attack
from .dram import Dram, Write, flipped
from .scene import Scene

__all__ = ["BUS", "Alias", "Drop", "Glitch"]


class Alias(Attack):
    """Sends some addresses to the place of others while it is on."""

    expected = DATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self._goes_to: dict[int, int] = {}

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Send it where the alias says."""
        place = self._goes_to.get(write.address, write.address)
        return Write(place, write.data, write.strobe)

    def on_read(self, dram: Dram, address: int) -> int | bytes:
        """Send it where the alias says."""
        return self._goes_to.get(address, address)


class BadRam(Alias):
    """An alias that is there from the start, as of a DIMM that lies about its size."""

    name = "badram"
    description = "From the start on, two data lines, two leaves or both pairs share one place."

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.what = rng.choice(("lines", "lines", "leaves", "both"))
        self.other = rng.choice((scene.cousin, scene.stranger))

    def begin(self, dram: Dram) -> None:
        """Switch on."""
        scene = self.scene
        if self.what != "leaves":
            self._goes_to[scene.line_address(scene.target)] = scene.line_address(self.other)
        if self.what != "lines":
            self._goes_to[scene.address(0, scene.target)] = scene.address(0, self.other)

    def strike(self, dram: Dram) -> None:
        """Do nothing more."""


class BatteringRam(Alias):
    """An alias that is switched on at run time, as by an interposer between DIMM and board."""

    name = "battering_ram"
    description = "At run time, a data line, its leaf or both move to a place that holds the old " \
        "content."

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.what = rng.choice(("line", "line", "leaf", "both", "path"))
        self._copies: dict[int, bytes] = {}

    def observe(self, dram: Dram) -> None:
        """Copy what the alias will show."""
        scene = self.scene
        path = scene.path(scene.target)
        places = {"line": [], "leaf": path[:1], "both": path[:1], "path": path}[self.what]
        if self.what != "leaf":
            places = [scene.line_address(scene.target), *places]
        self._copies = {place: dram.read_line(place) for place in places}

    def strike(self, dram: Dram) -> None:
        """Fill the places behind all regions and switch on."""
        spare = max(region.end for region in self.scene.config.regions)
        for number, (place, content) in enumerate(self._copies.items()):
            self._goes_to[place] = spare + LINE_BYTES * number
            dram.write_line(self._goes_to[place], content)


class Drop(Attack):
    """Loses the engine's writes to some places while the victim writes its lines again."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self._dropped: frozenset[int] = frozenset()

    def places(self) -> list[int]:
        """Return the addresses to which nothing can be written."""
        raise NotImplementedError

    def observe(self, dram: Dram) -> None:
        """Begin."""
        self._dropped = frozenset(self.places())

    def strike(self, dram: Dram) -> None:
        """End."""
        self._dropped = frozenset()

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Lose it, or not."""
        return None if write.address in self._dropped else write


class DropData(Drop):
    """Writes of data."""

    name = "drop_data"
    description = "Writes of a data line are lost, those of its leaf are not."
    expected = DATA_ATTACK

    def places(self) -> list[int]:
        """Return the line."""
        return [self.scene.line_address(self.scene.target)]


class DropMetadata(Drop):
    """Writes of metadata."""

    name = "drop_metadata"
    description = "Writes of a leaf, or of a leaf and all nodes above, are lost."
    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.levels = rng.randint(1, scene.levels)

    def places(self) -> list[int]:
        """Return the leaf and the nodes."""
        return self.scene.path(self.scene.target)[:self.levels]


class DropBoth(DropMetadata):
    """Writes of both."""

    name = "drop_both"
    description = "Writes of a granule, of its leaf and of the lowest or all nodes above are lost."
    expected = DATA_ATTACK

    def places(self) -> list[int]:
        """Return the granule, the leaf and the nodes."""
        count = self.scene.config.leaf.lines
        first = self.scene.target // count * count
        return [*(self.scene.line_address(first + place) for place in range(count)),
                *super().places()]


class Glitch(Attack):
    """Disturbs one access to metadata, once, after it was armed."""

    expected = METADATA_ATTACK

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.after = rng.randrange(3)
        self.bit = rng.randrange(8 * LINE_BYTES)
        self._left: int | None = None

    def strike(self, dram: Dram) -> None:
        """Arm."""
        self._left = self.after

    def now(self, address: int) -> bool:
        """Count an access; tell whether it is the one."""
        if self._left is None or not self.scene.is_metadata(address):
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._left = None
        return True


class GlitchWalk(Glitch):
    """On the way from DRAM."""

    name = "glitch_walk"
    description = "One bit of a leaf or node changes on its way to the engine, once."

    def on_read(self, dram: Dram, address: int) -> int | bytes:
        """Flip the bit, or not."""
        return flipped(dram.read_line(address), self.bit) if self.now(address) else address


class GlitchWriteBack(Glitch):
    """On the way to DRAM."""

    name = "glitch_write_back"
    description = "A write-back of a leaf or node is lost, or one of its bits changes, once."

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.lost = rng.random() < 0.5

    def on_write(self, dram: Dram, write: Write) -> Write | None:
        """Lose it, change it, or let it pass."""
        if not self.now(write.address):
            return write
        return None if self.lost else Write(
            write.address, flipped(write.data, self.bit), write.strobe)


BUS: tuple[type[Attack], ...] = (
    BadRam, BatteringRam, DropData, DropMetadata, DropBoth, GlitchWalk, GlitchWriteBack)
"""All of them."""
