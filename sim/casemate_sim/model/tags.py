"""Tags and MACs: AES-GMAC under an IV that names the kind, the counter and the place.

A line's tag covers the 64 bytes that lie in DRAM; a leaf's or node's MAC the 56 bytes before it.
Both are the first bytes of the GMAC output, read as a little-endian integer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from casemate_sim.model.crypto import gmac, gmac_many

__all__ = ["KIND_LEAF", "KIND_LINE", "initialization_vector", "initialization_vectors", "line_tag",
           "line_tags", "metadata_mac", "metadata_macs"]

KIND_LINE = 1
"""IV of a line; counter is its version, index its line number."""

KIND_LEAF = 2
"""IV of a leaf; a node of level k has kind 2 + k. Counter is the one in its parent."""

_IV_BYTES = 12


def initialization_vector(kind: int, counter: int, index: int) -> bytes:
    """Return the 12-byte IV ``kind << 92 | counter << 40 | index``, big-endian.

    Raises
    ------
    ValueError
        If a field does not fit: 4 bits of kind, 52 of counter, 40 of index.
    """
    for name, value, width in (("kind", kind, 4), ("counter", counter, 52), ("index", index, 40)):
        if not 0 <= value < 1 << width:
            raise ValueError(f"{name} = {value:#x} does not fit {width} bits")
    return (kind << 92 | counter << 40 | index).to_bytes(_IV_BYTES, "big")


def line_tag(key: bytes, line: int, version: int, stored: bytes, tag_bits: int = 56) -> int:
    """Return the tag of a line under the domain's K3; `stored` is its 64 bytes in DRAM."""
    tag = gmac(key, initialization_vector(KIND_LINE, version, line), stored)
    return int.from_bytes(tag[:tag_bits // 8], "little")


def metadata_mac(key: bytes, kind: int, counter: int, index: int, content: bytes) -> int:
    """Return the 64-bit MAC of a leaf or node under K4; `content` is the 56 bytes before it."""
    return int.from_bytes(gmac(key, initialization_vector(kind, counter, index), content)[:8],
                          "little")


# -- many at once --------------------------------------------------------------------------------

Numbers = NDArray[np.uint64]


def initialization_vectors(kind: int, counters: Numbers, indices: Numbers) -> NDArray[np.uint8]:
    """Return the IVs of many items of one kind, ``uint8``, (N, 12); nothing is checked."""
    vectors = np.empty((len(indices), 3), dtype=">u4")
    vectors[:, 0] = np.uint64(kind << 28) | counters >> np.uint64(24)
    vectors[:, 1] = (counters << np.uint64(8) | indices >> np.uint64(32)) & np.uint64(0xFFFFFFFF)
    vectors[:, 2] = indices & np.uint64(0xFFFFFFFF)
    return vectors.view(np.uint8)


def line_tags(key: bytes, lines: Numbers, versions: Numbers, stored: NDArray[np.uint8],
              tag_bits: int = 56) -> Numbers:
    """Return the tags of many lines, as :func:`line_tag` does each; `stored` is (N, 64)."""
    return _first_bytes(
        gmac_many(key, initialization_vectors(KIND_LINE, versions, lines), stored), tag_bits // 8)


def metadata_macs(key: bytes, kind: int, counters: Numbers, indices: Numbers,
                  contents: NDArray[np.uint8]) -> Numbers:
    """Return the MACs of many leaves, or nodes of one level; `contents` is (N, 56)."""
    return _first_bytes(
        gmac_many(key, initialization_vectors(kind, counters, indices), contents), 8)


def _first_bytes(tags: NDArray[np.uint8], size: int) -> Numbers:
    cut = np.zeros((len(tags), 8), dtype=np.uint8)
    cut[:, :size] = tags[:, :size]
    return cut.view("<u8")[:, 0]
