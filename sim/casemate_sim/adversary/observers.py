"""Adversaries that only look: who compares ciphertexts, and who freezes the memory."""

from __future__ import annotations

import random
from collections.abc import Mapping

from casemate.config import LINE_BYTES

from .attack import ALWAYS_SEEN, Attack, Outcome
from .dram import Dram
from .scene import Scene

__all__ = ["OBSERVERS", "ColdBoot", "DictionaryPlaces", "DictionaryTimes"]

_BLOCK_BYTES = 16

_SEEN_OVER_TIME: Mapping[str, Outcome] = {**ALWAYS_SEEN, "xts": Outcome.SUCCEEDS}


def _blocks(line: bytes) -> list[bytes]:
    return [line[place:place + _BLOCK_BYTES] for place in range(0, LINE_BYTES, _BLOCK_BYTES)]


class DictionaryPlaces(Attack):
    """Compares places."""

    name = "dictionary_places"
    description = "Equal plaintexts at two places are looked for by comparing 16-byte blocks."
    expected = ALWAYS_SEEN

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self.other = rng.choice((scene.sibling, scene.cousin, scene.stranger))
        self._block = rng.randbytes(_BLOCK_BYTES)
        self._equal = False

    def wanted_data(self) -> Mapping[int, bytes]:
        """Return one block eight times."""
        content = self._block * (LINE_BYTES // _BLOCK_BYTES)
        return {self.scene.target: content, self.other: content}

    def strike(self, dram: Dram) -> None:
        """Compare."""
        blocks = [block for line in (self.scene.target, self.other)
                  for block in _blocks(dram.read_line(self.scene.line_address(line)))]
        self._equal = len(set(blocks)) < len(blocks)

    def learned(self, dram: Dram, secrets: list[bytes]) -> bool:
        """Tell whether two blocks were equal."""
        return self._equal


class DictionaryTimes(Attack):
    """Compares times."""

    name = "dictionary_times"
    description = "That a line is written again with the same data is looked for by comparing."
    expected = _SEEN_OVER_TIME

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self._content = rng.randbytes(LINE_BYTES)
        self._before: bytes | None = None
        self._equal = False

    def wanted_data(self) -> Mapping[int, bytes]:
        """Return the same both times."""
        return {self.scene.target: self._content}

    def observe(self, dram: Dram) -> None:
        """Keep the ciphertext."""
        self._before = dram.read_line(self.scene.line_address(self.scene.target))

    def strike(self, dram: Dram) -> None:
        """Compare."""
        now = dram.read_line(self.scene.line_address(self.scene.target))
        assert self._before is not None
        self._equal = bool(set(_blocks(now)) & set(_blocks(self._before)))

    def learned(self, dram: Dram, secrets: list[bytes]) -> bool:
        """Tell whether a block was equal."""
        return self._equal


class ColdBoot(Attack):
    """Takes the image of DRAM along and reads it, also through the engine after the next boot."""

    name = "cold_boot"
    description = "The image of DRAM is searched for the data, and read under the next boot's keys."
    expected = ALWAYS_SEEN
    reboots = True

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        super().__init__(scene, rng)
        self._image: list[bytes] = []

    def strike(self, dram: Dram) -> None:
        """Freeze."""
        self._image = [dram.read_line(address) for address in dram.addresses()]

    def learned(self, dram: Dram, secrets: list[bytes]) -> bool:
        """Tell whether a block of the data lies in the image in clear."""
        seen = {block for line in self._image for block in _blocks(line)}
        return any(block in seen for line in secrets for block in _blocks(line) if any(block))


OBSERVERS: tuple[type[Attack], ...] = (DictionaryPlaces, DictionaryTimes, ColdBoot)
"""All of them."""
