"""A mapped netlist: which component each cell belongs to, and which signal a net computes.

Synthesis flattens the hierarchy, and what it makes of the logic between registers has no name. Such
a cell belongs where what it computes is used first: to the nearest register, memory or named signal
that it leads to.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .devices import Family
from .usage import Usage

__all__ = ["INPUT", "Netlist", "Owner", "subtotals"]

INPUT = "casemate_input"
"""Attribute of wires that are inputs of their module: the name of what drives them comes first."""


@dataclass(frozen=True, order=True)
class Owner:
    """A signal of the source.

    Attributes
    ----------
    component:
        Path of its component, joined with dots; empty for the top.
    signal:
        Its name there, without the number of a bit; empty for a cell that has a name of its own.
    """

    component: str
    signal: str


_NOBODY = Owner("", "")


def _within(component: str, other: str) -> bool:
    """Return whether a component is another or below it."""
    return component == other or not other or component.startswith(f"{other}.")


def _most(owners: Iterable[Owner | None]) -> Owner | None:
    """Return who is there most often, the first by name of several."""
    found = Counter(owner for owner in owners if owner is not None)
    return min(found, key=lambda owner: (-found[owner], owner), default=None)


class Netlist:
    """What Yosys wrote as JSON.

    Parameters
    ----------
    content:
        The parsed file; its top module is called ``top``.
    family:
        Of the device.
    """

    def __init__(self, content: Mapping[str, Any], family: Family) -> None:
        module = content["modules"]["top"]
        self._family = family
        self._cells = {name: cell for name, cell in module["cells"].items()
                       if cell["type"] != "$scopeinfo"}
        self._components = {name for name, cell in module["cells"].items()
                            if cell["type"] == "$scopeinfo"}
        self._bits: dict[str, int | str] = {}
        self._named: dict[int | str, Owner] = {}
        self._read_names(module["netnames"])
        self._consumers: dict[int | str, list[str]] = defaultdict(list)
        for name, cell in self._cells.items():
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input":
                    for bit in bits:
                        self._consumers[bit].append(name)
        self._owners: dict[int | str, Owner | None] = {}

    def _read_names(self, names: Mapping[str, Any]) -> None:
        """Find out what each bit is called where it is driven."""
        entered: dict[int | str, set[str]] = defaultdict(set)
        wires: list[tuple[str, str, list[int | str]]] = []
        for name, net in names.items():
            bits = net["bits"]
            offset = net.get("offset", 0)
            for index, bit in enumerate(bits):
                self._bits[name if len(bits) == 1 else f"{name}[{index + offset}]"] = bit
            if net["hide_name"]:
                continue
            component = self._component(name)
            wires.append((component, name[len(component):].lstrip("."), bits))
            if INPUT in net["attributes"]:
                for bit in bits:
                    entered[bit].add(component)
        ranks: dict[int | str, tuple[object, ...]] = {}
        for component, signal, bits in wires:
            for bit in bits:
                # It is driven outside the components that it goes into; of several names that are
                # left, the innermost is where.
                inside = any(_within(component, user) for user in entered[bit])
                rank = (inside, -component.count("."), not component, len(signal), component,
                        signal)
                if bit not in ranks or rank < ranks[bit]:
                    ranks[bit] = rank
                    self._named[bit] = Owner(
                        min(entered[bit], key=len).rpartition(".")[0] if inside else component,
                        signal)

    def _component(self, name: str) -> str:
        """Return the longest path of a component that `name` begins with."""
        while name not in self._components:
            name, dot, _ = name.rpartition(".")
            if not dot:
                return ""
        return name

    def _outputs(self, cell: Mapping[str, Any]) -> Iterator[int | str]:
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                yield from bits

    def _owner_of_bit(self, bit: int | str) -> Owner | None:
        if bit in self._named:
            return self._named[bit]
        if bit not in self._owners:
            # Depth first, without recursion: logic may be thousands of cells deep.
            self._owners[bit] = None  # met again while it is looked up: a loop
            opened = [(bit, self._behind(bit))]
            while opened:
                current, behind = opened[-1]
                for each in behind:
                    if each not in self._named and each not in self._owners:
                        self._owners[each] = None
                        opened.append((each, self._behind(each)))
                        break
                else:
                    opened.pop()
                    self._owners[current] = self._owner_by_use(current)
        return self._owners[bit]

    def _behind(self, bit: int | str) -> Iterator[int | str]:
        """Yield what the cells without a name that a bit leads to put out."""
        for name in self._consumers[bit]:
            if self._cells[name]["hide_name"]:
                yield from self._outputs(self._cells[name])

    def _owner_by_use(self, bit: int | str) -> Owner | None:
        """Return whom most of the cells that a bit leads to belong to."""
        return _most(map(self._owner_of_cell, self._consumers[bit]))

    def _owner_of_cell(self, name: str) -> Owner | None:
        cell = self._cells[name]
        if not cell["hide_name"]:
            return Owner(self._component(name), "")
        return _most(map(self._owner_of_bit, self._outputs(cell)))

    def owner(self, net: str) -> Owner | None:
        """Return the signal that a net is, or leads to; None of a net that is not known."""
        bit = self._bits.get(net)
        return None if bit is None else self._owner_of_bit(bit)

    def components(self) -> dict[str, Usage]:
        """Return what the cells of each component use, without those of components below it."""
        result: dict[str, Usage] = dict.fromkeys(sorted(self._components), Usage())
        for name, cell in self._cells.items():
            used = self._family.usage(cell["type"])
            if used != Usage():
                component = (self._owner_of_cell(name) or _NOBODY).component
                result[component] = result.get(component, Usage()) + used
        return dict(sorted(result.items()))

    @property
    def usage(self) -> Usage:
        """What all cells use."""
        return Usage.total(self._family.usage(cell["type"]) for cell in self._cells.values())


def subtotals(components: Mapping[str, Usage]) -> dict[str, Usage]:
    """Return what each component uses together with those below it."""
    result: dict[str, Usage] = defaultdict(Usage)
    for name, usage in components.items():
        path = name.split(".") if name else []
        for depth in range(len(path) + 1):
            result[".".join(path[:depth])] += usage
    return dict(sorted(result.items()))
