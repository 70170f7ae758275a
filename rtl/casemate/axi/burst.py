"""Splits AXI4 bursts into chunks, each inside one line.

Implements the burst address equations of AXI4 (ARM IHI 0022, "Burst address"): INCR and WRAP of
every legal length and size, aligned or not. FIXED bursts arrive here refused and are only counted.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..engine.layouts import OFFSET_BITS, chunk_layout, command_layout, ownership_fields
from .signature import Burst

__all__ = ["BurstSplitter"]

_WRAP_BITS = 11  # 16 beats of 64 bytes: 1024 bytes


class BurstSplitter(wiring.Component):
    """One chunk per cycle, the first one cycle after its burst was accepted.

    A burst of one chunk costs one cycle, so that bursts may follow each other in every cycle. A
    WRAP burst whose container is one line at most is one chunk that wraps inside the line; a larger
    one that does not start at a line's first byte ends with a second chunk on its first line.

    Members
    -------
    i: In(stream.Signature(command_layout(config)))
        Bursts, as on the address channel.
    o: Out(stream.Signature(chunk_layout(config)))
        Chunks in the order of the burst's beats.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "i": In(stream.Signature(command_layout(config))),
            "o": Out(stream.Signature(chunk_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        busy = Signal()
        command = Signal(command_layout(config), reset_less=True)
        remaining = Signal(9, reset_less=True)  # beats of the burst that are not yet in a chunk
        # Bits of the address that change: all for INCR, those inside the container for WRAP.
        moving = Signal(_WRAP_BITS, reset_less=True)
        wraps = Signal(reset_less=True)

        address = command.address
        offset = address[:OFFSET_BITS]
        in_line = Signal(OFFSET_BITS + 1)  # beats from here to the line's end
        aligned = Signal(OFFSET_BITS)
        small_wrap = Signal()  # the whole container lies in one line
        beats = Signal(9)
        last = Signal()
        window = range(OFFSET_BITS + config.line_bits, config.address_bits)
        outside = Signal()
        m.d.comb += [
            aligned.eq(offset & ~((1 << command.size) - 1)[:OFFSET_BITS]),
            in_line.eq((2**OFFSET_BITS - aligned) >> command.size),
            small_wrap.eq(wraps & ~moving[OFFSET_BITS:].any()),
            beats.eq(Mux(small_wrap | (remaining < in_line), remaining, in_line)),
            last.eq(beats == remaining),
            self.o.valid.eq(busy),
            self.o.payload.line.eq(address[OFFSET_BITS:]),
            self.o.payload.offset.eq(offset),
            self.o.payload.size.eq(command.size),
            self.o.payload.wrap.eq(Mux(small_wrap, moving[:OFFSET_BITS], 2**OFFSET_BITS - 1)),
            self.o.payload.beats.eq(beats - 1),
            self.o.payload.last.eq(last),
            self.o.payload.id.eq(command.id),
            self.o.payload.slot.eq(command.slot),
            self.o.payload.encrypt.eq(command.encrypt),
            self.o.payload.attributes.eq(command.attributes),
            *(self.o.payload[name].eq(command[name]) for name in ownership_fields(config)),
            outside.eq(address[window.start:] != config.data_base >> window.start
                       if len(window) else 0),
            self.o.payload.refused.eq(command.refused | outside),
            self.i.ready.eq(~busy | (self.o.ready & last)),
        ]
        with m.If(self.o.ready):
            following = Signal(config.address_bits)
            m.d.comb += following.eq(Cat(offset & 0, address[OFFSET_BITS:] + 1))
            m.d.sync += remaining.eq(remaining - beats)
            with m.If(wraps):
                m.d.sync += address[:_WRAP_BITS].eq(
                    (address[:_WRAP_BITS] & ~moving) | (following[:_WRAP_BITS] & moving))
            with m.Else():
                m.d.sync += address.eq(following)
        with m.If(self.i.ready):
            length = self.i.payload.length
            m.d.sync += [
                busy.eq(self.i.valid),
                command.eq(self.i.payload),
                remaining.eq(length + 1),
                wraps.eq(self.i.payload.burst == Burst.WRAP.value),
                moving.eq(((length + 1) << self.i.payload.size) - 1),
            ]
        return m
