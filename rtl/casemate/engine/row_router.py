"""Takes read data from DRAM to the decryption or past it, and on to the entry that waits."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import EngineConfig
from .assemble import assembled_row
from .layouts import cipher_row_layout, memory_beat_layout, row_layout
from .parking import Parking

__all__ = ["RowRouter"]


class RowRouter(wiring.Component):
    """One beat per cycle; beats of different IDs may come in any mixture.

    Plain rows leave in the cycle in which they come (they wait while the cipher delivers one);
    encrypted rows leave when the cipher has decrypted them.

    With a tree, rows of authenticated lines go to ``check`` too, as they come. None of them waits
    for its tweak: what cannot enter the cipher in the cycle in which it comes is parked, so that
    the metadata behind it on the bus come through. Parked rows have precedence over new ones.

    Members
    -------
    i: In(stream.Signature(memory_beat_layout(config)))
        Beats from DRAM.
    encrypt: In(2 ** entry_id_bits), tweaked: In(2 ** entry_id_bits)
        Entries whose line is encrypted; entries whose tweak is known.
    lookup: Out(entry_id_bits), slot: In(range(domain_slots))
        The slot of the entry ``lookup``, combinational.
    cipher: Out(stream.Signature({"data", "row", "entry", "key", "tag"}))
        Rows to decrypt; the tag is the row's RRESP.
    decrypted: In(stream.Signature({"data", "row", "entry", "tag"}, always_ready=True))
        The same rows, decrypted.
    row: Out(row_layout(config)), row_valid: Out(1)
        Rows for the entries.
    received: Out(2 ** entry_id_bits)
        A pulse with the transfer of the last beat of an entry's line.
    authenticate: In(2 ** entry_id_bits), taken: In(2 ** entry_id_bits)
        With a tree: entries whose line is authenticated; a pulse when an entry is taken.
    check: Out(stream.Signature(cipher_row_layout(config)))
        With a tree: rows of authenticated lines.
    """

    i: stream.Interface
    cipher: stream.Interface
    decrypted: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        ids = 2**config.entry_id_bits
        fields = {
            "data": 8 * config.row_bytes, "row": range(config.rows_per_line),
            "entry": range(ids), "tag": 2,
        }
        super().__init__({
            "i": In(stream.Signature(memory_beat_layout(config, config.entry_id_bits))),
            "encrypt": In(ids), "tweaked": In(ids),
            "lookup": Out(config.entry_id_bits), "slot": In(range(config.domain_slots)),
            "cipher": Out(stream.Signature(cipher_row_layout(config))),
            "decrypted": In(stream.Signature(data.StructLayout(fields), always_ready=True)),
            "row": Out(row_layout(config)), "row_valid": Out(1),
            "received": Out(ids),
            **({} if config.tree is None else {
                "authenticate": In(ids), "taken": In(ids),
                "check": Out(stream.Signature(cipher_row_layout(config))),
            }),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        ids = 2**config.entry_id_bits
        beat_id = self.i.payload.id
        transfer = Signal()
        m.d.comb += [transfer.eq(self.i.valid & self.i.ready), self.lookup.eq(beat_id)]

        incoming = assembled_row(m, config, ids=ids, beat=self.i.payload, transfer=transfer)
        complete, row = incoming.complete, incoming.number
        row_data, row_response = incoming.data, incoming.response
        m.d.comb += self.received.eq(Mux(transfer & incoming.last, 1 << beat_id, 0))

        encrypted, tweaked, plain_valid = Signal(), Signal(), Signal()
        given = Signal(cipher_row_layout(config))
        m.d.comb += [
            encrypted.eq(self.encrypt.bit_select(beat_id, 1)),
            tweaked.eq(self.tweaked.bit_select(beat_id, 1)),
            given.data.eq(row_data), given.row.eq(row), given.entry.eq(beat_id),
            given.key.eq(self.slot), given.tag.eq(row_response),
            self.cipher.valid.eq(self.i.valid & encrypted & complete & tweaked),
            self.cipher.payload.eq(given),
            plain_valid.eq(self.i.valid & complete & ~encrypted),
        ]
        with m.If(~complete):
            m.d.comb += self.i.ready.eq(1)
        with m.Elif(encrypted):
            m.d.comb += self.i.ready.eq(self.cipher.ready & tweaked)
        with m.Else():
            m.d.comb += self.i.ready.eq(~self.decrypted.valid)
        if config.tree is not None:
            self._elaborate_checks(m, complete, encrypted, tweaked, given, plain_valid)

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

    def _elaborate_checks(self, m: Module, complete: Signal, encrypted: Signal, tweaked: Signal,
                          given: data.View, plain_valid: Signal) -> None:
        """Override what becomes of rows of authenticated lines, and let parked rows in."""
        beat_id = given.entry
        m.submodules.parking = parking = Parking(self._config)
        offered, authenticated, parked, direct = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            offered.eq(self.i.valid & complete),
            authenticated.eq(self.authenticate.bit_select(beat_id, 1)),
            parked.eq(parking.parked.bit_select(beat_id, 1)),
            parking.received.eq(self.received), parking.tweaked.eq(self.tweaked),
            parking.taken.eq(self.taken), parking.row.eq(given),
            direct.eq(tweaked & ~parked & self.cipher.ready & ~parking.o.valid),
            parking.park.eq(offered & authenticated & encrypted & self.check.ready & ~direct),
            parking.o.ready.eq(self.cipher.ready),
            self.check.valid.eq(offered & authenticated & (encrypted | ~self.decrypted.valid)),
            self.check.payload.eq(given),
        ]
        with m.If(parking.o.valid):
            m.d.comb += [self.cipher.valid.eq(1), self.cipher.payload.eq(parking.o.payload)]
        with m.Elif(authenticated & (parked | ~self.check.ready)):
            m.d.comb += self.cipher.valid.eq(0)
        with m.If(complete & authenticated):
            m.d.comb += self.i.ready.eq(self.check.ready & (encrypted | ~self.decrypted.valid))
            with m.If(~self.check.ready):
                m.d.comb += plain_valid.eq(0)
        with m.Elif(complete & encrypted & parking.o.valid):
            m.d.comb += self.i.ready.eq(0)
