"""Shares equal constant tables of an exported Verilog file.

Each S-box of an unrolled cipher is a memory of its own in the exported Verilog: hundreds of copies
of the same 256 bytes, which a simulation would initialise one by one and spread over the cache. A
memory that is only ever initialised and read is a constant: it becomes a reference to one table in
a package. Nothing else of the text changes.
"""

from __future__ import annotations

import re
from hashlib import sha256

__all__ = ["PACKAGE", "share_roms"]

PACKAGE = "casemate_tables"
"""Name of the package that holds the tables."""

_NAME = r"(?:\\\S+ |[A-Za-z_][\w$]*)"
_MEMORY = re.compile(
    r'^(?:  \(\* ram_style = "block" \*\)\n)?'
    rf"  reg \[(?P<high>\d+):0\] (?P<name>{_NAME}) ?\[(?P<last>\d+):0\];\n"
    r"  initial begin\n(?P<body>(?:    [^\n]*;\n)+)  end\n", re.MULTILINE)
_WORD = re.compile(r"^    .*\[(\d+)\] = (\d+)'h([0-9a-f]+);$")


def _words(body: str, depth: int) -> list[int] | None:
    """Return the words of an initialisation, or None if it is not complete and constant."""
    words: list[int | None] = [None] * depth
    for line in body.splitlines():
        match = _WORD.match(line)
        if match is None or int(match.group(1)) >= depth:
            return None
        words[int(match.group(1))] = int(match.group(3), 16)
    return None if None in words else [word for word in words if word is not None]


def _share_in_module(text: str, tables: dict[str, str]) -> str:
    for match in reversed(list(_MEMORY.finditer(text))):
        width, depth = int(match["high"]) + 1, int(match["last"]) + 1
        name = match["name"].rstrip()
        words = _words(match["body"], depth)
        if words is None:
            continue
        before, behind = text[:match.start()], text[match.end():]
        use = re.compile(rf"(?<![\w$\\.]){re.escape(name)} ?\[")
        written = re.compile(use.pattern + r"[^;=\n]*\] *(?:\[[^;=\n]*\] *)?<=")
        if written.search(behind) or use.search(before):
            continue
        content = ", ".join(f"{width}'h{word:x}" for word in words)
        key = f"table_{sha256(content.encode()).hexdigest()[:12]}"
        tables[key] = (f"  localparam bit [{width - 1}:0] {key} [0:{depth - 1}] = "
                       f"'{{{content}}};\n")
        text = before + use.sub(f"{PACKAGE}::{key}[", behind)
    return text


def share_roms(verilog: str) -> str:
    """Return the file with all constant memories as references to shared tables.

    Parameters
    ----------
    verilog:
        What Yosys wrote.
    """
    tables: dict[str, str] = {}
    modules = re.split(r"(?<=^endmodule\n)", verilog, flags=re.MULTILINE)
    shared = "".join(_share_in_module(module, tables) for module in modules)
    if not tables:
        return verilog
    return f"package {PACKAGE};\n{''.join(tables.values())}endpackage\n\n{shared}"
