"""An exported engine with what is known of it: configuration, ports, digest, versions."""

from __future__ import annotations

import contextlib
import enum
import gc
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from casemate.config import EngineConfig

from casemate_sim.config_file import config_dict
from casemate_sim.toolchain import package_versions

__all__ = ["CLOCK", "RESET", "Exported", "Language", "Port", "engine_ports", "export_engine",
           "unused_hardware"]

CLOCK, RESET = "clk", "rst"
"""Ports that every exported engine has."""


class Language(enum.StrEnum):
    """What can be exported."""

    VERILOG = "verilog"
    RTLIL = "rtlil"


@dataclass(frozen=True)
class Port:
    """A port of the top module.

    Attributes
    ----------
    width:
        In bits.
    is_input:
        It goes into the engine.
    """

    width: int
    is_input: bool


@dataclass(frozen=True)
class Exported:
    """One engine as text.

    Attributes
    ----------
    config:
        What it was built from.
    name:
        The top module.
    language:
        Of the text.
    text:
        The whole file.
    ports:
        By name, clock and reset excepted.
    """

    config: EngineConfig
    name: str
    language: Language
    text: str
    ports: dict[str, Port]

    @cached_property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.text.encode()

    def as_dict(self, file: str) -> dict[str, object]:
        """Return what is known of it as plain JSON values; `file` is where the text lies."""
        return {
            "file": file, "format": self.language.value, "module": self.name,
            "bytes": len(self.content), "sha256": sha256(self.content).hexdigest(),
            "config": config_dict(self.config),
            "versions": package_versions("casemate", "amaranth", "pyosys"),
            "clock": CLOCK, "reset": RESET,
            "ports": {name: {"width": port.width,
                             "direction": "input" if port.is_input else "output"}
                      for name, port in self.ports.items()},
        }


def export_engine(config: EngineConfig, *, name: str = "casemate",
                  language: Language = Language.VERILOG) -> Exported:
    """Build the engine of a configuration and return it as text with top module `name`."""
    from casemate.export import FlatPorts, flat_rtlil, rtlil_to_verilog
    from casemate.top import Casemate

    flat = FlatPorts(Casemate(config))
    text = flat_rtlil(flat, name=name)
    if language is Language.VERILOG:
        text = rtlil_to_verilog(text)
    return Exported(config, name, language, text, {
        port: Port(len(signal), port in flat.inputs) for port, signal in flat.ports.items()})


@contextlib.contextmanager
def unused_hardware() -> Iterator[None]:
    """Let components be made for what they say of themselves only."""
    from amaranth.hdl import UnusedElaboratable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        yield
        gc.collect()


def engine_ports(config: EngineConfig) -> dict[str, Port]:
    """Return the ports of an engine without building it, clock and reset excepted."""
    from casemate.export import FlatPorts
    from casemate.top import Casemate

    with unused_hardware():
        flat = FlatPorts(Casemate(config))
        ports = {port: Port(len(signal), port in flat.inputs)
                 for port, signal in flat.ports.items()}
        del flat
    return ports
