"""The root of the tree: counters that never leave the die."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .layouts import COUNTER_FIELD_BITS

__all__ = ["Root", "RootDoor"]

_FLAGS = 16


class RootDoor(wiring.Signature):
    """How a simulation sets and sees the root; the exported engine has no such port.

    Members
    -------
    load: Out(1), load_index: Out(range(root_counters)), load_value: Out(52)
        A counter is set, while nothing else is going on.
    write: In(1), index: In(range(root_counters)), value: In(52)
        A counter is being replaced.
    """

    def __init__(self, config: EngineConfig):
        index = range(config.root_counters)
        super().__init__({
            "load": Out(1), "load_index": Out(index), "load_value": Out(COUNTER_FIELD_BITS),
            "write": In(1), "index": In(index), "value": In(COUNTER_FIELD_BITS),
        })


class Root(wiring.Component):
    """Counters of the highest stored level; reset makes all of them zero.

    A reset clears one flag per counter, 16 in a cycle, and leaves the counters: ``ready`` comes
    after ``root_counters / 16`` cycles.

    Members
    -------
    enable: In(1), index: In(range(root_counters))
        A counter is wanted.
    counter: Out(52)
        It follows one cycle later.
    write: In(1), value: In(52)
        In that later cycle: the counter that was read is replaced.
    ready: Out(1)
        All counters are zero, or written since.
    door: In(RootDoor(config))
    """

    enable: Signal
    index: Signal
    counter: Signal
    write: Signal
    value: Signal
    ready: Signal

    def __init__(self, config: EngineConfig):
        self._counters = config.root_counters
        super().__init__({
            "enable": In(1), "index": In(range(self._counters)),
            "counter": Out(COUNTER_FIELD_BITS), "write": In(1), "value": In(COUNTER_FIELD_BITS),
            "ready": Out(1), "door": In(RootDoor(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        flags = min(_FLAGS, self._counters)
        groups = self._counters // flags
        m.submodules.counters = counters = Memory(
            shape=COUNTER_FIELD_BITS, depth=self._counters, init=[])
        m.submodules.written = written = Memory(shape=flags, depth=groups, init=[])
        write = counters.write_port()
        read = counters.read_port(transparent_for=[write])
        mark, marks = written.write_port(), written.read_port(domain="comb")

        index = Signal.like(self.index)  # of the counter that was read
        door = self.door
        with m.If(self.enable):
            m.d.sync += index.eq(self.index)
        bits = (flags - 1).bit_length()
        place, group = Signal(bits), Signal(range(groups))
        m.d.comb += [place.eq(index[:bits]), group.eq(index[bits:])]
        clearing = Signal(range(groups))
        m.d.comb += [
            read.en.eq(self.enable), read.addr.eq(self.index), marks.addr.eq(group),
            self.counter.eq(Mux(marks.data.bit_select(place, 1), read.data, 0)),
            write.en.eq(self.write), write.addr.eq(index), write.data.eq(self.value),
            mark.en.eq(write.en | ~self.ready), mark.addr.eq(Mux(self.ready, group, clearing)),
            mark.data.eq(Mux(self.ready, marks.data | (1 << place), 0)),
            door.write.eq(write.en), door.index.eq(write.addr), door.value.eq(write.data),
        ]
        with m.If(door.load):
            m.d.comb += [
                write.en.eq(1), write.addr.eq(door.load_index), write.data.eq(door.load_value),
                marks.addr.eq(door.load_index[bits:]), place.eq(door.load_index[:bits]),
                group.eq(door.load_index[bits:])]
        with m.If(~self.ready):
            m.d.sync += [clearing.eq(clearing + 1), self.ready.eq(clearing == groups - 1)]
        return m
