"""The exported engine as a LiteX module."""

from __future__ import annotations

import re
from typing import Any

from casemate.config import DOMAIN_BITS, EngineConfig
from litex.gen import LiteXModule
from litex.soc.interconnect.axi import AXIInterface, AXILiteInterface
from migen import ClockSignal, Instance, ResetSignal, Signal

from casemate_sim.exported import CLOCK, RESET, Port, engine_ports

from .verilog import engine_verilog

__all__ = ["CLAIM_BIT", "USER_BITS", "Engine"]

CLAIM_BIT = DOMAIN_BITS
"""Bit of AWUSER that takes a granule which nobody owns."""

USER_BITS = DOMAIN_BITS + 1
"""Width of AxUSER on the host's side."""

_BUS_PORT = re.compile(r"(s_axil|s_axi|m_axi)_(aw|ar|w|b|r)(\w+)")


class Engine(LiteXModule):
    """An instance of the exported Verilog, in the clock domain ``sys``.

    Parameters
    ----------
    config:
        What it is built from.
    name:
        The top module; a SoC with several engines needs several names.

    Attributes
    ----------
    config:
        What it is built from.
    host:
        AXI4: the host's side. User signals have ``USER_BITS`` bits: domain and, for writes, claim.
    memory:
        AXI4: the DRAM's side.
    registers:
        AXI4-Lite; of its addresses the lower bits count. None without a tree.
    pins:
        Every other port, by its name: keys or fuses, entropy, interrupt, alerts. Whoever makes a
        SoC drives those that are inputs.
    """

    def __init__(self, config: EngineConfig, *, name: str = "casemate") -> None:
        self.config = config
        self._name = name
        shape = {"data_width": config.data_bits, "address_width": config.address_bits}
        self.host = AXIInterface(**shape, id_width=config.id_bits, aw_user_width=USER_BITS,
                                 ar_user_width=USER_BITS)
        self.memory = AXIInterface(**shape, id_width=config.memory_id_bits)
        self.registers = None if config.tree is None else AXILiteInterface(
            data_width=32, address_width=32)
        self.pins: dict[str, Signal] = {}
        connections: dict[str, Any] = {f"i_{CLOCK}": ClockSignal("sys"),
                                       f"i_{RESET}": ResetSignal("sys")}
        for port_name, port in engine_ports(config).items():
            signal = self._signal(port_name, port)
            connections[f"{'i' if port.is_input else 'o'}_{port_name}"] = signal
        self.specials += Instance(name, **connections)

    def _signal(self, name: str, port: Port) -> Any:
        found = _BUS_PORT.fullmatch(name)
        if found is None:
            return self.pins.setdefault(name, Signal(port.width, name=f"engine_{name}"))
        bus = {"s_axi": self.host, "m_axi": self.memory, "s_axil": self.registers}[found[1]]
        return getattr(getattr(bus, found[2]), found[3])[:port.width]

    def add_sources(self, platform: Any) -> None:
        """Give the Verilog to the platform of a SoC; the first time, it is exported."""
        platform.add_source(str(engine_verilog(self.config, name=self._name)))
