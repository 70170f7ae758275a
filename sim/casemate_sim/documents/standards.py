"""Table of the NIST vectors: how many are in the files, how many concern the hardware."""

from __future__ import annotations

from collections.abc import Callable

from casemate_sim.vectors import Vector, nist_file, read_vectors

from .markdown import table

__all__ = ["standards"]


def _whole_blocks(vector: Vector) -> bool:
    return int(vector.values["DataUnitLen"]) % 128 == 0


def _without_plaintext(vector: Vector) -> bool:
    return vector.section["PTlen"] == "0"


_SUITES: tuple[tuple[str, str, Callable[[Vector], bool], str], ...] = (
    ("AES-ECB, known answers", "ECB/ECB*{bits}.rsp", lambda _: True, ""),
    ("XTS-AES", "XTS/*/XTSGenAES{bits}.rsp", _whole_blocks,
     "data units of whole blocks: a line has no part of one"),
    ("AES-GCM", "GCM/*{bits}.rsp", _without_plaintext, "without plaintext: that is GMAC"),
)


def standards() -> str:
    """Return, for each suite and key size, the vectors in the files and those that apply."""
    rows = []
    for suite, pattern, applies, which in _SUITES:
        for bits in (128, 256):
            vectors = [vector for path in sorted(nist_file(".").glob(pattern.format(bits=bits)))
                       for vector in read_vectors(path)]
            rows.append((f"{suite}, {bits}-bit keys", f"{len(vectors):,}",
                         f"{sum(map(applies, vectors)):,}", which))
    return table(("suite", "vectors in the files", "that apply", "which"), rows)
