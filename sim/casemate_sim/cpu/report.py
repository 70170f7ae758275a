"""A program in several modes, side by side: as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from casemate_sim.cpu.boot import BUS_ERROR_CODE, BootResult
from casemate_sim.summary import LABELS

__all__ = ["boot_dict", "boot_table", "slowdown", "verdict"]


def slowdown(results: Sequence[BootResult], mode: str) -> float | None:
    """Return the cycles of a mode over those of the first one; None unless both ended."""
    first = results[0]
    run = next(result for result in results if result.mode == mode)
    return None if run.code is None or first.code is None else run.cycles / max(first.cycles, 1)


def _end(run: BootResult) -> str:
    if run.code is None:
        return "did not end"
    return f"{run.code}, a bus error" if run.code == BUS_ERROR_CODE else str(run.code)


def boot_table(results: Sequence[BootResult]) -> Table:
    """Return a row for each mode."""
    first = results[0]
    table = Table(title=f"{first.program} on {first.core}, {first.config}, {first.dram}")
    for name, justify in (("mode", "left"), ("cycles", "right"), ("slowdown", "right"),
                          ("exit code", "right"), ("output", "left"),
                          ("cycles/s of simulation", "right")):
        table.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
    for run in results:
        ratio = slowdown(results, run.mode)
        table.add_row(
            LABELS[run.mode], f"{run.cycles:,}", "" if ratio is None else f"{ratio:.2f}", _end(run),
            "" if run is first else "the same" if run.output == first.output else "[red]another[/]",
            f"{run.cycles_per_second:,.0f}")
    return table


def verdict(results: Sequence[BootResult]) -> list[str]:
    """Return what is to be said of each mode beside the table, a sentence each."""
    said = []
    for run in results:
        if run.strike is not None:
            said.append(f"{run.mode}: {run.strike['attack']} hit the line at "
                        f"{run.strike['address']:#x} in cycle {run.strike['cycle']:,}")
        said += [f"{run.mode}: {alarm}" for alarm in run.alarms[:3]]
        if run.code is None and not run.interrupted:
            said.append(f"{run.mode}: the program had not ended after {run.cycles:,} cycles")
    return said


def boot_dict(results: Sequence[BootResult]) -> dict[str, object]:
    """Return everything as plain JSON values."""
    return {
        "schema": "casemate.boot/1", "ok": all(run.ok for run in results),
        "same_output": len({run.output for run in results}) <= 1,
        "runs": [run.as_dict() | {"slowdown": slowdown(results, run.mode)} for run in results]}
