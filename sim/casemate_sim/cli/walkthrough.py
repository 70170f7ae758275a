"""``casemate walkthrough``: a device from blank fuses to tenants, step by step."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from casemate_sim.cli.errors import FAULT
from casemate_sim.cli.show import print_json
from casemate_sim.cli.steps import show_step, steps_dict, verdict_of

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
    from casemate_sim.bench import Bench, small_fused_config
    from casemate_sim.walkthrough import STEPS, Walk

    config = small_fused_config()
    console, steps = Console(highlight=False), []
    with Status("building the engine (a minute or two, the first time)",
                console=Console(stderr=True)) as status:
        walk = Walk(Bench(config, seed=seed))
        status.update("simulating")
        for step in walk.steps():
            steps.append(step)
            if not json:
                show_step(console, len(steps), step)
    ok, verdict = verdict_of(steps, len(STEPS))
    if json:
        print_json({"schema": "casemate.walkthrough/1", "ok": ok, "config": config.name,
                    "config_digest": config.digest, "seed": seed,
                    "cycles": sum(step.cycles for step in steps), "steps": steps_dict(steps)})
    else:
        console.print(verdict)
    if not ok:
        raise typer.Exit(FAULT)
