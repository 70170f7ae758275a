"""One queue for each AXI ID, all in one memory."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["IdQueues"]


class IdQueues(wiring.Component):
    """Remembers what was put under each ID, oldest first.

    Meant for observers: every ID has a place for `depth` entries. What is pushed or popped shows in
    the next cycle; both may happen in one cycle, for the same ID too. Reset empties all queues.

    Parameters
    ----------
    id_bits:
        Width of an ID.
    depth:
        Entries of one ID, a power of two.
    shape:
        What an entry holds.

    Members
    -------
    push: In(1), push_id: In(id_bits), push_value: In(shape)
        An entry enters at the end of its ID's queue.
    full: Out(1)
        There is no place under ``push_id``; combinational.
    id: In(id_bits)
        Which queue is looked at.
    any: Out(1), front: Out(shape)
        Whether it holds an entry, and the oldest one; combinational.
    pop: In(1)
        That entry leaves.
    """

    def __init__(self, *, id_bits: int, depth: int, shape: ShapeLike):
        if depth < 1 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two, not {depth}")
        self._id_bits = id_bits
        self._depth = depth
        self._shape = shape
        super().__init__({
            "push": In(1), "push_id": In(id_bits), "push_value": In(shape), "full": Out(1),
            "id": In(id_bits), "any": Out(1), "front": Out(shape), "pop": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ids, place_bits = 1 << self._id_bits, (self._depth - 1).bit_length()
        # Entries ever pushed and popped, one bit wider than a place: full is not empty.
        m.submodules.pushed = pushed = Memory(shape=place_bits + 1, depth=ids, init=[])
        m.submodules.popped = popped = Memory(shape=place_bits + 1, depth=ids, init=[])
        # A memory keeps its content over a reset: whose counters have been written since.
        push_known, pop_known = Signal(ids), Signal(ids)

        def count(memory: Memory, known: Signal, index: Signal) -> Signal:
            port, value = memory.read_port(domain="comb"), Signal(place_bits + 1)
            m.d.comb += [
                port.addr.eq(index),
                value.eq(Mux(known.bit_select(index, 1), port.data, 0)),
            ]
            return value

        newest = count(pushed, push_known, self.push_id)
        newest_looked_at = count(pushed, push_known, self.id)
        oldest = count(popped, pop_known, self.id)
        oldest_of_push = count(popped, pop_known, self.push_id)
        push, pop = pushed.write_port(), popped.write_port()
        m.d.comb += [
            push.en.eq(self.push), push.addr.eq(self.push_id), push.data.eq(newest + 1),
            pop.en.eq(self.pop), pop.addr.eq(self.id), pop.data.eq(oldest + 1),
            self.any.eq(newest_looked_at != oldest),
            self.full.eq(newest == oldest_of_push ^ self._depth),
        ]
        with m.If(self.push):
            m.d.sync += push_known.eq(push_known | (1 << self.push_id))
        with m.If(self.pop):
            m.d.sync += pop_known.eq(pop_known | (1 << self.id))

        if Shape.cast(self._shape).width:
            m.submodules.values = values = Memory(
                shape=self._shape, depth=ids * self._depth, init=[])
            write, read = values.write_port(), values.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.push), write.data.eq(self.push_value),
                write.addr.eq(Cat(newest[:place_bits], self.push_id)),
                read.addr.eq(Cat(oldest[:place_bits], self.id)), self.front.eq(read.data),
            ]
        return m
