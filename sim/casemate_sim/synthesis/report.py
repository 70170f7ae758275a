"""What became of a design, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table

from .implementation import Implementation
from .netlist import subtotals
from .pins import ENGINE
from .timing import CriticalPath
from .usage import NAMES, Usage

__all__ = ["area_table", "labelled_components", "path_table", "seed_table", "tables",
           "usage_table", "verdict"]

_PINS = "(shift registers at the pins)"
_OWN = "(its own)"


def usage_table(result: Implementation) -> Table:
    """Return what is used of the device."""
    table = Table(title=f"{result.name} on {result.target.name}")
    table.add_column("")
    for column in ("used", "of", "percent"):
        table.add_column(column, justify="right")
    capacity = result.target.device.capacity.as_dict()
    for name, count in result.usage.as_dict().items():
        share = 100 * count / capacity[name]
        table.add_row(NAMES[name], f"{count:,}", f"{capacity[name]:,}", f"{share:.1f}",
                      style="red" if share > 100 else None)
    return table


def labelled_components(result: Implementation, depth: int) -> Iterator[tuple[int, str, Usage]]:
    """Yield level, name and usage of components, each with all below it, down to `depth`.

    What is left out uses nothing. A component that has cells of its own beside components below it
    gets a row for them.
    """
    own, below = result.components, subtotals(result.components)
    parents = {name.rpartition(".")[0] for name in below if name}
    if own.get("", Usage()) != Usage():
        yield 0, _PINS, own[""]
    for name, usage in below.items():
        level = name.count(".")
        if not name or level > depth or usage == Usage():
            continue
        yield level, name.rpartition(".")[2], usage
        if name in parents and level < depth and own.get(name, Usage()) != Usage():
            yield level + 1, _OWN, own[name]


def area_table(result: Implementation, depth: int) -> Table:
    """Return the area by component, as mapped, down to `depth` levels below the engine."""
    table = Table(title="area by component, as mapped")
    table.add_column("component", no_wrap=True)
    for name in NAMES.values():
        table.add_column(name, justify="right")
    table.add_column("% of LUTs", justify="right")
    total = result.mapped.luts or 1
    for level, name, usage in labelled_components(result, depth):
        table.add_row("  " * level + name, *(f"{count:,}" if count else ""
                                             for count in usage.as_dict().values()),
                      f"{100 * usage.luts / total:.1f}")
    return table


def seed_table(result: Implementation) -> Table:
    """Return the highest frequency of each clock with each seed, and the median."""
    table = Table(title=f"Fmax in MHz, target {result.target.frequency_mhz:g}")
    table.add_column("seed", justify="right")
    clocks = list(result.fmax_mhz)
    for clock in clocks:
        table.add_column(clock, justify="right")
    for routed in result.routed:
        table.add_row(str(routed.seed), *(f"{routed.fmax_mhz[clock]:.2f}" for clock in clocks))
    for given_up in result.unrouted:
        table.add_row(str(given_up.seed), *("not routed" for _ in clocks), style="red")
    table.add_section()
    table.add_row("median", *(f"{result.fmax_mhz[clock]:.2f}" for clock in clocks), style="bold")
    return table


def path_table(path: CriticalPath, seed: int) -> Table:
    """Return a critical path, step by step."""
    table = Table(title=f"critical path of seed {seed}: {path.delay_ns:.2f} ns "
                        f"from {path.start} to {path.end}")
    table.add_column("towards")
    table.add_column("defined in")
    for column in ("cells", "logic ns", "routing ns"):
        table.add_column(column, justify="right")
    for step in path.steps:
        table.add_row(step.name.removeprefix(f"{ENGINE}."), step.source or "", str(step.cells),
                      f"{step.logic_ns:.2f}", f"{step.routing_ns:.2f}")
    return table


def tables(result: Implementation, depth: int) -> Iterator[RenderableType]:
    """Yield everything that there is to show."""
    yield usage_table(result)
    yield area_table(result, depth)
    if result.routed:
        yield seed_table(result)
    inside = [path for path in result.paths if "async" not in path.start + path.end]
    if inside and result.median is not None:
        yield path_table(inside[0], result.median.seed)


def verdict(result: Implementation) -> str:
    """Return the result in a sentence."""
    device = result.target.device.name
    if result.failure is not None:
        return f"{result.name} does not fit {device}: {result.failure}"
    luts, capacity = result.usage.luts, result.target.device.capacity.luts
    text = f"{result.name} on {result.target.name}: {luts:,} of {capacity:,} LUTs, " \
           f"{100 * (1 - luts / capacity):.0f} % free"
    if result.slowest_mhz is not None:
        reached = "reaches" if result.slowest_mhz >= result.target.frequency_mhz else "misses"
        count = len(result.routed)
        seeds = "1 seed" if count == 1 else f"the median of {count} seeds"
        text += f"; {result.slowest_mhz:.1f} MHz, {seeds}, {reached} the target of " \
                f"{result.target.frequency_mhz:g} MHz"
    if result.unrouted:
        left = ", ".join(f"{each.seed} ({each.wires:,} wires used twice)"
                         for each in result.unrouted)
        text += f"; not routed after {result.target.iterations} iterations: seed {left}"
    return text
