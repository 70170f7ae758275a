"""The engine as it is simulated: with the AXI4 rules asserted on both of its buses."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped
from casemate.axi.rules import Rules
from casemate.config import EngineConfig
from casemate.engine.host_port import host_signature
from casemate.engine.memory_port import memory_signature
from casemate.top import Casemate

__all__ = ["CheckedCasemate", "host_rules", "memory_rules"]


def host_rules(config: EngineConfig) -> Rules:
    """Return the rules of the host's bus, with room for all that the engine accepts."""
    most = max(config.read_entries, config.write_entries, config.write_bursts)
    return Rules(host_signature(config), name="s_axi", outstanding=max(8, 2 * most))


def memory_rules(config: EngineConfig) -> Rules:
    """Return the rules of the DRAM's bus, with room for every entry of all tables."""
    most = max(config.read_entries, config.write_entries) + config.node_entries
    outstanding = 1 << (max(8, 2 * most) - 1).bit_length()
    # The engine never asks for an exclusive access, and copes with a DRAM that answers EXOKAY.
    return Rules(memory_signature(config), name="m_axi", outstanding=outstanding,
                 without=("ERRS_RRESP_EXOKAY", "ERRS_BRESP_EXOKAY"))


class CheckedCasemate(wiring.Component):
    """``Casemate`` and whatever watches its ports; the ports are the same, without delay.

    Assertions end a simulation. They belong here and not in the engine, because they are no part of
    what is synthesised.
    """

    key: stream.Interface
    slot: stream.Interface
    idle: Signal

    def __init__(self, config: EngineConfig):
        self._config = config
        self._engine = Casemate(config)
        self.door = self._engine.door
        """See `Casemate`."""
        super().__init__(self._engine.signature)

    @property
    def config(self) -> EngineConfig:
        """The configuration that it was built from."""
        return self._config

    def elaborate(self, platform: object) -> Module:
        """Connect the engine's ports through, and the rules to its buses."""
        m = Module()
        m.submodules.engine = engine = self._engine
        m.submodules.host_rules = host = host_rules(self._config)
        m.submodules.memory_rules = memory = memory_rules(self._config)
        connect(m, flipped(self.s_axi), engine.s_axi)
        connect(m, engine.m_axi, flipped(self.m_axi))
        connect(m, flipped(self.key), engine.key)
        connect(m, flipped(self.slot), engine.slot)
        m.d.comb += self.idle.eq(engine.idle)
        if self._config.tree is not None:
            connect(m, flipped(self.s_axil), engine.s_axil)
            m.d.comb += [getattr(self, name).eq(getattr(engine, name))
                         for name in ("irq", "alert_integrity", "alert_fatal")]
        host.observe(m, engine.s_axi)
        memory.observe(m, engine.m_axi)
        return m
