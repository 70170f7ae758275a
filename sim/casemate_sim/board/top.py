"""The whole board but for its pins: engine, memory, fuses, entropy, player, serial line."""

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect
from casemate.entropy.rings import RingOscillators, SeededSource
from casemate.fuse.otp import OtpArray
from casemate.top import Casemate

from casemate_sim.board.access import EngineAccess, Split
from casemate_sim.board.bridge import Bridge
from casemate_sim.board.config import BoardConfig, Entropy
from casemate_sim.board.control import Control
from casemate_sim.board.line_port import LinePort
from casemate_sim.board.memory import BlockMemory
from casemate_sim.board.uart import Receiver, Transmitter
from casemate_sim.board.watch import Watch
from casemate_sim.native.memory_system import host_signature
from casemate_sim.player.player import Player

__all__ = ["BoardTop"]

_SEED = 0x2545_F491  # of the stand-in for entropy


class BoardTop(wiring.Component):
    """An engine that one serial line controls; see docs/board.md.

    Parameters
    ----------
    config:
        What it is built for.

    Members
    -------
    rx: In(1), tx: Out(1)
        The serial line, from and to the host.
    tamper: In(1)
        A button: somebody opens the case. Of any clock.
    booting, protected, tampered: Out(1)
        LEDs; exactly one is high.
    """

    def __init__(self, config: BoardConfig):
        self._config = config
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "tamper": In(1),
                          "booting": Out(1), "protected": Out(1), "tampered": Out(1)})

    @property
    def config(self) -> BoardConfig:
        """What it is built for."""
        return self._config

    def elaborate(self, platform: object) -> Module:
        """Connect everything; what a reset by software reaches is in `ResetInserter`s."""
        m = Module()
        config = self._config
        m.submodules.control = control = Control(config)
        reset = ResetInserter(control.reset)
        engine, memory = Casemate(config.engine), BlockMemory(config.engine)
        port, line, watch = EngineAccess(), LinePort(config.engine), Watch(config.engine)
        m.submodules.engine, m.submodules.memory = reset(engine), reset(memory)
        m.submodules.port, m.submodules.line = reset(port), reset(line)
        m.submodules.watch = reset(watch)
        self._elaborate_serial(m, control, watch)
        connect(m, watch.o, port.i)
        connect(m, port.port, engine.s_axil)
        connect(m, engine.m_axi, memory.bus)
        connect(m, control.probe, memory.probe)
        self._elaborate_anchor(m, engine, reset)
        self._elaborate_player(m, control, engine, line)
        m.d.comb += [
            engine.tamper.eq(self.tamper | control.tamper),
            watch.alert.eq(engine.alert_integrity | engine.alert_fatal),
            *(getattr(self, name).eq(getattr(watch, name))
              for name in ("booting", "protected", "tampered")),
            control.state.eq(self.booting | self.protected << 1 | self.tampered << 2
                             | engine.debug_enable << 3 | engine.irq << 4),
        ]
        return m

    def _elaborate_serial(self, m: Module, control: Control, watch: Watch) -> None:
        """Connect the serial line to engine and board."""
        cycles = self._config.cycles_per_bit
        m.submodules.receiver = receiver = Receiver(cycles)
        m.submodules.transmitter = transmitter = Transmitter(cycles)
        m.submodules.bridge = bridge = Bridge()
        m.submodules.split = split = Split()
        m.d.comb += [receiver.line.eq(self.rx), self.tx.eq(transmitter.line)]
        connect(m, receiver.o, bridge.i)
        connect(m, bridge.o, transmitter.i)
        connect(m, bridge.access, split.i)
        connect(m, split.engine, watch.i)
        connect(m, split.board, control.access)

    def _elaborate_anchor(self, m: Module, engine: Casemate, reset: ResetInserter) -> None:
        """Add fuses and entropy."""
        config = self._config
        fuses = OtpArray(config.fuses)
        m.submodules.fuses = reset(fuses)
        connect(m, engine.otp, fuses.otp)
        if config.entropy is Entropy.RINGS:
            rings = RingOscillators()
            m.d.comb += rings.enable.eq(1)
            m.submodules.entropy = rings
            connect(m, rings.o, engine.entropy)
        else:
            m.submodules.entropy = seeded = SeededSource(_SEED)
            connect(m, seeded.o, engine.entropy)

    def _elaborate_player(self, m: Module, control: Control, engine: Casemate,
                          line: LinePort) -> None:
        """Let player and single accesses share the engine's host side."""
        player = Player(host_signature(self._config.engine))
        m.submodules.player = ResetInserter(control.player_reset | control.reset)(player)
        connect(m, control.record, player.i)
        m.d.comb += [
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
        for name, member in host_signature(self._config.engine).members.items():
            ours, port = (player.bus, line.bus), getattr(engine.s_axi, name)
            if member.flow == In:
                m.d.comb += [getattr(bus, name).eq(port) for bus in ours]
                continue
            with m.If(playing):
                m.d.comb += port.eq(getattr(player.bus, name))
            with m.Else():
                m.d.comb += port.eq(getattr(line.bus, name))
        with m.If(playing):
            m.d.comb += engine.s_axi.awuser[-1].eq(control.player_claim)
            # Each side hears only its own responses.
            m.d.comb += [line.bus.rvalid.eq(0), line.bus.bvalid.eq(0)]
