"""What commands take from the user: ranges, files to write."""

from __future__ import annotations

import os
import re
from pathlib import Path

from casemate_sim.cli.errors import InputError
from casemate_sim.cli.show import STDOUT
from casemate_sim.files import check_writable

__all__ = ["check_directory", "check_output", "check_plot", "check_result", "parse_range"]


def parse_range(text: str) -> tuple[int, int]:
    """Return the first and the last cycle of ``A:B``.

    Raises
    ------
    InputError
        If it is no such range.
    """
    match = re.fullmatch(r"(\d+):(\d+)", text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise InputError(f"--wave-cycles {text!r} is no range; write FIRST:LAST, as in 1000:3000")
    return int(match[1]), int(match[2])


def check_output(path: Path | None, option: str, suffixes: tuple[str, ...] = ()) -> None:
    """Find out before the work begins whether a file will be writable; None always is.

    Raises
    ------
    InputError
        If its name does not end in one of `suffixes`, or it cannot be written.
    """
    if path is None:
        return
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"{option} {path}: the name must end in {' or '.join(suffixes)}")
    if not path.resolve().parent.is_dir():
        raise InputError(f"{option} {path}: the folder {path.parent} does not exist")
    try:
        check_writable(path)
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be written: {error.strerror}") from error


def check_result(name: str | None) -> None:
    """Find out the same of what ``--json`` names; stdout always is writable."""
    if name is not None and name != STDOUT:
        check_output(Path(name), "--json")


def check_plot(path: Path | None) -> None:
    """Find out the same of what ``--plot`` names, whose suffix must be that of a picture."""
    check_output(path, "--plot", (".png", ".svg", ".pdf"))


def check_directory(path: Path | None, option: str) -> None:
    """Find out whether a folder, which need not exist, will take files; nothing is created.

    Raises
    ------
    InputError
        If not.
    """
    if path is None:
        return
    existing = path.resolve()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"{option} {path}: {existing} is no folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: {existing} cannot be written")
