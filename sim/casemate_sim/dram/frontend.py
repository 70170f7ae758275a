"""The AXI4 side of the DRAM model: accepts bursts, moves their data, answers."""

from amaranth import Assert, Cat, Const, Format, Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi

from casemate_sim.dram.array import ArraySignature
from casemate_sim.dram.layouts import TIMING, Geometry, columns_of_burst, next_offset

__all__ = ["ReadReturn", "WriteAccept", "array_signature", "burst_from_channel"]


def array_signature(geometry: Geometry) -> ArraySignature:
    """Return the array's ports for `geometry`: one word is one beat."""
    return ArraySignature(data_bits=geometry.data_bits,
                          address_bits=geometry.address_bits - geometry.beat_bits)


def burst_from_channel(m: Module, geometry: Geometry, bus, channel: str) -> data.View:
    """Return the burst on channel ``aw`` or ``ar`` and assert that it stays inside its line."""
    burst = Signal(geometry.burst, name=f"{channel}_burst")
    address = getattr(bus, f"{channel}addr")
    size = Signal(3, name=f"{channel}_size")
    m.d.comb += [
        burst.id.eq(getattr(bus, f"{channel}id")), burst.line.eq(address[6:]),
        burst.offset.eq(address[:6]), burst.length.eq(getattr(bus, f"{channel}len")),
        size.eq(getattr(bus, f"{channel}size")), burst.size.eq(size),
        Cat(burst.burst).eq(getattr(bus, f"{channel}burst")),
    ]
    valid = getattr(bus, f"{channel}valid")
    aligned = address[:6] & ~((Const(1, 1) << size) - 1)[:6]
    increasing = getattr(bus, f"{channel}burst") == axi.Burst.INCR.value
    end = aligned + ((burst.length + 1) << size)
    m.d.sync += Assert(~valid | (size <= geometry.beat_bits),
                       Format(f"DRAM: {channel}size {{}} is wider than the bus", size))
    m.d.sync += Assert(~(valid & increasing) | (end <= 64),
                       Format(f"DRAM: burst at {{:x}} on {channel} leaves its line", address))
    return burst


def word_address(geometry: Geometry, line, offset):
    """Array word that holds byte `offset` of `line`."""
    return Cat(offset[geometry.beat_bits:], line)


class ReadReturn(wiring.Component):
    """Delays issued reads by the read latency, then sends their beats, one per cycle.

    Parameters
    ----------
    geometry:
        Widths.
    depth:
        Issued reads held; `i` is not ready beyond them.

    Members
    -------
    timing : In(TIMING)
        Timings.
    i : In(stream.Signature(Geometry.burst))
        Reads in the cycle of their column command; ready does not depend on valid.
    array : Out(ArraySignature)
        The array; only its read port is driven.
    o : Out(stream of id, data, last)
        Beats, the first exactly ``read_latency`` cycles after the transfer on `i` if nothing is in
        the way.
    """

    def __init__(self, geometry: Geometry, *, depth: int = 64):
        self._geometry = geometry
        self._depth = depth
        super().__init__({
            "timing": In(TIMING), "i": In(stream.Signature(geometry.burst)),
            "read_enable": Out(1), "read_address": Out(array_signature(geometry).address_bits),
            "o": Out(stream.Signature(data.StructLayout({"id": geometry.id_bits, "last": 1}))),
        })

    def elaborate(self, platform) -> Module:
        """Build the delay and the sequence of beats."""
        m = Module()
        geometry = self._geometry
        layout = data.StructLayout({"due": 16, "burst": geometry.burst})
        m.submodules.issued = issued = fifo.SyncFIFO(width=layout.size, depth=self._depth)
        now = Signal(16)
        m.d.sync += now.eq(now + 1)
        entry = Signal(layout)
        m.d.comb += [
            entry.due.eq(now + self.timing.read_latency - 1), entry.burst.eq(self.i.p),
            issued.w_data.eq(entry), issued.w_en.eq(self.i.valid), self.i.ready.eq(issued.w_rdy),
        ]

        head = data.View(layout, issued.r_data)
        age = Signal(16)
        m.d.comb += age.eq(now - head.due)
        running = Signal()
        count, offset = Signal(8), Signal(6)
        current = Signal(6)
        last, step = Signal(), Signal()
        burst = head.burst
        with m.If(running):
            m.d.comb += [current.eq(offset), last.eq(count == burst.length)]
        with m.Else():
            m.d.comb += [current.eq(burst.offset), last.eq(burst.length == 0)]
        m.d.comb += [
            # The sign of the age: due times lie at most 2**15 cycles apart
            step.eq(issued.r_rdy & (running | ~age[15]) & (~self.o.valid | self.o.ready)),
            self.read_enable.eq(step),
            self.read_address.eq(word_address(geometry, burst.line, current)),
            issued.r_en.eq(step & last),
        ]
        with m.If(step):
            m.d.sync += [
                running.eq(~last), count.eq(1), self.o.p.id.eq(burst.id), self.o.p.last.eq(last),
                offset.eq(next_offset(Cat(burst.burst), burst.size, burst.length, current)),
            ]
            with m.If(running):
                m.d.sync += count.eq(count + 1)
        with m.If(step):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


class WriteAccept(wiring.Component):
    """Takes write bursts, puts their data into the array, queues and answers them.

    The array holds a beat's data as soon as the beat is accepted, so every later read sees them;
    the queued request only stands for the time that the DRAM needs. The response follows one cycle
    after the last beat, as in LiteDRAM's ``frontend/axi.py``, where a write is done for the host
    once its data are in the controller.

    Parameters
    ----------
    geometry:
        Widths.
    depth:
        Accepted addresses whose data are still to come.

    Members
    -------
    i_address : In(stream.Signature(Geometry.burst))
        Write addresses.
    i_data : In(stream of data, strobe, last)
        Write data; taken only once the address is there.
    write_enable, write_address, write_data, write_strobe
        Write port of the array.
    request : Out(stream.Signature(Geometry.request))
        Bursts whose data are complete.
    response : Out(stream.Signature(id_bits))
        Write responses.
    """

    def __init__(self, geometry: Geometry, *, depth: int = 4):
        self._geometry = geometry
        self._depth = depth
        signature = array_signature(geometry)
        super().__init__({
            "i_address": In(stream.Signature(geometry.burst)),
            "i_data": In(stream.Signature(data.StructLayout({
                "data": geometry.data_bits, "strobe": geometry.data_bits // 8, "last": 1}))),
            "write_enable": Out(1), "write_address": Out(signature.address_bits),
            "write_data": Out(geometry.data_bits), "write_strobe": Out(geometry.data_bits // 8),
            "request": Out(stream.Signature(geometry.request)),
            "response": Out(stream.Signature(geometry.id_bits)),
        })

    def elaborate(self, platform) -> Module:
        """Build the address queue, the sequence of beats and the response queue."""
        m = Module()
        geometry = self._geometry
        m.submodules.addresses = addresses = fifo.SyncFIFO(
            width=geometry.burst.size, depth=self._depth)
        m.submodules.responses = responses = fifo.SyncFIFO(width=geometry.id_bits, depth=16)
        wiring.connect(m, wiring.flipped(self.i_address), addresses.w_stream)
        wiring.connect(m, wiring.flipped(self.response), responses.r_stream)

        burst = data.View(geometry.burst, addresses.r_data)
        first = Signal(init=1)
        offset, current = Signal(6), Signal(6)
        with m.If(first):
            m.d.comb += current.eq(burst.offset)
        with m.Else():
            m.d.comb += current.eq(offset)
        step, last = Signal(), Signal()
        m.d.comb += [
            last.eq(self.i_data.p.last),
            # Any beat may be the last, so room is needed for all
            self.i_data.ready.eq(addresses.r_rdy & self.request.ready & responses.w_rdy),
            step.eq(self.i_data.valid & self.i_data.ready),
            self.write_enable.eq(step),
            self.write_address.eq(word_address(geometry, burst.line, current)),
            self.write_data.eq(self.i_data.p.data), self.write_strobe.eq(self.i_data.p.strobe),
            self.request.valid.eq(step & last),
            self.request.p.bank.eq(geometry.bank(burst.line)),
            self.request.p.row.eq(geometry.row(burst.line)),
            self.request.p.columns.eq(columns_of_burst(geometry, burst)),
            self.request.p.burst.eq(burst),
            responses.w_en.eq(step & last), responses.w_data.eq(burst.id),
            addresses.r_en.eq(step & last),
        ]
        with m.If(step):
            m.d.sync += [
                first.eq(last),
                offset.eq(next_offset(Cat(burst.burst), burst.size, burst.length, current)),
            ]
        return m
