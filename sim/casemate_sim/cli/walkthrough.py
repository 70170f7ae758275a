"""``casemate walkthrough``: a device from blank fuses to tenants, step by step."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from casemate_sim.cli.errors import FAULT
from casemate_sim.cli.show import print_json

__all__ = ["walkthrough"]


def walkthrough(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    seed: Annotated[int, typer.Option(help="Of the entropy.")] = 1,
) -> None:
    """Take a device from blank fuses to tenants that nobody can spy on.

    In simulation, step by step: provision a root key, boot, create domains, let others try to read
    and to write, reclaim, destroy, tamper with DRAM and with the fuses.

    Exit code 0: everything was as it must be; 1: something was not, and that is the last step.
    """
    from casemate_sim.bench import Bench
    from casemate_sim.walkthrough import STEPS, Walk, walkthrough_config

    config = walkthrough_config()
    console, steps = Console(highlight=False), []
    with Status("building the engine (a minute or two, the first time)",
                console=Console(stderr=True)) as status:
        walk = Walk(Bench(config, seed=seed))
        status.update("simulating")
        for step in walk.steps():
            steps.append(step)
            if json:
                continue
            console.print(f"[bold]{len(steps)}. {step.title}[/]  {step.cycles:,} cycles")
            for text, good in step.facts:
                console.print(f"   {'[green]ok[/]' if good else '[red]NO[/]'}  {escape(text)}")
    ok = len(steps) == len(STEPS) and all(step.ok for step in steps)
    cycles = sum(step.cycles for step in steps)
    if json:
        print_json({"schema": "casemate.walkthrough/1", "ok": ok, "config": config.name,
                    "config_digest": config.digest, "seed": seed, "cycles": cycles,
                    "steps": [asdict(step) | {"ok": step.ok, "facts": [
                        {"text": text, "ok": good} for text, good in step.facts]}
                        for step in steps]})
    else:
        console.print(f"{len(steps)} of {len(STEPS)} steps, {cycles:,} cycles: "
                      + ("everything is as it must be" if ok else "the last step deviates"))
    if not ok:
        raise typer.Exit(FAULT)
