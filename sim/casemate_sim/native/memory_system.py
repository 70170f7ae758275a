"""The part of a simulation's hardware behind the host: engine or bare wire, DRAM model."""

from collections.abc import Mapping

from amaranth import (
    ClockDomain,
    ClockSignal,
    Instance,
    Module,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi
from casemate.axi.rules import Rules
from casemate.config import DOMAIN_BITS, EngineConfig
from casemate.csr.registers import ADDRESS_BITS as REGISTER_ADDRESS_BITS
from casemate.metadata.layouts import COUNTER_FIELD_BITS

from casemate_sim.dram.array import NativeArray
from casemate_sim.dram.frontend import array_signature
from casemate_sim.dram.layouts import TIMING, Geometry
from casemate_sim.dram.model import DramModel
from casemate_sim.native.register_port import REGISTER_BITS, RegisterPort

__all__ = ["USER_BITS", "MemorySystem", "connect_wire", "host_signature"]

USER_BITS = DOMAIN_BITS + 1
"""Width of AxUSER on the host side: the domain ID and the claim bit."""


def host_signature(config: EngineConfig) -> axi.Signature:
    """Return the signature of the host's bus."""
    return axi.Signature(data_bits=config.data_bits, address_bits=config.address_bits,
                         id_bits=config.id_bits, user_bits=USER_BITS)


def connect_wire(m: Module, host: wiring.PureInterface, memory: wiring.PureInterface) -> None:
    """Connect a host's bus straight to the DRAM: every member that both have."""
    members = memory.signature.members
    for name in members:
        if members[name].flow == In:
            m.d.comb += getattr(memory, name).eq(getattr(host, name))
        else:
            m.d.comb += getattr(host, name).eq(getattr(memory, name))


class MemorySystem(wiring.Component):
    """Everything between a host's bus and the content of DRAM; base of what is Verilated.

    The AXI4 rules watch both buses; a broken one ends the simulation.

    Parameters
    ----------
    config:
        The engine's configuration; of a bare wire only the widths of the bus matter.
    bare:
        True: no engine, the host drives the DRAM.
    banks:
        Banks of the DRAM.
    members:
        The host's own ports.

    Members
    -------
    clk, rst : In(1)
        Clock and synchronous reset; the reset acts one cycle later.
    handle : In(64)
        The harness's C++ object.
    run : In(1)
        The host runs.
    timing : In(TIMING)
        See `DramModel`; through a register.
    key_valid, key_ready, key_slot, key_name, key_value
        Load a key: valid for one cycle, then ready is low until the engine has taken it. Absent
        from a bare wire, like all `slot_` members.
    slot_valid, slot_ready, slot_slot, slot_enable, slot_domain, slot_encrypt, slot_authenticate
        Set a domain slot, in the same way.
    engine_idle : Out(1)
        The engine has nothing in flight and no key to expand.
    engine_clk, engine_feed, engine_active, engine_stale
        See `SleepingEngine`; registers count as its ports. Absent from a bare wire.
    register_valid, register_write, register_address, register_value
        Access a register: valid for one cycle, then ready is low until the answer is there. Only
        of an engine with a tree, like all that follows.
    register_ready, register_result, register_response
        The answer, see `RegisterPort`.
    root_load, root_index, root_value
        Set a root counter, while nothing else is going on; takes effect two cycles later.
    """

    def __init__(self, config: EngineConfig, *, bare: bool, banks: int,
                 members: Mapping[str, wiring.Member]):
        self._config = config
        self._bare = bare
        self._banks = banks
        ports = {"clk": In(1), "rst": In(1), "handle": In(64), "run": In(1), "timing": In(TIMING)}
        if not bare:
            slots = range(config.domain_slots)
            ports |= {
                "key_valid": In(1), "key_ready": Out(1), "key_slot": In(slots), "key_name": In(2),
                "key_value": In(config.aes_bits), "slot_valid": In(1), "slot_ready": Out(1),
                "slot_slot": In(slots), "slot_enable": In(1), "slot_domain": In(DOMAIN_BITS),
                "slot_encrypt": In(1), "slot_authenticate": In(1), "engine_idle": Out(1),
                "engine_clk": In(1), "engine_feed": In(1), "engine_active": Out(1),
                "engine_stale": Out(1),
            }
        if self._has_tree:
            ports |= {
                "register_valid": In(1), "register_write": In(1),
                "register_address": In(REGISTER_ADDRESS_BITS),
                "register_value": In(REGISTER_BITS), "register_ready": Out(1),
                "register_result": Out(REGISTER_BITS), "register_response": Out(2),
                "root_load": In(1), "root_index": In(range(config.root_counters)),
                "root_value": In(COUNTER_FIELD_BITS),
            }
        super().__init__(ports | dict(members))

    @property
    def _has_tree(self) -> bool:
        return not self._bare and self._config.tree is not None

    @property
    def ports(self) -> dict[str, tuple[Value, None]]:
        """Ports of the exported module, structures as plain vectors."""
        return {name: (Value.cast(getattr(self, name)), None) for name in self.signature.members}

    def elaborate_memory(self, m: Module, bus: wiring.PureInterface) -> None:
        """Make the clock domains, and connect a host's bus to engine or wire and DRAM."""
        # Verilator computes what hangs on an input twice a cycle: all inputs go into registers,
        # the reset first, on which every register hangs
        m.domains.outside = outside = ClockDomain(reset_less=True)
        m.domains.sync = inside = ClockDomain()
        m.d.comb += [outside.clk.eq(self.clk), inside.clk.eq(self.clk)]
        m.d.outside += inside.rst.eq(self.rst)

        config = self._config
        id_bits = config.id_bits if self._bare else config.memory_id_bits
        geometry = Geometry(config.data_bits, config.address_bits, id_bits, self._banks)
        m.submodules.dram = dram = DramModel(geometry)
        m.submodules.array = array = NativeArray(array_signature(geometry))
        wiring.connect(m, dram.array, array.port)
        m.d.comb += array.handle.eq(self.handle)
        m.d.sync += dram.timing.eq(self.timing)
        if self._bare:
            connect_wire(m, bus, dram.bus)
            m.submodules.rules = rules = Rules(dram.bus.signature, name="bus")
            rules.observe(m, dram.bus)
        else:
            self._elaborate_engine(m, bus, dram)

    def _elaborate_engine(self, m: Module, bus: wiring.PureInterface,
                          dram: DramModel) -> None:
        from casemate_sim.native.sleep import SleepingEngine

        m.submodules.engine = engine = SleepingEngine(self._config)
        m.d.comb += [
            engine.clk.eq(self.engine_clk), engine.feed.eq(self.engine_feed),
            self.engine_active.eq(engine.active), self.engine_stale.eq(engine.stale),
        ]
        wiring.connect(m, bus, engine.s_axi)
        wiring.connect(m, engine.m_axi, dram.bus)
        m.d.sync += [
            engine.key.p.slot.eq(self.key_slot), Value.cast(engine.key.p.name).eq(self.key_name),
            engine.key.p.key.eq(self.key_value),
            engine.slot.p.slot.eq(self.slot_slot), engine.slot.p.enable.eq(self.slot_enable),
            engine.slot.p.domain.eq(self.slot_domain), engine.slot.p.encrypt.eq(self.slot_encrypt),
            engine.slot.p.authenticate.eq(self.slot_authenticate),
        ]
        for port, valid, ready in ((engine.key, self.key_valid, self.key_ready),
                                   (engine.slot, self.slot_valid, self.slot_ready)):
            with m.If(valid):
                m.d.sync += port.valid.eq(1)
            with m.Elif(port.ready):
                m.d.sync += port.valid.eq(0)
            m.d.comb += ready.eq(~port.valid)
        m.d.comb += self.engine_idle.eq(engine.idle)
        if self._has_tree:
            self._elaborate_control(m, engine)

    def _elaborate_control(self, m: Module, engine: wiring.PureInterface) -> None:
        """Connect registers and root."""
        m.submodules.registers = registers = RegisterPort(REGISTER_ADDRESS_BITS)
        wiring.connect(m, registers.bus, engine.s_axil)
        m.d.sync += [
            registers.valid.eq(self.register_valid), registers.write.eq(self.register_write),
            registers.address.eq(self.register_address), registers.value.eq(self.register_value),
        ]
        m.d.comb += [
            # The access is still on its way in during the first cycle.
            self.register_ready.eq(registers.ready & ~registers.valid),
            self.register_result.eq(registers.result),
            self.register_response.eq(registers.response),
        ]
        with m.If(~registers.ready):  # or the answer would never come
            m.d.comb += self.engine_active.eq(1)
        door = engine.door
        m.d.sync += [
            door.load.eq(self.root_load), door.load_index.eq(self.root_index),
            door.load_value.eq(self.root_value),
        ]
        index, value = Signal(32), Signal(64)
        m.d.comb += [index.eq(door.index), value.eq(door.value)]
        m.submodules.root_log = Instance(
            "casemate_root_log", i_clk=ClockSignal(), i_handle=self.handle, i_write=door.write,
            i_index=index, i_value=value)
