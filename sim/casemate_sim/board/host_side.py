"""What is on the engine's host side: single accesses, the trace player, and their control."""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from casemate_sim.board.access import AccessSignature
from casemate_sim.board.config import BoardConfig
from casemate_sim.board.control import Control
from casemate_sim.board.line_port import LinePort
from casemate_sim.board.memory import ProbeSignature
from casemate_sim.native.memory_system import host_signature
from casemate_sim.player.player import Player

__all__ = ["HostSide"]


class HostSide(wiring.Component):
    """Player and single accesses share a bus: the player has it from the start of a run to its end.

    Members
    -------
    access: In(AccessSignature())
        Accesses to the board itself, see ``Control``.
    state: In(5)
        Fields of the register ``state``.
    reset: Out(1), tamper: Out(1)
        What software wants of the engine.
    probe: Out(ProbeSignature())
        To the memory.
    bus: Out(host_signature(config))
        To the engine.
    """

    access: wiring.PureInterface
    probe: wiring.PureInterface
    bus: wiring.PureInterface

    def __init__(self, config: BoardConfig):
        self._config = config
        self._bus = host_signature(config.engine)
        super().__init__({
            "access": In(AccessSignature()), "state": In(5), "reset": Out(1), "tamper": Out(1),
            "probe": Out(ProbeSignature()), "bus": Out(self._bus)})

    def elaborate(self, platform: object) -> Module:
        """Connect control, player and single accesses."""
        m = Module()
        m.submodules.control = control = Control(self._config)
        line, player = LinePort(self._config.engine), Player(self._bus)
        m.submodules.line = ResetInserter(control.reset)(line)
        m.submodules.player = ResetInserter(control.player_reset | control.reset)(player)
        connect(m, flipped(self.access), control.access)
        connect(m, control.probe, flipped(self.probe))
        connect(m, control.record, player.i)
        m.d.comb += [
            control.state.eq(self.state), self.reset.eq(control.reset),
            self.tamper.eq(control.tamper),
            player.settings.eq(control.settings), player.run.eq(control.run),
            player.end.eq(control.end), control.done.eq(player.done),
            player.histogram.eq(control.histogram), player.bin.eq(control.bin),
            control.count.eq(player.count), control.counters.eq(player.counters),
            line.line.eq(control.line), line.domain.eq(control.domain),
            line.claim.eq(control.claim), line.read.eq(control.read),
            line.write.eq(control.write), line.word.eq(control.word),
            line.value.eq(control.value), line.put.eq(control.put),
            control.content.eq(line.content), control.busy.eq(line.busy),
            control.response.eq(line.response),
        ]
        playing = Signal()
        m.d.comb += playing.eq(control.run & ~player.done)
        for name, member in self._bus.members.items():
            ours, port = (player.bus, line.bus), getattr(self.bus, name)
            if member.flow == In:
                m.d.comb += [getattr(bus, name).eq(port) for bus in ours]
                continue
            with m.If(playing):
                m.d.comb += port.eq(getattr(player.bus, name))
            with m.Else():
                m.d.comb += port.eq(getattr(line.bus, name))
        with m.If(playing):
            m.d.comb += [
                self.bus.awuser[-1].eq(control.player_claim),
                # Each side hears only its own responses.
                line.bus.rvalid.eq(0), line.bus.bvalid.eq(0)]
        return m
