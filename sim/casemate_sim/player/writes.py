"""The write port of the player: addresses and self-identifying data out, latencies measured."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi

from casemate_sim.player.id_queue import IdQueue
from casemate_sim.player.layouts import LINE_BITS, RECORD, SEQUENCE_BITS, SETTINGS, write_beat

__all__ = ["WritePort"]


class WritePort(wiring.Component):
    """Sends one line-sized INCR burst per record and is always ready for responses.

    The ID follows from the line, so that AXI4 keeps writes of one line in order. Latency counts
    from the cycle in which AWVALID is first high to that in which the response is transferred.

    Parameters
    ----------
    bus:
        Signature of the host's bus.

    Members
    -------
    settings : In(SETTINGS)
        Settings.
    i : In(stream.Signature(RECORD))
        Writes that are due; AWVALID and WVALID follow one cycle later.
    bus : Out(axi.Signature)
        The bus; only its write channels are driven.
    now : In(16)
        Cycle number.
    full : Out(1)
        No further write may be in flight.
    outstanding : Out(1)
        Some write is outstanding.
    latency : Out(stream.Signature(16, always_ready=True))
        Latencies.
    beat : Out(1)
        A data beat is transferred.
    error : Out(1)
        An error response is transferred.
    """

    bus: wiring.PureInterface

    def __init__(self, bus: axi.Signature):
        self._signature = bus
        super().__init__({
            "settings": In(SETTINGS), "i": In(stream.Signature(RECORD)), "bus": Out(bus),
            "now": In(16), "full": Out(1), "outstanding": Out(1),
            "latency": Out(stream.Signature(16, always_ready=True)), "beat": Out(1),
            "error": Out(1),
        })

    def elaborate(self, platform) -> Module:
        """Build the address register, the queue of data to send and the responses."""
        m = Module()
        bus, data_bits = self.bus, self._signature.data_bits
        beats = 512 // data_bits
        layout = data.StructLayout({"line": LINE_BITS, "sequence": SEQUENCE_BITS})
        m.submodules.unsent = unsent = fifo.SyncFIFO(width=layout.size, depth=8)
        m.submodules.queue = queue = IdQueue(16)
        in_flight = Signal(8)
        sequence = Signal(SEQUENCE_BITS, init=1)
        issue, answered = Signal(), Signal()
        identifier = Signal(4)
        line = self.i.p.line

        m.d.comb += [
            self.full.eq(in_flight >= self.settings.writes), self.outstanding.eq(in_flight != 0),
            self.i.ready.eq((~bus.awvalid | bus.awready) & unsent.w_rdy),
            issue.eq(self.i.valid & self.i.ready),
            identifier.eq((line ^ (line >> 4) ^ (line >> 8)) & self.settings.id_mask),
            unsent.w_en.eq(issue), unsent.w_data.eq(Cat(line, sequence)),
        ]
        m.d.sync += in_flight.eq(in_flight + issue - answered)
        with m.If(bus.awready):
            m.d.sync += bus.awvalid.eq(0)
        with m.If(issue):
            m.d.sync += [
                bus.awvalid.eq(1), bus.awid.eq(identifier), sequence.eq(sequence + 1),
                bus.awaddr.eq((self.settings.base + line) << 6),
            ]
        m.d.comb += [
            bus.awlen.eq(beats - 1), bus.awsize.eq((data_bits // 8).bit_length() - 1),
            bus.awburst.eq(axi.Burst.INCR), bus.awcache.eq(0b0011), bus.bready.eq(1),
        ]
        if self._signature.user_bits:
            m.d.comb += bus.awuser.eq(self.settings.domain)

        head = data.View(layout, unsent.r_data)
        beat = Signal(range(max(beats, 2)))
        m.d.comb += [
            bus.wvalid.eq(unsent.r_rdy), bus.wstrb.eq(~0), bus.wlast.eq(beat == beats - 1),
            bus.wdata.eq(write_beat(head.line, head.sequence, beat, data_bits)),
            self.beat.eq(bus.wvalid & bus.wready), unsent.r_en.eq(self.beat & bus.wlast),
        ]
        with m.If(self.beat):
            m.d.sync += beat.eq(beat + 1)
            with m.If(bus.wlast):
                m.d.sync += beat.eq(0)

        m.d.comb += [
            answered.eq(bus.bvalid & bus.bready), queue.push.eq(issue),
            queue.push_id.eq(identifier), queue.push_value.eq(self.now + 1), queue.id.eq(bus.bid),
            queue.pop.eq(answered), self.latency.valid.eq(answered),
            self.latency.p.eq(self.now - queue.value),
            self.error.eq(answered & (bus.bresp != axi.Response.OKAY.value)),
        ]
        return m
