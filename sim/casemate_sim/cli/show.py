"""What commands print and write: facts for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from casemate_sim.cli.errors import InputError, complain
from casemate_sim.files import whole_file

__all__ = ["STDOUT", "print_facts", "print_json", "write_bytes", "write_plot", "write_result"]

STDOUT = "-"
"""File name that means stdout."""


def print_facts(facts: Mapping[str, str], console: Console) -> None:
    """Print names and values in two columns."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    console.print(table)


def print_json(content: Mapping[str, object]) -> None:
    """Print JSON on stdout."""
    typer.echo(json.dumps(content, indent=1))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def write_plot(path: Path | None, draw: Callable[[Path], None]) -> None:
    """Draw a file, if it is wanted, and say on stderr where it is.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if path is None:
        return
    try:
        draw(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    typer.echo(f"plot: {path}", err=True)


def write_result(name: str | None, content: Mapping[str, object]) -> None:
    """Write JSON to a file; to stdout if its name is ``-``, or if it cannot be written.

    Raises
    ------
    InputError
        If it cannot be written, after it was printed on stdout instead: results are not lost.
    """
    if name is None:
        return
    if name != STDOUT:
        try:
            write_bytes(Path(name), json.dumps(content, indent=1).encode() + b"\n")
        except InputError:
            complain("the JSON follows on standard output instead")
            print_json(content)
            sys.stdout.flush()
            raise
        return
    print_json(content)
