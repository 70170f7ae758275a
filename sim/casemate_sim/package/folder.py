"""A folder of files that appears whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .contents import MANIFEST, SCHEMA

__all__ = ["PackageError", "check_replaceable", "write_folder"]


class PackageError(ValueError):
    """The folder cannot become a package; the message says why."""


def check_replaceable(folder: Path) -> None:
    """Refuse a folder with anything in it but an older package.

    Raises
    ------
    PackageError
        If it has.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        found = json.loads((folder / MANIFEST).read_text())
        if found["schema"] == SCHEMA:
            return
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise PackageError(f"{folder}: exists and is no package of Casemate's; name a new folder")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a package, in place of an older one if there is one.

    The files go into a temporary folder beside `folder`, which is then renamed.

    Raises
    ------
    PackageError
        If `folder` holds something else.
    OSError
        If it cannot be written.
    """
    check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for name, content in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        work.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
