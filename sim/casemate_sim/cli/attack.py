"""``casemate attack``: a campaign of attacks on the DRAM of the simulated engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGINT, signal
from threading import Event, current_thread, main_thread
from typing import Annotated

import typer
from casemate.config import PRESETS, EngineConfig
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from casemate_sim.adversary import (
    ATTACKS,
    MODES,
    Adapter,
    Outcome,
    Report,
    Trial,
    TrialResult,
    attacked,
    create_adapter,
    find,
    load_trial,
    plan,
    run_now,
    run_trial,
    save_trial,
)
from casemate_sim.adversary.campaign import rows
from casemate_sim.cli.errors import FAULT, INTERRUPTED, InputError, complain
from casemate_sim.cli.inputs import check_directory, check_output, check_result
from casemate_sim.cli.show import STDOUT, write_result
from casemate_sim.config_file import config_dict, find_config
from casemate_sim.modes import with_tree

__all__ = ["attack", "campaign_dict", "run_trials"]

_STYLES = {Outcome.DETECTED: "green", Outcome.HARMLESS: "bright_black", Outcome.SUCCEEDS: "yellow"}


def attack(
    trials: Annotated[int, typer.Option(
        min=1, metavar="N", help="Trials; attacks and modes take turns.")] = 2000,
    seed: Annotated[int, typer.Option(
        min=0, metavar="N", help="Of everything random; a trial repeats to the cycle.")] = 0,
    config: Annotated[str, typer.Option(
        metavar="PRESET|FILE", help=f"The engine: a preset ({', '.join(PRESETS)}) or a TOML file; "
        "one without a tree gets the tree and the metadata cache of a test, and keys come in at "
        "ports, whatever makes them otherwise.")] = "tiny",
    name: Annotated[list[str] | None, typer.Option(
        "--attack", metavar="NAME", help="Only this attack; may be repeated.",
        show_default=False)] = None,
    mode: Annotated[list[str] | None, typer.Option(
        metavar="MODE", help=f"Only this mode: {', '.join(MODES)}; may be repeated.",
        show_default=False)] = None,
    model: Annotated[bool, typer.Option(
        "--model", help="Attack the golden model instead of the exported engine: no cycles, "
        "no build.")] = False,
    netlist: Annotated[bool, typer.Option(
        "--netlist", help="Attack what synthesis makes of the engine for an ECP5 instead, with the "
        "models of its cells; one without a tree gets that of `casemate synth`.")] = False,
    failures: Annotated[Path | None, typer.Option(
        metavar="FOLDER", help="Where failed trials are saved, for `--replay`.",
        show_default=False)] = None,
    replay: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Run one saved trial again; nothing but --wave, --model and --netlist "
        "counts.",
        show_default=False)] = None,
    wave: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write the waveform of the replayed trial: .vcd.",
        show_default=False)] = None,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write all counts and failed trials as JSON; `-` is stdout.",
        show_default=False)] = None,
) -> None:
    """Attack the DRAM of a simulated engine, many times at random, and judge what comes of it.

    A victim writes, re-writes and reads lines while an attack flips, swaps, replays, drops or
    redirects. Every outcome must be that of the table in docs/adversary.md, or harmless because the
    attack missed. Exit code 1: tampering was not detected, or there was an alarm without a reason.

    Examples: `casemate attack --trials 2000`; `casemate attack --attack replay_path --mode full`.
    """
    check_output(wave, "--wave", (".vcd",))
    if wave is not None and (replay is None or model):
        raise InputError("--wave needs --replay, and no --model")
    if model and netlist:
        raise InputError("--netlist is of the engine, not of its --model")
    if replay is not None:
        _replay(replay, wave, model=model, netlist=netlist)
        return
    check_result(json)
    check_directory(failures, "--failures")
    found = find_config(config)
    engine = attacked(with_tree(found) if netlist else found)
    try:
        planned = plan(trials, seed, name or None, mode or MODES)
    except ValueError as error:
        raise InputError(str(error)) from None
    report, interrupted = run_trials(engine, planned, model=model, netlist=netlist,
                                     failures=failures)
    Console(stderr=json == STDOUT).print(_table(report, f"{engine.name}, seed {seed}"))
    typer.echo(_verdict(report), err=json == STDOUT)
    write_result(json, campaign_dict(report, engine, seed, model=model, netlist=netlist,
                                     interrupted=interrupted))
    if interrupted:
        complain("interrupted; what had finished is above")
        raise typer.Exit(INTERRUPTED)
    if not report.ok:
        raise typer.Exit(FAULT)


def run_trials(config: EngineConfig, trials: Sequence[Trial], *, model: bool = False,
               netlist: bool = False, failures: Path | None = None) -> tuple[Report, bool]:
    """Run trials with progress on stderr; Ctrl-C keeps what finished.

    Parameters
    ----------
    config:
        The engine.
    trials:
        What is tried.
    model:
        Attack the golden model instead.
    netlist:
        Attack what synthesis makes of the engine instead.
    failures:
        Where failed trials are saved.

    Returns
    -------
    The outcomes, and whether Ctrl-C ended it.
    """
    errors = Console(stderr=True)
    report, interrupted = Report(), False
    with closing(_adapter(config, None, errors, model=model, netlist=netlist)) as adapter, Progress(
            *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=errors, disable=not errors.is_terminal, transient=True) as progress:
        task = progress.add_task("trials", total=len(trials))
        with _interruptions() as told:
            for trial in trials:
                result = run_now(run_trial(adapter, trial))
                report.add(result)
                if not result.ok:
                    _save(failures, config, result)
                progress.advance(task)
                if told.is_set():
                    interrupted = True
                    break
        report.cycles = adapter.cycle
    return report, interrupted


@contextmanager
def _interruptions() -> Iterator[Event]:
    """Give what Ctrl-C sets.

    Its exception would be lost in what the simulation calls back, and the trial judged wrongly.
    """
    told = Event()
    if current_thread() is not main_thread():  # of a sweep's worker, which has its own ways
        yield told
        return
    before = signal(SIGINT, lambda *_: told.set())
    try:
        yield told
    finally:
        signal(SIGINT, before)


def campaign_dict(report: Report, config: EngineConfig, seed: int, *, model: bool,
                  interrupted: bool, netlist: bool = False) -> dict[str, object]:
    """Return a campaign as plain JSON values."""
    return {"schema": "casemate.attack/1", "config": config_dict(config), "seed": seed,
            "model": model, "netlist": netlist, "interrupted": interrupted, **report.as_dict()}


def _adapter(config: EngineConfig, wave: Path | None, errors: Console, *, model: bool,
             netlist: bool) -> Adapter:
    with errors.status("building the model (once) ..."):
        return create_adapter(config, model=model, netlist=netlist, wave=wave)


def _replay(path: Path, wave: Path | None, *, model: bool, netlist: bool) -> None:
    """Run a saved trial and print what comes of it."""
    saved = load_trial(path)
    with closing(_adapter(attacked(saved.config), wave, Console(stderr=True), model=model,
                          netlist=netlist)) as adapter:
        result = run_now(run_trial(adapter, saved.trial))
    typer.echo(_line(result))
    for event in result.events:
        typer.echo(f"  {event}")
    if wave is not None:
        typer.echo(f"waveform: {wave}", err=True)
    if not result.ok:
        raise typer.Exit(FAULT)


def _save(folder: Path | None, config: EngineConfig, result: TrialResult) -> None:
    complain(_line(result))
    if folder is None:
        return
    trial = result.trial
    path = folder / f"{trial.attack}-{trial.mode}-{trial.seed}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_trial(path, config, result)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    typer.echo(f"saved: {path} (replay it: casemate attack --replay {path})", err=True)


def _line(result: TrialResult) -> str:
    trial = result.trial
    return f"{trial.attack} in {trial.mode}, seed {trial.seed}: {result.outcome}" + (
        "" if result.ok else f" instead of {result.expected}")


def _cell(attack: str, mode: str, counts: Counter[Outcome] | None) -> str:
    if counts is None:
        return ""
    expected = find(attack).expected[mode]
    parts = [f"[{_STYLES[expected]}]{expected} {counts[expected]}[/]/{counts.total()}"]
    parts += [f"[bold red]{outcome} {count}[/]" for outcome, count in counts.items()
              if outcome not in (expected, Outcome.HARMLESS)]
    return ", ".join(parts)


def _table(report: Report, title: str) -> Table:
    """Return how often each attack had the expected outcome, of how many trials."""
    table = Table(title=title)
    table.add_column("attack", no_wrap=True)
    for mode in MODES:
        table.add_column(mode)
    for attack, modes in rows(report):
        table.add_row(attack, *(_cell(attack, mode, modes.get(mode)) for mode in MODES))
    return table


def _verdict(report: Report) -> str:
    undetected = sum(each.outcome is Outcome.SUCCEEDS for each in report.failures)
    text = (f"{report.trials:,} trials of {len({attack for attack, _ in report.counts})} of "
            f"{len(ATTACKS)} attacks: {undetected} undetected, "
            f"{report.total(Outcome.FALSE_ALARM)} false alarms, {report.total(Outcome.HANGS)} "
            "without an answer" + (f", in {report.cycles:,} cycles" if report.cycles else ""))
    if report.unnoticed:
        text += f"; {report.unnoticed} times a lie had no effect and no alarm"
    if report.missed:
        text += "; never as expected: " + ", ".join(f"{a} in {m}" for a, m in report.missed)
    return text
