"""The README of a package: what is what, for whoever gets the folder without the project."""

from __future__ import annotations

from collections.abc import Mapping

from casemate_sim.documents.markdown import size, table
from casemate_sim.exported import CLOCK, RESET, Exported

from .fusesoc import LINT_OPTIONS, core_name

__all__ = ["readme"]

_SEVERAL = {
    "s_axi": "AXI4 subordinate: the host. AxUSER: bits 11..0 the domain, bit 12 of AWUSER `claim`",
    "m_axi": "AXI4 manager: the DRAM controller. Whole lines of 64 bytes only",
    "s_axil": "AXI4-Lite subordinate: the registers",
    "key": "keys on their way in",
    "slot": "settings of the domain slots",
    "root_key": "the root key on its way in",
    "otp": "the fuse macro",
    "entropy": "words of entropy",
}
"""Groups of ports, by what their names begin with."""

_SINGLE = {
    CLOCK: "clock of everything", RESET: "synchronous reset, active high",
    "irq": "interrupt, a level", "idle": "nothing is in flight",
    "alert_integrity": "DRAM was tampered with; a level until reset",
    "alert_fatal": "keys, fuses, entropy or counters failed; a level until reset",
    "debug_enable": "a debugger may get in", "tamper": "somebody opens the case; asynchronous",
}
"""Ports that stand for themselves."""


def _port_rows(exported: Exported) -> list[tuple[str, str]]:
    rows = []
    for name in (CLOCK, RESET, *exported.ports):
        if name in _SINGLE:
            rows.append((f"`{name}`", _SINGLE[name]))
            continue
        group = max((each for each in _SEVERAL if name == each or name.startswith(f"{each}_")),
                    key=len)
        row = (f"`{group}_*`", _SEVERAL[group])
        if row not in rows:
            rows.append(row)
    return rows


def readme(exported: Exported, files: Mapping[str, str], *, version: str, mhz: float) -> str:
    """Return the README.

    Parameters
    ----------
    exported:
        The engine.
    files:
        What each file of the package is, by its name.
    version:
        Of Casemate.
    mhz:
        Frequency in the constraints, in megahertz.
    """
    config = exported.config
    regions = table(("region", "from", "to", "size"), (
        (each.name, f"`{each.base:#x}`", f"`{each.end - 1:#x}`", size(each.size))
        for each in config.regions))
    core = core_name(exported, version)
    return f"""# Casemate, configuration `{config.name}`

A memory-encryption engine between a host and its DRAM controller, written by Casemate {version}.
Digest of the configuration: `{config.digest}`.

## Files

{table(("file", "content"), ((f"`{name}`", text) for name, text in files.items()))}

## Ports of the module `{exported.name}`

{table(("port", "meaning"), _port_rows(exported))}

Widths and directions are in `manifest.json`.
How to connect and to drive them is in Casemate's integration guide.

## Memory map

Addresses on the host's bus are those of DRAM; the host reaches the data only.
Leaves and nodes are used by configurations with an integrity tree.

{regions}

## Use

FuseSoC, in this folder (Verilator must be installed for `lint`, Yosys for `synth`):

```sh
fusesoc --cores-root . core show {core}
fusesoc --cores-root . run --target lint {core}
```

Vivado, which writes an IP-XACT component into the folder `component`:

```sh
vivado -mode batch -source vivado/package_ip.tcl -tclargs component
```

Anything else: read `{exported.name}.v`; it needs no other file.
Verilator's warnings about generated code are turned off with `{' '.join(LINT_OPTIONS)}`.
The constraints ask for {mhz:g} MHz; whether that is met depends on the device.
"""
