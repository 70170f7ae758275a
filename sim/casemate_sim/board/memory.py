"""External memory in block RAM, with somebody's probe on it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from casemate.axi.signature import Response
from casemate.config import EngineConfig
from casemate.engine.memory_port import memory_signature

from casemate_sim.native.register_port import REGISTER_BITS

__all__ = ["BlockMemory", "ProbeSignature", "memory_bytes"]


def memory_bytes(config: EngineConfig) -> int:
    """Return the size of the memory that an engine needs: up to the end of its last region."""
    return max(region.end for region in config.regions)


class ProbeSignature(wiring.Signature):
    """Accesses to 32 bits of the memory behind the engine's back, by byte address.

    Members
    -------
    valid: Out(1), write: Out(1), address: Out(32), value: Out(32)
        An access; it stays up to the cycle with `done`.
    done: In(1), result: In(32)
        A pulse; with it, what was read.
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "write": Out(1), "address": Out(32),
                          "value": Out(REGISTER_BITS), "done": In(1),
                          "result": In(REGISTER_BITS)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProbeSignature)


class BlockMemory(wiring.Component):
    """Block RAM as an AXI4 subordinate for INCR bursts of whole beats, which is what engines send.

    One read burst and one write burst at a time, a beat per cycle each; the first beat of a read
    comes 2 cycles after its address, the response to a write 1 cycle after its last beat. The probe
    reads between two bursts of reads, and writes in a cycle without a beat to write.

    Parameters
    ----------
    config:
        The engine's configuration.

    Members
    -------
    bus: In(memory_signature(config))
    probe: In(ProbeSignature())
        The address is inside the memory.
    """

    bus: wiring.PureInterface
    probe: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        self._beat_bytes = config.data_bits // 8
        self._depth = memory_bytes(config) // self._beat_bytes
        self._config = config
        super().__init__({"bus": In(memory_signature(config)), "probe": In(ProbeSignature())})

    def elaborate(self, platform: object) -> Module:
        """Build the RAM and the two bursts."""
        m = Module()
        m.submodules.content = content = memory.Memory(
            shape=self._config.data_bits, depth=self._depth, init=[])
        read, write = content.read_port(), content.write_port(granularity=8)
        offset_bits = (self._beat_bytes - 1).bit_length()
        probe_place = self.probe.address >> offset_bits
        probe_word = Signal(range(self._beat_bytes * 8 // REGISTER_BITS))
        m.d.comb += probe_word.eq(self.probe.address[2:offset_bits])
        self._elaborate_reads(m, read, offset_bits, probe_place, probe_word)
        self._elaborate_writes(m, write, offset_bits, probe_place, probe_word)
        return m

    def _elaborate_reads(self, m: Module, read, offset_bits: int, probe_place, probe_word) -> None:
        bus, probe = self.bus, self.probe
        place, left = Signal(range(self._depth)), Signal(8)
        reading, next_beat, free = Signal(), Signal(), Signal()
        looking, looked = Signal(), Signal()
        m.d.comb += [
            bus.arready.eq(~reading), bus.rdata.eq(read.data), bus.rresp.eq(Response.OKAY.value),
            free.eq(~bus.rvalid | bus.rready), next_beat.eq(reading & free),
            # What was read for the probe must not stand where a beat waits to be taken.
            looking.eq(probe.valid & ~probe.write & ~looked & free & ~reading),
            read.en.eq(next_beat | looking), read.addr.eq(Mux(looking, probe_place, place)),
            probe.result.eq(read.data.word_select(probe_word, REGISTER_BITS)),
        ]
        m.d.sync += looked.eq(looking)
        with m.If(free):
            m.d.sync += bus.rvalid.eq(next_beat)
        with m.If(next_beat):
            m.d.sync += [place.eq(place + 1), left.eq(left - 1), bus.rlast.eq(left == 0),
                         reading.eq(left != 0)]
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [reading.eq(1), place.eq(bus.araddr >> offset_bits), left.eq(bus.arlen)]
        # The ID of a burst stays until its last beat was taken.
        held = Signal.like(bus.arid)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += held.eq(bus.arid)
        with m.If(next_beat):
            m.d.sync += bus.rid.eq(held)
        with m.If(looked):
            m.d.comb += probe.done.eq(1)

    def _elaborate_writes(self, m: Module, write, offset_bits: int, probe_place,
                          probe_word) -> None:
        bus, probe = self.bus, self.probe
        place = Signal(range(self._depth))
        writing, beat = Signal(), Signal()
        m.d.comb += [
            bus.awready.eq(~writing & ~bus.bvalid), bus.wready.eq(writing),
            bus.bresp.eq(Response.OKAY.value), beat.eq(bus.wvalid & bus.wready),
            write.addr.eq(place), write.data.eq(bus.wdata),
            write.en.eq(Mux(beat, bus.wstrb, 0)),
        ]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [writing.eq(1), place.eq(bus.awaddr >> offset_bits), bus.bid.eq(bus.awid)]
        with m.If(beat):
            m.d.sync += place.eq(place + 1)
            with m.If(bus.wlast):
                m.d.sync += [writing.eq(0), bus.bvalid.eq(1)]
        with m.Elif(probe.valid & probe.write):
            lanes = self._beat_bytes * 8 // REGISTER_BITS
            m.d.comb += [
                write.addr.eq(probe_place), write.data.eq(probe.value.replicate(lanes)),
                write.en.eq(0b1111 << (probe_word << 2)), probe.done.eq(1),
            ]
