"""Finished points in a folder: a file each, whole or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from casemate_sim.files import whole_file
from casemate_sim.sweep.work import Outcome

__all__ = ["POINT_SCHEMA", "Store"]

POINT_SCHEMA = "casemate.sweep-point/1"


class Store:
    """Outcomes by the key of their work.

    Parameters
    ----------
    folder:
        Where they lie; made when the first one comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Outcome | None:
        """Return what came of a work, None if it is not there, or not readable."""
        try:
            values = json.loads(self._path(key).read_text(encoding="utf-8"))
            if values["schema"] != POINT_SCHEMA:
                return None
            return Outcome(figures=values["figures"], faults=tuple(values["faults"]),
                           seconds=values["seconds"], versions=values["versions"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, kind: str, point: Mapping[str, Any], outcome: Outcome) -> None:
        """Keep what came of a work.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"schema": POINT_SCHEMA, "kind": kind, "parameters": dict(point),
                   **asdict(outcome)}
        with whole_file(self._path(key)) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
