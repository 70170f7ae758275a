"""Where signals are defined: the lines of the source that Amaranth wrote into its RTLIL."""

from __future__ import annotations

import re
from collections import defaultdict

__all__ = ["SourceLines", "without_sources"]

_LINE = re.compile(
    r'^ *(?:(?P<end>end)$|module \\(?P<module>\S+)|attribute \\src "(?P<source>[^"]*)"'
    r"|wire .*?\\(?P<wire>\S+)$|cell \\(?P<type>\S+) \\(?P<cell>\S+)$)", re.MULTILINE)

_SOURCE = re.compile(r'^ *attribute \\src "[^"]*"\n', re.MULTILINE)


def without_sources(rtlil: str) -> str:
    """Return a design that does not change when its source only moves to other lines."""
    return _SOURCE.sub("", rtlil)


class SourceLines:
    """Finds the line that defines a signal of a hierarchical design.

    Parameters
    ----------
    rtlil:
        The design with sources; its top module is called ``top``.
    """

    def __init__(self, rtlil: str) -> None:
        self._wires: dict[str, dict[str, str]] = defaultdict(dict)
        self._cells: dict[str, dict[str, str]] = defaultdict(dict)
        module, source = "", ""
        for found in _LINE.finditer(rtlil):
            if found["module"]:
                module = found["module"]
            elif found["source"]:
                source = found["source"]
                continue
            elif found["wire"]:
                self._wires[module][found["wire"]] = source
            elif found["cell"]:
                self._cells[module][found["cell"]] = found["type"]
            source = ""

    def line(self, component: str, signal: str) -> str | None:
        """Return ``folder/file.py:line`` of a signal in a component, None if it is not known."""
        module = "top"
        for part in component.split(".") if component else ():
            module = self._cells[module].get(part, "")
        source = self._wires[module].get(signal)
        return None if not source else _short(source)


def _short(source: str) -> str:
    """Return a path from the package's folder on."""
    return re.sub(r"^.*/(?=(?:casemate|casemate_sim|amaranth)/)", "", source)
