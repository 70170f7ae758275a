"""Everything that lies in a package, as bytes: the same engine gives the same bytes."""

from __future__ import annotations

import json
from hashlib import sha256

from casemate import __version__

from casemate_sim.exported import Exported
from casemate_sim.registers import header

from .constraints import lpf, sdc
from .fusesoc import core_file
from .headers import memory_header
from .readme import readme
from .vivado import packaging_script

__all__ = ["MANIFEST", "SCHEMA", "package_files"]

MANIFEST = "manifest.json"
"""The file that says what the others are."""

SCHEMA = "casemate.package/1"


def package_files(exported: Exported, *, mhz: float) -> dict[str, bytes]:
    """Return the files of a package by their names, folders with ``/``.

    Parameters
    ----------
    exported:
        The engine, as Verilog.
    mhz:
        Frequency of its clock in megahertz, for the constraints.
    """
    config, name = exported.config, exported.name
    source, core = f"{name}.v", f"{name}.core"
    lattice, synopsys, xilinx = (f"constraints/{name}.{kind}" for kind in ("lpf", "sdc", "xdc"))
    timing = sdc(exported.ports, mhz=mhz)
    headers = {"casemate_memory.h": memory_header(config)}
    texts = {
        source: "the engine, in Verilog",
        core: "core file for FuseSoC",
        "vivado/package_ip.tcl": "script that makes Vivado write an IP-XACT component",
        lattice: "clock for nextpnr and Diamond",
        synopsys: "clock and asynchronous input for tools that read SDC",
        xilinx: "the same for Vivado, out of context",
        "casemate_memory.h": "memory map as a C header",
    }
    if config.tree is not None:
        headers["casemate_registers.h"] = header(config)
        texts["casemate_registers.h"] = "registers as a C header"
    texts[MANIFEST] = "configuration, ports, versions of the tools, SHA-256 of every other file"
    contents = {
        source: exported.text,
        core: core_file(exported, version=__version__, source=source, headers=headers,
                        sdc=synopsys, lpf=lattice),
        "vivado/package_ip.tcl": packaging_script(
            exported, version=__version__, source=f"../{source}", xdc=f"../{xilinx}"),
        lattice: lpf(mhz=mhz), synopsys: timing, xilinx: timing, **headers,
        "README.md": readme(exported, texts, version=__version__, mhz=mhz),
    }
    files = {each: text.encode() for each, text in contents.items()}
    files[MANIFEST] = json.dumps({
        "schema": SCHEMA, "mhz": mhz, **exported.as_dict(source),
        "files": {each: {"bytes": len(content), "sha256": sha256(content).hexdigest()}
                  for each, content in sorted(files.items())},
    }, indent=1).encode() + b"\n"
    return files
