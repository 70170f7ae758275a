"""Computes the encrypted tweaks of lines with and without a version."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..aes.cipher import Direction, create_cipher
from ..aes.signature import CipherPort, RoundKeyWrite
from ..config import EngineConfig
from ..streams import in_turn
from .tweaks import tweak_request_layout

__all__ = ["VersionedTweaks", "versioned_tweak_layout"]


def versioned_tweak_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a line and version whose tweak is wanted by entry ``id``, under K2 of ``slot``."""
    return data.StructLayout({
        "id": config.entry_id_bits, "line": config.line_bits,
        "slot": range(config.domain_slots), "version": config.leaf.version_bits,
    })


def _use_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of what a tweak is for."""
    return data.StructLayout({"id": config.entry_id_bits, "decrypt": 1, "encrypt": 1})


class VersionedTweaks(wiring.Component):
    """What ``Tweaks`` is, for an engine with a tree: four sources, served in turn.

    The tweak is ``line number | version << 64``, encrypted under K2 (docs/formats.md). Lines of
    domains that do not authenticate have version 0: their requests are made with their entries and
    never refused. Those of the others are made when their version is known; a write whose line is
    merged has two, for the version that is read and for the one that is written.

    Members
    -------
    read: In(1), read_request: In(tweak_request_layout(config))
        A read entry was taken, and its line has no version.
    write: In(1), write_request: In(tweak_request_layout(config))
        A write entry was taken, and its line has no version: one tweak serves both directions.
    check: In(stream.Signature(versioned_tweak_layout(config)))
        Lines to be decrypted.
    seal: In(stream.Signature(versioned_tweak_layout(config)))
        Lines to be encrypted.
    taken: In(2 ** entry_id_bits)
        Entries that were taken: their flags are cleared.
    ready: Out(2 ** entry_id_bits), sealable: Out(write_entries)
        Entries whose tweak for decryption, for encryption, was written in an earlier cycle.
    decrypt, encrypt: Out(1), id: Out(entry_id_bits), value: Out(128)
        Write ports of the tweak memories.
    round_key: In(RoundKeyWrite(domain_slots))
        Round keys of K2.
    cipher: Out(CipherPort)
        With a shared cipher: the core.
    """

    check: stream.Interface
    seal: stream.Interface

    def __init__(self, config: EngineConfig):
        assert config.tree is not None
        self._config, self._tree = config, config.tree
        request, versioned = tweak_request_layout(config), versioned_tweak_layout(config)
        ids = 2**config.entry_id_bits
        super().__init__({
            "read": In(1), "read_request": In(request),
            "write": In(1), "write_request": In(request),
            "check": In(stream.Signature(versioned)), "seal": In(stream.Signature(versioned)),
            "taken": In(ids), "ready": Out(ids), "sealable": Out(config.write_entries),
            "decrypt": Out(1), "encrypt": Out(1), "id": Out(config.entry_id_bits),
            "value": Out(128), "round_key": In(RoundKeyWrite(config.domain_slots)),
            **({"cipher": Out(CipherPort(config.domain_slots, _use_layout(config)))}
               if config.tree.shared_cipher else {}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        request = tweak_request_layout(config)
        if self._tree.shared_cipher:
            cipher = wiring.flipped(self.cipher)
        else:
            m.submodules.cipher = cipher = create_cipher(
                config.tweak_cipher, aes_bits=config.aes_bits, direction=Direction.ENCRYPT,
                keys=config.domain_slots, tag=_use_layout(config),
                erasable=config.keys is not None)
        wiring.connect(m, wiring.flipped(self.round_key), cipher.round_key)

        m.submodules.reads = reads = SyncFIFO(width=request.size, depth=config.read_entries)
        m.submodules.writes = writes = SyncFIFO(width=request.size, depth=config.write_entries)
        waiting, direct = Signal(4), Signal()
        read, write = Signal(request), Signal(request)
        m.d.comb += [
            waiting.eq(Cat(reads.r_rdy | self.read, self.check.valid, self.seal.valid,
                           writes.r_rdy)),
            read.eq(Mux(reads.r_rdy, reads.r_data, self.read_request)),
            write.eq(writes.r_data),
            reads.w_en.eq(self.read & ~direct), reads.w_data.eq(self.read_request),
            writes.w_en.eq(self.write), writes.w_data.eq(self.write_request),
        ]

        chosen = in_turn(m, waiting, cipher.i.valid & cipher.i.ready)
        go = Signal(4)
        m.d.comb += [
            cipher.i.valid.eq(waiting.any()),
            go.eq(Mux(cipher.i.ready, chosen, 0)),
            reads.r_en.eq(go[0]), direct.eq(go[0] & ~reads.r_rdy),
            self.check.ready.eq(go[1]), self.seal.ready.eq(go[2]), writes.r_en.eq(go[3]),
        ]

        given, tag = cipher.i.payload, cipher.i.payload.tag
        for source, line in enumerate((read, self.check.payload, self.seal.payload, write)):
            with m.If(chosen[source]):
                m.d.comb += [
                    given.key.eq(line.slot), given.block[:64].eq(line.line),
                    tag.id.eq(line.id), tag.decrypt.eq(source != 2), tag.encrypt.eq(source >= 2),
                ]
                if source in (1, 2):
                    m.d.comb += given.block[64:].eq(line.version)

        out = cipher.o.payload
        m.d.comb += [
            self.decrypt.eq(cipher.o.valid & out.tag.decrypt),
            self.encrypt.eq(cipher.o.valid & out.tag.encrypt),
            self.id.eq(out.tag.id), self.value.eq(out.block),
        ]
        here = Signal.like(self.taken)
        writes_from = 2 ** (config.entry_id_bits - 1)
        writes_taken = self.taken[writes_from:writes_from + config.write_entries]
        m.d.comb += here.eq(1 << self.id)
        m.d.sync += [
            self.ready.eq((self.ready | Mux(self.decrypt, here, 0)) & ~self.taken),
            self.sealable.eq((self.sealable | Mux(self.encrypt, here[writes_from:], 0))
                             & ~writes_taken),
        ]
        return m
