"""The engine as it stands between the last cache and the DRAM controller."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import EngineConfig
from .domain.slots import DomainSlots, slot_layout
from .engine.core import Core
from .engine.host_port import host_signature
from .engine.keys import KeyLoader, key_layout
from .engine.memory_port import memory_signature

__all__ = ["Casemate"]


class Casemate(wiring.Component):
    """Memory-encryption engine with the modes `plain` and `xts`, chosen for each domain.

    Resetting it forgets what is in flight and which domain each slot belongs to: until slots are
    set again, everything is refused. The buses on both sides must be reset with it. DRAM keeps what
    it holds; a line that was being written then is old, new, or, where the DRAM takes a line in
    parts, a mixture of 16-byte blocks of both.

    Members
    -------
    s_axi: In(host_signature(config))
        AXI4 subordinate, the host's side. AWUSER and ARUSER: bits 11..0 are the domain, bit 12 of
        AWUSER is `claim`, which means nothing in these modes.
    m_axi: Out(memory_signature(config))
        AXI4 manager, the DRAM's side. Whole lines; the host's addresses are the DRAM's.
    key: In(stream.Signature(key_layout(config)))
        Keys on their way in; nothing reads them back.
    slot: In(stream.Signature(slot_layout(config), always_ready=True))
        Settings of the domain slots.
    idle: Out(1)
        Nothing is in flight, no key is being expanded: keys and slots may change.
    """

    key: stream.Interface
    slot: stream.Interface
    idle: Signal

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "s_axi": In(host_signature(config)), "m_axi": Out(memory_signature(config)),
            "key": In(stream.Signature(key_layout(config))),
            "slot": In(stream.Signature(slot_layout(config), always_ready=True)),
            "idle": Out(1),
        })

    @property
    def config(self) -> EngineConfig:
        """The configuration that it was built from."""
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = Core(self._config)
        m.submodules.slots = slots = DomainSlots(self._config)
        m.submodules.keys = keys = KeyLoader(self._config)
        connect(m, flipped(self.s_axi), core.host)
        connect(m, core.memory, flipped(self.m_axi))
        connect(m, flipped(self.key), keys.i)
        connect(m, flipped(self.slot), slots.i)
        connect(m, core.read_lookup, slots.read)
        connect(m, core.write_lookup, slots.write)
        connect(m, keys.data, core.data_key)
        connect(m, keys.tweak, core.tweak_key)
        m.d.comb += self.idle.eq(core.idle & keys.idle)
        return m
