"""A netlist through nextpnr with several seeds, each result kept in the cache.

The same input gives the same result, to the last bit: netlist, target, seed and version of nextpnr
are the name under which it is remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate_sim.build import cached, digest_of
from casemate_sim.toolchain import package_versions

from .devices import Target
from .room import (
    HEATMAP_OPTIONS,
    HEATMAPS,
    add_room,
    crowded_nets,
    heatmap,
    look_further,
    remove_room,
)
from .tools import Tools, find_router

__all__ = ["FIRST_ITERATIONS", "Routed", "Unrouted", "route_seeds"]

FIRST_ITERATIONS = 6
"""Iterations of router2 after which what is crowded then says where room is needed."""

_NETLIST = "netlist.json"
_REPORT = "report.json"
_GIVEN_UP = "given_up.json"
_ROOM = [Path(__file__).with_name("room.py")]
_ITERATION = re.compile(r"iter=(\d+) wires=\d+ overused=(\d+)")  # as router2 tells


@dataclass(frozen=True)
class Routed:
    """One placement.

    Attributes
    ----------
    seed:
        Of the placement.
    report:
        What nextpnr says of it: ``fmax``, ``utilization``, ``critical_paths``.
    """

    seed: int
    report: Mapping[str, Any]

    @property
    def fmax_mhz(self) -> dict[str, float]:
        """Highest frequency of each clock in MHz."""
        return {_clock(name): round(values["achieved"], 2)
                for name, values in self.report["fmax"].items()}


@dataclass(frozen=True)
class Unrouted:
    """A placement whose routing was given up.

    Attributes
    ----------
    seed:
        Of the placement.
    wires:
        Those that more than one net still used.
    """

    seed: int
    wires: int


class _GivenUpError(Exception):
    """Ends a router."""


def _clock(net: str) -> str:
    """Return the name of a clock without what nextpnr puts around it."""
    return re.sub(r"^\$glbnet\$|\$TRELLIS_IO_IN$", "", net).rpartition(".")[2]


@dataclass(frozen=True)
class _Seed:
    """What is done with one seed; its steps return folders of the cache."""

    netlist: Path
    name: str
    target: Target
    seed: int
    tools: Tools
    tell: Callable[[str], None]

    def route(self) -> Routed | Unrouted:
        """Place and route, twice if room is to be made."""
        self.tell(f"seed {self.seed}: placement")
        netlist, options = self.netlist, self._options(self.target.options)
        if self.target.room:
            first = self._routed(netlist, (*options, *HEATMAP_OPTIONS), FIRST_ITERATIONS)
            if not (first / _GIVEN_UP).exists():
                return self._result(first)
            self.tell(f"seed {self.seed}: placement with room")
            netlist = self._placed(first) / _NETLIST
            options = self._options((*self.target.routing_options, "--no-place"))
        return self._result(self._routed(netlist, options, self.target.iterations))

    def _options(self, options: Sequence[str]) -> tuple[str, ...]:
        return (*options, "--seed", str(self.seed), "--timing-allow-fail")

    def _result(self, folder: Path) -> Routed | Unrouted:
        if (folder / _GIVEN_UP).exists():
            return Unrouted(self.seed, json.loads((folder / _GIVEN_UP).read_text()))
        return Routed(self.seed, json.loads((folder / _REPORT).read_text()))

    def _routed(self, netlist: Path, options: Sequence[str], iterations: int) -> Path:
        """Run nextpnr to its end, or give up and keep what was crowded then, if it told so."""
        left = 0

        def watch(line: str) -> None:
            nonlocal left
            found = _ITERATION.search(line)
            if found is None:
                return
            iteration, left = map(int, found.groups())
            if iteration % 10 == 0:
                self.tell(f"seed {self.seed}: {left:,} wires used twice after {iteration} "
                          "iterations")
            if iteration >= iterations and left:
                raise _GivenUpError

        def build(folder: Path) -> None:
            copy = folder / _NETLIST
            copy.hardlink_to(netlist)
            try:
                self._nextpnr(
                    folder, [*options, "--json", _NETLIST, "--report", _REPORT], watch)
            except _GivenUpError:
                (folder / _GIVEN_UP).write_text(json.dumps(left))
            copy.unlink()
            for file in folder.glob(HEATMAPS):
                if file.name != heatmap(iterations):
                    file.unlink()

        key = digest_of(options, iterations, self.target.files, netlist.parent.name,
                        package_versions(self.target.device.family.package))
        return cached(f"route-{self.name}", key, build)

    def _placed(self, first: Path) -> Path:
        """Place with room where the first placement is crowded, and take the room away."""
        options = (*self._options(self.target.options), "--no-route", "--write", _NETLIST)

        def build(folder: Path) -> None:
            content = json.loads(self.netlist.read_text())
            with (first / heatmap(FIRST_ITERATIONS)).open() as lines:
                add_room(content["modules"]["top"], crowded_nets(lines), self.target.room)
            (folder / "room.json").write_text(json.dumps(content))
            self._nextpnr(folder, [*options, "--json", "room.json"])
            (folder / "room.json").unlink()
            content = json.loads((folder / _NETLIST).read_text())
            remove_room(content["modules"]["top"])
            look_further(content["modules"]["top"])
            (folder / _NETLIST).write_text(json.dumps(content))

        key = digest_of(options, self.target.room, first.name, files=_ROOM)
        return cached(f"placed-{self.name}", key, build)

    def _nextpnr(self, folder: Path, options: Sequence[str],
                 watch: Callable[[str], None] | None = None) -> None:
        family = self.target.device.family
        for file, text in self.target.files.items():
            (folder / file).write_text(text)
        self.tools.run(family.router, [find_router(family), *options], folder, watch)


def route_seeds(
    name: str, netlist: Path, target: Target, seeds: Sequence[int], tools: Tools, *,
    jobs: int = 1, tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Routed | Unrouted]:
    """Place and route with several seeds; yield each as it finishes or is given up.

    Parameters
    ----------
    name:
        Of the design, for people.
    netlist:
        What ``synthesize`` returned for the target's family.
    jobs:
        Placements at a time.
    tell:
        Called with what begins, and how far the router is, from other threads.

    Raises
    ------
    ToolError
        If nextpnr is missing or fails.
    DoesNotFitError
        If the design does not go into the device.
    """
    executor = ThreadPoolExecutor(jobs)
    try:
        waiting = [executor.submit(_Seed(netlist, name, target, seed, tools, tell).route)
                   for seed in seeds]
        for done in as_completed(waiting):
            yield done.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
