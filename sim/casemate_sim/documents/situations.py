"""Table of the functional coverage: the situations that system tests must have been in."""

from __future__ import annotations

from casemate.config import preset

from .markdown import table

__all__ = ["situations"]

_SHOWN = 12


def situations(name: str = "tiny") -> str:
    """Return the coverage bins of a preset by group."""
    from casemate_sim.coverage import bins

    groups: dict[str, list[str]] = {}
    for full in bins(preset(name)):
        group, _, member = full.partition("/")
        groups.setdefault(group, []).append(member)
    rows = []
    for group, members in groups.items():
        shown = members if len(members) <= _SHOWN else [members[0], "...", members[-1]]
        rows.append((group, len(members), "; ".join(shown)))
    return table(("group", "situations", "which"), rows)
