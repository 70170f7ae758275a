"""A parameter of a sweep against a figure: a line for each combination of the other parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from casemate_sim.plot import COLOURS, save_figure
from casemate_sim.sweep.plan import SweepError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_sweep", "plot_axes", "plot_sweep"]

_MOST_LINES = 10
_MARKERS = "osD^vP*Xh<"
_DOUBLING = 4  # the last value over the first, from which on the axis is logarithmic


def plot_axes(sweep: Mapping[str, Any], x: str | None, y: str | None) -> tuple[str, str]:
    """Return the parameter and the figure that a plot shows.

    Parameters
    ----------
    sweep:
        What ``SweepResults.as_dict`` returns.
    x:
        Name of a parameter that varies; by default the first one but the seed.
    y:
        Name of a figure; by default the kind's first.

    Raises
    ------
    SweepError
        If there is no such parameter or figure.
    """
    varied, figures = list(sweep["varied"]), list(sweep["figures"])
    if not varied:
        raise SweepError("nothing varies, so there is nothing to plot")
    parameter = x or next((name for name in varied if name != "seed"), varied[0])
    figure = y or figures[0]
    if parameter not in varied:
        raise SweepError(f"--x {parameter}: no parameter of this name varies; there are "
                         f"{', '.join(varied)}")
    if figure not in figures:
        raise SweepError(f"--y {figure}: there is no figure of this name; there are "
                         f"{', '.join(figures)}")
    return parameter, figure


def plot_sweep(sweep: Mapping[str, Any], path: Path, x: str, y: str) -> None:
    """Draw a sweep into a file.

    Parameters
    ----------
    sweep, x, y:
        As of :func:`draw_sweep`.
    path:
        File to write, ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    draw_sweep(figure.subplots(), sweep, x, y)
    figure.suptitle(sweep["name"], fontsize=12)
    save_figure(figure, path)


def draw_sweep(axes: Axes, sweep: Mapping[str, Any], x: str, y: str) -> None:
    """Draw the mean over seeds of a figure by a parameter, with the least and the greatest value.

    Parameters
    ----------
    axes:
        Where.
    sweep:
        What ``SweepResults.as_dict`` returns.
    x, y:
        Names, from :func:`plot_axes`.
    """
    axes.set_xlabel(x)
    axes.set_ylabel(f"{y}: {sweep['figures'][y]}")
    lines = _lines(sweep, x, y)
    if not lines:
        axes.text(0.5, 0.5, "no point is finished", ha="center", transform=axes.transAxes)
        return
    values = list(sweep["varied"][x])
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool)
                  for value in values)
    places = {str(value): float(value) if numeric else float(index)
              for index, value in enumerate(values)}
    colours = list(COLOURS.values())
    for number, (label, points) in enumerate(list(lines.items())[:_MOST_LINES]):
        shown = sorted((places[value], found) for value, found in points.items())
        means = [fmean(found) for _, found in shown]
        mode = label.removeprefix("mode = ")
        axes.errorbar(
            [place for place, _ in shown], means,
            yerr=[[mean - min(found) for mean, (_, found) in zip(means, shown, strict=True)],
                  [max(found) - mean for mean, (_, found) in zip(means, shown, strict=True)]],
            marker=_MARKERS[number], color=COLOURS.get(mode, colours[(number + 1) % len(colours)]),
            capsize=3, linewidth=1.5, label=label or None, linestyle="-" if numeric else "none")
    if len(lines) > _MOST_LINES:
        axes.set_title(f"the first {_MOST_LINES} of {len(lines)} lines", fontsize=9)
    if numeric and min(values) > 0 and max(values) >= _DOUBLING * min(values):
        axes.set_xscale("log", base=2)
        axes.minorticks_off()
    axes.set_xticks(list(places.values()), list(places))
    axes.margins(y=0.1)
    axes.set_ylim(bottom=0)
    if any(lines):
        axes.legend(frameon=False, fontsize=9)


def _lines(sweep: Mapping[str, Any], x: str, y: str) -> dict[str, dict[str, list[float]]]:
    """Return the values of each line by the parameter's value."""
    others = [name for name in sweep["varied"] if name not in (x, "seed")]
    lines: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in sweep["points"]:
        value = each["figures"].get(y)
        if value is not None:
            label = ", ".join(f"{name} = {each['parameters'][name]}" for name in others)
            lines[label][str(each["parameters"][x])].append(value)
    return {label: dict(points) for label, points in lines.items()}
