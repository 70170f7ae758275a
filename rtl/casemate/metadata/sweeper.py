"""Flush and invalidate: goes through the whole metadata cache, level by level."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .layouts import Operation, operation_layout

__all__ = ["Sweeper"]


class Sweeper(wiring.Component):
    """Writes back every changed leaf, then every changed node of level 1, and so on to the root.

    What was changed when it began is in DRAM, under its parents, when it ends; what is changed
    meanwhile may be as well. Leaves and nodes that are written back leave the cache. About four
    cycles for each way and level, and the time of the write-backs.

    Members
    -------
    flush: In(1), invalidate: In(1)
        Begin; ``invalidate`` empties the cache. Ignored while ``busy``.
    busy: Out(1)
    o: Out(stream.Signature(operation_layout(config)))
        Operations for the pipeline.
    done: In(1), again: In(1)
        The operation's end: it must be tried ``again``.
    written: In(1)
        No write-back is on its way.
    stop: In(1)
        Give up: what failed will never be written.
    """

    o: stream.Interface
    flush: Signal
    invalidate: Signal
    busy: Signal
    done: Signal
    again: Signal
    written: Signal
    stop: Signal

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "flush": In(1), "invalidate": In(1), "busy": Out(1),
            "o": Out(stream.Signature(operation_layout(config))),
            "done": In(1), "again": In(1), "written": In(1),
            "stop": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        assert config.tree is not None
        level, place = Signal(range(config.levels + 1)), Signal.like(self.o.payload.set)
        way, drop = Signal.like(self.o.payload.way), Signal()
        waiting, draining = Signal(), Signal()
        operation = self.o.payload
        m.d.comb += [
            operation.operation.eq(Operation.SWEEP), operation.level.eq(level),
            operation.set.eq(place), operation.way.eq(way), operation.drop.eq(drop),
            self.o.valid.eq(self.busy & ~waiting & ~draining),
        ]
        last_way = way == config.tree.cache_ways - 1
        last_set = place == config.tree.cache_sets - 1
        with m.If(~self.busy):
            with m.If(self.flush | self.invalidate):
                m.d.sync += [self.busy.eq(1), drop.eq(self.invalidate), level.eq(0)]
        with m.Elif(draining):
            with m.If(self.written):
                m.d.sync += [draining.eq(0), level.eq(level + 1)]
                with m.If(level == config.levels - 1):
                    m.d.sync += self.busy.eq(0)
        with m.Elif(self.done):
            m.d.sync += waiting.eq(0)
            with m.If(~self.again):
                m.d.sync += way.eq(way + 1)
                with m.If(last_way):
                    m.d.sync += [way.eq(0), place.eq(place + 1)]
                    with m.If(last_set):
                        m.d.sync += [place.eq(0), draining.eq(1)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += waiting.eq(1)
        with m.If(self.stop):
            m.d.sync += [self.busy.eq(0), waiting.eq(0), draining.eq(0)]
        return m
