"""The whole DRAM: AXI4 subordinate, controller and timing of the banks."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.axi import signature as axi

from casemate_sim.dram.frontend import (
    ReadReturn,
    WriteAccept,
    array_signature,
    burst_from_channel,
)
from casemate_sim.dram.layouts import TIMING, Geometry, columns_of_burst
from casemate_sim.dram.scheduler import Scheduler

__all__ = ["DramModel"]


class DramModel(wiring.Component):
    """DRAM behind an AXI4 port: one beat per cycle and direction at the port, one in the DRAM.

    Bursts of any kind and size that stay inside one 64-byte line; others fail an assertion. Reads
    of different IDs are answered in any order, of equal ID in order. From the transfer of an
    address to the first data beat of a read of an idle DRAM: ``1 + read_latency`` cycles if the row
    is open, tRCD more if its bank is closed, tRP + tRCD more if another row is open. A write is
    answered one cycle after its last beat, and waits only while the queue of writes is full.

    Parameters
    ----------
    geometry:
        Widths and number of banks.
    depth:
        Requests in each of the two queues.

    Members
    -------
    timing : In(TIMING)
        Timings, constant after reset (see `DramTiming`).
    bus : In(axi.Signature)
        The AXI4 port.
    array : Out(ArraySignature)
        The content.
    idle : Out(1)
        No request waits for its column access.
    """

    bus: wiring.PureInterface
    array: wiring.PureInterface

    def __init__(self, geometry: Geometry, *, depth: int = 16):
        self._geometry = geometry
        self._depth = depth
        super().__init__({
            "timing": In(TIMING),
            "bus": In(axi.Signature(data_bits=geometry.data_bits, id_bits=geometry.id_bits,
                                    address_bits=geometry.address_bits)),
            "array": Out(array_signature(geometry)), "idle": Out(1),
        })

    def elaborate(self, platform) -> Module:
        """Connect the bus to its parts."""
        m = Module()
        geometry, bus = self._geometry, self.bus
        m.submodules.scheduler = scheduler = Scheduler(geometry, depth=self._depth)
        m.submodules.reads = reads = ReadReturn(geometry)
        m.submodules.writes = writes = WriteAccept(geometry)
        m.d.comb += [scheduler.timing.eq(self.timing), reads.timing.eq(self.timing),
                     self.idle.eq(scheduler.idle)]

        read = burst_from_channel(m, geometry, bus, "ar")
        m.d.comb += [
            scheduler.i_read.valid.eq(bus.arvalid), bus.arready.eq(scheduler.i_read.ready),
            scheduler.i_read.p.bank.eq(geometry.bank(read.line)),
            scheduler.i_read.p.row.eq(geometry.row(read.line)),
            scheduler.i_read.p.columns.eq(columns_of_burst(geometry, read)),
            scheduler.i_read.p.burst.eq(read),
        ]
        wiring.connect(m, scheduler.o_read, reads.i)
        m.d.comb += [
            self.array.read_enable.eq(reads.read_enable),
            self.array.read_address.eq(reads.read_address),
            bus.rvalid.eq(reads.o.valid), reads.o.ready.eq(bus.rready),
            bus.rid.eq(reads.o.p.id), bus.rlast.eq(reads.o.p.last),
            bus.rdata.eq(self.array.read_data),
        ]

        write = burst_from_channel(m, geometry, bus, "aw")
        wiring.connect(m, writes.request, scheduler.i_write)
        m.d.comb += [
            writes.i_address.valid.eq(bus.awvalid), bus.awready.eq(writes.i_address.ready),
            writes.i_address.p.eq(write),
            writes.i_data.valid.eq(bus.wvalid), bus.wready.eq(writes.i_data.ready),
            writes.i_data.p.data.eq(bus.wdata), writes.i_data.p.strobe.eq(bus.wstrb),
            writes.i_data.p.last.eq(bus.wlast),
            self.array.write_enable.eq(writes.write_enable),
            self.array.write_address.eq(writes.write_address),
            self.array.write_data.eq(writes.write_data),
            self.array.write_strobe.eq(writes.write_strobe),
            bus.bvalid.eq(writes.response.valid), writes.response.ready.eq(bus.bready),
            bus.bid.eq(writes.response.p),
        ]
        return m
