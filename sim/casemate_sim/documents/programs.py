"""Tables of the cores, of the programs that are shipped for them, and of what those cost."""

from __future__ import annotations

import json
import re
from pathlib import Path

from casemate_sim.figures import RESULTS

from .markdown import member_texts, size, table

__all__ = ["costs", "programs"]

_SOURCES = Path(__file__).resolve().parents[1] / "cpu" / "programs"


def programs(what: str = "programs") -> str:
    """Return what each shipped program does, or the ``cores``, or the registers of ``devices``."""
    if what == "cores":
        from casemate_sim.cpu.hardware.cores import CORES

        return table(("core", "package", "what it is"), (
            (f"`{core.name}`", f"`{core.package}`", core.description) for core in CORES.values()))
    if what == "devices":
        return _devices()
    if what != "programs":
        raise ValueError(f"there is no table {what!r} of programs; there are programs, cores, "
                         "devices")
    from casemate_sim.cpu.program import load_program, shipped

    rows = []
    for name, path in shipped().items():
        comment = re.match(r"// (.*)\n", (_SOURCES / f"{name}.c").read_text())
        program = load_program(path)
        working_set = program.symbols.get("working_set")
        rows.append((f"`{name}`", comment.group(1) if comment else "", size(program.size),
                     size(working_set[1]) if working_set else ""))
    return table(("program", "what it does", "image", "working set"), rows)


def _devices() -> str:
    from casemate_sim.cpu.hardware.devices import BASE, Register

    texts = member_texts(Register)
    return table(("address", "register", "what it does"), (
        (f"`{BASE + 4 * register.value:#x}`", f"`{register.name.lower()}`", texts[register.name])
        for register in Register))


def costs(core: str = "vexriscv") -> str:
    """Return the stored cycles of each program on a core over the bare wire, and the slowdowns."""
    path = RESULTS / "cpu.json"
    figures = json.loads(path.read_text()) if path.is_file() else {}
    rows: dict[str, dict[str, str]] = {}
    modes: list[str] = []
    for name, figure in figures.items():
        found = re.fullmatch(rf"(\w+)\.{core}_(\w+)\.(cycles|slowdown)", name)
        if found:
            mode, program, _ = found.groups()
            rows.setdefault(program, {})[mode] = (
                f"{figure['value']:,}" if mode == "bare" else f"{figure['value']:.2f}")
            if mode not in modes:
                modes.append(mode)
    if not rows:
        return f"No figure of programs on `{core}` is stored."
    from casemate_sim.modes import MODES

    modes.sort(key=MODES.index)
    return table(("program", *("cycles, bare wire" if mode == "bare" else f"`{mode}`"
                               for mode in modes)),
                 ((f"`{program}`", *(values.get(mode, "") for mode in modes))
                  for program, values in sorted(rows.items())))
