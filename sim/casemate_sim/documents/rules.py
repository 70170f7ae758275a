"""Table of the AXI4 rules, from the assertions in the RTL."""

from __future__ import annotations

import re

from casemate.config import preset

from .markdown import table

__all__ = ["rules"]

_ASSERTION = re.compile(r'bus: AXI4_(\w+) \(([^)]*)\): (.*?)\.?(?:\\n|")')


def rules() -> str:
    """Return the rules that are asserted on an AXI4 bus, those of AW and AR as one."""
    from amaranth.back import rtlil
    from casemate.axi.rules import Rules
    from casemate.engine.host_port import host_signature

    text = rtlil.convert(Rules(host_signature(preset("tiny")), name="bus"))
    rows: dict[str, tuple[str, set[str]]] = {}
    counted = 0
    for name, section, meaning in _ASSERTION.findall(text):
        counted += 1
        key = re.sub(r"^ERR[MS]_(?=.*STABLE|.*_RESET)", "ERR*_", name)
        key = re.sub(r"_(AW|AR)(?=[A-Z])", "_Ax", key)
        key = re.sub(r"_(AW|AR)_", "_Ax_", key)
        if key.endswith("VALID_STABLE"):
            key, meaning = "ERR*_xVALID_STABLE", "xVALID stays high until xREADY"
        elif key.endswith("_STABLE"):
            key, meaning = "ERR*_x<signal>_STABLE", "every other signal stays until xREADY"
        elif key.endswith("VALID_RESET"):
            key, meaning = "ERR*_xVALID_RESET", "xVALID is low in the first cycle after reset"
        meaning = re.sub(r"\bA[WR](?=[A-Z])", "Ax", meaning) if "_Ax" in key else meaning
        rows.setdefault(key, (section, set()))[1].add(meaning)
    if not rows:
        raise ValueError("no assertion was found in the rules' RTLIL")
    lines = table(("rule", "section", "meaning"), (
        (f"`AXI4_{key}`", section, "; ".join(sorted(meanings)))
        for key, (section, meanings) in rows.items()))
    return f"{lines}\n\nThese are {counted} assertions on the host's bus."
