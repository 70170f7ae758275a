"""A comparison for people (tables, a sentence, a picture in characters) and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from casemate.config import EngineConfig
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from casemate_sim.compare import Comparison
from casemate_sim.config_file import config_dict
from casemate_sim.dram.timing import DramTiming
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulation_result import Result
from casemate_sim.toolchain import ToolError

__all__ = ["LABELS", "SCHEMA", "comparison_dict", "comparison_of", "comparison_table",
           "latency_picture", "mean_slowdown", "slowdown_table", "verdict"]

LABELS = {"bare": "bare wire", "plain": "plain", "xts": "xts", "integrity": "integrity",
          "full": "full"}
"""What each mode is called in tables and plots."""

STYLES = {"bare": "bright_black", "plain": "blue", "xts": "dark_orange", "integrity": "green4",
          "full": "magenta"}
"""Terminal colour of each mode."""

SCHEMA = "casemate.sim/1"
"""Name and version of the JSON that :func:`comparison_dict` returns."""

_ABSENT = "-"
_LATENCY_BINS = 1024
_FAULTS = ("wrong data", "error responses", "alarms")
_WHAT = {"xts": "Encryption (xts)", "integrity": "Integrity and freshness (integrity)",
         "full": "Encryption with integrity and freshness (full)"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PICTURE_ROWS = 2


# -- table ---------------------------------------------------------------------------------------


def _cycles(value: float | None, digits: int = 0) -> str:
    return _ABSENT if value is None else f"{value:,.{digits}f}"


def _rows(comparison: Comparison) -> list[tuple[str, Callable[[Result], str]]]:
    """Return the table's quantities, each with how a run's cell is made."""

    def slowdown(run: Result) -> str:
        return _factor(comparison.slowdown(run.mode))

    def share(value: float | None) -> str:
        return _ABSENT if value is None else f"{100 * value:.1f} %"

    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("cycles", lambda run: f"{run.cycles:,}"),
        ("slowdown", slowdown),
        ("bytes/cycle", lambda run: f"{run.bandwidth:.3f}"),
        ("MB/s", lambda run: f"{run.bandwidth * run.dram.clock_mhz:,.1f}"),
        ("read latency, mean", lambda run: _cycles(run.mean_latency(), 1)),
        *((f"read latency, p{share}",
           lambda run, share=share: _latency(run, share / 100)) for share in (50, 90, 99)),
        ("instructions/cycle", lambda run: f"{run.instructions_per_cycle:.4f}"),
        ("reads checked", lambda run: f"{run.reads_checked:,}"),
        ("simulated cycles/s", lambda run: f"{run.cycles_per_second:,.0f}"),
    ]
    if any(run.metadata is not None for run in comparison.results):
        rows[-2:-2] = [
            ("cache hits", lambda run: share(run.hit_rate)),
            ("data of all lines", lambda run: share(run.traffic_limit)),
        ]
    if not all(run.ok for run in comparison.results):
        rows += [
            (_FAULTS[0], lambda run: f"{run.data_error_count:,}"),
            (_FAULTS[1], lambda run: f"{run.error_responses:,}"),
            (_FAULTS[2], lambda run: f"{len(run.alarms):,}"),
        ]
    if any(run.interrupted for run in comparison.results):
        rows.append(("of the trace", lambda run: "all" if not run.interrupted else
                     f"{100 * run.records_played / max(run.records, 1):.0f} %"))
    return rows


def _latency(run: Result, share: float) -> str:
    cycles = run.percentile(share)
    if cycles is None:
        return _ABSENT
    return f">= {cycles:,}" if cycles == len(run.latency["read_last"]) - 1 else f"{cycles:,}"


def comparison_table(comparison: Comparison, title: str) -> Table:
    """Return the runs side by side: a quantity a line, a run a column."""
    # Five runs fit 80 characters.
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
                  padding=(0, 0, 0, 1), pad_edge=False, caption_justify="left",
                  caption="slowdown over the bare wire; latencies in cycles")
    table.add_column("")
    for mode in comparison.modes:
        run = comparison.result(mode)
        state = "" if run is None or not run.interrupted else "\n(interrupted)"
        state = "\n(not run)" if run is None else state
        table.add_column(LABELS[mode] + state, justify="right", header_style=STYLES[mode],
                         no_wrap=True)
    for name, cell in _rows(comparison):
        cells = [Text(_ABSENT if run is None else cell(run))
                 for run in map(comparison.result, comparison.modes)]
        table.add_row(name, *cells, style="bold red" if name in _FAULTS else None)
    return table


def mean_slowdown(comparisons: Mapping[str, Comparison], mode: str) -> float | None:
    """Return the geometric mean of a mode's slowdowns; None if one is not known."""
    factors = [comparison.slowdown(mode) for comparison in comparisons.values()]
    known = [factor for factor in factors if factor is not None]
    if not known or len(known) < len(factors):
        return None
    return float(np.exp(np.mean(np.log(known))))


def slowdown_table(comparisons: Mapping[str, Comparison], title: str) -> Table:
    """Return the slowdowns of several programs: a program a line, a mode a column."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("program", no_wrap=True)
    modes = next(iter(comparisons.values())).modes[1:] if comparisons else ()
    for mode in modes:
        table.add_column(LABELS[mode], justify="right", header_style=STYLES[mode])
    for name, comparison in comparisons.items():
        table.add_row(name, *(_factor(comparison.slowdown(mode)) for mode in modes))
    if len(comparisons) > 1:
        table.add_section()
        table.add_row("geometric mean",
                      *(_factor(mean_slowdown(comparisons, mode)) for mode in modes))
    return table


def _factor(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.3f}"


def verdict(comparison: Comparison) -> str:
    """Return in a sentence or two what the mode of interest cost, or why that is not known."""
    mode = comparison.mode
    what = _WHAT.get(mode, f"The engine in {mode}")
    factor, added = comparison.slowdown(mode), comparison.added_latency(mode)
    bare, run = comparison.finished("bare"), comparison.finished(mode)
    if factor is None or bare is None or run is None:
        return f"What {mode} costs is not known: it was not run to its end."
    change = f"{100 * abs(factor - 1):.1f} % {'more' if factor >= 1 else 'less'} time than"
    text = f"{what} took {change if factor < 2 else f'{factor:.2f} times as long as'} the bare wire"
    if added is not None:
        nanoseconds = added * run.nanoseconds_per_cycle
        text += f"; a read's data came {added:+.1f} cycles ({nanoseconds:+.0f} ns) later on average"
    if not run.ok:
        return f"{text}. WRONG DATA: {run.data_error_count:,} of {run.reads_checked:,} reads; " \
               f"{run.error_responses:,} error responses; {len(run.alarms):,} alarms."
    checked = "No read came back to a line that had been written, so no data were compared." \
        if run.reads_checked == 0 else \
        f"{run.reads_checked:,} reads were compared with what had been written: all right."
    return f"{text}. {checked}"


# -- picture -------------------------------------------------------------------------------------


def _range(runs: list[Result]) -> tuple[int, int] | None:
    """Return the latencies between which all but the longest percent of the reads lie."""
    ends = [(run.percentile(0.0), run.percentile(0.99)) for run in runs]
    ends = [(low, high) for low, high in ends if low is not None and high is not None]
    if not ends:
        return None
    return min(low for low, _ in ends), max(high for _, high in ends)


def _bars(shares: NDArray[np.float64], highest: float) -> list[str]:
    """Return lines of block characters, the top one first."""
    steps = _PICTURE_ROWS * (len(_BLOCKS) - 1)
    heights = np.round(shares / highest * steps).astype(int) if highest > 0 else \
        np.zeros(len(shares), int)
    return ["".join(_BLOCKS[min(max(height - 8 * row, 0), 8)] for height in heights)
            for row in reversed(range(_PICTURE_ROWS))]


def latency_picture(comparison: Comparison, width: int = 78) -> Text | None:
    """Return the histograms of the read latency, one below the other on one axis.

    Parameters
    ----------
    width:
        Characters in a line.

    Returns
    -------
    None if nothing was read.
    """
    runs = [run for run in comparison.results if run.latency["read_last"].any()]
    limits = _range(runs)
    if limits is None:
        return None
    columns = max(width - 12, 20)
    low, high = limits
    step = max(1, -(-(high + 1 - low) // columns))
    count = -(-(high + 1 - low) // step)
    # A narrow range gets several columns a bin.
    wide = max(1, min(columns // count, 4))
    edges = low + step * np.arange(count + 1)
    shares = {}
    for run in runs:
        bins = run.latency["read_last"].astype(np.float64)
        counts = np.histogram(np.arange(len(bins)), edges, weights=bins)[0]
        shares[run.mode] = np.repeat(counts / bins.sum(), wide)
    text = Text("read latency, cycles" + (f"; a column is {step}\n" if step > 1 else "\n"))
    for mode, share in shares.items():
        # Each run is as high as its own peak: a narrow peak would flatten the others.
        top, *rest = _bars(share, float(share.max()))
        text.append(" " * 11 + top + "\n", style=STYLES[mode])
        for line in rest:
            text.append(f"{LABELS[mode]:>10} " + line + "\n", style=STYLES[mode])
    ruler = ""
    for index in range(0, count, -(-12 // wide)):
        ruler = ruler.ljust(index * wide) + f"╵{edges[index]}"
    text.append(" " * 11 + ruler)
    return text


# -- JSON ----------------------------------------------------------------------------------------


def comparison_dict(comparison: Comparison, *, trace: Mapping[str, object],
                    config: EngineConfig) -> dict[str, object]:
    """Return everything about a comparison as plain JSON values.

    Parameters
    ----------
    trace:
        What was played: name, source, counts.
    config:
        The engine's configuration.
    """
    return {
        "schema": SCHEMA, "trace": dict(trace), "config": config_dict(config),
        "mode": comparison.mode, "ok": comparison.ok, "interrupted": comparison.interrupted,
        "failure": None if comparison.failure is None else str(comparison.failure),
        "verdict": verdict(comparison),
        "comparison": {mode: {
            "slowdown": comparison.slowdown(mode),
            "added_mean_read_latency_cycles": comparison.added_latency(mode),
        } for mode in comparison.modes},
        "runs": {run.mode: run.as_dict() for run in comparison.results},
    }


def comparison_of(content: Mapping[str, Any]) -> Comparison:
    """Return the comparison that :func:`comparison_dict` made JSON of, without images.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is something else.
    """
    modes = tuple(content["comparison"])
    failure = content["failure"]
    return Comparison(
        modes=modes, interrupted=content["interrupted"],
        failure=None if failure is None else ToolError(failure),
        results=tuple(_result_of(content["runs"][mode]) for mode in modes
                      if mode in content["runs"]))


def _result_of(run: Mapping[str, Any]) -> Result:
    """Return the run that ``Result.as_dict`` made JSON of."""
    names = {each.name for each in fields(Result)}
    latency = {}
    for kind, pairs in run["latency_histograms"].items():
        latency[kind] = np.zeros(_LATENCY_BINS, np.uint32)
        for cycles, count in pairs:
            latency[kind][cycles] = count
    return Result(**{name: value for name, value in run.items() if name in names} | {
        "dram": DramTiming(**run["dram"]), "player": PlayerConfig(**run["player"]),
        "latency": latency, "samples": np.array(run["samples"], np.uint64).reshape(-1, 3),
        "data_errors": tuple(run["data_errors"]), "alarms": tuple(run["alarms"])})
