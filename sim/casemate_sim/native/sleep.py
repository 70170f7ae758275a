"""An engine that costs a simulation nothing while it has nothing to do, and is cycle-exact.

Verilator computes whatever depends on a clock or on an input of a clock's domain, whether it
changes or not. So the engine has a clock of its own, and sees its inputs through copies: as long as
neither ticks, nothing of it is computed. `sleep.h` says when they do.
"""

from amaranth import Cat, ClockDomain, Const, DomainRenamer, Module, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.config import EngineConfig
from casemate.metadata.root import RootDoor

from casemate_sim.checked import CheckedCasemate

__all__ = ["SleepingEngine"]


class SleepingEngine(wiring.Component):
    """`CheckedCasemate` behind copies of its inputs; the ports are the same, without delay.

    A cycle of the simulation has two steps. In the first, all else has its clock edge. In the
    second, which a sleeping engine leaves out, `clk` and `feed` rise together: the engine's
    registers still see the inputs from before the first step, and the copies take the new ones.
    If an input then answers to an output within the cycle, `stale` asks for another edge of `feed`.

    An engine may sleep if it has been inactive long enough to stand still. The only thing that
    never does is the round of the statistics: no count depends on its phase. A key manager, which
    looks after its fuses and its sources of entropy by itself, never stands still, so an engine
    that has one cannot be put here.

    Parameters
    ----------
    config:
        The engine's configuration, without a key manager.

    Members
    -------
    clk, feed : In(1)
        Clock of the engine; a rising edge copies the inputs.
    active : Out(1)
        Something is in flight in the engine or on one of its ports, or it is in reset.
    stale : Out(1)
        An input differs from its copy.
    """

    key: stream.Interface
    slot: stream.Interface
    idle: Signal
    clk: Signal
    feed: Signal
    active: Signal
    stale: Signal

    def __init__(self, config: EngineConfig):
        if config.keys is not None:
            raise ValueError("an engine with a key manager never sleeps")
        self._engine = CheckedCasemate(config)
        self.door = None if config.tree is None else RootDoor(config).create(path=("door",))
        super().__init__({**self._engine.signature.members, "clk": In(1), "feed": In(1),
                          "active": Out(1), "stale": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Make the copies."""
        m = Module()
        engine, door = self._engine, self._engine.door
        m.domains.engine = clocked = ClockDomain(local=True)
        m.domains.feed = fed = ClockDomain(reset_less=True, local=True)
        m.submodules.engine = DomainRenamer("engine")(engine)
        m.d.comb += [clocked.clk.eq(self.clk), fed.clk.eq(self.feed)]

        ports = list(zip(engine.signature.flatten(self), engine.signature.flatten(engine),
                         strict=True))
        if door is not None:
            inside = door.signature.flip()
            ports += zip(inside.flatten(self.door), inside.flatten(door), strict=True)
        busy, inputs = [ResetSignal(), ~self.idle], [(ResetSignal(), clocked.rst)]
        for (path, member, outer), (_, _, inner) in ports:
            outer, inner = Value.cast(outer), Value.cast(inner)
            if str(path[-1]).endswith("valid") or path[-1] in ("load", "write"):
                busy.append(outer)
            if member.flow == In:
                inputs.append((outer, inner))
            elif not isinstance(outer, Const):  # of a stream that is always ready
                m.d.comb += outer.eq(inner)
        m.d.feed += [copy.eq(value) for value, copy in inputs]
        m.d.comb += [self.active.eq(Cat(busy).any()),
                     self.stale.eq(Cat(copy != value for value, copy in inputs).any())]
        return m
