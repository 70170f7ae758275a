"""Compact SVG: timing diagrams and boxes with arrows; readable on light and dark pages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

__all__ = ["Bus", "Drawing", "Level", "Span", "store", "timing_diagram"]

_STYLE = """
text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1f2328}
.mono{font:12px ui-monospace,Menlo,Consolas,monospace}
.small{font-size:11px;fill:#59636e}.title{font-weight:600}
.wave,.line{fill:none;stroke:#1f2328;stroke-width:1.4}
.grid{stroke:#d1d9e0;stroke-width:1}.mark{stroke:#0969da;stroke-width:1.2;stroke-dasharray:4 3}
.span{stroke:#0969da;stroke-width:1.2;fill:none}.blue{fill:#0969da}
.host{fill:#ddf4ff}.engine{fill:#fff8c5}.dram{fill:#dafbe1}.box{stroke:#59636e;stroke-width:1}
.gap{fill:#eff2f5}.group{fill:none;stroke:#8c959f;stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.small{fill:#9198a1}.wave,.line{stroke:#f0f6fc}.grid{stroke:#3d444d}
.gap{fill:#212830}.mark,.span{stroke:#4493f8}.blue{fill:#4493f8}
.host{fill:#12324f}.engine{fill:#3d3210}.dram{fill:#123a20}}
""".replace("\n", "")

_COLUMN = 34
"""Width of a clock cycle in a timing diagram, in pixels."""


class Drawing:
    """An SVG picture that grows by elements.

    Parameters
    ----------
    width, height:
        Size in pixels.
    title:
        Description for those who do not see it.
    """

    def __init__(self, width: int, height: int, title: str):
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="blue"/>'
            "</marker></defs>",
        ]

    def add(self, element: str) -> None:
        """Append a raw element."""
        self._parts.append(element)

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> None:
        """Append text whose baseline is at `y`."""
        self.add(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{kind}">'
                 f"{escape(words)}</text>")

    def path(self, data: str, kind: str, extra: str = "") -> None:
        """Append a path."""
        self.add(f'<path d="{data}" class="{kind}"{extra}/>')

    def box(self, x: float, y: float, width: float, height: float, kind: str,
            *words: str) -> None:
        """Append a box with lines of text; the first one is its title."""
        self.add(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" '
                 f'class="box {kind}"/>')
        top = y + height / 2 + 4 - 7.5 * (len(words) - 1)
        for index, line in enumerate(words):
            self.text(x + width / 2, top + 15 * index, line, "small" if index else "title")

    def arrow(self, *points: tuple[float, float], both: bool = False) -> None:
        """Append an arrow along points."""
        data = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        start = ' marker-start="url(#a)"' if both else ""
        self.path(data, "span", f' marker-end="url(#a)"{start}')

    def svg(self) -> str:
        """Return the finished picture."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"


@dataclass(frozen=True)
class Level:
    """A row of a timing diagram that is high or low: `value` says which, for each cycle."""

    label: str
    value: Callable[[int], int]
    kind: str = "host"


@dataclass(frozen=True)
class Bus:
    """A row whose `value` is a word, or None while it carries nothing."""

    label: str
    value: Callable[[int], str | None]
    kind: str = "host"


@dataclass(frozen=True)
class Span:
    """A measured distance: from one cycle to another, with a text."""

    start: int
    stop: int
    text: str


@dataclass
class _Columns:
    """Where each cycle stands; long stretches without a change are shortened."""

    width: int
    left: int
    shown: list[int] = field(default_factory=list)
    gaps: dict[int, int] = field(default_factory=dict)

    @classmethod
    def fit(cls, rows: Sequence[Level | Bus], cycles: range, keep: set[int], left: int,
            width: int) -> _Columns:
        states = [tuple(row.value(cycle) for row in rows) for cycle in cycles]
        columns, index = cls(width, left), 0
        while index < len(states):
            end = index
            while (end + 1 < len(states) and states[end + 1] == states[index]
                   and cycles[end + 1] not in keep):
                end += 1
            length = end - index + 1
            if length > 5:
                columns.shown += [cycles[index], cycles[index + 1], cycles[end]]
                columns.gaps[cycles[index + 1]] = length - 2
            else:
                columns.shown += [cycles[i] for i in range(index, end + 1)]
            index = end + 1
        return columns

    def x(self, cycle: int) -> float:
        """Left edge of a cycle; inside a gap, its middle."""
        for index, (this, following) in enumerate(
                zip(self.shown, [*self.shown[1:], self.shown[-1] + 1], strict=True)):
            if this == cycle:
                return self.left + index * self.width
            if this < cycle < following:
                return self.left + (index + 0.5) * self.width
        return self.left + len(self.shown) * self.width


def timing_diagram(title: str, rows: Sequence[Level | Bus], cycles: range, *,
                   spans: Sequence[Span] = (), marks: Sequence[tuple[int, str]] = ()) -> str:
    """Draw rows of signals over the clock cycles.

    Parameters
    ----------
    title:
        Description for those who do not see it.
    rows:
        From top to bottom.
    cycles:
        Those that are shown; the first is printed as 0.
    spans:
        Distances, drawn below the rows.
    marks:
        Cycles with a vertical line at their left edge, and its text above the picture.
    """
    left, high, step = 132, 20, 32
    keep = {cycle for span in spans for cycle in (span.start, span.stop)} | {
        cycle for cycle, _ in marks}
    columns = _Columns.fit(rows, cycles, keep, left, _COLUMN)
    right = columns.x(cycles.stop)
    top = 48
    height = top + step * len(rows) + 24 * len(spans) + 12
    drawing = Drawing(round(right) + 16, height, title)
    bottom = top + step * len(rows)
    for cycle in columns.shown:
        x = columns.x(cycle)
        drawing.path(f"M{x:g} {top - 6}V{bottom}", "grid")
        if cycle in columns.gaps:
            drawing.add(f'<rect x="{x:g}" y="{top - 6}" width="{_COLUMN}" '
                        f'height="{bottom - top + 6}" class="gap"/>')
            drawing.text(x + _COLUMN / 2, top - 12, "· · ·", "small")
        else:
            drawing.text(x + _COLUMN / 2, top - 12, str(cycle - cycles.start), "small")
    for cycle, words in marks:
        drawing.path(f"M{columns.x(cycle):g} {top - 26}V{bottom}", "mark")
        drawing.text(columns.x(cycle), top - 32, words, "small blue")
    for index, row in enumerate(rows):
        y = top + step * index
        drawing.text(left - 10, y + 18, row.label, "mono", "end")
        if isinstance(row, Level):
            _draw_level(drawing, columns, row, y + 3, high)
        else:
            _draw_bus(drawing, columns, row, y + 3, high)
    for index, span in enumerate(spans):
        y = bottom + 24 * index + 14
        start, stop = columns.x(span.start), columns.x(span.stop)
        drawing.arrow((start, y), (stop, y), both=True)
        if stop - start > 7 * len(span.text):
            drawing.text((start + stop) / 2, y - 4, span.text, "small blue")
        elif stop + 7 * len(span.text) < right:
            drawing.text(stop + 6, y + 4, span.text, "small blue", "start")
        else:
            drawing.text(start - 6, y + 4, span.text, "small blue", "end")
    return drawing.svg()


def _draw_level(drawing: Drawing, columns: _Columns, row: Level, y: int, high: int) -> None:
    points, before = [], None
    for cycle in columns.shown:
        x, value = columns.x(cycle), row.value(cycle)
        level = y if value else y + high
        if before is not None and before != level:
            points.append(f"{x:g} {before}")
        points += [f"{x:g} {level}", f"{x + columns.width:g} {level}"]
        before = level
    drawing.path("M" + "L".join(points), "wave")


def _draw_bus(drawing: Drawing, columns: _Columns, row: Bus, y: int, high: int) -> None:
    runs: list[tuple[str | None, float, float]] = []
    for cycle in columns.shown:
        x, value = columns.x(cycle), row.value(cycle)
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1], x + columns.width)
        else:
            runs.append((value, x, x + columns.width))
    middle = y + high / 2
    for value, start, stop in runs:
        if value is None:
            drawing.path(f"M{start:g} {middle:g}H{stop:g}", "wave")
            continue
        drawing.path(
            f"M{start:g} {middle:g}L{start + 4:g} {y}H{stop - 4:g}L{stop:g} {middle:g}"
            f"L{stop - 4:g} {y + high}H{start + 4:g}z", f"box {row.kind}")
        drawing.text((start + stop) / 2, middle + 4, value, "mono")


def store(pictures: dict[str, str]) -> int:
    """Write pictures by file name beside this file; with ``--check`` only say which differ.

    Returns
    -------
    int
        The exit code: 1 if ``--check`` was given and a picture differs.
    """
    check, stale = "--check" in sys.argv[1:], 0
    for name, svg in pictures.items():
        path = Path(__file__).with_name(name)
        if not path.is_file() or path.read_text() != svg:
            print(f"{path}: {'stale' if check else 'written'}")
            stale += 1
            if not check:
                path.write_text(svg)
    return 1 if check and stale else 0
