"""How commands show a demonstration that goes step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from casemate_sim.steps import Step

__all__ = ["show_step", "steps_dict", "verdict_of"]


def show_step(console: Console, number: int, step: Step) -> None:
    """Print a step that is over."""
    console.print(f"[bold]{number}. {step.title}[/]  {step.cycles:,} cycles")
    for text, good in step.facts:
        console.print(f"   {'[green]ok[/]' if good else '[red]NO[/]'}  {escape(text)}")


def steps_dict(steps: Iterable[Step]) -> list[dict[str, object]]:
    """Return steps as plain JSON values."""
    return [asdict(step) | {"ok": step.ok, "facts": [
        {"text": text, "ok": good} for text, good in step.facts]} for step in steps]


def verdict_of(steps: list[Step], planned: int) -> tuple[bool, str]:
    """Return whether all that was planned was done and is right, and a sentence about it."""
    ok = len(steps) == planned and all(step.ok for step in steps)
    cycles = sum(step.cycles for step in steps)
    return ok, (f"{len(steps)} of {planned} steps, {cycles:,} cycles: "
                + ("everything is as it must be" if ok else "the last step deviates"))
