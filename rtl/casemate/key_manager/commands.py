"""States of the key manager that carry out a command."""

from amaranth import Module, Signal
from amaranth.lib import stream

from .kdf import GENERATION_BITS
from .layouts import KeyCommand, KeyResult
from .registers import SETTLE_CYCLES, After, Parts, Registers

__all__ = ["command_states"]

_LAST_GENERATION = 2**GENERATION_BITS - 1


def command_states(m: Module, r: Registers, parts: Parts, command: stream.Interface,
                   outcome: Signal, locked: Signal) -> None:
    """Write the states from ``COMMAND`` to ``REPLY``.

    Parameters
    ----------
    command, outcome, locked:
        As in ``KeyManager``.
    """
    domains, table = parts.domains, parts.table
    given, entry, following = command.payload, domains.entry, r.following
    generation = Signal(GENERATION_BITS)
    no_more = generation == _LAST_GENERATION
    m.d.comb += [following.eq(entry), generation.eq(entry.generation + 1)]
    with m.State("COMMAND"):
        m.d.sync += [r.slot.eq(table.found_slot), r.full.eq(1),
                     r.result.eq(KeyResult.DONE), r.after.eq(After.REPLY)]
        m.next = "SHOW"
        with m.If(~domains.possible):
            m.d.sync += r.result.eq(KeyResult.REFUSED)
        with m.Elif(given.command == KeyCommand.CREATE):
            m.d.comb += [following.created.eq(1), *(
                following[name].eq(given[name])
                for name in ("encrypt", "authenticate", "policy"))]
            with m.If(entry.created):
                m.d.sync += r.result.eq(KeyResult.EXISTS)
            with m.Elif(given.authenticate & (r.domain == 0)):
                m.d.sync += r.result.eq(KeyResult.REFUSED)  # owner 0 is nobody
            with m.Elif(entry.generation == _LAST_GENERATION):
                m.d.sync += r.result.eq(KeyResult.EXHAUSTED)
            with m.Else():
                m.d.comb += domains.write.eq(1)
        with m.Elif(~entry.created):
            m.d.sync += r.result.eq(KeyResult.UNKNOWN)
        with m.Elif(given.command == KeyCommand.DESTROY):
            m.d.comb += [following.as_value().eq(0), following.generation.eq(generation),
                         domains.write.eq(1)]
            with m.If(table.found):
                m.next = "CLOSE"
        with m.Elif(given.command == KeyCommand.REKEY):
            m.d.comb += following.generation.eq(generation)
            with m.If(no_more):
                m.d.sync += r.result.eq(KeyResult.EXHAUSTED)
            with m.Elif(table.found & locked.bit_select(table.found_slot, 1)):
                m.d.sync += r.result.eq(KeyResult.LOCKED)
            with m.Elif(table.found):
                m.next = "REKEY"
            with m.Else():
                m.d.comb += domains.write.eq(1)
    with m.State("CLOSE"):  # of a domain that is destroyed: what is in flight is dropped
        m.d.comb += table.close.eq(1)
        m.d.sync += r.draining.bit_select(r.slot, 1).eq(1)
        m.next = "ERASE"
    with m.State("REKEY"):  # wait for what is in flight
        m.d.comb += [table.close.eq(1), following.generation.eq(generation)]
        m.d.sync += r.settle.eq(r.settle + 1)
        with m.If(r.urgent):
            m.d.comb += [table.close.eq(0), table.reopen.eq(1)]
            m.next = "IDLE"
        with m.Elif(r.slot_in_use):
            m.d.sync += r.settle.eq(1)
        with m.Elif(r.settle == SETTLE_CYCLES - 1):
            m.d.comb += domains.write.eq(1)
            m.next = "ERASE"
    with m.State("SHOW"):  # the entry follows by two cycles
        m.next = "SHOW AGAIN"
    with m.State("SHOW AGAIN"):
        m.next = "REPLY"
    with m.State("REPLY"):
        m.d.comb += command.ready.eq(1)
        m.d.sync += [outcome.result.eq(r.result), outcome.entry.eq(entry),
                     outcome.resident.eq(table.found)]
        m.next = "IDLE"
