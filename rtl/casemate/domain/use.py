"""Which domain slots have lines in flight."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig

__all__ = ["SlotUse"]


class SlotUse(wiring.Component):
    """Follows every burst from its admission to the end of its last line.

    Members
    -------
    read, write: In(1), read_slot, write_slot: In(range(domain_slots))
        A chunk of a burst is on its way to the tables: from the cycle after the admission.
    take_read, take_write: In(1), read_index, write_index: In
        It gets an entry of its table.
    release_read: In(read_entries), release_write: In(write_entries)
        Entries that are done with.
    read_used: Out(read_entries), write_used: Out(write_entries)
        Entries from the cycle behind ``take`` on, until they are released.
    in_use: Out(domain_slots)
        Slots that have a burst or a line in flight: whose keys are needed.
    """

    in_use: Signal

    def __init__(self, config: EngineConfig):
        self._slots = config.domain_slots
        self._entries = {"read": config.read_entries, "write": config.write_entries}
        members = {}
        for name, entries in self._entries.items():
            members |= {
                name: In(1), f"{name}_slot": In(range(self._slots)), f"take_{name}": In(1),
                f"{name}_index": In(range(entries)), f"release_{name}": In(entries),
                f"{name}_used": Out(entries)}
        super().__init__(members | {"in_use": Out(self._slots)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = 0
        for name, entries in self._entries.items():
            slot, take = getattr(self, f"{name}_slot"), getattr(self, f"take_{name}")
            release, index = getattr(self, f"release_{name}"), getattr(self, f"{name}_index")
            used = getattr(self, f"{name}_used")
            m.d.sync += used.eq((used & ~release) | Mux(take, 1 << index, 0))
            total |= Mux(getattr(self, name), 1 << slot, 0)
            for entry in range(entries):
                owner = Signal(range(self._slots), name=f"{name}_owner_{entry}")
                with m.If(take & (index == entry)):
                    m.d.sync += owner.eq(slot)
                total |= Mux(used[entry], 1 << owner, 0)
        m.d.comb += self.in_use.eq(total)
        return m
