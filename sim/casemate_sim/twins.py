"""Two copies of a design in one netlist: what the proof of one register tells of its twin.

A proof that nothing public depends on a secret compares two copies. Equal outputs alone are hardly
ever inductive; equal registers are. Here the assertions that registers are equal are written into
the netlist, for all of them but those that are named: these may differ, always or while a signal
of the specification says so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

__all__ = ["assert_twins", "induction_step"]

_CELL = re.compile(r"^  cell \$\w*dff\w* \S+\n((?:    .*\n)*?)  end\n", re.MULTILINE)
_CONNECT = re.compile(r"^  connect (\\\S+) (\\\S+)$", re.MULTILINE)
_NUMBER = re.compile(r"\$\d+")
_CHECK = re.compile(r"^(?:  attribute .*\n)*  cell \$(check|assert|initstate) \S+\n((?:    .*\n)*?)"
                    r"  end\n", re.MULTILINE)


def _registers(text: str) -> dict[str, tuple[int, frozenset[str]]]:
    """Return width and all names of each register."""
    same: dict[str, set[str]] = defaultdict(set)
    for left, right in _CONNECT.findall(text):
        whole = same[left] | same[right] | {left, right}
        for name in whole:
            same[name] = whole
    result = {}
    for body in _CELL.findall(text):
        (name,) = re.findall(r"connect \\Q (.*)", body)
        (width,) = re.findall(r"parameter \\WIDTH (\d+)", body)
        result[name] = int(width), frozenset(same[name] | {name})
    return result


def _inside(names: frozenset[str], copy: str) -> frozenset[str]:
    """Return which names are those of a copy, as they are inside it."""
    prefix = f"\\{copy}."
    return frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))


def _cell(kind: str, out: str, bits: int, **inputs: str) -> str:
    """Return a cell and the wire of its output."""
    widths = "".join(f"    parameter \\{name}_SIGNED 0\n    parameter \\{name}_WIDTH {bits}\n"
                     for name in inputs) + "    parameter \\Y_WIDTH 1\n"
    if kind == "mux":
        widths = f"    parameter \\WIDTH {bits}\n"
    wires = "".join(f"    connect \\{name} {value}\n" for name, value in inputs.items())
    return (f"  wire width {bits if kind == 'mux' else 1} {out}\n  cell ${kind} {out}_cell\n"
            f"{widths}{wires}    connect \\Y {out}\n  end\n")


def _link(number: int, one: str, other: str, width: int, unless: str | None) -> str:
    """Assert that a register equals the other, unless a signal is high, and use the other's value.

    As long as the assertion holds that is its own value; and what follows is then the same logic of
    the same signals in both copies.
    """
    own, same = f"\\twin_{number}_own", f"\\twin_{number}_same"
    text = _cell("eq", same, width, A=one, B=own)
    if unless is None:
        text += f"  connect {other} {one}\n"
    else:
        text += _cell("mux", f"{own}_used", width, A=one, B=own, S=unless)
        text += f"  connect {other} {own}_used\n"
        text += _cell("or", f"{same}_enough", 1, A=same, B=unless)
        same += "_enough"
    return text + (f'  attribute \\src "{one[1:]}"\n  cell $assert {same}_assert\n'
                   f"    connect \\A {same}\n    connect \\EN 1'1\n  end\n")


def _rewired(text: str, links: Mapping[str, tuple[str, str]]) -> str:
    """Give registers another output each; append what makes their old ones.

    Parameters
    ----------
    links:
        By the name of the old output: that of the new one, and more RTLIL.
    """
    lines = text.splitlines(keepends=True)
    initial = None  # line with the value that the next wire begins with
    for number, line in enumerate(lines):
        if line.startswith("  attribute \\init "):
            initial = number
        elif line.startswith("  wire ") and (name := line.split()[-1]) in links:
            new = line.replace(name, links[name][0])
            if initial is not None:
                new, lines[initial] = lines[initial] + new, ""
            lines[number] = line + new
        elif line.startswith("    connect \\Q ") and (name := line.split()[-1]) in links:
            lines[number] = f"    connect \\Q {links[name][0]}\n"
        if not line.startswith("  attribute "):
            initial = None
    last = max(number for number, line in enumerate(lines) if line == "end\n")
    return "".join((*lines[:last], *(added for _, added in links.values()), *lines[last:]))


def assert_twins(text: str, copies: tuple[str, str], differ: Mapping[str, str | None]) -> str:
    """Add to a flat netlist that registers of two copies are equal.

    Parameters
    ----------
    text:
        RTLIL of one module, in which the names of a copy's registers begin with its own.
    copies:
        Names of both copies.
    differ:
        Registers that may differ, as regular expressions of their whole names inside a copy,
        without numbers that begin with ``$``; the name of the top module's signal that says when,
        or None: always.

    Raises
    ------
    ValueError
        If a register has no twin, or a name in `differ` fits none.
    """
    registers = _registers(text)
    one, other = ({name: inside for name, (_, names) in registers.items()
                   if (inside := _inside(names, copy))} for copy in copies)
    links, unused = {}, set(differ)
    for number, (name, aliases) in enumerate(one.items()):
        width, _ = registers[name]
        twins: set[str] = set()
        # Amaranth numbers names that meet in a module; Yosys gives a register any of its names.
        for change in (str, lambda alias: _NUMBER.sub("", alias)):
            for mine in ({name.removeprefix(f"\\{copies[0]}.")}, aliases):
                if len(twins) != 1:
                    wanted = {change(alias) for alias in mine}
                    twins = {twin for twin, others in other.items()
                             if registers[twin][0] == width
                             and any(change(alias) in wanted for alias in others)}
        plain = {_NUMBER.sub("", alias) for alias in aliases}
        rules = {rule for rule in differ if any(re.fullmatch(rule, alias) for alias in plain)}
        unused -= rules
        unless = [differ[rule] for rule in rules]
        # Yosys makes one of both if nothing that differs reaches them.
        if None in unless or name in twins:
            continue
        if len(twins) != 1:
            raise ValueError(f"{name} has no twin, or several: {', '.join(sorted(twins))}")
        links[min(twins)] = f"\\twin_{number}_own", _link(
            number, name, min(twins), width, f"\\{unless[0]}" if unless else None)
    if unused:
        raise ValueError(f"no register is called {', '.join(sorted(unused))}")
    return _rewired(text, links)


def induction_step(text: str) -> str:
    """Return the step of the induction as a netlist: a proof of depth 2 that knows no reset.

    It begins in any state in which all assertions hold; they must hold in the following one, too.
    A solver that unrolls a netlist finds by itself that what follows from equal signals is equal,
    which one that is told of a transition between two states has to prove.
    """
    held: list[str] = []
    added: list[str] = []

    def taken(match: re.Match[str]) -> str:
        kind, body = match[1], match[2]
        pins = dict(re.findall(r"connect \\(\w+) (.*)", body))
        if kind == "initstate":
            return f"  connect {pins['Y']} 1'0\n"
        if kind == "check" and '\\FLAVOR "assert"' not in body:
            return match[0]
        name = f"\\step_{len(held)}"
        added.append(_cell("not", f"{name}_off", 1, A=pins["EN"]))
        added.append(_cell("or", name, 1, A=pins["A"], B=f"{name}_off"))
        place = re.search(r"  attribute \\src .*\n", match[0])
        added.append(f"{place[0] if place else ''}  cell $assert {name}_assert\n"
                     f"    connect \\A {name}\n    connect \\EN \\step_second\n  end\n")
        held.append(name)
        return ""

    text = _CHECK.sub(taken, text)
    text = re.sub(r"^  attribute \\init .*\n", "", text, flags=re.MULTILINE)
    first = [
        "  wire \\step_first\n  cell $initstate \\step_initstate\n    connect \\Y \\step_first\n"
        "  end\n", _cell("not", "\\step_second", 1, A="\\step_first")]
    added += [
        _cell("reduce_and", "\\step_all", len(held), A=f"{{ {' '.join(held)} }}"),
        "  cell $assume \\step_assume\n    connect \\A \\step_all\n    connect \\EN \\step_first\n"
        "  end\n"]
    place = text.rindex("end\n")
    return text[:place] + "".join(first + added) + text[place:]
