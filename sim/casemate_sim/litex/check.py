"""Checks what the example printed with the golden model, which knows its keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from casemate.config import LINE_BYTES

from casemate_sim.model.crypto import xts_decrypt
from casemate_sim.model.formats import Leaf
from casemate_sim.model.keys import BOOT_NONCE_BYTES, derive_domain_keys
from casemate_sim.model.lines import xts_tweaks
from casemate_sim.model.tags import line_tag

from .soc import DOMAIN, ROOT_KEY, example_config

__all__ = ["LINE", "findings", "seeded_words"]

LINE = 0x8000 // LINE_BYTES
"""The line that the program shows."""

_START_UP_WORDS = 1024  # SP 800-90B, 4.3: the least that the health tests begin with


def seeded_words(seed: int) -> Iterator[bytes]:
    """Yield the words of the simulated source of entropy, 4 bytes each; see ``SeededSource``."""
    state = seed
    while True:
        yield state.to_bytes(4, "little")
        state ^= state << 13 & 0xFFFF_FFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFF_FFFF


def _boot_nonce(seed: int) -> bytes:
    """Return the words that the engine takes behind the start-up tests."""
    words = seeded_words(seed)
    for _ in range(_START_UP_WORDS):
        next(words)
    return b"".join(next(words) for _ in range(BOOT_NONCE_BYTES // 4))


def findings(lines: Sequence[str], *, seed: int) -> Iterator[tuple[str, bool]]:
    """Yield what must be so, and whether it is.

    Parameters
    ----------
    lines:
        What the program printed.
    seed:
        Of the entropy.
    """
    said = dict(line.partition(": ")[::2] for line in lines)
    yield "the program came to its end", lines[-1:] == ["done"]
    try:
        plain, stored, content = (bytes.fromhex(said[name]) for name in ("cpu", "dram", "leaf"))
        leaf = Leaf.unpack(content)
    except (KeyError, ValueError) as error:
        yield f"it printed a line and its leaf ({error!r})", False
        return
    config = example_config()
    keys = derive_domain_keys(ROOT_KEY, _boot_nonce(seed), DOMAIN, 0, config.aes_bits)
    place = LINE % config.leaf.lines
    version = leaf.versions[place]
    tweak = xts_tweaks(np.array([LINE], np.uint64), np.array([version], np.uint64))
    opened = xts_decrypt(keys.K1, keys.K2, tweak, np.frombuffer(stored, np.uint8)[None])
    yield "the SDRAM does not hold what the CPU wrote", not any(
        plain[at:at + 8] in stored for at in range(LINE_BYTES - 7))
    yield "the golden model decrypts what it holds", opened.tobytes() == plain
    yield "the tag in the leaf is the golden model's", \
        leaf.tags[place] == line_tag(keys.K3, LINE, version, stored)
    yield "the leaf says whose the line is", leaf.owner == DOMAIN and leaf.valid[place]
