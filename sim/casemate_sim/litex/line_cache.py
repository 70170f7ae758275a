"""The cache in front of the engine: whole lines to it, in rows as wide as its bus."""

from __future__ import annotations

from typing import Any

from casemate.config import LINE_BYTES
from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.axi import BURST_INCR, RESP_OKAY, AXIInterface
from migen import (
    FSM,
    NO_CHANGE,
    Array,
    Cat,
    If,
    Memory,
    Mux,
    NextState,
    NextValue,
    Record,
    Replicate,
    Signal,
    log2_int,
)

from .engine import CLAIM_BIT

__all__ = ["LineCache"]

_WORD_BYTES = 4


class LineCache(LiteXModule):
    """Direct-mapped write-back cache with lines of 64 bytes, and a window past it.

    LiteX's own cache, and that of ``casemate_sim.cpu``, which is for simulation, keep a line in one
    word: 512 bits wide from memory to bus, which is more than the wires of a mid-sized FPGA. This
    one keeps it in rows as wide as the engine's bus.

    A hit takes two cycles. A miss writes back what was there, if it was changed, and fetches the
    line, each as one AXI4 burst. The cache cannot tell which access an error belongs to: from the
    first response other than OKAY on, every access of `cached` is answered with ``err``, until
    reset. An access of `direct` is one AXI4 beat of a word; an error concerns it only. One access
    at a time. At reset the cache forgets its lines, one a cycle.

    Whoever waits for `cached` may give up, as at a timeout of the bus; whoever waits for `direct`
    must not.

    Parameters
    ----------
    axi:
        The engine's host side.
    base, size:
        The engine's data window, in bytes; `size` is a power of two. Of an address on a bus the
        bits below `size` count.
    domain:
        The domain that all accesses belong to. Writes claim what nobody owns.
    cache_bytes:
        A power of two from two lines to half of `size`.

    Attributes
    ----------
    cached, direct:
        Wishbone, 32 bits, addresses in words.
    failed:
        High once the engine has refused a line.

    Raises
    ------
    ValueError
        If `cache_bytes` is not allowed.
    """

    def __init__(self, axi: AXIInterface, *, base: int, size: int, domain: int,
                 cache_bytes: int) -> None:
        if cache_bytes & (cache_bytes - 1) or not 2 * LINE_BYTES <= cache_bytes < size:
            raise ValueError(f"cache_bytes must be a power of two from {2 * LINE_BYTES} to "
                             f"{size // 2}, not {cache_bytes}")
        self.cached, self.direct = (wishbone.Interface(
            data_width=8 * _WORD_BYTES, address_width=32, addressing="word") for _ in range(2))
        self.failed = Signal()
        bus, direct = self.cached, self.direct
        rows = 8 * LINE_BYTES // axi.data_width
        lane_bits, first_index, first_tag, end = (log2_int(number // _WORD_BYTES) for number in (
            axi.data_width // 8, LINE_BYTES, cache_bytes, size))

        entry, written = (Record([("tag", end - first_tag), ("valid", 1), ("changed", 1)])
                          for _ in range(2))
        tags = Memory(len(entry), cache_bytes // LINE_BYTES)
        store = Memory(axi.data_width, cache_bytes // LINE_BYTES * rows)
        tag_port: Any = tags.get_port(write_capable=True, mode=NO_CHANGE)
        port: Any = store.get_port(write_capable=True, we_granularity=8, mode=NO_CHANGE)
        self.specials += tags, store, tag_port, port

        # Whoever asked may have gone when the line is there.
        address, taken = Signal(end), Signal(end)
        index, tag, lane = address[first_index:first_tag], address[first_tag:], address[:lane_bits]
        row, line = Signal(max=max(2, rows)), Signal(max=tags.depth)
        in_burst, past, asking, sent = Signal(), Signal(), Signal(), Signal()
        word, refused = Signal(8 * _WORD_BYTES), Signal()
        self.fsm = fsm = FSM(reset_state="FORGET")
        self.comb += [
            address.eq(Mux(fsm.ongoing("IDLE"), bus.adr, taken)),
            tag_port.adr.eq(index), entry.raw_bits().eq(tag_port.dat_r),
            tag_port.dat_w.eq(written.raw_bits()), written.tag.eq(tag), written.valid.eq(1),
            port.adr.eq(address[lane_bits:first_tag]),
            If(in_burst, port.adr.eq(Cat(row, index) if rows > 1 else index)),
            port.dat_w.eq(Mux(in_burst, axi.r.data, self._everywhere(bus.dat_w, axi))),
            bus.dat_r.eq(self._word(port.dat_r, lane)), direct.dat_r.eq(word),
            axi.aw.user.eq(domain | 1 << CLAIM_BIT), axi.ar.user.eq(domain),
            axi.w.data.eq(port.dat_r), axi.w.strb.eq(2 ** len(axi.w.strb) - 1),
            axi.w.last.eq(row == rows - 1),
            If(past,
               axi.w.data.eq(self._everywhere(direct.dat_w, axi)), axi.w.last.eq(1),
               axi.w.strb.eq(self._lane(direct.sel, direct.adr[:lane_bits]))),
        ]
        for channel, owner in ((axi.aw, entry.tag), (axi.ar, tag)):
            self.comb += [
                channel.burst.eq(BURST_INCR), channel.size.eq(log2_int(axi.data_width // 8)),
                channel.addr.eq(base | Cat(Signal(log2_int(LINE_BYTES)), index, owner)),
                channel.len.eq(rows - 1),
                If(past, channel.size.eq(log2_int(_WORD_BYTES)), channel.len.eq(0), channel.addr.eq(
                    base | Cat(Signal(log2_int(_WORD_BYTES)), direct.adr[:end]))),
            ]
        self.sync += If((axi.aw.valid & axi.aw.ready) | (axi.ar.valid & axi.ar.ready),
                        asking.eq(0))

        fsm.act("FORGET",
            tag_port.adr.eq(line), tag_port.we.eq(1), written.valid.eq(0),
            NextValue(line, line + 1), If(line == tags.depth - 1, NextState("IDLE")))
        fsm.act("IDLE",
            NextValue(taken, bus.adr), NextValue(row, 0), NextValue(sent, 0),
            If(bus.cyc & bus.stb, NextState("COMPARE"))
            .Elif(direct.cyc & direct.stb,
                  NextValue(asking, 1),
                  If(direct.we, NextState("WRITE_WORD")).Else(NextState("READ_WORD"))))
        fsm.act("COMPARE",
            NextState("IDLE"),
            If(self.failed, bus.err.eq(1))
            .Elif(entry.valid & (entry.tag == tag),
                  bus.ack.eq(1), written.changed.eq(1),
                  If(bus.we, tag_port.we.eq(1), port.we.eq(self._lane(bus.sel, lane))))
            .Else(NextValue(asking, 1),
                  If(entry.valid & entry.changed, NextState("READ_ROW"))
                  .Else(NextState("FETCH"))))
        fsm.act("READ_ROW", axi.aw.valid.eq(asking), in_burst.eq(1), NextState("SEND_ROW"))
        fsm.act("SEND_ROW",
            axi.aw.valid.eq(asking), axi.w.valid.eq(1), in_burst.eq(1),
            If(axi.w.ready,
               NextValue(row, row + 1), NextState("READ_ROW"),
               If(axi.w.last, NextValue(row, 0), NextState("SENT"))))
        fsm.act("SENT",
            axi.aw.valid.eq(asking), axi.b.ready.eq(1),
            If(axi.b.valid,
               NextValue(asking, 1), NextState("FETCH"),
               If(axi.b.resp != RESP_OKAY, NextValue(self.failed, 1))))
        fsm.act("FETCH",
            axi.ar.valid.eq(asking), axi.r.ready.eq(1), in_burst.eq(1),
            If(axi.r.valid,
               port.we.eq(2 ** len(port.we) - 1), NextValue(row, row + 1),
               If(axi.r.resp != RESP_OKAY, NextValue(self.failed, 1)),
               # What was asked for is looked up again, and found.
               If(axi.r.last, tag_port.we.eq(1), NextState("IDLE"))))
        fsm.act("WRITE_WORD",
            past.eq(1), axi.aw.valid.eq(asking), axi.w.valid.eq(~sent), axi.b.ready.eq(1),
            If(axi.w.ready, NextValue(sent, 1)),
            If(axi.b.valid,
               NextValue(refused, axi.b.resp != RESP_OKAY), NextState("ANSWER_WORD")))
        fsm.act("READ_WORD",
            past.eq(1), axi.ar.valid.eq(asking), axi.r.ready.eq(1),
            If(axi.r.valid,
               NextValue(word, self._word(axi.r.data, direct.adr[:lane_bits])),
               NextValue(refused, axi.r.resp != RESP_OKAY), NextState("ANSWER_WORD")))
        fsm.act("ANSWER_WORD",
            direct.ack.eq(~refused), direct.err.eq(refused), NextState("IDLE"))

    @staticmethod
    def _everywhere(word: Any, axi: AXIInterface) -> Any:
        return Replicate(word, axi.data_width // (8 * _WORD_BYTES))

    @staticmethod
    def _word(row: Any, lane: Any) -> Any:
        width = 8 * _WORD_BYTES
        return Array(row[at:at + width] for at in range(0, len(row), width))[lane]

    @staticmethod
    def _lane(select: Any, lane: Any) -> Any:
        return select << Cat(Signal(log2_int(_WORD_BYTES)), lane)
