"""What the LEDs show: booting, protected, tampered."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.config import EngineConfig
from casemate.key_manager.layouts import KeyState

from casemate_sim.board.access import AccessSignature
from casemate_sim.registers import RegisterMap

__all__ = ["Watch"]


class Watch(wiring.Component):
    """Looks at the engine's registers ``key_state`` and ``status`` while nobody else uses them.

    Both are read in turn without a pause: a look takes some ten cycles, so that what is shown is
    never older than about thirty.

    Members
    -------
    i: In(AccessSignature())
        Accesses of others; they go first.
    o: Out(AccessSignature())
        To the engine.
    alert: In(1)
        One of the engine's alerts is up.
    booting, protected, tampered: Out(1)
        Exactly one of them is high.
    """

    i: wiring.PureInterface
    o: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        self._registers = RegisterMap(config)
        super().__init__({
            "i": In(AccessSignature()), "o": Out(AccessSignature()), "alert": In(1),
            "booting": Out(1), "protected": Out(1), "tampered": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Let a look begin only when no access of others waits."""
        m = Module()
        mine, locked, ready, keyed = Signal(), Signal(), Signal(), Signal()
        status_next = Signal()
        key_state, status = self._registers["key_state"], self._registers["status"]
        with m.If(mine):
            m.d.comb += self.o.valid.eq(1)
            m.d.comb += self.o.address.eq(key_state.offset)
            with m.If(status_next):
                m.d.comb += self.o.address.eq(status.offset)
        with m.Else():
            m.d.comb += [
                self.o.valid.eq(self.i.valid), self.o.write.eq(self.i.write),
                self.o.address.eq(self.i.address), self.o.value.eq(self.i.value),
                self.i.done.eq(self.o.done), self.i.result.eq(self.o.result),
                self.i.error.eq(self.o.error)]
        with m.If(~mine):
            m.d.sync += mine.eq(~self.i.valid)
        with m.Elif(self.o.done):
            m.d.sync += [mine.eq(0), status_next.eq(~status_next)]

        def field(register, name: str):
            place = register.field(name)
            return self.o.result[place.low:place.low + place.bits]

        with m.If(mine & self.o.done):
            with m.If(status_next):
                m.d.sync += [ready.eq(field(status, "ready")),
                             locked.eq(field(status, "engine_locked"))]
            with m.Else():
                m.d.sync += keyed.eq(field(key_state, "state") == KeyState.READY.value)
        m.d.comb += [
            self.tampered.eq(self.alert), self.protected.eq(~self.alert & keyed & ready & ~locked),
            self.booting.eq(~self.tampered & ~self.protected),
        ]
        return m
