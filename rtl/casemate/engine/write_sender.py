"""Sends complete lines to DRAM: through the cipher or past it, then out on AXI."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from ..rams import IN_BLOCK_RAM, read_next
from .bundles import BufferRead

__all__ = ["WriteSender", "write_row_layout"]


def write_row_layout(config: EngineConfig, *, key: bool = False) -> data.StructLayout:
    """Layout of a row of a line being written; with `key`, the slot whose keys encrypt it."""
    fields = {
        "data": 8 * config.row_bytes, "row": range(config.rows_per_line),
        "entry": range(config.write_entries),
    }
    return data.StructLayout(fields | ({"key": range(config.domain_slots)} if key else {}))


class WriteSender(wiring.Component):
    """Moves one row per cycle from the write buffer into the output buffer.

    The output buffer has room for every entry, so that the cipher never has to stall; rows that are
    not encrypted go past it in the cycles in which it delivers nothing.

    Members
    -------
    send: In(stream.Signature(range(write_entries)))
        Entries whose line is complete.
    encrypt: In(1), slot: In(range(domain_slots))
        What is known of the entry on ``send``, in the same cycle.
    read: Out(BufferRead(config))
        The write buffer's read port.
    cipher: Out(stream.Signature({"data", "row", "entry", "key"}))
        Rows to encrypt.
    encrypted: In(stream.Signature({"data", "row", "entry"}, always_ready=True))
        The same rows, encrypted.
    address: Out(stream.Signature(range(write_entries)))
        Entries to be announced on AXI's write address channel, in the order of their data.
    drain: Out(stream.Signature({"data", "entry", "row"}))
        Rows for AXI's write data channel; the rows of a line come in order, without another's
        between them.
    stored: Out(stream.Signature({"data", "row", "entry"}, always_ready=True))
        With a tree: rows that enter the output buffer, as they go to DRAM; a line's come in order.
    """

    send: stream.Interface
    cipher: stream.Interface
    encrypted: stream.Interface
    address: stream.Interface
    drain: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        entry = range(config.write_entries)
        super().__init__({
            "send": In(stream.Signature(entry)),
            "encrypt": In(1), "slot": In(range(config.domain_slots)),
            "read": Out(BufferRead(config)),
            "cipher": Out(stream.Signature(write_row_layout(config, key=True))),
            "encrypted": In(stream.Signature(write_row_layout(config), always_ready=True)),
            "address": Out(stream.Signature(entry)),
            "drain": Out(stream.Signature(write_row_layout(config))),
            **({} if config.tree is None else {
                "stored": Out(stream.Signature(write_row_layout(config), always_ready=True))}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n, rows = config.write_entries, config.rows_per_line
        entry, row = range(n), range(rows)

        # From the write buffer: `row_now` is being read, `fetched` describes what was.
        row_now = Signal(row)
        fetched = Signal(write_row_layout(config, key=True), reset_less=True)
        fetched_valid, fetched_encrypt, fetched_ready = Signal(), Signal(reset_less=True), Signal()
        advance = Signal()
        m.d.comb += [
            advance.eq(~fetched_valid | fetched_ready),
            self.read.enable.eq(advance),
            self.read.entry.eq(self.send.payload), self.read.row.eq(row_now),
            self.send.ready.eq(advance & (row_now == rows - 1)),
            fetched_ready.eq(Mux(fetched_encrypt, self.cipher.ready, ~self.encrypted.valid)),
            self.cipher.valid.eq(fetched_valid & fetched_encrypt),
            self.cipher.payload.eq(fetched), self.cipher.payload.data.eq(self.read.data),
        ]
        with m.If(advance):
            m.d.sync += [
                fetched_valid.eq(self.send.valid), fetched_encrypt.eq(self.encrypt),
                fetched.entry.eq(self.send.payload), fetched.row.eq(row_now),
                fetched.key.eq(self.slot),
            ]
            with m.If(self.send.valid):
                m.d.sync += row_now.eq(row_now + 1 if rows > 1 else 0)

        # Into the output buffer.
        m.submodules.lines = lines = Memory(
            shape=8 * config.row_bytes, depth=n * rows, init=[], attrs=IN_BLOCK_RAM)
        write = lines.write_port()
        stored = Signal(write_row_layout(config))
        m.d.comb += [
            stored.entry.eq(fetched.entry), stored.row.eq(fetched.row),
            stored.data.eq(self.read.data),
            write.en.eq(self.encrypted.valid | (fetched_valid & ~fetched_encrypt)),
            write.addr.eq(stored.entry * rows + stored.row), write.data.eq(stored.data),
        ]
        with m.If(self.encrypted.valid):
            m.d.comb += stored.eq(self.encrypted.payload)
        if config.tree is not None:
            m.d.comb += [self.stored.valid.eq(write.en), self.stored.payload.eq(stored)]

        # Out on AXI. The queues have room for every entry.
        complete = Signal()
        m.d.comb += complete.eq(write.en & (stored.row == rows - 1))
        m.submodules.addresses = addresses = SyncFIFO(width=len(Signal(entry)), depth=n)
        m.submodules.drains = drains = SyncFIFO(width=len(Signal(entry)), depth=n)
        for queue in (addresses, drains):
            m.d.comb += [queue.w_en.eq(complete), queue.w_data.eq(stored.entry)]
        m.d.comb += [
            self.address.valid.eq(addresses.r_rdy), self.address.payload.eq(addresses.r_data),
            addresses.r_en.eq(self.address.ready),
        ]
        drain_row = Signal(row)
        drained = Signal(write_row_layout(config), reset_less=True)
        drain_next = Signal()
        out = read_next(m, lines, drains.r_data * rows + drain_row, drain_next)
        m.d.comb += [
            drain_next.eq(~self.drain.valid | self.drain.ready),
            drains.r_en.eq(drain_next & (drain_row == rows - 1)),
            self.drain.payload.entry.eq(drained.entry), self.drain.payload.row.eq(drained.row),
            self.drain.payload.data.eq(out),
        ]
        with m.If(drain_next):
            m.d.sync += [
                self.drain.valid.eq(drains.r_rdy),
                drained.entry.eq(drains.r_data), drained.row.eq(drain_row),
            ]
            with m.If(drains.r_rdy):
                m.d.sync += drain_row.eq(drain_row + 1 if rows > 1 else 0)
        return m
