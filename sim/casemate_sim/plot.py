"""Plots of a comparison: read latency, bandwidth over time, slowdown; and of many programs.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; line styles differ, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from casemate_sim.files import whole_file
from casemate_sim.sizes import size_text
from casemate_sim.summary import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from casemate_sim.compare import Comparison
    from casemate_sim.simulation_result import Result

__all__ = ["COLOURS", "GRID", "draw_bandwidth", "draw_by_size", "draw_comparison", "draw_latency",
           "draw_sizes", "draw_slowdown_bars", "draw_slowdowns", "save_figure", "style_figure"]

COLOURS = {"bare": "#7f7f7f", "plain": "#0072B2", "xts": "#D55E00", "integrity": "#009E73",
           "full": "#CC79A7"}
"""Of the modes, and of what is drawn in the same style."""

GRID = "#e0e0e0"
"""Colour of the lines behind a plot."""

_DASHES = {"bare": (0, ()), "plain": (0, (5, 1.5)), "xts": (0, ()), "integrity": (0, (3, 1)),
           "full": (0, ())}
_WIDTHS = {"bare": 2.4, "plain": 1.5, "xts": 1.5, "integrity": 1.5, "full": 1.5}
_POINTS = 120
_LATENCY_BINS = 100


def draw_comparison(comparison: Comparison, path: Path, title: str) -> None:
    """Draw the runs of a comparison into one file.

    Parameters
    ----------
    path:
        File to write; its ending decides the format: ``.png``, ``.svg`` or ``.pdf``.
    title:
        What was simulated.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it would look for a display and keep the figure.
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    latency, bandwidth, slowdown = figure.subplots(1, 3, width_ratios=(5, 5, 3))
    draw_latency(latency, comparison)
    draw_bandwidth(bandwidth, comparison)
    _draw_slowdown(slowdown, comparison)
    figure.suptitle(title, fontsize=12)
    save_figure(figure, path)


def draw_slowdowns(programs: Mapping[str, Mapping[str, float | None]], path: Path,
                   title: str) -> None:
    """Draw what each mode costs each of several programs, as groups of bars.

    Parameters
    ----------
    programs:
        By the program's name, its slowdown in each mode; see ``Comparison.slowdowns``.
    path, title:
        As of :func:`draw_comparison`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    draw_slowdown_bars(figure.subplots(), programs)
    figure.suptitle(title, fontsize=12)
    save_figure(figure, path)


def draw_slowdown_bars(axes: Axes, programs: Mapping[str, Mapping[str, float | None]]) -> None:
    """Draw a group of bars for each program: its added time in every mode, in percent."""
    modes = list(next(iter(programs.values()))) if programs else []
    width = 0.8 / max(len(modes), 1)
    for number, mode in enumerate(modes):
        factors = [slowdowns[mode] for slowdowns in programs.values()]
        added = [np.nan if factor is None else 100 * (factor - 1) for factor in factors]
        places = np.arange(len(added)) + (number - (len(modes) - 1) / 2) * width
        bars = axes.bar(places, added, 0.92 * width, color=COLOURS[mode], label=LABELS[mode])
        axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
    axes.set_xticks(range(len(programs)), list(programs))
    axes.set_ylabel("time over the bare wire (%)")
    axes.axhline(0.0, color=COLOURS["bare"], linewidth=1.0)
    axes.margins(y=0.12)
    if modes:
        axes.legend(frameon=False, fontsize=9)


def draw_sizes(memory: Mapping[int, float], cache: Mapping[int, float], path: Path) -> None:
    """Draw slowdowns of the mode `full` by the size of the memory and of the metadata cache.

    Parameters
    ----------
    memory:
        Slowdown of random lines, by bytes of memory.
    cache:
        Slowdown of a program, by bytes of the metadata cache.
    path:
        As of :func:`draw_comparison`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.set_title("random lines of all of it, two reads to a write", fontsize=10)
    right.set_title("SQLite", fontsize=10)
    draw_by_size(left, memory, "memory")
    draw_by_size(right, cache, "metadata cache")
    save_figure(figure, path)


def draw_by_size(axes: Axes, slowdowns: Mapping[int, float], what: str) -> None:
    """Draw slowdowns of the mode `full` by the bytes of something.

    Parameters
    ----------
    axes:
        Where.
    slowdowns:
        By bytes.
    what:
        What has so many bytes.
    """
    axes.plot(list(slowdowns), list(slowdowns.values()), marker="o", color=COLOURS["full"])
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(slowdowns), [size_text(size) for size in slowdowns])
    axes.minorticks_off()
    axes.set_xlabel(what)
    axes.set_ylabel("cycles over the bare wire")
    axes.margins(y=0.1)
    axes.set_ylim(bottom=0)


def save_figure(figure: Figure, path: Path) -> None:
    """Give a figure the style of all plots and write it; see :func:`style_figure`.

    Parameters
    ----------
    figure:
        What was drawn.
    path:
        As of :func:`draw_comparison`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    style_figure(figure)
    with whole_file(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=150,
                       metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def style_figure(figure: Figure) -> None:
    """Give a figure the style of all plots."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)


def draw_latency(axes: Axes, comparison: Comparison) -> None:
    """Draw the histograms of the read latency of every run."""
    runs = [run for run in comparison.results if run.latency["read_last"].any()]
    axes.set_title("Read latency, request to last beat (all but the longest percent)", fontsize=10)
    axes.set_xlabel("latency (cycles of the DRAM controller)")
    axes.set_ylabel("share of the reads (%)")
    if not runs:
        axes.text(0.5, 0.5, "no reads", ha="center", transform=axes.transAxes)
        return
    low = min(run.percentile(0.0) or 0 for run in runs)
    high = max(run.percentile(0.99) or 0 for run in runs) + 1
    step = max(1, -(-(high - low) // _LATENCY_BINS))
    edges = np.arange(low, high + step, step)
    for run in runs:
        counts = run.latency["read_last"].astype(float)
        values = np.histogram(np.arange(len(counts)), edges, weights=counts)[0]
        shares = 100 * values / counts.sum()
        label = f"{_label(run)}: median {run.percentile(0.5)}, mean {run.mean_latency():.1f}"
        axes.stairs(shares, edges, fill=True, color=COLOURS[run.mode], alpha=0.13)
        axes.stairs(shares, edges, color=COLOURS[run.mode], linestyle=_DASHES[run.mode],
                    linewidth=_WIDTHS[run.mode], label=label)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)


def draw_bandwidth(axes: Axes, comparison: Comparison) -> None:
    """Draw the bandwidth of every run over time."""
    axes.set_title("Bandwidth, reads and writes together", fontsize=10)
    longest = max((run.cycles for run in comparison.results), default=0)
    clock = min((run.dram.clock_mhz for run in comparison.results), default=1.0)
    unit, length = ("ms", 1000) if longest / clock >= 5000 else ("µs", 1)
    axes.set_xlabel(f"time ({unit})")
    axes.set_ylabel("bandwidth (MB/s)")
    for run in comparison.results:
        edges, values = _bandwidth(run, longest)
        if not len(values):
            continue
        label = f"{_label(run)}: mean {run.bandwidth * run.dram.clock_mhz:,.0f} MB/s"
        axes.stairs(values, edges / length, color=COLOURS[run.mode],
                    linestyle=_DASHES[run.mode], linewidth=_WIDTHS[run.mode], label=label)
    axes.set_xlim(left=0)
    # Room for the legend above the curves.
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, loc="upper right")


def _draw_slowdown(axes: Axes, comparison: Comparison) -> None:
    axes.set_title("Time over the bare wire", fontsize=10)
    axes.set_ylabel("added time (%)")
    factors = {mode: comparison.slowdown(mode) for mode in comparison.modes if mode != "bare"}
    added = {mode: 100 * (factor - 1) for mode, factor in factors.items() if factor is not None}
    if not added:
        axes.text(0.5, 0.5, "not known", ha="center", transform=axes.transAxes)
        return
    bars = axes.bar([LABELS[mode] for mode in added], list(added.values()),
                    color=[COLOURS[mode] for mode in added], width=0.65)
    axes.bar_label(bars, fmt="%.1f", fontsize=9, padding=2)
    axes.axhline(0.0, color=COLOURS["bare"], linewidth=1.0)
    axes.margins(y=0.12)


def _bandwidth(run: Result, longest: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the edges (in µs, N + 1) and values (in MB/s, N) of the bandwidth over time.

    `longest` are the cycles of the longest run: all have steps of the same length.
    """
    if not len(run.samples):
        return np.zeros(1), np.empty(0)
    samples = run.samples.astype(np.float64)
    group = max(1, -(-longest // (run.interval * _POINTS)))
    starts = np.arange(0, len(samples), group)
    ends = samples[np.minimum(starts + group, len(samples)) - 1, 0]
    edges = np.concatenate([[0.0], ends])
    moved = np.add.reduceat(samples[:, 1] + samples[:, 2], starts)
    return edges / run.dram.clock_mhz, moved / np.diff(edges) * run.dram.clock_mhz


def _label(run: Result) -> str:
    return LABELS[run.mode] + (" (interrupted)" if run.interrupted else "")
