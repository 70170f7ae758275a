"""States of the key manager at the two ends of its life: the boot, and the erasure of all keys."""

from collections.abc import Callable

from amaranth import Module, Signal

from .layouts import KeyResult
from .registers import Parts, Registers

__all__ = ["boot_states", "wipe_states"]


def boot_states(m: Module, r: Registers, parts: Parts, answer: Callable[[KeyResult], None], *,
                loading: Signal) -> None:
    """Write the states from ``BOOT`` to ``BOOT LOAD``, which derive the engine's own key.

    Parameters
    ----------
    answer:
        Answers commands at once, without doing anything.
    loading:
        A hash key is being computed or erased.
    """
    filler = parts.filler
    with m.State("BOOT"):
        answer(KeyResult.BOOTING)
        with m.If(r.dead):
            m.next = "WIPE"
        with m.Elif(parts.kdf.user.ready & parts.domains.ready):
            m.next = "BOOT FILL"
    with m.State("BOOT FILL"):
        answer(KeyResult.BOOTING)
        m.d.comb += [filler.i.valid.eq(1), filler.i.payload.engine.eq(1)]
        with m.If(filler.i.ready):
            m.next = "BOOT LOAD"
        with m.If(r.dead):
            m.next = "WIPE"
    with m.State("BOOT LOAD"):
        answer(KeyResult.BOOTING)
        with m.If(r.dead):
            m.next = "WIPE"
        with m.Elif(parts.expansion.idle & ~loading):
            m.d.sync += r.booted.eq(1)
            m.next = "IDLE"


def wipe_states(m: Module, r: Registers, parts: Parts, answer: Callable[[KeyResult], None], *,
                loading: Signal, idle: Signal) -> None:
    """Write the states from ``WIPE`` to ``WIPE ROOT``, which only a reset leaves.

    Parameters
    ----------
    answer:
        Answers commands at once, without doing anything.
    loading:
        A hash key is being computed or erased.
    idle:
        Nothing is left.
    """
    filler, eraser, kdf = parts.filler, parts.eraser, parts.kdf
    with m.State("WIPE"):
        answer(KeyResult.LOCKED)
        m.d.comb += filler.stop.eq(1)
        m.d.sync += r.slot.eq(0)
        with m.If(filler.stopped & parts.expansion.idle):
            m.next = "WIPE SLOTS"
    with m.State("WIPE SLOTS"):
        answer(KeyResult.LOCKED)
        m.d.comb += eraser.i.valid.eq(1)
        with m.If(eraser.i.ready):
            m.d.sync += r.slot.eq(r.slot + 1)
            with m.If(r.slot == len(r.erased) - 1):
                m.next = "WIPE ENGINE"
    with m.State("WIPE ENGINE"):
        answer(KeyResult.LOCKED)
        m.d.comb += [eraser.i.valid.eq(1), eraser.i.payload.engine.eq(1)]
        with m.If(eraser.i.ready):
            m.next = "WIPE ROOT"
    with m.State("WIPE ROOT"):
        answer(KeyResult.LOCKED)
        m.d.comb += [kdf.user.erase.eq(1), idle.eq(kdf.user.idle & ~loading)]
