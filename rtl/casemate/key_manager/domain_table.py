"""The table of domains: which exist, in which mode, and how often their keys were changed."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS
from .layouts import domain_layout

__all__ = ["DomainTable"]

_FLAGS = 16


class DomainTable(wiring.Component):
    """An entry for each domain ID in a RAM; reset makes all of them zero.

    A reset clears one flag per entry, 16 in a cycle, and leaves the entries: ``ready`` comes after
    ``domains / 16`` cycles. An entry follows its ID by two cycles.

    Parameters
    ----------
    domains:
        Number of entries, a power of two of at least 16.

    Members
    -------
    domain: In(12)
        The domain to look up, or to write.
    possible: Out(1)
        There is an entry of that number; follows at once.
    entry: Out(domain_layout())
        What is known of it; zeros of a domain that was never written.
    write: In(1), value: In(domain_layout())
        The entry is replaced; ``domain`` was the same for two cycles.
    ready: Out(1)
        The reset is done.
    """

    domain: Signal
    possible: Signal
    write: Signal
    ready: Signal

    def __init__(self, domains: int):
        self._domains = domains
        super().__init__({
            "domain": In(DOMAIN_BITS), "possible": Out(1), "entry": Out(domain_layout()),
            "write": In(1), "value": In(domain_layout()), "ready": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        groups = self._domains // _FLAGS
        m.submodules.entries = entries = Memory(
            shape=domain_layout(), depth=self._domains, init=[])
        m.submodules.written = written = Memory(shape=_FLAGS, depth=groups, init=[])
        write, read = entries.write_port(), entries.read_port()
        mark, marks = written.write_port(), written.read_port()
        index = Signal(range(self._domains))
        bits = (_FLAGS - 1).bit_length()
        place, group = index[:bits], index[bits:]
        clearing = Signal(range(groups))
        known = Signal()
        m.d.comb += [
            index.eq(self.domain), self.possible.eq(self.domain < self._domains),
            read.addr.eq(index), marks.addr.eq(group),
            known.eq(marks.data.bit_select(place, 1)),
            write.en.eq(self.write), write.addr.eq(index), write.data.eq(self.value),
            mark.en.eq(self.write | ~self.ready), mark.addr.eq(Mux(self.ready, group, clearing)),
            mark.data.eq(Mux(self.ready, marks.data | (1 << place), 0)),
        ]
        m.d.sync += self.entry.eq(Mux(known & self.possible, read.data.as_value(), 0))
        with m.If(~self.ready):
            m.d.sync += [clearing.eq(clearing + 1), self.ready.eq(clearing == groups - 1)]
        return m
