"""Memory that has been in use for long: sealed before the first cycle, by the golden model."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.build import HARDWARE, SIMULATION, cached, digest_of, source_files
from casemate_sim.model import Image, seal_image
from casemate_sim.model.image import PAGE_BYTES

__all__ = ["SealedMemory", "sealed_memory"]

_CACHED_LINES = 1 << 17
"""From how many lines on an image is kept in the build cache: it took a second."""

_FILE = "image.npz"

SealedMemory = tuple[Image, NDArray[np.uint64]]
"""Content of DRAM, and the root counters."""


def sealed_memory(config: EngineConfig, keys: Mapping[str, bytes], domain: int,
                  lines: NDArray[np.uint64], data: NDArray[np.uint8], *,
                  encrypt: bool) -> SealedMemory:
    """Return a memory in which a domain has written lines, each once; see ``seal_image``.

    A large one is sealed once and then found in the build cache.
    """
    if len(lines) < _CACHED_LINES:
        return seal_image(config, keys, domain, lines, data, encrypt=encrypt)
    geometry = (config.data_bytes, config.root_counters, config.aes_bits,
                [(region.base, region.size) for region in config.regions], str(config.leaf))
    key = digest_of(
        geometry, {name: value.hex() for name, value in keys.items()}, domain, encrypt,
        sha256(lines.tobytes()).hexdigest(), sha256(data.tobytes()).hexdigest(),
        files=[*source_files(SIMULATION / "model"), HARDWARE / "config.py"])

    def build(folder: Path) -> None:
        image, root = seal_image(config, keys, domain, lines, data, encrypt=encrypt)
        pages = list(image.pages())
        starts = np.array([address for address, _ in pages], dtype=np.uint64)
        content = np.frombuffer(b"".join(page for _, page in pages), np.uint8)
        content = content.reshape(-1, LINE_BYTES)
        offsets = np.arange(0, PAGE_BYTES, LINE_BYTES, dtype=np.uint64)
        written = content.any(axis=1)
        np.savez(folder / _FILE, root=root, content=content[written],
                 address=(starts[:, None] + offsets).reshape(-1)[written])

    with np.load(cached(f"sealed-{config.name}", key, build) / _FILE) as found:
        image = Image()
        image.write_lines(found["address"], found["content"])
        return image, found["root"]
