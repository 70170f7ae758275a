"""Charts as SVG that takes its colours and its fonts from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from casemate_sim.compare import Comparison
from casemate_sim.plot import COLOURS, GRID, style_figure
from casemate_sim.simulation_result import Result
from casemate_sim.summary import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TRAFFIC", "chart", "draw_traffic"]

_WIDTH = 4.7  # inches of 72 pixels: narrow, so that text stays legible in a narrow window
_KINDS = {"data read": "#4e79a7", "data written": "#a0cbe8", "metadata read": "#b07aa1",
          "metadata written": "#d4a6c8"}
_VARIABLES = {
    "#000000": "currentColor", GRID: "var(--grid)",
    **{colour: f"var(--{mode})" for mode, colour in COLOURS.items()},
    **{colour: f"var(--{kind.replace(' ', '-')})" for kind, colour in _KINDS.items()}}
_PREAMBLE = re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>", re.DOTALL)
_SIZE = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
_NAME = re.compile(r' id="([^"]*)"')
_USE = re.compile(r'(?:url\(|href=")#([^")]*)')
_FONT = re.compile(r"font: ([\d.]+px) '[^;\"]*")

TRAFFIC = tuple(_KINDS)
"""Kinds of lines between engine and DRAM."""


def chart(title: str, draw: Callable[[Axes], None], *, height: float = 3.2) -> Markup:
    """Draw a chart.

    Parameters
    ----------
    title:
        What it shows, for those who do not see it.
    draw:
        Draws on the axes that it is given.
    height:
        In inches; the width is that of a column.

    Returns
    -------
    SVG for the inside of an HTML page.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="none")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set_facecolor("none")
    draw(axes)
    # What it shows stands below it.
    axes.set_title("")
    style_figure(figure)
    text = io.StringIO()
    # Names inside of an SVG are those of the whole page: another salt for each chart.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    content = _PREAMBLE.sub("", text.getvalue())
    content = _SIZE.sub(lambda found: f'<svg viewBox="{found[1]}" role="img" aria-label="'
                        f'{escape(title)}">', content, count=1)
    used = set(_USE.findall(content))
    content = _NAME.sub(lambda found: found[0] if found[1] in used else "", content)
    content = _FONT.sub(r"font: \1 var(--font)", content)
    for colour, variable in _VARIABLES.items():
        content = re.sub(colour, variable, content, flags=re.IGNORECASE)
    return Markup(content)


def draw_traffic(axes: Axes, comparison: Comparison) -> None:
    """Draw how many lines of each kind went between engine and DRAM, a bar a mode."""
    runs = comparison.results
    left = [0.0] * len(runs)
    counts = {kind: [_lines(run)[index] for run in runs] for index, kind in enumerate(TRAFFIC)}
    for kind, values in counts.items():
        axes.barh([LABELS[run.mode] for run in runs], values, left=left, color=_KINDS[kind],
                  label=kind, height=0.62)
        left = [sum(pair) for pair in zip(left, values, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("lines of 64 bytes between engine and DRAM")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="lower center",
                bbox_to_anchor=(0.5, 1.0))


def _lines(run: Result) -> tuple[int, int, int, int]:
    """Return lines of each kind of :data:`TRAFFIC`."""
    if run.metadata is None:
        return run.reads, run.writes, 0, 0
    return (run.metadata["lines_read"], run.metadata["lines_written"],
            run.metadata["nodes_fetched"], run.metadata["nodes_written"])
