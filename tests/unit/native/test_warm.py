"""Memory that is sealed before a simulation begins."""

import numpy as np
from casemate.config import preset
from casemate_sim import warm
from casemate_sim.model import seal_image


def test_an_image_from_the_cache_is_the_one_that_was_sealed(tmp_path, monkeypatch):
    monkeypatch.setenv("CASEMATE_CACHE", str(tmp_path))
    monkeypatch.setattr(warm, "_CACHED_LINES", 10)
    config = preset("tiny")
    keys = {name: bytes([number] * 16) for number, name in enumerate(("K1", "K2", "K3", "K4"))}
    lines = np.arange(3, 500, 5, dtype=np.uint64)
    data = np.random.default_rng(1).integers(0, 256, (len(lines), 64), dtype=np.uint8)
    wanted, root = seal_image(config, keys, 1, lines, data)
    for _ in range(2):  # sealed, then found
        image, counters = warm.sealed_memory(config, keys, 1, lines, data, encrypt=True)
        assert image == wanted
        assert (counters == root).all()
    assert len(list(tmp_path.glob("sealed-tiny-*/image.npz"))) == 1
    # Whatever goes in decides which image it is.
    other, _ = warm.sealed_memory(config, keys, 1, lines, data ^ 1, encrypt=True)
    assert other != wanted
    plain, _ = warm.sealed_memory(config, keys, 1, lines, data, encrypt=False)
    assert plain.read(config.data_base + 64 * 3, 64) == data[0].tobytes()
