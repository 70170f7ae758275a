"""The picture of an implementation: area by component, and the frequency of each seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from casemate_sim.plot import COLOURS, save_figure

from .implementation import Implementation
from .report import labelled_components, verdict
from .usage import NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_implementation"]

_SHOWN = 16  # bars that can be read


def draw_implementation(result: Implementation, path: Path, depth: int) -> None:
    """Draw the area by component and the frequency of each seed into one file.

    Parameters
    ----------
    path:
        File to write; its ending decides the format: ``.png``, ``.svg`` or ``.pdf``.
    depth:
        Levels of components below the engine.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    area, speed = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_area(area, result, depth)
    _draw_speed(speed, result)
    figure.suptitle(verdict(result), fontsize=11, wrap=True)
    save_figure(figure, path)


def _draw_area(axes: Axes, result: Implementation, depth: int) -> None:
    rows = [(name, usage) for level, name, usage in labelled_components(result, depth)
            if level == depth or name.startswith("(")]
    rows = sorted(rows, key=lambda row: row[1].luts + row[1].registers)[-_SHOWN:]
    places = np.arange(len(rows))
    for offset, kind, colour in ((0.2, "luts", COLOURS["plain"]),
                                 (-0.2, "registers", COLOURS["xts"])):
        axes.barh(places + offset, [getattr(usage, kind) for _, usage in rows], 0.38,
                  color=colour, label=NAMES[kind])
    axes.set_yticks(places, [name for name, _ in rows])
    axes.set_title("Area by component, as mapped", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def _draw_speed(axes: Axes, result: Implementation) -> None:
    axes.set_title("Fmax by seed", fontsize=10)
    axes.set_ylabel("MHz")
    if not result.routed:
        axes.text(0.5, 0.5, "not routed", ha="center", transform=axes.transAxes)
        return
    seeds = [str(each.seed) for each in result.routed]
    for clock, colour in zip(result.fmax_mhz, list(COLOURS.values())[1:], strict=False):
        axes.plot(seeds, [each.fmax_mhz[clock] for each in result.routed], "o", color=colour,
                  label=f"{clock}: median {result.fmax_mhz[clock]:.1f}")
        axes.axhline(result.fmax_mhz[clock], color=colour, linewidth=1.0)
    axes.axhline(result.target.frequency_mhz, color=COLOURS["bare"], linestyle="--",
                 label=f"target {result.target.frequency_mhz:g}")
    axes.set_xlabel("seed")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
