"""The read port of the player: addresses out, latencies measured."""

from amaranth import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi

from casemate_sim.player.core import POSITION_BITS
from casemate_sim.player.id_queue import IdQueue
from casemate_sim.player.layouts import RECORD, RING_BITS, SETTINGS

__all__ = ["ReadPort"]

RETIRED_PER_CYCLE = 4
"""Places of the ring that can be freed in one cycle."""


class ReadPort(wiring.Component):
    """Sends one line-sized INCR burst per record, IDs in turn, and is always ready for data.

    Latency counts from the cycle in which ARVALID is first high to that in which the first,
    respectively the last, data beat is transferred.

    Parameters
    ----------
    bus:
        Signature of the host's bus.

    Members
    -------
    settings : In(SETTINGS)
        Settings.
    i : In(stream.Signature(RECORD))
        Reads that are due; ARVALID follows one cycle later.
    position : In(24)
        Instruction number of the read on `i`.
    bus : Out(axi.Signature)
        The bus; only its read channels are driven.
    now : In(16)
        Cycle number.
    full : Out(1)
        No further read may be in flight.
    outstanding : Out(1), oldest : Out(24)
        Some read is outstanding; the instruction number of the oldest.
    previous_done : Out(1)
        The last beat of the read issued last is back.
    first, last : Out(stream.Signature(16, always_ready=True))
        Latencies of the first and of the last beats.
    beat : Out(1)
        A data beat is transferred.
    error : Out(1)
        It carries an error response.
    """

    bus: wiring.PureInterface

    def __init__(self, bus: axi.Signature):
        self._signature = bus
        super().__init__({
            "settings": In(SETTINGS), "i": In(stream.Signature(RECORD)),
            "position": In(POSITION_BITS), "bus": Out(bus), "now": In(16), "full": Out(1),
            "outstanding": Out(1), "oldest": Out(POSITION_BITS), "previous_done": Out(1, init=1),
            "first": Out(stream.Signature(16, always_ready=True)),
            "last": Out(stream.Signature(16, always_ready=True)), "beat": Out(1), "error": Out(1),
        })

    def elaborate(self, platform) -> Module:
        """Build the address register and the ring of reads in flight."""
        m = Module()
        bus, places = self.bus, 1 << RING_BITS
        # One bit more than a place, so that a full ring is not an empty one
        newest, oldest = Signal(RING_BITS + 1), Signal(RING_BITS + 1)
        place_new, place_old = newest[:RING_BITS], oldest[:RING_BITS]
        in_flight = Signal(range(places + 1))
        issue, returned = Signal(), Signal()

        m.d.comb += [
            self.full.eq((in_flight >= self.settings.reads)
                         | ((place_new == place_old) & (newest != oldest))),
            self.i.ready.eq(~bus.arvalid | bus.arready),
            issue.eq(self.i.valid & self.i.ready),
            self.outstanding.eq(newest != oldest),
        ]
        m.d.sync += in_flight.eq(in_flight + issue - returned)
        identifier = Signal(4)
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(issue):
            m.d.sync += [
                bus.arvalid.eq(1), bus.arid.eq(identifier),
                bus.araddr.eq((self.settings.base + self.i.p.line) << 6), newest.eq(newest + 1),
                identifier.eq((identifier + 1) & self.settings.id_mask),
            ]
        beats = 512 // self._signature.data_bits
        m.d.comb += [
            bus.arlen.eq(beats - 1), bus.arsize.eq((self._signature.data_bits // 8).bit_length()
                                                   - 1),
            bus.arburst.eq(axi.Burst.INCR), bus.arcache.eq(0b0011), bus.rready.eq(1),
        ]
        if self._signature.user_bits:
            m.d.comb += bus.aruser.eq(self.settings.domain)

        m.submodules.issued = issued = memory.Memory(shape=16, depth=places, init=[])
        m.submodules.positions = positions = memory.Memory(
            shape=POSITION_BITS, depth=places, init=[])
        m.submodules.queue = queue = IdQueue(RING_BITS)
        issue_write, issue_read = issued.write_port(), issued.read_port(domain="comb")
        place_write, place_read = positions.write_port(), positions.read_port(domain="comb")
        m.d.comb += [
            issue_write.en.eq(issue), issue_write.addr.eq(place_new),
            # ARVALID is high from the next cycle on
            issue_write.data.eq(self.now + 1),
            place_write.en.eq(issue), place_write.addr.eq(place_new),
            place_write.data.eq(self.position),
            place_read.addr.eq(place_old), self.oldest.eq(place_read.data),
            queue.push.eq(issue), queue.push_id.eq(identifier), queue.push_value.eq(place_new),
            queue.id.eq(bus.rid), queue.pop.eq(returned),
        ]

        in_burst = Signal(16)
        place, latency = Signal(RING_BITS), Signal(16)
        m.d.comb += [
            self.beat.eq(bus.rvalid & bus.rready), returned.eq(self.beat & bus.rlast),
            self.error.eq(self.beat & (bus.rresp != axi.Response.OKAY.value)),
            place.eq(queue.value), issue_read.addr.eq(place),
            latency.eq(self.now - issue_read.data),
            self.first.p.eq(latency), self.last.p.eq(latency), self.last.valid.eq(returned),
            self.first.valid.eq(self.beat & ~in_burst.bit_select(bus.rid, 1)),
        ]
        with m.If(self.beat):
            m.d.sync += in_burst.bit_select(bus.rid, 1).eq(~bus.rlast)
        with m.If(issue):
            m.d.sync += self.previous_done.eq(0)
        with m.Elif(returned & (place == (place_new - 1)[:RING_BITS])):
            m.d.sync += self.previous_done.eq(1)
        with m.If(self.outstanding):
            m.d.sync += oldest.eq(oldest + self._elaborate_done(m, place_old, returned, place))
        return m

    def _elaborate_done(self, m: Module, oldest, returned, place) -> Signal:
        """Return how many of the oldest reads are done; they are forgotten in this cycle."""
        places = 1 << RING_BITS
        done = Signal(places)
        front, count = Signal(RETIRED_PER_CYCLE), Signal(range(RETIRED_PER_CYCLE + 1))
        m.d.comb += front.eq((done >> oldest) | (done << (places - oldest)[:RING_BITS + 1]))
        for i in range(RETIRED_PER_CYCLE):
            with m.If(front[:i + 1].all()):
                m.d.comb += count.eq(i + 1)
        forgotten, arrived = Signal(2 * places), Signal(places)
        m.d.comb += [
            forgotten.eq(((1 << count) - 1) << oldest),
            arrived.eq(returned << place),
        ]
        m.d.sync += done.eq((done & ~(forgotten[:places] | forgotten[places:])) | arrived)
        return count
