"""Overwrites what is left in a RAM of values that somebody could compute a key from."""

from amaranth import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import In, Out

__all__ = ["Scrubber", "scrub"]


class Scrubber(wiring.Component):
    """Goes round the rows of a RAM and zeroes those that nobody needs.

    It writes in cycles in which the RAM's write port is idle: a row that is not needed any more is
    zero after at most two idle cycles for each row, and one cycle for each row that is skipped.

    Parameters
    ----------
    rows:
        Rows of the RAM.

    Members
    -------
    unused: In(rows)
        Rows whose content nobody needs.
    busy: In(1)
        The write port is used.
    valid: Out(1), row: Out(range(rows))
        A row to be zeroed; never while ``busy``.
    """

    unused: Signal
    busy: Signal
    valid: Signal
    row: Signal

    def __init__(self, rows: int):
        self._rows = rows
        super().__init__({
            "unused": In(rows), "busy": In(1), "valid": Out(1), "row": Out(range(rows))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unused = Signal()
        m.d.comb += [unused.eq(self.unused.bit_select(self.row, 1)),
                     self.valid.eq(unused & ~self.busy)]
        with m.If(self.valid | ~unused):
            m.d.sync += self.row.eq(self.row + 1)
            with m.If(self.row == self._rows - 1):
                m.d.sync += self.row.eq(0)
        return m


def scrub(m: Module, port: WritePort, unused: Value, *, busy: Value, name: str) -> None:
    """Let a scrubber use a RAM's write port, whose drivers are written already.

    Parameters
    ----------
    port:
        Written in a cycle with ``busy``, and by nobody else.
    unused, busy:
        See ``Scrubber``.
    name:
        Of the submodule.
    """
    scrubber = Scrubber(len(unused))
    m.submodules[name] = scrubber
    m.d.comb += [scrubber.unused.eq(unused), scrubber.busy.eq(busy)]
    with m.If(scrubber.valid):
        m.d.comb += [port.en.eq(1), port.addr.eq(scrubber.row), Value.cast(port.data).eq(0)]
