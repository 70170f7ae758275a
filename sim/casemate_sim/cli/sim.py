"""``casemate sim``: play a trace through the bare wire and the engine in its modes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from casemate.config import PRESETS, EngineConfig
from rich.console import Console

from casemate_sim.cli.errors import (
    BAD_INPUT,
    FAULT,
    INTERRUPTED,
    InputError,
    complain,
    expected_code,
    message_of,
)
from casemate_sim.cli.inputs import (
    check_directory,
    check_output,
    check_plot,
    check_result,
    parse_range,
)
from casemate_sim.cli.options import DramOption, JobsOption
from casemate_sim.cli.show import STDOUT
from casemate_sim.config_file import find_config
from casemate_sim.dram.timing import DramTiming, timing_preset
from casemate_sim.player_config import PlayerConfig
from casemate_sim.sizes import parse_size
from casemate_sim.traffic import Traffic, named_trace, workload_traffic
from casemate_sim.workload import Workload

if TYPE_CHECKING:
    from casemate_sim.compare import Comparison

__all__ = ["Mode", "leave", "sim", "simulate_traffic", "timing_of"]

_COUNT = 100_000
_TRACE, _CORE, _OUTPUT = "What is played", "The core that plays it", "Results"


class Mode(enum.StrEnum):
    """Modes of interest."""

    PLAIN = "plain"
    XTS = "xts"
    INTEGRITY = "integrity"
    FULL = "full"


def sim(
    trace: Annotated[str | None, typer.Argument(
        help="A trace file of `casemate record` or `convert`, or the name of a shipped trace "
        "(`casemate traces` lists them).", show_default=False)] = None,
    workload: Annotated[Workload | None, typer.Option(
        metavar="PATTERN",
        help=f"A pattern instead of a trace: {', '.join(Workload)}.", rich_help_panel=_TRACE,
        show_default=False)] = None,
    read_share: Annotated[float | None, typer.Option(
        metavar="SHARE",
        help="Share of reads in the pattern, 0 to 1; for `mix` 0.67 if not given, else 1.",
        rich_help_panel=_TRACE, show_default=False)] = None,
    footprint: Annotated[str | None, typer.Option(
        metavar="SIZE", help="Bytes that the pattern touches, as in 64K or 16M; 16M if not given.",
        rich_help_panel=_TRACE, show_default=False)] = None,
    count: Annotated[int | None, typer.Option(
        metavar="N", help="Records of the pattern; 100000 if not given.", rich_help_panel=_TRACE,
        show_default=False)] = None,
    distance: Annotated[int | None, typer.Option(
        metavar="N", help="Instructions between two records of the pattern; 0 if not given.",
        rich_help_panel=_TRACE, show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Play the first N records only.", rich_help_panel=_TRACE,
        show_default=False)] = None,
    config: Annotated[str, typer.Option(
        metavar="PRESET|FILE", help=f"The engine: a preset ({', '.join(PRESETS)}) or a TOML file "
        "(`casemate config show` lists the parameters).")] = "ecp5",
    mode: Annotated[Mode, typer.Option(
        metavar="MODE", help="The mode of interest: plain; xts, which encrypts; integrity, which "
        "authenticates; full, which does both. All modes before it are run, too.")] = Mode.FULL,
    dram: DramOption = "ddr3-1066",
    seed: Annotated[int, typer.Option(
        min=0, metavar="N", help="Of keys and patterns; the same seed gives the same cycles.")] = 0,
    jobs: JobsOption = None,
    outstanding: Annotated[int, typer.Option(
        metavar="N",
        help="Most lines being read at the same time, and as many being written, 1 to 64.",
        rich_help_panel=_CORE)] = PlayerConfig.outstanding_reads,
    instructions_per_cycle: Annotated[float, typer.Option(
        metavar="X",
        help="Its speed between the records in cycles of the DRAM controller, which has an eighth "
        "of the data rate: 8 is a core of 1.07 GHz beside DDR3-1066 that completes one "
        "instruction per clock. 1/256 to 255.",
        rich_help_panel=_CORE)] = PlayerConfig.instructions_per_cycle,
    window_instructions: Annotated[int, typer.Option(
        metavar="N",
        help="How many instructions it may be past its oldest outstanding read (its reorder "
        "buffer), 1 to 1048575.", rich_help_panel=_CORE)] = PlayerConfig.window_instructions,
    json: Annotated[str | None, typer.Option(
        metavar="FILE", help="Write everything measured as JSON; `-` is stdout, which then gets "
        "nothing else.", rich_help_panel=_OUTPUT, show_default=False)] = None,
    plot: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Draw latency and bandwidth over time: .png, .svg or .pdf.",
        rich_help_panel=_OUTPUT, show_default=False)] = None,
    wave: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write the waveform of the mode of interest: .vcd, with save files "
        "for GTKWave and Surfer beside it, or .fst.", rich_help_panel=_OUTPUT,
        show_default=False)] = None,
    wave_cycles: Annotated[str | None, typer.Option(
        metavar="FIRST:LAST", help="Cycles of the waveform, counted from reset.",
        rich_help_panel=_OUTPUT, show_default=False)] = None,
    dump: Annotated[Path | None, typer.Option(
        metavar="FOLDER", help="Write DRAM, keys and expected data of the mode of interest for "
        "`casemate audit`.", rich_help_panel=_OUTPUT, show_default=False)] = None,
) -> None:
    """Simulate a trace, cycle by cycle, and show what the engine costs.

    The same records are played without an engine (the bare wire), and with the engine in each mode
    up to that of interest. For `integrity` and `full` the engine gets an integrity tree, if its
    configuration has none. Several runs play at a time, each on a processor of its own. Ctrl-C
    keeps the runs that finished.

    Examples: `casemate sim sqlite_index --plot out.png`;
    `casemate sim --workload random --read-share 0.5 --mode xts --json out.json`.
    """
    engine = find_config(config)
    timing = timing_of(dram)
    player = _player(engine, outstanding, instructions_per_cycle, window_instructions)
    cycles = None if wave_cycles is None else parse_range(wave_cycles)
    if cycles is not None and wave is None:
        raise InputError("--wave-cycles needs --wave")
    check_result(json)
    check_plot(plot)
    check_output(wave, "--wave", (".vcd", ".fst"))
    check_directory(dump, "--dump")
    traffic = _traffic(trace, workload, engine, read_share=read_share, footprint=footprint,
                       count=count, distance=distance, seed=seed).limited(limit)

    simulate_traffic(traffic, engine=engine, mode=mode, timing=timing, player=player, seed=seed,
                     jobs=jobs, json=json, plot=plot, wave=wave, wave_cycles=cycles, dump=dump)


def simulate_traffic(
    traffic: Traffic, *, engine: EngineConfig, mode: Mode, timing: DramTiming,
    player: PlayerConfig | None, seed: int, jobs: int | None, json: str | None, plot: Path | None,
    wave: Path | None = None, wave_cycles: tuple[int, int] | None = None, dump: Path | None = None,
    recording: Mapping[str, object] | None = None,
) -> None:
    """Simulate with progress, show and write what comes of it, and leave with its exit code.

    Parameters
    ----------
    traffic, engine, mode, timing, player, seed, jobs:
        What is simulated, as of :func:`casemate_sim.compare.compare`.
    json, plot, wave, wave_cycles, dump:
        As the options.
    recording:
        How the traffic was recorded, for the JSON.

    Raises
    ------
    InputError
        If the traffic does not fit the engine.
    typer.Exit
        If not everything was right.
    """
    # Amaranth and what simulates with it load when they are needed.
    from casemate_sim.cli.outputs import Outputs
    from casemate_sim.cli.progress import RunProgress
    from casemate_sim.compare import compare, compared_modes

    with RunProgress(compared_modes(mode), len(traffic.records)) as progress:
        try:
            comparison = compare(
                traffic.records, config=engine, mode=mode.value, dram=timing, player=player,
                seed=seed, wave=wave, wave_cycles=wave_cycles, keep_image=dump is not None,
                jobs=jobs, progress=progress.update, finished=progress.finished)
        except ValueError as error:
            raise InputError(str(error)) from error

    outputs = Outputs(comparison, traffic, engine, seed)
    outputs.show(Console(stderr=json == STDOUT))
    outputs.write_json(json, recording)
    outputs.write_plot(plot)
    outputs.write_dump(dump)
    outputs.name_wave(wave)
    written = outputs.close()
    leave(comparison)
    if not written:
        raise typer.Exit(BAD_INPUT)


def timing_of(name: str) -> DramTiming:
    """Return the DRAM that an option names."""
    try:
        return timing_preset(name)
    except ValueError as error:
        raise InputError(f"--dram: {error}") from None


def _player(config: EngineConfig, outstanding: int, rate: float, window: int) -> PlayerConfig:
    if not 1 <= outstanding <= 64:
        raise InputError(f"--outstanding must be 1 to 64, not {outstanding}")
    try:
        return PlayerConfig(
            outstanding_reads=outstanding, outstanding_writes=outstanding,
            instructions_per_cycle=rate, window_instructions=window,
            ids=min(PlayerConfig.ids, 1 << config.id_bits))
    except ValueError as error:
        name, _, rest = str(error).partition(" ")
        raise InputError(f"--{name.replace('_', '-')} {rest}") from None


def _traffic(trace: str | None, workload: Workload | None, config: EngineConfig, *,
             read_share: float | None, footprint: str | None, count: int | None,
             distance: int | None, seed: int) -> Traffic:
    """Return the records of the trace or of the pattern, whichever was given."""
    if (trace is None) == (workload is None):
        raise InputError("give either a trace or --workload; `casemate traces` lists the traces "
                         "that are there")
    if trace is not None:
        for name, value in (("--read-share", read_share), ("--footprint", footprint),
                            ("--count", count), ("--distance", distance)):
            if value is not None:
                hint = "; --limit shortens a trace" if name == "--count" else ""
                raise InputError(f"{name} is for --workload, not for a trace{hint}")
        return named_trace(trace)
    assert workload is not None
    return workload_traffic(
        workload, config=config, count=_COUNT if count is None else count,
        footprint_bytes=None if footprint is None else parse_size(footprint),
        read_share=read_share, distance=distance or 0, seed=seed)


def leave(comparison: Comparison) -> None:
    """Leave with the exit code that the runs deserve, if they were not all right."""
    if comparison.interrupted:
        complain("interrupted; " + ("what had finished is above" if comparison.results else
                                    "no run had begun"))
        raise typer.Exit(INTERRUPTED)
    if comparison.failure is not None:
        complain(message_of(comparison.failure), error=comparison.failure)
        raise typer.Exit(expected_code(comparison.failure) or FAULT)
    for run in comparison.results:
        for error in run.data_errors[:1]:
            complain(f"{run.mode}: {error}")
        if run.error_responses:
            complain(f"{run.mode}: {run.error_responses} error responses")
        for alarm in run.alarms[:3]:
            complain(f"{run.mode}: {alarm}")
    if not comparison.ok:
        raise typer.Exit(FAULT)
