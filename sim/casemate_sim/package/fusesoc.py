"""The core file of a package: what FuseSoC needs to know (CAPI2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from casemate_sim.exported import Exported

__all__ = ["LINT_OPTIONS", "core_file", "core_name"]

LINT_OPTIONS = ("-Wno-ASCRANGE", "-Wno-CASEINCOMPLETE", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC")
"""Verilator's warnings about style that generated Verilog does not follow; all others count."""


def core_name(exported: Exported, version: str) -> str:
    """Return vendor, library, name and version: ``casemate:engine:tiny:0.1.0``.

    The name is that of the configuration; characters that FuseSoC does not take become ``_``.
    """
    return f"casemate:engine:{re.sub(r'[^A-Za-z0-9_.-]', '_', exported.config.name)}:{version}"


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def core_file(exported: Exported, *, version: str, source: str, headers: Iterable[str],
              sdc: str, lpf: str) -> str:
    """Return the text of the core file.

    It has the targets `default`, for use as a dependency; `lint`, which runs Verilator; and
    `synth`, which runs Yosys for ECP5.

    Parameters
    ----------
    exported:
        The engine.
    version:
        Of the core.
    source, headers, sdc, lpf:
        Names of the package's files, relative to the core file.
    """
    return f"""CAPI=2:
name: "{core_name(exported, version)}"
description: "Memory-encryption engine, configuration {exported.config.digest}"

filesets:
  rtl:
    files: {_list([source])}
    file_type: verilogSource
  headers:
    files: {_list(headers)}
    file_type: user
  constraints:
    files:
      - {sdc}: {{file_type: SDC}}
      - {lpf}: {{file_type: LPF}}

targets:
  default:
    filesets: [rtl]
    toplevel: {exported.name}
  lint:
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: {_list(LINT_OPTIONS)}
    filesets: [rtl]
    toplevel: {exported.name}
  synth:
    default_tool: yosys
    filesets: [rtl, constraints, headers]
    toplevel: {exported.name}
    tools:
      yosys:
        arch: ecp5
        output_format: json
"""
