"""A design through Yosys and nextpnr, each result kept in the cache.

The same input gives the same result, to the last bit: design, target, seed and versions of the
tools are the name under which it is remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from casemate_sim.build import cached, digest_of
from casemate_sim.toolchain import YOSYS, package_versions

from .devices import Family, Target
from .netlist import INPUT
from .pins import ShiftedPins
from .sources import without_sources
from .tools import Tools, find_router

__all__ = ["Design", "Routed", "Unrouted", "design_of", "route_seeds", "synthesize"]

_NETLIST = "netlist.json"
_REPORT = "report.json"
_GIVEN_UP = "given_up.json"
_RAM_REGISTERS = [Path(__file__).with_name("output_registers.py")]
_ITERATION = re.compile(r"iter=(\d+) wires=\d+ overused=(\d+)")  # as router2 tells


@dataclass(frozen=True)
class Design:
    """What is synthesized.

    Attributes
    ----------
    name:
        For people; letters, digits and _.
    rtlil:
        The design with a top module ``top`` and the lines of the source.
    verilog:
        Texts of Verilog files whose modules it instantiates, by the files' names.
    tables:
        It has tables in LUTs, such as S-boxes: LUTs are joined to wider ones.
    """

    name: str
    rtlil: str
    verilog: Mapping[str, str] = field(default_factory=dict)
    tables: bool = False


def design_of(component: wiring.Component, name: str,
              verilog: Mapping[str, str] | None = None, *, tables: bool = False) -> Design:
    """Return a component, and the Verilog that it instantiates, between two shift registers."""
    from amaranth.back import rtlil

    return Design(name, rtlil.convert(ShiftedPins(component), name="top"), verilog or {}, tables)


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


def synthesize(design: Design, family: Family, tools: Tools, *,
               ram_registers: bool = False) -> Path:
    """Return the file with the mapped netlist of a design.

    Parameters
    ----------
    ram_registers:
        See :class:`Target`.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    rtlil = without_sources(design.rtlil)
    # A loop's variable is no latch, although some write it in a way that would make it one.
    commands = (*(f"read_verilog -nolatches {name}" for name in design.verilog),
                "read_rtlil design.il",
                f"setattr -set {INPUT} 1 i:*", *family.commands(tables=design.tables),
                f"write_json {_NETLIST}")

    def build(folder: Path) -> None:
        for name, text in {**design.verilog, **family.texts, "design.il": rtlil}.items():
            (folder / name).write_text(text)
        (folder / "design.ys").write_text("\n".join(commands))
        tools.run("yosys", [*YOSYS, "-q", "design.ys"], folder)
        if ram_registers and family.use_ram_registers is not None:
            netlist = json.loads((folder / _NETLIST).read_text())
            family.use_ram_registers(netlist["modules"]["top"])
            (folder / _NETLIST).write_text(json.dumps(netlist))

    key = digest_of(rtlil, dict(design.verilog), commands, dict(family.texts),
                    package_versions("pyosys"), files=_RAM_REGISTERS if ram_registers else [])
    return cached(f"netlist-{design.name}", key, build) / _NETLIST


def _route(netlist: Path, name: str, target: Target, seed: int, tools: Tools,
           tell: Callable[[str], None]) -> Routed | Unrouted:
    family = target.device.family
    program = find_router(family)
    options = (*target.options, "--seed", str(seed), "--timing-allow-fail")
    left = 0

    def watch(line: str) -> None:
        nonlocal left
        found = _ITERATION.search(line)
        if found is None:
            return
        iteration, left = map(int, found.groups())
        if iteration % 10 == 0:
            tell(f"seed {seed}: {left:,} wires used twice after {iteration} iterations")
        if iteration >= target.iterations and left:
            raise _GivenUpError

    def build(folder: Path) -> None:
        copy = folder / _NETLIST
        copy.hardlink_to(netlist)
        for file, text in target.files.items():
            (folder / file).write_text(text)
        try:
            tools.run(family.router, [program, *options, "--json", _NETLIST, "--report",
                                      _REPORT], folder, watch)
        except _GivenUpError:
            (folder / _GIVEN_UP).write_text(json.dumps(left))
        copy.unlink()

    key = digest_of(options, target.iterations, target.files, netlist.parent.name,
                    package_versions(family.package))
    folder = cached(f"route-{name}", key, build)
    if (folder / _GIVEN_UP).exists():
        return Unrouted(seed, json.loads((folder / _GIVEN_UP).read_text()))
    return Routed(seed, json.loads((folder / _REPORT).read_text()))


def route_seeds(
    design: Design, netlist: Path, target: Target, seeds: Sequence[int], tools: Tools, *,
    jobs: int = 1, tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Routed | Unrouted]:
    """Place and route with several seeds; yield each as it finishes or is given up.

    Parameters
    ----------
    netlist:
        What :func:`synthesize` returned for the design and the target's family.
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
    def work(seed: int) -> Routed | Unrouted:
        tell(f"seed {seed}: placement")
        return _route(netlist, design.name, target, seed, tools, tell)

    executor = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([executor.submit(work, seed) for seed in seeds]):
            yield done.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
