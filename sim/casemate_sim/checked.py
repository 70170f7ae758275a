"""The engine as it is simulated: with assertions on both of its buses."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped
from casemate.config import EngineConfig
from casemate.top import Casemate

__all__ = ["CheckedCasemate"]


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
        super().__init__(self._engine.signature)

    @property
    def config(self) -> EngineConfig:
        """The configuration that it was built from."""
        return self._config

    def elaborate(self, platform: object) -> Module:
        """Connect the engine's ports through."""
        m = Module()
        m.submodules.engine = engine = self._engine
        connect(m, flipped(self.s_axi), engine.s_axi)
        connect(m, engine.m_axi, flipped(self.m_axi))
        connect(m, flipped(self.key), engine.key)
        connect(m, flipped(self.slot), engine.slot)
        m.d.comb += self.idle.eq(engine.idle)
        return m
