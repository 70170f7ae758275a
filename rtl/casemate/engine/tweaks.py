"""Computes the encrypted tweak of each line in flight."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..aes.cipher import Direction, create_cipher
from ..aes.signature import RoundKeyWrite
from ..config import EngineConfig

__all__ = ["Tweaks", "tweak_request_layout"]


def tweak_request_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a line whose tweak is wanted by entry ``id``, under K2 of ``slot``."""
    return data.StructLayout({
        "id": config.entry_id_bits, "line": config.line_bits,
        "slot": range(config.domain_slots),
    })


class Tweaks(wiring.Component):
    """The tweak cipher, its queue, and a flag for each entry whose tweak is known.

    The tweak of a line is ``line number | version << 64``, encrypted under K2 (see
    docs/formats.md; IEEE 1619 section 5.1); without authentication the version is 0. A read's
    request enters the cipher in the cycle in which it is made, unless others wait: latency is the
    cipher's, plus one cycle until ``ready``. Requests are never refused: there is a place in the
    queue for every entry.

    Members
    -------
    read: In(1), read_request: In(tweak_request_layout(config))
        A read entry was taken; its flag is cleared.
    write: In(1), write_request: In(tweak_request_layout(config))
        A write entry was taken; its flag is cleared. Reads go first.
    ready: Out(2 ** entry_id_bits)
        Entries whose tweak was written; a flag is set in the cycle after ``valid``.
    valid: Out(1), id: Out(entry_id_bits), value: Out(128)
        Write port of the tweak memories.
    round_key: In(RoundKeyWrite(domain_slots))
        Round keys of K2.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        request = tweak_request_layout(config)
        super().__init__({
            "read": In(1), "read_request": In(request),
            "write": In(1), "write_request": In(request),
            "ready": Out(2**config.entry_id_bits),
            "valid": Out(1), "id": Out(config.entry_id_bits), "value": Out(128),
            "round_key": In(RoundKeyWrite(config.domain_slots)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        request = tweak_request_layout(config)
        m.submodules.cipher = cipher = create_cipher(
            config.tweak_cipher, aes_bits=config.aes_bits, direction=Direction.ENCRYPT,
            keys=config.domain_slots, tag=config.entry_id_bits)
        wiring.connect(m, wiring.flipped(self.round_key), cipher.round_key)

        m.submodules.reads = reads = SyncFIFO(width=request.size, depth=config.read_entries)
        m.submodules.writes = writes = SyncFIFO(width=request.size, depth=config.write_entries)
        direct = Signal()
        chosen = Signal(request)
        m.d.comb += [
            direct.eq(self.read & ~reads.r_rdy & cipher.i.ready),
            reads.w_en.eq(self.read & ~direct), reads.w_data.eq(self.read_request),
            writes.w_en.eq(self.write), writes.w_data.eq(self.write_request),
            cipher.i.valid.eq(reads.r_rdy | self.read | writes.r_rdy),
            chosen.eq(Mux(reads.r_rdy, reads.r_data,
                          Mux(self.read, self.read_request, writes.r_data))),
            reads.r_en.eq(cipher.i.ready),
            writes.r_en.eq(cipher.i.ready & ~reads.r_rdy & ~self.read),
            cipher.i.payload.block.eq(chosen.line),
            cipher.i.payload.key.eq(chosen.slot), cipher.i.payload.tag.eq(chosen.id),
            self.valid.eq(cipher.o.valid), self.id.eq(cipher.o.payload.tag),
            self.value.eq(cipher.o.payload.block),
        ]
        for i in range(2**config.entry_id_bits):
            with m.If((self.read & (self.read_request.id == i))
                      | (self.write & (self.write_request.id == i))):
                m.d.sync += self.ready[i].eq(0)
            with m.Elif(self.valid & (self.id == i)):
                m.d.sync += self.ready[i].eq(1)
        return m
