"""Faults on a device with fuses: how many were tried, and how each ended.

``python benches/faults.py`` tries some thousands, in minutes, ``--effort 10`` five times as many,
and ``--everything`` all that ``make verify`` does, some hundred thousand. An escape, a wrong key or
an open door, ends it with exit code 1. Ctrl-C keeps what is done: the same command goes on there.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from casemate_sim.figures import Figure, FigureBook
from casemate_sim.files import whole_file
from casemate_sim.fuses.device import FuseDevice
from casemate_sim.fuses.faults import CAMPAIGNS, EscapeError
from casemate_sim.fuses.scenarios import KEY, device_in
from casemate_sim.toolchain import toolchain
from rich.console import Console
from rich.progress import Progress

_SAVE_SECONDS = 20.0


class _Saved:
    """Faults that were tried already, by campaign, in a file beside the figures.

    They count only if hardware, tools, seed and effort were the same.
    """

    def __init__(self, path: Path, **settings: object) -> None:
        self._path, self._settings = path, settings
        self.done: dict[str, int] = {}
        self.counts: dict[str, Counter[str]] = {}
        if path.exists():
            saved = json.loads(path.read_text())
            if saved["settings"] == settings:
                self.done = saved["done"]
                self.counts = {name: Counter(each) for name, each in saved["counts"].items()}

    def save(self) -> None:
        """Write the file."""
        content = {"settings": self._settings, "done": self.done, "counts": self.counts}
        with whole_file(self._path) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")


def _figures(name: str, counts: Counter[str], config: dict[str, object]) -> list[Figure]:
    return [Figure(name=f"fuse.{name.replace(' ', '_')}."
                        f"{outcome.replace(' ', '_').replace(':', '')}",
                   value=count, unit="faults", config=config)
            for outcome, count in sorted(counts.items())]


def main(
    campaigns: Annotated[list[str] | None, typer.Argument(
        help=f"Which; all by default: {', '.join(CAMPAIGNS)}.")] = None,
    effort: Annotated[int, typer.Option(min=1, help="Size of the sample.")] = 2,
    everything: Annotated[bool, typer.Option(
        "--everything", help="Every fault, not a sample.")] = False,
    seed: Annotated[int, typer.Option(help="Of the sample, and of the order.")] = 20_261_125,
    output: Annotated[Path, typer.Option(help="File of figures.")] = Path("build/faults.json"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not lines.")] = False,
) -> None:
    """Try all campaigns; fail if a fault escapes. Ctrl-C keeps what is done, for the next time."""
    for name in campaigns or ():
        if name not in CAMPAIGNS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(CAMPAIGNS)}")
    errors = Console(stderr=True)
    book = FigureBook(output)
    device = FuseDevice(check_bits=8)
    device.load(device_in("production"), KEY)
    size = "everything" if everything else f"effort {effort}"
    config = {"config": size, "seed": seed, "versions": dict(toolchain().versions)}
    book.add(Figure(name="boot.fuse_cycles", value=device.start()["ready_at"], unit="cycles",
                    config=config, target="<= 800"))
    saved = _Saved(output.with_suffix(".progress.json"), hardware=device.digest, size=size,
                   seed=seed)
    code = 0
    with Progress(console=errors) as progress:
        for name in campaigns or CAMPAIGNS:
            campaign = CAMPAIGNS[name](device, None if everything else effort, Random(seed))
            done, counts = saved.done.get(name, 0), saved.counts.setdefault(name, Counter())
            task = progress.add_task(name, total=campaign.total, completed=done)
            last = time.monotonic()
            try:
                for fault in islice(campaign.faults, done, None):
                    counts.update(fault())
                    done += 1
                    if time.monotonic() - last > _SAVE_SECONDS:
                        last = time.monotonic()
                        saved.done[name] = done
                        saved.save()
                        progress.update(task, completed=done)
            except EscapeError as error:
                errors.print(f"[red]ESCAPE[/] in {name}, fault {done:,}: {error}")
                code = 1
            except KeyboardInterrupt:
                code = 130
            saved.done[name] = done
            saved.save()
            progress.update(task, completed=done)
            tried = config if done == campaign.total else config | {
                "config": f"{size}: {done:,} of {campaign.total:,}"}
            for figure in _figures(name, counts, tried):
                book.add(figure)
            if not as_json:
                print(f"{name}: {done:,} of {campaign.total:,}: " + ", ".join(
                    f"{count:,} {outcome}" for outcome, count in sorted(counts.items())),
                    flush=True)
            if code:
                break
    if code == 130:
        errors.print("Interrupted; the same command goes on from here.")
    if as_json:
        print(json.dumps({figure.name: figure.as_dict() for figure in book.added}, indent=1))
    sys.exit(code)


if __name__ == "__main__":
    typer.run(main)
