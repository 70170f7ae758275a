"""Tables of what a sweep's points take and give."""

from __future__ import annotations

from .markdown import table

__all__ = ["sweep"]


def sweep(kind: str) -> str:
    """Return parameters and figures of a kind of work."""
    from casemate_sim.sweep.kinds import KINDS

    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
    work = KINDS[kind]
    return "\n\n".join(table((head, "meaning"), (
        (f"`{name}`", text) for name, text in content.items()))
        for head, content in (("parameter", work.PARAMETERS), ("figure", work.FIGURES)))
