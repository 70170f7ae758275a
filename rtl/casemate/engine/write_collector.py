"""Collects the host's write data, chunk by chunk, into the write buffer."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from .bundles import BufferWrite, Collected
from .layouts import OFFSET_BITS, chunk_layout, next_offset

__all__ = ["WriteCollector", "write_beat_layout"]


def write_beat_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of the host's write data channel, without WLAST."""
    return data.StructLayout({"data": config.data_bits, "strobe": config.data_bits // 8})


class WriteCollector(wiring.Component):
    """Brings chunks and write data together: one beat per cycle, no pause between chunks.

    An entry is taken with the chunk's first beat and handed over in the cycle after its last. A
    refused chunk's data are accepted and dropped.

    Members
    -------
    chunk: In(stream.Signature(chunk_layout(config)))
        Chunks in the order of their data; transferred with the chunk's last beat.
    burst: In(range(write_bursts))
        Number of the burst that the chunk belongs to.
    w: In(stream.Signature(write_beat_layout(config)))
        The host's write data channel.
    free: In(1), free_index: In(range(write_entries))
        An entry that may be taken.
    take: Out(1)
        ``free_index`` is taken in this cycle, for ``chunk``.
    blocked: In(1)
        The buffer's write port is needed by somebody else in this cycle.
    write: Out(BufferWrite(config))
        Beats for the write buffer.
    collected: Out(Collected(config))
        Chunks that are complete.
    """

    chunk: stream.Interface
    w: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        entry = range(config.write_entries)
        super().__init__({
            "chunk": In(stream.Signature(chunk_layout(config))),
            "burst": In(range(config.write_bursts)),
            "w": In(stream.Signature(write_beat_layout(config))),
            "free": In(1), "free_index": In(entry), "take": Out(1), "blocked": In(1),
            "write": Out(BufferWrite(config)), "collected": Out(Collected(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        row_shift = (config.row_bytes - 1).bit_length()
        bus_bytes = config.data_bits // 8
        chunk = self.chunk.payload

        begun = Signal()  # the chunk's first beat is behind us; it has its entry
        entry = Signal(range(config.write_entries), reset_less=True)
        offset_now, offset = Signal(OFFSET_BITS), Signal(OFFSET_BITS, reset_less=True)
        beats_now, beats = Signal(OFFSET_BITS), Signal(OFFSET_BITS, reset_less=True)
        strobes, row_strobe = Signal(LINE_BYTES), Signal(config.row_bytes)
        entry_now = Signal(range(config.write_entries))
        beat, last = Signal(), Signal()
        m.d.comb += [
            offset_now.eq(Mux(begun, offset, chunk.offset)),
            beats_now.eq(Mux(begun, beats, chunk.beats)),
            entry_now.eq(Mux(begun, entry, self.free_index)),
            last.eq(beats_now == 0),
            self.w.ready.eq(self.chunk.valid & ~self.blocked
                            & (begun | self.free | chunk.refused)),
            beat.eq(self.w.valid & self.w.ready),
            self.chunk.ready.eq(beat & last),
            self.take.eq(beat & ~begun & ~chunk.refused),
            self.write.valid.eq(beat & ~chunk.refused),
            self.write.entry.eq(entry_now),
            self.write.row.eq(offset_now[row_shift:]),
            self.write.data.eq(self.w.payload.data.replicate(8 * config.row_bytes
                                                             // config.data_bits)),
            row_strobe.eq(self.w.payload.strobe
                          << (offset_now[(bus_bytes - 1).bit_length():row_shift] * bus_bytes)
                          if bus_bytes < config.row_bytes else self.w.payload.strobe),
            self.write.strobe.eq(row_strobe),
        ]
        with m.If(beat):
            m.d.sync += [
                begun.eq(~last),
                entry.eq(entry_now),
                offset.eq(next_offset(offset_now, chunk.size, chunk.wrap)),
                beats.eq(beats_now - 1),
                strobes.eq(Mux(last, 0, strobes | self._spread(row_strobe, offset_now))),
            ]
        m.d.sync += [
            self.collected.valid.eq(beat & last),
            self.collected.entry.eq(entry_now),
            self.collected.chunk.eq(chunk),
            self.collected.burst.eq(self.burst),
            self.collected.strobe.eq(strobes | self._spread(row_strobe, offset_now)),
        ]
        return m

    def _spread(self, row_strobe, offset):
        """Strobes of a row at their place in the line."""
        row = offset[(self._config.row_bytes - 1).bit_length():]
        return (row_strobe << (row * self._config.row_bytes))[:LINE_BYTES]
