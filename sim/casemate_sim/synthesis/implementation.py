"""A design synthesized, placed and routed with several seeds: everything that is known then."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from casemate.config import EngineConfig, SBox

from casemate_sim.build import HARDWARE, cached, digest_of, source_files
from casemate_sim.toolchain import package_versions

from .devices import Target
from .flow import Design, design_of, synthesize
from .netlist import Netlist
from .routing import Routed, Unrouted, route_seeds
from .sources import SourceLines
from .timing import CriticalPath, critical_paths
from .tools import DoesNotFitError, Tools, tool_versions
from .usage import NAMES, Usage

__all__ = ["Implementation", "Progress", "engine_design", "has_tables", "implement"]

Progress = Callable[[str], None]
"""Called with what begins or has ended, in a line."""


def engine_design(config: EngineConfig) -> Design:
    """Return the engine of a configuration, elaborated only if nobody did before."""
    def build(folder: Path) -> None:
        from casemate.top import Casemate

        (folder / "design.il").write_text(design_of(Casemate(config), config.name).rtlil)

    key = digest_of(config.digest, package_versions("amaranth"), files=[
        *source_files(HARDWARE), Path(__file__).with_name("pins.py")])
    folder = cached(f"rtlil-{config.name}", key, build)
    return Design(config.name, (folder / "design.il").read_text(), tables=has_tables(config))


def has_tables(config: EngineConfig) -> bool:
    """Return whether an engine has S-boxes that are tables in LUTs."""
    ciphers = [config.data_cipher, config.tweak_cipher,
               *([] if config.tree is None else [config.tree.pad_cipher])]
    return any(cipher.sbox is SBox.TABLE for cipher in ciphers)


@dataclass
class Implementation:
    """What became of a design.

    Attributes
    ----------
    name:
        Of the design.
    target:
        What it was made for.
    mapped:
        What its netlist uses.
    components:
        What the cells of each component use, by path, without components below it.
    routed:
        Placements that finished, by seed.
    unrouted:
        Placements whose routing was given up, by seed.
    paths:
        Critical paths of the placement whose frequency is the median.
    interrupted:
        Ctrl-C came before all seeds were done.
    failure:
        Why it does not go into the device; None if it does.
    """

    name: str
    target: Target
    mapped: Usage
    components: dict[str, Usage]
    routed: list[Routed] = field(default_factory=list)
    unrouted: list[Unrouted] = field(default_factory=list)
    paths: list[CriticalPath] = field(default_factory=list)
    interrupted: bool = False
    failure: str | None = None

    @cached_property
    def versions(self) -> dict[str, str]:
        """Of the tools."""
        return tool_versions(self.target.device.family)

    @property
    def usage(self) -> Usage:
        """What it uses of the device: as packed if it was, else as mapped."""
        if not self.routed:
            return self.mapped
        counts = self.routed[0].report["utilization"]
        return Usage(**{name: sum(counts[kind]["used"] for kind in kinds if kind in counts)
                        for name, kinds in self.target.device.family.reported.items()})

    @property
    def fmax_mhz(self) -> dict[str, float]:
        """Median over the seeds of the highest frequency of each clock, in MHz."""
        clocks = self.routed[0].fmax_mhz if self.routed else {}
        return {clock: round(statistics.median(each.fmax_mhz[clock] for each in self.routed), 2)
                for clock in clocks}

    @property
    def slowest_mhz(self) -> float | None:
        """Lowest of the medians; None if nothing was routed."""
        return min(self.fmax_mhz.values(), default=None)

    @property
    def median(self) -> Routed | None:
        """The placement whose slowest clock is the median, the slower one of two."""
        ordered = sorted(self.routed, key=lambda each: min(each.fmax_mhz.values(), default=0.0))
        return ordered[(len(ordered) - 1) // 2] if ordered else None

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values."""
        used, capacity = self.usage.as_dict(), self.target.device.capacity.as_dict()
        return {
            "design": self.name, "target": self.target.as_dict(),
            "fits": self.failure is None, "failure": self.failure,
            "interrupted": self.interrupted,
            "usage": {name: {"used": count, "available": capacity[name],
                             "percent": round(100 * count / capacity[name], 1)}
                      for name, count in used.items()},
            "components": {name: usage.as_dict() for name, usage in self.components.items()},
            "seeds": {str(each.seed): each.fmax_mhz for each in self.routed},
            "unrouted": {str(each.seed): each.wires for each in self.unrouted},
            "fmax_mhz": self.fmax_mhz,
            "critical_paths_seed": self.median.seed if self.median else None,
            "critical_paths": [path.as_dict() for path in self.paths],
            "versions": self.versions,
        }


def implement(design: Design, target: Target, seeds: Sequence[int], *, jobs: int = 1,
              progress: Progress | None = None) -> Implementation:
    """Synthesize a design, and place and route it with each seed.

    Ctrl-C and a design that is too large end it early; what was found till then is returned.

    Parameters
    ----------
    seeds:
        Of the placements; none means synthesis only.
    jobs:
        Placements at a time.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    KeyboardInterrupt
        If Ctrl-C comes before there is anything to return.
    """
    tell = progress or (lambda _: None)
    family = target.device.family
    with Tools() as tools:
        tell("synthesis")
        path = synthesize(design, family, tools, ram_registers=target.ram_registers)
        content: Mapping[str, Any] = json.loads(path.read_text())
        netlist = Netlist(content, family)
        result = Implementation(design.name, target, netlist.usage, netlist.components())
        used, capacity = netlist.usage.as_dict(), target.device.capacity.as_dict()
        missing = netlist.usage.over(target.device.capacity)
        if missing:
            result.failure = ", ".join(
                f"{used[name]:,} {NAMES[name]}, of which it has {capacity[name]:,}"
                for name in missing)
            return result
        try:
            for placement in route_seeds(design.name, path, target, seeds, tools, jobs=jobs,
                                         tell=tell):
                if isinstance(placement, Unrouted):
                    result.unrouted.append(placement)
                    tell(f"seed {placement.seed}: given up with {placement.wires:,} wires "
                         "used twice")
                    continue
                result.routed.append(placement)
                tell(f"seed {placement.seed}: " + ", ".join(
                    f"{clock} {mhz:.1f} MHz" for clock, mhz in placement.fmax_mhz.items()))
        except KeyboardInterrupt:
            result.interrupted = True
        except DoesNotFitError as error:
            result.failure = str(error)
    result.routed.sort(key=lambda each: each.seed)
    result.unrouted.sort(key=lambda each: each.seed)
    if result.median is not None:
        result.paths = critical_paths(result.median.report, netlist, SourceLines(design.rtlil))
    return result
