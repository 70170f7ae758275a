"""The hardware of a simulation that plays a trace: player, engine or bare wire, DRAM model."""

from amaranth import (
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
from casemate.config import EngineConfig

from casemate_sim.native.memory_system import MemorySystem, host_signature
from casemate_sim.player.layouts import LATENCY_BITS, LINE_BITS, SETTINGS
from casemate_sim.player.player import COUNTERS, Player

__all__ = ["SimulationTop"]


class SimulationTop(MemorySystem):
    """A player in front of a `MemorySystem`, and what checks its reads.

    Parameters
    ----------
    config, bare, banks:
        See `MemorySystem`.

    Members
    -------
    settings, done, counters, histogram, bin, count
        See `Player`; inputs go through a register.
    """

    def __init__(self, config: EngineConfig, *, bare: bool, banks: int = 8):
        super().__init__(config, bare=bare, banks=banks, members={
            "settings": In(SETTINGS), "done": Out(1), "counters": Out(COUNTERS),
            "histogram": In(2), "bin": In(LATENCY_BITS), "count": Out(32),
        })

    def elaborate(self, platform) -> Module:
        """Connect the player to the memory and to the modules behind DPI-C."""
        m = Module()
        m.submodules.player = player = Player(host_signature(self._config))
        self.elaborate_memory(m, player.bus)
        m.d.comb += [
            self.done.eq(player.done), self.counters.eq(player.counters),
            self.count.eq(player.count),
        ]
        m.d.sync += [
            player.settings.eq(self.settings), player.run.eq(self.run),
            player.histogram.eq(self.histogram), player.bin.eq(self.bin),
        ]
        self._elaborate_source(m, player)
        self._elaborate_observer(m, player.bus)
        return m

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
