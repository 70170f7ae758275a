"""From Wishbone accesses of a whole line to AXI4 bursts of a line."""

from __future__ import annotations

from typing import Any

from casemate.config import LINE_BYTES
from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.axi import BURST_INCR, RESP_OKAY, AXIInterface
from migen import FSM, Array, Cat, If, NextState, NextValue, Signal

from .engine import CLAIM_BIT

__all__ = ["LineBridge"]


class LineBridge(LiteXModule):
    """A Wishbone subordinate as wide as a line, in front of the engine.

    Each access becomes one AXI4 burst of a line, with the byte enables as strobes; a response
    other than OKAY becomes ``err``. One access at a time; beside its burst it takes two
    cycles.

    Parameters
    ----------
    axi:
        The engine's host side.
    base, size:
        The engine's data window, in bytes. Of an address on the bus the bits below `size` count.
    domain:
        The domain that all accesses belong to. Writes claim what nobody owns.

    Attributes
    ----------
    bus:
        Wishbone, 512 bits, addresses in lines.
    """

    def __init__(self, axi: AXIInterface, *, base: int, size: int, domain: int) -> None:
        beats = 8 * LINE_BYTES // axi.data_width
        self.bus = bus = wishbone.Interface(data_width=8 * LINE_BYTES, address_width=32,
                                            addressing="word")
        lanes = [bus.dat_w[at:at + axi.data_width]
                 for at in range(0, 8 * LINE_BYTES, axi.data_width)]
        strobes = [bus.sel[at:at + axi.data_width // 8]
                   for at in range(0, LINE_BYTES, axi.data_width // 8)]
        beat = Signal(max=max(2, beats))
        addressed, sent, failed = Signal(), Signal(), Signal()
        words = Array(Signal(axi.data_width, name=f"word_{number}") for number in range(beats))
        line = Signal(64)
        self.comb += [
            # The burst begins at the line's first byte; migen shifts without losing bits.
            line.eq((Cat(bus.adr, Signal(32)) << (LINE_BYTES - 1).bit_length()) & (size - 1)),
            bus.dat_r.eq(Cat(*words)),
            axi.w.data.eq(Array(lanes)[beat]), axi.w.strb.eq(Array(strobes)[beat]),
            axi.w.last.eq(beat == beats - 1),
            axi.aw.user.eq(domain | 1 << CLAIM_BIT), axi.ar.user.eq(domain),
            *(each for channel in (axi.aw, axi.ar)
              for each in self._whole_line(channel, base | line, beats, axi.data_width)),
        ]
        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act("IDLE",
            NextValue(beat, 0), NextValue(addressed, 0), NextValue(sent, 0), NextValue(failed, 0),
            If(bus.cyc & bus.stb, If(bus.we, NextState("WRITE")).Else(NextState("READ"))))
        fsm.act("WRITE",
            axi.aw.valid.eq(~addressed), axi.w.valid.eq(~sent),
            If(axi.aw.valid & axi.aw.ready, NextValue(addressed, 1)),
            If(axi.w.valid & axi.w.ready,
               NextValue(beat, beat + 1), If(axi.w.last, NextValue(sent, 1))),
            axi.b.ready.eq(addressed & sent),
            If(axi.b.valid & axi.b.ready,
               NextValue(failed, axi.b.resp != RESP_OKAY), NextState("ANSWER")))
        fsm.act("READ",
            axi.ar.valid.eq(~addressed), axi.r.ready.eq(1),
            If(axi.ar.valid & axi.ar.ready, NextValue(addressed, 1)),
            If(axi.r.valid,
               NextValue(words[beat], axi.r.data), NextValue(beat, beat + 1),
               NextValue(failed, failed | (axi.r.resp != RESP_OKAY)),
               If(axi.r.last, NextState("ANSWER"))))
        fsm.act("ANSWER", bus.ack.eq(~failed), bus.err.eq(failed), NextState("IDLE"))

    @staticmethod
    def _whole_line(channel: Any, address: Any, beats: int, bits: int) -> list[Any]:
        return [channel.addr.eq(address), channel.len.eq(beats - 1),
                channel.size.eq((bits // 8 - 1).bit_length()), channel.burst.eq(BURST_INCR)]
