"""States of the key manager that give a slot to a domain, and that erase one."""

from amaranth import Module, Signal

from .registers import SETTLE_CYCLES, After, Parts, Registers

__all__ = ["erase_states", "fill_states"]


def fill_states(m: Module, r: Registers, parts: Parts, *, loading: Signal) -> None:
    """Write the states from ``MISS`` to ``STOP``, for a domain that was looked up.

    Parameters
    ----------
    loading:
        A hash key is being computed or erased.
    """
    table, filler, expansion = parts.table, parts.filler, parts.expansion
    with m.State("MISS"):
        m.d.sync += [r.slot.eq(table.victim), r.full.eq(table.victim_full), r.settle.eq(0)]
        m.next = "DRAIN"
        with m.If(~parts.domains.entry.created | ~table.some):
            m.d.comb += table.refuse.bit_select(r.channel, 1).eq(1)
            m.next = "IDLE"
    with m.State("DRAIN"):
        m.d.comb += table.close.eq(1)
        m.d.sync += r.settle.eq(r.settle + 1)
        with m.If(r.urgent):
            m.d.comb += [table.close.eq(0), table.reopen.eq(r.full)]
            m.next = "IDLE"
        with m.Elif(r.slot_in_use):
            m.d.sync += r.settle.eq(1)
            with m.If(table.some_idle):  # better than to wait
                m.d.comb += [table.close.eq(0), table.reopen.eq(r.full)]
                m.next = "MISS"
        with m.Elif(r.settle == SETTLE_CYCLES - 1):
            m.next = "FILL"
    with m.State("FILL"):
        m.d.comb += filler.i.valid.eq(1)
        with m.If(filler.i.ready):
            m.d.comb += r.equal.eq(filler.equal)
            m.next = "LOAD"
        with m.If(r.urgent | filler.i.ready & filler.equal):
            m.next = "STOP"
    with m.State("LOAD"):
        with m.If(r.urgent):
            m.next = "STOP"
        with m.Elif(expansion.idle & ~loading):
            m.d.comb += table.set.eq(1)
            m.next = "IDLE"
    with m.State("STOP"):
        m.d.comb += filler.stop.eq(1)
        m.d.sync += r.after.eq(After.RETRY)
        with m.If(filler.stopped & expansion.idle):
            m.next = "ERASE"


def erase_states(m: Module, r: Registers, parts: Parts, *, loading: Signal) -> None:
    """Write the states ``ERASE`` and ``ERASED``, for one slot.

    Parameters
    ----------
    loading:
        A hash key is being computed or erased.
    """
    eraser = parts.eraser
    with m.State("ERASE"):
        m.d.comb += eraser.i.valid.eq(1)
        with m.If(eraser.i.ready):
            m.next = "ERASED"
            with m.If(r.after == After.RETRY):
                m.next = "IDLE"
    with m.State("ERASED"):
        with m.If(~loading):
            m.next = "IDLE"
            with m.If(r.after == After.LOCK):
                m.d.sync += r.erased.bit_select(r.slot, 1).eq(1)
            with m.Else():
                m.next = "REPLY"
