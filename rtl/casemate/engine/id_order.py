"""Order among the entries of a table that carry the same AXI ID."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["IdOrder"]


class IdOrder(wiring.Component):
    """Keeps a linked list of entries for each AXI ID, oldest first.

    An entry that has an older one with the same ID in the table is ``waiting``. Adding and removing
    take effect in the next cycle; both may happen in the same cycle.

    Parameters
    ----------
    entries:
        Size of the table.
    id_bits:
        Width of an ID.

    Members
    -------
    add, add_index, add_id: In
        An entry enters at the end of its ID's list.
    remove, remove_index: In
        An entry that is not waiting leaves.
    waiting: Out(entries)
        One bit for each entry in the table.
    follows: Out(entries)
        The one-hot entry that stops waiting when ``look_index`` leaves; zero if there is none.
    look_index: In(range(entries))
    """

    def __init__(self, entries: int, id_bits: int):
        self._entries = entries
        self._id_bits = id_bits
        index = range(entries)
        super().__init__({
            "add": In(1), "add_index": In(index), "add_id": In(id_bits),
            "remove": In(1), "remove_index": In(index),
            "waiting": Out(entries), "look_index": In(index), "follows": Out(entries),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n = self._entries
        tail = Signal(n)  # youngest entry of its ID
        ids = [Signal(self._id_bits, name=f"id_{i}", reset_less=True) for i in range(n)]
        followed = Signal(n)
        followers = Array(
            Signal(range(n), name=f"follower_{i}", reset_less=True) for i in range(n))

        older = Signal(n)
        m.d.comb += [
            older[i].eq(tail[i] & (ids[i] == self.add_id)
                        & ~(self.remove & (self.remove_index == i)))
            for i in range(n)
        ]
        m.d.comb += self.follows.eq(
            Mux(followed.bit_select(self.look_index, 1), 1 << followers[self.look_index], 0))
        released = Signal(n)
        with m.If(self.remove & followed.bit_select(self.remove_index, 1)):
            m.d.comb += released.eq(1 << followers[self.remove_index])
        removed = Signal(n)
        added = Signal(n)
        m.d.comb += [
            removed.eq(Mux(self.remove, 1 << self.remove_index, 0)),
            added.eq(Mux(self.add, 1 << self.add_index, 0)),
        ]
        m.d.sync += [
            tail.eq((tail & ~removed & ~Mux(self.add, older, 0)) | added),
            self.waiting.eq((self.waiting & ~released & ~added) | Mux(older.any(), added, 0)),
            followed.eq((followed | Mux(self.add, older, 0)) & ~added & ~removed),
        ]
        for i in range(n):
            with m.If(self.add & older[i]):
                m.d.sync += followers[i].eq(self.add_index)
            with m.If(added[i]):
                m.d.sync += ids[i].eq(self.add_id)
        return m
