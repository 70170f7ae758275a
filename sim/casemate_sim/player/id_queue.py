"""One first-in-first-out queue for each AXI ID."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.player.layouts import MAXIMUM_IDS, MAXIMUM_OUTSTANDING

__all__ = ["IdQueue"]


class IdQueue(wiring.Component):
    """Remembers a value for each transaction in flight; responses of one ID come in order.

    There is no overflow check: no more than 64 transactions of one ID may be in flight.

    Parameters
    ----------
    width:
        Bits of a value.

    Members
    -------
    push, push_id, push_value : In
        Append a value to an ID's queue.
    id : In(4)
        Queue whose front is on `value`.
    value : Out(width)
        Its front, in the same cycle; pushed at least one cycle before.
    pop : In(1)
        Take the front of queue `id`.
    """

    def __init__(self, width: int):
        self._width = width
        ids = range(MAXIMUM_IDS)
        super().__init__({
            "push": In(1), "push_id": In(ids), "push_value": In(width), "id": In(ids),
            "value": Out(width), "pop": In(1),
        })

    def elaborate(self, platform) -> Module:
        """Build one RAM that all queues share."""
        m = Module()
        places = range(MAXIMUM_OUTSTANDING)
        m.submodules.store = store = memory.Memory(
            shape=self._width, depth=MAXIMUM_IDS * MAXIMUM_OUTSTANDING, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        front = Array(Signal(places, name=f"front_{i}") for i in range(MAXIMUM_IDS))
        back = Array(Signal(places, name=f"back_{i}") for i in range(MAXIMUM_IDS))
        m.d.comb += [
            write.en.eq(self.push), write.data.eq(self.push_value),
            write.addr.eq(Cat(back[self.push_id], self.push_id)),
            read.addr.eq(Cat(front[self.id], self.id)), self.value.eq(read.data),
        ]
        with m.If(self.push):
            m.d.sync += back[self.push_id].eq(back[self.push_id] + 1)
        with m.If(self.pop):
            m.d.sync += front[self.id].eq(front[self.id] + 1)
        return m
