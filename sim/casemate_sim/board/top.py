"""The whole board but for its pins: engine, memory, fuses, entropy, player, serial line."""

from amaranth import Cat, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect
from casemate.entropy.rings import RingOscillators, SeededSource
from casemate.fuse.otp import OtpArray
from casemate.top import Casemate

from casemate_sim.board.access import EngineAccess, Split
from casemate_sim.board.bridge import Bridge
from casemate_sim.board.config import BoardConfig, Entropy
from casemate_sim.board.host_side import HostSide
from casemate_sim.board.memory import BlockMemory
from casemate_sim.board.uart import Receiver, Transmitter
from casemate_sim.board.watch import Watch

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
        m.submodules.host = host = HostSide(config)
        reset = ResetInserter(host.reset)
        engine, memory = Casemate(config.engine), BlockMemory(config.engine)
        port, watch, fuses = EngineAccess(), Watch(config.engine), OtpArray(config.fuses)
        m.submodules.engine, m.submodules.memory = reset(engine), reset(memory)
        m.submodules.port, m.submodules.watch = reset(port), reset(watch)
        m.submodules.fuses = reset(fuses)
        self._elaborate_serial(m, host, watch)
        connect(m, watch.o, port.i)
        connect(m, port.port, engine.s_axil)
        connect(m, host.bus, engine.s_axi)
        connect(m, engine.m_axi, memory.bus)
        connect(m, engine.otp, fuses.otp)
        connect(m, host.probe, memory.probe)
        self._elaborate_entropy(m, engine)
        m.d.comb += [
            engine.tamper.eq(self.tamper | host.tamper),
            watch.alert.eq(engine.alert_integrity | engine.alert_fatal),
            *(getattr(self, name).eq(getattr(watch, name))
              for name in ("booting", "protected", "tampered")),
            host.state.eq(Cat(self.booting, self.protected, self.tampered, engine.debug_enable,
                              engine.irq)),
        ]
        return m

    def _elaborate_serial(self, m: Module, host: HostSide, watch: Watch) -> None:
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
        connect(m, split.board, host.access)

    def _elaborate_entropy(self, m: Module, engine: Casemate) -> None:
        """Add where entropy comes from; no reset reaches it."""
        if self._config.entropy is Entropy.RINGS:
            m.submodules.entropy = rings = RingOscillators()
            m.d.comb += rings.enable.eq(1)
            connect(m, rings.o, engine.entropy)
        else:
            m.submodules.entropy = seeded = SeededSource(_SEED)
            connect(m, seeded.o, engine.entropy)
