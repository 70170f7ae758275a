"""Tables of the fuses: words and codewords, from the hardware's own description."""

from __future__ import annotations

from collections.abc import Iterator

from casemate.fuse.codes import MARKS, Debug, FailurePolicy, KeySize, LifeCycle
from casemate.fuse.map import PARTITIONS

from casemate_sim.model.fuses import PARTITIONS as CONTENTS

from .markdown import table

__all__ = ["fuses"]


def _map() -> Iterator[tuple[object, ...]]:
    for part, content in zip(PARTITIONS, CONTENTS, strict=True):
        for place, name in enumerate(content.fields):
            yield f"{part.base + place}", part.name, name
        if part.digest_words:
            yield f"{part.digest_base} to {part.end - 1}", part.name, "digest"


def _codes() -> Iterator[tuple[object, ...]]:
    for mark, state in zip(MARKS, list(LifeCycle)[1:], strict=True):
        yield "life cycle", f"`{state.name}` entered", f"`{mark:#010x}`"
    for code, name in ((KeySize, "key size"), (FailurePolicy, "policy"), (Debug, "debug")):
        *_, default = code
        for member in code:
            text = f"`{member.name}`{', and every other value' if member is default else ''}"
            yield name, text, f"`{int(member.value):#010x}`"


def fuses(what: str = "map") -> str:
    """Return the words of the fuses, or the codewords of decisions."""
    tables = {"map": (("word", "partition", "content"), _map),
              "codes": (("word", "means", "codeword"), _codes)}
    if what not in tables:
        raise ValueError(f"there is no table {what!r} of the fuses; there are map and codes")
    header, rows = tables[what]
    return table(header, rows())
