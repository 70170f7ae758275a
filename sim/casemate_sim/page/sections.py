"""What stands on the page, section by section: words, tables and charts, of whatever is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from casemate_sim.adversary import ATTACKS, MODES, Outcome
from casemate_sim.page.charts import chart, draw_traffic
from casemate_sim.page.material import Material, Played
from casemate_sim.plot import draw_bandwidth, draw_by_size, draw_latency, draw_slowdown_bars
from casemate_sim.summary import LABELS, mean_slowdown, verdict
from casemate_sim.sweep.plot import draw_sweep, plot_axes

__all__ = ["Chart", "Matrix", "Tile", "attack_matrix", "hardware_rows", "program_charts",
           "run_table", "size_charts", "slowdown_chart", "slowdown_rows", "sweep_charts", "tiles"]

_SIZES = {"memory": re.compile(r"full\.random\.slowdown\.memory_(\d+)_mib"),
          "metadata cache": re.compile(r"full\.sqlite_index\.slowdown\.cache_(\d+)_kib")}
_UNITS = {"memory": 2**20, "metadata cache": 2**10}
_ABSENT = "-"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture with what is needed to understand it, and to make it again."""

    picture: Markup
    caption: str
    command: str
    configuration: str


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number that the page begins with."""

    value: str
    what: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Outcomes of a campaign: a row an attack, a cell a mode."""

    title: str
    command: str
    configuration: str
    summary: str
    rows: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]


def _number(value: float | None, digits: int = 1, sign: str = "") -> str:
    return _ABSENT if value is None else f"{value:{sign},.{digits}f}"


def _percent(value: float | None) -> str:
    return _ABSENT if value is None else f"{100 * value:.1f} %"


def _configuration(played: Played) -> str:
    """Return engine, DRAM and core of a comparison in a line."""
    parts = [f"{played.config['name']} ({played.config['digest']})"]
    if played.comparison.results:
        run = played.comparison.results[0]
        parts += [f"{run.dram.name} at {run.dram.clock_mhz:.1f} MHz",
                  f"{run.player.outstanding_reads} reads and {run.player.outstanding_writes} "
                  f"writes in flight, window of {run.player.window_instructions} instructions",
                  f"seed {run.seed}"]
    return ", ".join(parts)


def tiles(material: Material) -> Iterator[Tile]:
    """Yield the numbers that the page begins with, as far as they are known."""
    comparisons = {each.name: each.comparison for each in material.played}
    for mode in ("xts", "full"):
        factor = mean_slowdown(comparisons, mode) if comparisons else None
        if factor is not None:
            yield Tile(value=f"{100 * (factor - 1):+.1f} %", where="#programs",
                       what=f"time in {mode}, mean of {len(comparisons)} "
                       f"program{'s' * (len(comparisons) > 1)}")
    if material.campaigns:
        tried = sum(each.content["trials"] for each in material.campaigns)
        wrong = sum(len(each.content["failures"]) for each in material.campaigns)
        yield Tile(value=f"{wrong}", what=f"of {tried:,} attacks had an outcome that the mode "
                   "must prevent", where="#attacks")
    if material.proofs is not None:
        states = [proof.state for proof in material.proofs]
        run = len(states) - states.count("not run")
        yield Tile(
            value=f"{states.count('proven')} of {run}" if run else f"{len(states)}",
            what="statements proven for every input, in the run that this page shows" if run else
            "statements have a proof for every input; not run for this page", where="#proofs")


# -- programs ------------------------------------------------------------------------------------


def slowdown_chart(material: Material) -> Chart | None:
    """Return the bars of all programs; None if there are none."""
    if not material.played:
        return None
    slowdowns = {each.name: each.comparison.slowdowns for each in material.played}
    return Chart(
        picture=chart("Time over the bare wire by program and mode",
                      lambda axes: draw_slowdown_bars(axes, slowdowns)),
        caption="Time that each mode adds, in percent of the time without an engine. Shorter is "
        "better.", command="\n".join(each.command for each in material.played),
        configuration="; ".join(dict.fromkeys(map(_configuration, material.played))))


def slowdown_rows(material: Material) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table of slowdowns."""
    comparisons = {each.name: each.comparison for each in material.played}
    modes = [mode for mode in LABELS if mode != "bare"]
    rows = [[name, *(_number(comparison.slowdown(mode), 3) for mode in modes)]
            for name, comparison in comparisons.items()]
    if len(comparisons) > 1:
        rows.append(["geometric mean", *(_number(mean_slowdown(comparisons, mode), 3)
                                         for mode in modes)])
    return ["program", *modes], rows


def run_table(played: Played) -> tuple[list[str], list[list[str]]]:
    """Return quantities of a program's runs, a run a column."""
    comparison = played.comparison
    runs = comparison.results
    rows = [
        ["cycles", *(f"{run.cycles:,}" for run in runs)],
        ["slowdown", *(_number(comparison.slowdown(run.mode), 3) for run in runs)],
        ["MB/s", *(_number(run.bandwidth * run.dram.clock_mhz, 0) for run in runs)],
        ["mean read latency, cycles", *(_number(run.mean_latency()) for run in runs)],
        ["the longest percent of reads, cycles", *(_number(run.percentile(0.99), 0)
                                                   for run in runs)],
        ["metadata cache hits", *(_percent(run.hit_rate) for run in runs)],
        ["data of all lines moved", *(_percent(run.traffic_limit) for run in runs)],
        ["reads compared", *(f"{run.reads_checked:,}" for run in runs)],
        ["wrong data, errors, alarms", *(
            f"{run.data_error_count + run.error_responses + len(run.alarms):,}" for run in runs)],
    ]
    return ["", *(LABELS[run.mode] + (" (cut short)" if run.interrupted else "") for run in runs)
            ], rows


def program_charts(played: Played) -> list[Chart]:
    """Return latency, bandwidth and traffic of one program."""
    name, comparison = played.name, played.comparison
    common: dict[str, Any] = {"command": played.command, "configuration": _configuration(played)}
    return [
        Chart(picture=chart(f"Read latency of {name}", lambda axes: draw_latency(axes, comparison)),
              caption="How long reads take, from the request to the last byte; all but the "
              "longest percent. Further left is better.", **common),
        Chart(picture=chart(f"Bandwidth of {name}", lambda axes: draw_bandwidth(axes, comparison)),
              caption="What the program moves over time. A curve that ends later is a program that "
              "took longer.", **common),
        Chart(picture=chart(f"Traffic of {name}", lambda axes: draw_traffic(axes, comparison)),
              caption="What goes between engine and DRAM. Metadata are the leaves and nodes of the "
              "integrity tree; without a tree there are none.", **common),
    ]


def program_verdict(played: Played) -> str:
    """Return in words what the last mode cost."""
    return verdict(played.comparison)


# -- stored figures ------------------------------------------------------------------------------


def size_charts(figures: Mapping[str, Mapping[str, Any]]) -> tuple[list[Chart], list[str]]:
    """Return the charts of cost by size, and what is missing."""
    charts, missing = [], []
    for what, pattern in _SIZES.items():
        found = {int(match[1]) * _UNITS[what]: figure for name, figure in figures.items()
                 if (match := pattern.fullmatch(name))}
        if len(found) < 2:
            missing.append(what)
            continue
        slowdowns = {size: float(found[size]["value"]) for size in sorted(found)}
        config = next(iter(found.values()))["config"]
        played = "random lines of all of the memory, two reads to a write" \
            if what == "memory" else "SQLite building an index"
        charts.append(Chart(
            picture=chart(f"Slowdown in full by size of the {what}", height=3.0,
                          draw=lambda axes, slowdowns=slowdowns, what=what:
                          draw_by_size(axes, slowdowns, what)),
            caption=f"Slowdown in full by the size of the {what}: {played}.",
            command="python benches/bench.py sizes",
            configuration=f"{config['config']}, {config['dram']}, {config['records']:,} records"))
    return charts, missing


def hardware_rows(figures: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return what was placed and routed: area, block RAMs and clock."""
    rows = []
    for name, figure in sorted(figures.items()):
        if figure.get("unit") != "MHz":
            continue
        config = figure.get("config") or {}
        frequencies = config.get("fmax_mhz")
        luts = config.get("luts")
        rows.append([
            name.removesuffix(".fmax_mhz"), str(config.get("device", _ABSENT)),
            str(config.get("speed_grade", _ABSENT)),
            f"{luts:,}" if isinstance(luts, int | float) else _ABSENT,
            str(config.get("block_rams", _ABSENT)), _number(figure["value"]),
            ", ".join(f"{each:.1f}" for each in frequencies)
            if isinstance(frequencies, list) else _ABSENT])
    return ["design", "device", "speed grade", "LUT4", "block RAMs", "Fmax, MHz",
            "of each seed, MHz"], rows


# -- attacks and sweeps --------------------------------------------------------------------------


def expected_rows() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return every attack with its description and what must come of it in each mode."""
    return [(name, attack.description, [(attack.expected[mode].value, attack.expected[mode].value)
                                        for mode in MODES]) for name, attack in ATTACKS.items()]


def attack_matrix(content: Mapping[str, Any], command: str) -> Matrix:
    """Return the outcomes of a campaign, each cell with a class for its colour."""
    rows = []
    for name, modes in content["attacks"].items():
        cells = []
        for mode in MODES:
            counts = modes.get(mode)
            cells.append(("", _ABSENT) if counts is None else _cell(counts))
        description = ATTACKS[name].description if name in ATTACKS else ""
        rows.append((name, description, cells))
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in content["outcomes"].items()
                         if count)
    return Matrix(
        title=f"{content['trials']:,} trials" + (
            " on the golden model" if content["model"] else " on the exported engine"),
        command=command, rows=rows, summary=outcomes + (
            ". Every outcome is one that may be." if content["ok"] else
            ". NOT as it must be: see the cells in red."),
        configuration=f"{content['config']['name']} ({content['config']['digest']}), "
        f"seed {content['seed']}")


def _cell(counts: Mapping[str, Any]) -> tuple[str, str]:
    expected = counts["expected"]
    found = {name: count for name, count in counts.items() if name != "expected"}
    total = sum(found.values())
    bad = {name: count for name, count in found.items()
           if name not in (expected, Outcome.HARMLESS.value)}
    if bad:
        return "bad", ", ".join(f"{name} {count}" for name, count in bad.items())
    return expected, f"{expected} {found.get(expected, 0)} of {total}"


def sweep_charts(material: Material) -> list[Chart]:
    """Return a chart for each sweep in which something varies."""
    charts = []
    for number, swept in enumerate(material.sweeps):
        content = swept.content
        if not content["varied"]:
            continue
        x, y = plot_axes(content, None, None)
        states = [point["state"] for point in content["points"]]
        fixed = ", ".join(f"{name} = {value}" for name, value in content["fixed"].items())
        charts.append(Chart(
            picture=chart(f"Sweep {number} {content['name']}",
                          lambda axes, content=content, x=x, y=y: draw_sweep(axes, content, x, y)),
            caption=f"{content['name']}: {y} by {x}; {len(states)} points, "
            f"{states.count('done')} of them done. Marks are means over the seeds, bars reach from "
            "the least to the greatest value.", command=swept.command,
            configuration=fixed or "everything varies"))
    return charts
