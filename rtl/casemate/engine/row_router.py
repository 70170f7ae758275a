"""Takes read data from DRAM to the decryption or past it, and on to the entry that waits."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..axi.signature import Response
from ..config import EngineConfig
from .layouts import row_layout

__all__ = ["RowRouter", "memory_beat_layout"]


def memory_beat_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of the DRAM's read data channel, without RLAST."""
    return data.StructLayout({
        "id": config.memory_id_bits, "data": config.data_bits, "response": 2,
    })


class RowRouter(wiring.Component):
    """One beat per cycle; beats of different IDs may come in any mixture.

    Plain rows leave in the cycle in which they come (they wait while the cipher delivers one);
    encrypted rows leave when the cipher has decrypted them.

    Members
    -------
    i: In(stream.Signature(memory_beat_layout(config)))
        Beats from DRAM.
    encrypt: In(2 ** memory_id_bits), tweaked: In(2 ** memory_id_bits)
        Entries whose line is encrypted; entries whose tweak is known.
    lookup: Out(memory_id_bits), slot: In(range(domain_slots))
        The slot of the entry ``lookup``, combinational.
    cipher: Out(stream.Signature({"data", "row", "entry", "key", "tag"}))
        Rows to decrypt; the tag is the row's RRESP.
    decrypted: In(stream.Signature({"data", "row", "entry", "tag"}, always_ready=True))
        The same rows, decrypted.
    row: Out(row_layout(config)), row_valid: Out(1)
        Rows for the entries.
    received: Out(2 ** memory_id_bits)
        A pulse with the transfer of the last beat of an entry's line.
    """

    i: stream.Interface
    cipher: stream.Interface
    decrypted: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        ids = 2**config.memory_id_bits
        fields = {
            "data": 8 * config.row_bytes, "row": range(config.rows_per_line),
            "entry": range(ids), "tag": 2,
        }
        super().__init__({
            "i": In(stream.Signature(memory_beat_layout(config))),
            "encrypt": In(ids), "tweaked": In(ids),
            "lookup": Out(config.memory_id_bits), "slot": In(range(config.domain_slots)),
            "cipher": Out(stream.Signature(
                data.StructLayout(fields | {"key": range(config.domain_slots)}))),
            "decrypted": In(stream.Signature(data.StructLayout(fields), always_ready=True)),
            "row": Out(row_layout(config)), "row_valid": Out(1),
            "received": Out(ids),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        ids, beats = 2**config.memory_id_bits, config.beats_per_line
        beat_id = self.i.payload.id
        transfer = Signal()
        m.d.comb += [transfer.eq(self.i.valid & self.i.ready), self.lookup.eq(beat_id)]

        # Position of the beat in its line: the DRAM returns each ID's beats in order.
        position, last = Signal(range(beats)), Signal()
        if beats > 1:
            counts = [Signal(range(beats), name=f"count_{i}") for i in range(ids)]
            for i, count in enumerate(counts):
                with m.If(beat_id == i):
                    m.d.comb += position.eq(count)
                    with m.If(transfer):
                        m.d.sync += count.eq(count + 1)
        m.d.comb += [
            last.eq(position == beats - 1),
            self.received.eq(Mux(transfer & last, 1 << beat_id, 0)),
        ]

        # A DRAM that answers EXOKAY was not asked for an exclusive access.
        response, row_data = Signal(2), Signal(8 * config.row_bytes)
        m.d.comb += response.eq(Mux(self.i.payload.response == Response.EXOKAY.value,
                                    Response.OKAY.value, self.i.payload.response))
        complete = Signal()  # the beat completes a row
        row_response = Signal(2)
        parts = config.row_bytes * 8 // config.data_bits
        if parts == 1:
            m.d.comb += [
                complete.eq(1), row_data.eq(self.i.payload.data), row_response.eq(response)]
        else:
            # A bus narrower than an AES block: the first half waits for the second.
            half = data.StructLayout({"data": config.data_bits, "response": 2})
            m.submodules.halves = halves = Memory(shape=half, depth=ids, init=[])
            write, read = halves.write_port(), halves.read_port(domain="comb")
            m.d.comb += [
                complete.eq(position[0]),
                write.addr.eq(beat_id), write.en.eq(transfer & ~complete),
                write.data.data.eq(self.i.payload.data), write.data.response.eq(response),
                read.addr.eq(beat_id),
                row_data.eq(Cat(read.data.data, self.i.payload.data)),
                row_response.eq(Mux(read.data.response.any(), read.data.response, response)),
            ]

        encrypted = Signal()
        row = position[(parts - 1).bit_length():]
        m.d.comb += [
            encrypted.eq(self.encrypt.bit_select(beat_id, 1)),
            self.cipher.valid.eq(self.i.valid & encrypted & complete
                                 & self.tweaked.bit_select(beat_id, 1)),
            self.cipher.payload.data.eq(row_data), self.cipher.payload.row.eq(row),
            self.cipher.payload.entry.eq(beat_id), self.cipher.payload.key.eq(self.slot),
            self.cipher.payload.tag.eq(row_response),
        ]
        with m.If(~complete):
            m.d.comb += self.i.ready.eq(1)
        with m.Elif(encrypted):
            m.d.comb += self.i.ready.eq(self.cipher.ready & self.tweaked.bit_select(beat_id, 1))
        with m.Else():
            m.d.comb += self.i.ready.eq(~self.decrypted.valid)

        plain_valid = self.i.valid & complete & ~encrypted
        m.d.comb += self.row_valid.eq(self.decrypted.valid | plain_valid)
        with m.If(self.decrypted.valid):
            m.d.comb += [
                self.row.id.eq(self.decrypted.payload.entry),
                self.row.row.eq(self.decrypted.payload.row),
                self.row.response.eq(self.decrypted.payload.tag),
                self.row.data.eq(Mux(self.decrypted.payload.tag[1], 0,
                                     self.decrypted.payload.data)),
            ]
        with m.Else():
            m.d.comb += [
                self.row.id.eq(beat_id), self.row.row.eq(row),
                self.row.response.eq(row_response),
                self.row.data.eq(Mux(row_response[1], 0, row_data)),
            ]
        return m
