"""Table of the packages that the project needs, from pyproject.toml and the lock file."""

from __future__ import annotations

import re
from pathlib import Path

from .markdown import table

__all__ = ["packages"]

_ROOT = Path(__file__).resolve().parents[3]
_REQUIREMENT = re.compile(r'"([A-Za-z0-9_.-]+)([^"]*)"')


def packages(group: str = "") -> str:
    """Return the direct requirements: bound, version in the lock file, and what each is for."""
    locked = dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (_ROOT / "requirements.lock").read_text(),
                             re.MULTILINE))
    rows = []
    section, comment = "", ""
    for line in (_ROOT / "pyproject.toml").read_text().splitlines():
        begin = re.match(r"(\w+) = \[$", line)
        if begin or line.startswith("["):
            section, comment = begin.group(1) if begin else "", ""
        if line.strip().startswith("#"):
            comment = f"{comment} {line.strip('# ')}".strip()
        if section not in ("dependencies", "record", "cpu", "dev") or group not in ("", section):
            continue
        code, _, behind = line.partition("#")
        for name, bound in _REQUIREMENT.findall(code):
            purpose = behind.strip() or comment
            rows.append((f"`{name}`", bound or "any", locked.get(name.lower(), "not locked"),
                         purpose[:1].lower() + purpose[1:] if purpose[1:2].islower()
                         else purpose))
            comment = ""
    if not rows:
        raise ValueError(f"pyproject.toml has no requirements called {group!r}")
    return table(("package", "bound", "locked", "why"), rows)
