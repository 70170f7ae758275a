"""Chooses what the metadata unit does in each cycle."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .interface import Access, access_layout, close_layout
from .layouts import Operation, operation_layout, parent_index, set_of
from .pins import Pins
from .reclaimer import leaf_request_layout
from .table import named_node_layout

__all__ = ["Choice"]


class Choice(wiring.Component):
    """One operation per cycle, in a register.

    First come the ends of writes, then accesses that were parked, entries that want a counter,
    leaves to be reclaimed, new accesses, walks that leave, the sweeper. Nothing leaves, and so
    drives a leaf out of the cache, while an access that waited for a leaf is about to look: it
    finds what it waited for.

    Parameters
    ----------
    pins:
        Where the leaf of an open write is; it is told when the write ends.

    Members
    -------
    close: In(stream.Signature(close_layout(config), always_ready=True))
    retry, access: In(stream.Signature(access_layout(config)))
    request, leave: In(stream.Signature(named_node_layout(config)))
    sweep: In(stream.Signature(operation_layout(config)))
    reclaim: In(stream.Signature(leaf_request_layout(config)))
    retry_first, retry_asked, retry_hinted: In(1)
        The access on ``retry`` was never looked up; wants no hint any more; had one.
    eager: In(1)
        Somebody who waited for a leaf is about to look.
    enable: In(1)
        The unit is ready.
    o: Out(stream.Signature(operation_layout(config), always_ready=True))
    closed: Out(close_layout(config))
        With an operation CLOSE, what is to be stored.
    """

    close: stream.Interface
    retry: stream.Interface
    access: stream.Interface
    request: stream.Interface
    leave: stream.Interface
    sweep: stream.Interface
    reclaim: stream.Interface
    o: stream.Interface

    def __init__(self, config: EngineConfig, *, pins: Pins):
        self._config, self._pins = config, pins
        access, node = (stream.Signature(layout(config))
                        for layout in (access_layout, named_node_layout))
        operation = operation_layout(config)
        super().__init__({
            "close": In(stream.Signature(close_layout(config), always_ready=True)),
            "retry": In(access), "access": In(access), "request": In(node), "leave": In(node),
            "sweep": In(stream.Signature(operation)),
            "reclaim": In(stream.Signature(leaf_request_layout(config))),
            "retry_first": In(1), "retry_asked": In(1), "retry_hinted": In(1),
            "eager": In(1), "enable": In(1),
            "o": Out(stream.Signature(operation, always_ready=True)),
            "closed": Out(close_layout(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, pins = self._config, self._pins
        self._chosen = chosen = Signal(operation_layout(config))
        valid = Signal()
        close, request, leave = self.close, self.request.payload, self.leave.payload
        quiet = Signal()  # nobody who waited for a leaf is about to look, or looking
        m.d.comb += [
            pins.entry.eq(close.payload.entry), pins.unpin.eq(close.valid),
            pins.unpin_entry.eq(close.payload.entry),
            quiet.eq(~self.eager & ~(self.o.valid & (
                (self.o.payload.operation == Operation.ACCESS)
                | (self.o.payload.operation == Operation.RECLAIM)
                | (self.o.payload.operation == Operation.LEAVE)))),
        ]
        with m.If(close.valid & close.payload.store):
            m.d.comb += [
                valid.eq(1), chosen.operation.eq(Operation.CLOSE), chosen.set.eq(pins.set),
                chosen.way.eq(pins.way)]
        with m.Elif(~self.enable):
            pass
        with m.Elif(self.retry.valid):
            m.d.comb += [valid.eq(1), self.retry.ready.eq(1), *self._access(self.retry.payload),
                         chosen.first.eq(self.retry_first), chosen.asked.eq(self.retry_asked),
                         chosen.hinted.eq(self.retry_hinted)]
        with m.Elif(self.request.valid):
            m.d.comb += [
                valid.eq(1), self.request.ready.eq(1), chosen.source.eq(request.entry),
                chosen.operation.eq(Mux(request.write_back, Operation.RAISE, Operation.GET)),
            ]
            for level in range(config.levels):
                index, place = parent_index(config, level, request.index)
                with m.If(request.level == level):
                    m.d.comb += [
                        chosen.level.eq(level + 1), chosen.index.eq(index), chosen.place.eq(place),
                        chosen.set.eq(set_of(config, level + 1, index))]
        with m.Elif(self.reclaim.valid):
            leaf = self.reclaim.payload.index
            m.d.comb += [
                valid.eq(1), self.reclaim.ready.eq(1), chosen.operation.eq(Operation.RECLAIM),
                chosen.level.eq(0), chosen.index.eq(leaf),
                chosen.source.eq(self.reclaim.payload.seat), chosen.set.eq(set_of(config, 0, leaf))]
        with m.Elif(self.access.valid):
            m.d.comb += [valid.eq(1), self.access.ready.eq(1), *self._access(self.access.payload),
                         chosen.first.eq(1)]
        with m.Elif(self.leave.valid & quiet):
            m.d.comb += [
                valid.eq(1), self.leave.ready.eq(1), chosen.operation.eq(Operation.LEAVE),
                chosen.source.eq(leave.entry), chosen.level.eq(leave.level),
                chosen.index.eq(leave.index), chosen.set.eq(
                    set_of(config, leave.level, leave.index))]
        with m.Elif(self.sweep.valid):
            m.d.comb += [valid.eq(1), self.sweep.ready.eq(1), chosen.eq(self.sweep.payload)]
        m.d.sync += [self.o.valid.eq(valid), self.o.payload.eq(chosen),
                     self.closed.eq(close.payload)]
        return m

    def _access(self, payload: Value) -> list:
        """Assign the operation of an access."""
        config, chosen = self._config, self._chosen
        place_bits = (config.leaf.lines - 1).bit_length()
        leaf = payload.line[place_bits:]
        return [
            chosen.operation.eq(Operation.ACCESS), chosen.level.eq(0), chosen.index.eq(leaf),
            chosen.source.eq(payload.id), chosen.place.eq(payload.line[:place_bits]),
            chosen.write.eq(payload.access == Access.WRITE), chosen.domain.eq(payload.domain),
            chosen.claim.eq(payload.claim), chosen.set.eq(set_of(config, 0, leaf)),
        ]
