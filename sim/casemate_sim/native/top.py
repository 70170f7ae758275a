"""The hardware of a simulation: player, engine or bare wire, DRAM model."""

from amaranth import (
    ClockDomain,
    ClockSignal,
    Const,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi
from casemate.axi.rules import Rules
from casemate.config import DOMAIN_BITS, EngineConfig

from casemate_sim.dram.array import NativeArray
from casemate_sim.dram.frontend import array_signature
from casemate_sim.dram.layouts import TIMING, Geometry
from casemate_sim.dram.model import DramModel
from casemate_sim.player.layouts import LATENCY_BITS, LINE_BITS, SETTINGS
from casemate_sim.player.player import COUNTERS, Player

__all__ = ["USER_BITS", "SimulationTop", "connect_wire", "host_signature"]

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


class SimulationTop(wiring.Component):
    """Everything that is Verilated; its ports are what the C++ harness touches.

    The AXI4 rules watch both buses; a broken one ends the simulation.

    Parameters
    ----------
    config:
        The engine's configuration; of a bare wire only the widths of the bus matter.
    bare:
        True: no engine, the player drives the DRAM.
    banks:
        Banks of the DRAM.

    Members
    -------
    clk, rst : In(1)
        Clock and synchronous reset; the reset acts one cycle later.
    handle : In(64)
        The harness's C++ object.
    settings, timing
        See `Player` and `DramModel`; through a register.
    run, done, counters, histogram, bin, count
        See `Player`; inputs go through a register.
    key_valid, key_ready, key_slot, key_name, key_value
        Load a key: valid for one cycle, then ready is low until the engine has taken it. Absent
        from a bare wire, like all `slot_` members.
    slot_valid, slot_ready, slot_slot, slot_enable, slot_domain, slot_encrypt, slot_authenticate
        Set a domain slot, in the same way.
    engine_idle : Out(1)
        The engine has nothing in flight and no key to expand.
    """

    def __init__(self, config: EngineConfig, *, bare: bool, banks: int = 8):
        self._config = config
        self._bare = bare
        self._banks = banks
        members = {
            "clk": In(1), "rst": In(1), "handle": In(64), "settings": In(SETTINGS),
            "timing": In(TIMING), "run": In(1), "done": Out(1), "counters": Out(COUNTERS),
            "histogram": In(2),
            "bin": In(LATENCY_BITS), "count": Out(32),
        }
        if not bare:
            slots = range(config.domain_slots)
            members |= {
                "key_valid": In(1), "key_ready": Out(1), "key_slot": In(slots), "key_name": In(2),
                "key_value": In(config.aes_bits), "slot_valid": In(1), "slot_ready": Out(1),
                "slot_slot": In(slots), "slot_enable": In(1), "slot_domain": In(DOMAIN_BITS),
                "slot_encrypt": In(1), "slot_authenticate": In(1), "engine_idle": Out(1),
            }
        super().__init__(members)

    @property
    def ports(self) -> dict[str, tuple[Value, None]]:
        """Ports of the exported module, structures as plain vectors."""
        return {name: (Value.cast(getattr(self, name)), None) for name in self.signature.members}

    def elaborate(self, platform) -> Module:
        """Connect player, engine or wire, DRAM model and the modules behind DPI-C."""
        m = Module()
        # Verilator computes what hangs on an input twice a cycle: all inputs go into registers,
        # the reset first, on which every register hangs
        m.domains.outside = outside = ClockDomain(reset_less=True)
        m.domains.sync = inside = ClockDomain()
        m.d.comb += [outside.clk.eq(self.clk), inside.clk.eq(self.clk)]
        m.d.outside += inside.rst.eq(self.rst)

        config = self._config
        id_bits = config.id_bits if self._bare else config.memory_id_bits
        geometry = Geometry(config.data_bits, config.address_bits, id_bits, self._banks)
        m.submodules.player = player = Player(host_signature(config))
        m.submodules.dram = dram = DramModel(geometry)
        m.submodules.array = array = NativeArray(array_signature(geometry))
        wiring.connect(m, dram.array, array.port)
        m.d.comb += [
            array.handle.eq(self.handle), self.done.eq(player.done),
            self.counters.eq(player.counters), self.count.eq(player.count),
        ]
        m.d.sync += [
            dram.timing.eq(self.timing), player.settings.eq(self.settings),
            player.run.eq(self.run), player.histogram.eq(self.histogram),
            player.bin.eq(self.bin),
        ]
        if self._bare:
            connect_wire(m, player.bus, dram.bus)
            m.submodules.rules = rules = Rules(dram.bus.signature, name="bus")
            rules.observe(m, dram.bus)
        else:
            self._elaborate_engine(m, player, dram)
        self._elaborate_source(m, player)
        self._elaborate_observer(m, player.bus)
        return m

    def _elaborate_engine(self, m: Module, player: Player, dram: DramModel) -> None:
        from casemate.top import Casemate

        from casemate_sim.checked import host_rules, memory_rules

        m.submodules.engine = engine = Casemate(self._config)
        wiring.connect(m, player.bus, engine.s_axi)
        wiring.connect(m, engine.m_axi, dram.bus)
        m.submodules.host_rules = host = host_rules(self._config)
        m.submodules.memory_rules = memory = memory_rules(self._config)
        host.observe(m, player.bus)
        memory.observe(m, dram.bus)
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

    def _elaborate_source(self, m: Module, player: Player) -> None:
        line, distance = Signal(LINE_BITS), Signal(32)
        write, dependent = Signal(), Signal()
        m.submodules.source = Instance(
            "casemate_record_source", i_clk=ClockSignal(), i_rst=ResetSignal(),
            i_handle=self.handle, i_run=self.run, i_ready=player.i.ready, o_valid=player.i.valid,
            o_line=line, o_distance=distance, o_write=write, o_dependent=dependent,
            o_ended=player.end)
        m.d.comb += [player.i.p.line.eq(line), player.i.p.distance.eq(distance),
                     player.i.p.write.eq(write), player.i.p.dependent.eq(dependent)]

    def _elaborate_observer(self, m: Module, bus: wiring.PureInterface) -> None:
        def widened(name: str, width: int) -> Value:
            value = Value.cast(getattr(bus, name))
            return Value.cast(Const(0, width)) | value

        ports = {f"i_{name}": getattr(bus, name) for name in (
            "arvalid", "arready", "awvalid", "awready", "rdata", "rresp", "rlast", "rvalid",
            "rready", "bresp", "bvalid", "bready")}
        ports |= {f"i_{name}": widened(name, 32) for name in ("arid", "awid", "rid", "bid")}
        ports |= {f"i_{name}": widened(name, 64) for name in ("araddr", "awaddr")}
        m.submodules.observer = Instance(
            "casemate_observer", p_DATA_BITS=self._config.data_bits, i_clk=ClockSignal(),
            i_rst=ResetSignal(), i_handle=self.handle, **ports)
