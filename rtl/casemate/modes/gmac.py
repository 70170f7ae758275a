"""AES-GMAC of lines and nodes (SP 800-38D; docs/formats.md says what is authenticated).

GMAC is GCM with empty plaintext: the hash of the data and of its length, plus the pad E_K(J0) with
J0 = IV, 31 zero bits, 1. The IV is 96 bits, so no hash is needed to make J0.
"""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..aes.base import BlockCipher
from ..aes.cipher import Direction, create_cipher
from ..aes.signature import ERASE_ROUND, CipherPort, RoundKeyWrite
from ..config import LINE_BYTES, CipherConfig
from ..scrubber import scrub
from .ghash import Ghash
from .serial_ghash import SerialGhash

__all__ = ["COUNTER_BITS", "INDEX_BITS", "KIND_BITS", "Gmac", "GmacPort",
           "connect_gmac"]

KIND_BITS, COUNTER_BITS, INDEX_BITS = 4, 52, 40
"""Fields of the IV, from its most significant bit."""

_BLOCKS = LINE_BYTES // 16
_MAC_BYTES = 8


def _length_block(size: int) -> bytes:
    """Return the block that ends the hash of `size` bytes without plaintext: [len(A)]64, [0]64."""
    return (8 * size).to_bytes(8) + bytes(8)


def _first_counter(kind: Value, counter: Value, index: Value) -> Value:
    """Compute J0; the IV is big-endian, ``kind << 92 | counter << 40 | index``."""
    iv = Cat(index, counter, kind)
    return Cat(*(iv.word_select(byte, 8) for byte in reversed(range(12))), Const(0, 24),
               Const(1, 8))


class GmacPort(wiring.Signature):
    """What a user and a ``Gmac`` say to each other, from the user's side.

    Parameters
    ----------
    lanes, keys, entries, tag:
        See ``Gmac``.

    Members
    -------
    request: Out(stream.Signature({"entry", "key", "kind": 4, "counter": 52, "index": 40}))
        A new item in a free entry: one that never was used or whose tag is out.
    row: Out(stream.Signature({"data", "row", "key", "entry", "node", "first", "last", "tag"}))
        A row of an item, as it lies in DRAM. ``row`` is its place in the line; ``first`` and
        ``last`` mark the first and last row that comes of an item; ``node``: the MAC at the end is
        not authenticated. An item's last row may come before its request.
    o: In(stream.Signature({"mac": 128, "entry", "tag"}, always_ready=True))
        The whole output of GMAC; a truncated tag is its first bytes, that is, its low bits.
    """

    def __init__(self, *, lanes: int, keys: int, entries: int, tag: ShapeLike):
        super().__init__({
            "request": Out(stream.Signature(data.StructLayout({
                "entry": range(entries), "key": range(keys), "kind": KIND_BITS,
                "counter": COUNTER_BITS, "index": INDEX_BITS}))),
            "row": Out(stream.Signature(data.StructLayout({
                "data": 128 * lanes, "row": range(_BLOCKS // lanes), "key": range(keys),
                "entry": range(entries), "node": 1, "first": 1, "last": 1, "tag": tag}))),
            "o": In(stream.Signature(data.StructLayout(
                {"mac": 128, "entry": range(entries), "tag": tag}), always_ready=True)),
        })


class Gmac(wiring.Component):
    """Computes tags of lines (64 bytes) and MACs of nodes (the 56 bytes before the MAC).

    An item takes a request, which starts its pad, and its rows; they may come in any order, and
    those of other items between them. Throughput: one row per cycle, or as ``SerialGhash``
    takes them, one request per ``pad_interval`` cycles. Latency: ``latency`` cycles from the last
    row, if the pad is there by then; otherwise ``pad_latency`` cycles from the request, and one
    more for each item that is finished in the same cycle.

    Parameters
    ----------
    config:
        Construction of the cipher that makes the pads.
    aes_bits:
        Key size: 128 or 256.
    lanes:
        Blocks in a row: 1, 2 or 4.
    keys:
        Number of keys (K3 of each slot, K4) that are held.
    entries:
        Items that may be unfinished at the same time.
    stages:
        Registers in each multiplier, 1 to 3, with 3 another one at `o`; 0: ``SerialGhash``, which
        wants an item's rows in order.
    tag:
        Shape of what accompanies an item unchanged; that of its last row counts.
    erasable:
        A write of round ``ERASE_ROUND``, behind round keys that are all zero, erases a key's
        powers of H, whether they are complete or being computed, and makes it ``loaded`` again.
        Pads and hashes become zero when their tag is out.
    own_cipher:
        False: the cipher is outside, at the port ``cipher``; `config` is not used.

    Members
    -------
    request, row, o:
        As in ``GmacPort``, from the other side.
    round_key: In(RoundKeyWrite(keys))
        Round keys, in order; after a key's last one its hash key is derived here. No item of the
        key may be under way.
    loaded: Out(keys)
        Keys whose hash key is there: items may use them. Cleared by the key's first round key.
    cipher: Out(CipherPort)
        Without ``own_cipher``: the encrypting core.
    """

    request: stream.Interface
    row: stream.Interface
    o: stream.Interface
    loaded: Signal

    def __init__(self, config: CipherConfig, *, aes_bits: int, lanes: int, keys: int,
                 entries: int, stages: int, tag: ShapeLike, erasable: bool = False,
                 own_cipher: bool = True):
        self._rounds = {128: 10, 256: 14}[aes_bits]
        self._erasable = erasable
        self._lanes, self._keys, self._entries = lanes, keys, entries
        self._tag = tag
        self._registered = stages == 3
        use = data.StructLayout({"subkey": 1, "key": range(keys), "entry": range(entries)})
        self._own_cipher = create_cipher(
            config, aes_bits=aes_bits, direction=Direction.ENCRYPT, keys=keys, tag=use,
            erasable=erasable) if own_cipher else None
        suffixes = _length_block(LINE_BYTES), _length_block(LINE_BYTES - _MAC_BYTES)
        self._hash = (Ghash(
            lanes=lanes, blocks=_BLOCKS, keys=keys, entries=entries, stages=stages, tag=tag,
            erasable=erasable, suffixes=suffixes) if stages else SerialGhash(
                lanes=lanes, blocks=_BLOCKS, keys=keys, entries=entries, tag=tag,
                erasable=erasable, suffixes=suffixes))
        port = GmacPort(lanes=lanes, keys=keys, entries=entries, tag=tag)
        super().__init__({
            **dict(port.flip().members.items()),
            "round_key": In(RoundKeyWrite(keys)),
            "loaded": Out(keys),
            **({} if own_cipher else {"cipher": Out(CipherPort(keys, use))}),
        })
        self._cipher = self._own_cipher or wiring.flipped(self.cipher)

    @property
    def latency(self) -> int:
        """Cycles from the transfer of an item's last row to its MAC on `o`, if the pad is there."""
        return self._hash.latency + self._registered

    @property
    def row_interval(self) -> int:
        """Cycles from one row to the next one of its item."""
        return self._hash.row_interval

    @property
    def interval(self) -> int:
        """Cycles from one item's first row to the next one's, sustained."""
        return self._hash.interval

    @property
    def pad_latency(self) -> int:
        """Cycles from a request to its MAC on `o`, if its rows are hashed by then."""
        return self._core.latency + 1 + self._registered

    @property
    def pad_interval(self) -> int:
        """Cycles from one request to the next possible one."""
        return self._core.interval

    @property
    def load_cycles(self) -> int:
        """Cycles from a key's last round key to its bit in `loaded`, if nothing else is at work."""
        return self._core.latency + self._hash.load_cycles + 1

    @property
    def _core(self) -> BlockCipher:
        assert self._own_cipher is not None, "only a user's own cipher has a known latency"
        return self._own_cipher

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cipher = self._cipher
        if self._own_cipher is not None:
            m.submodules.cipher = self._own_cipher
        m.submodules.hash = hashing = self._hash
        wiring.connect(m, wiring.flipped(self.round_key), cipher.round_key)
        derive = self._derive(m)

        request, tag = self.request.payload, cipher.i.payload.tag
        m.d.comb += [
            self.request.ready.eq(cipher.i.ready & ~derive.valid),
            derive.ready.eq(cipher.i.ready),
            cipher.i.valid.eq(self.request.valid | derive.valid),
            cipher.i.payload.key.eq(Mux(derive.valid, derive.payload, request.key)),
            cipher.i.payload.block.eq(Mux(
                derive.valid, 0, _first_counter(request.kind, request.counter, request.index))),
            tag.subkey.eq(derive.valid), tag.key.eq(derive.payload), tag.entry.eq(request.entry),
        ]

        row = self.row.payload
        names = ("row", "key", "entry", "first", "last", "tag")
        m.d.comb += [hashing.i.payload[name].eq(row[name]) for name in names]
        m.d.comb += [
            hashing.i.valid.eq(self.row.valid & self.row.ready),
            hashing.i.payload.suffix.eq(row.node), hashing.i.payload.data.eq(row.data),
        ]
        with m.If(row.node & (row.row == _BLOCKS // self._lanes - 1)):
            m.d.comb += hashing.i.payload.data[-8 * _MAC_BYTES:].eq(0)
        self._finish(m)
        return m

    def _derive(self, m: Module) -> stream.Interface:
        """Ask for E_K(0) of each key whose round keys are complete, and pass it to the hash."""
        derive = stream.Signature(range(self._keys)).create(path=("derive",))
        hashing, out, write = self._hash, self._cipher.o, self.round_key
        written, complete, asked = (Signal(self._keys) for _ in range(3))
        m.d.comb += [
            derive.valid.eq(complete.any() & hashing.subkey.ready & ~asked.any()),
            hashing.subkey.payload.key.eq(out.payload.tag.key),
            hashing.subkey.payload.value.eq(out.payload.block),
            hashing.subkey.valid.eq(out.valid & out.payload.tag.subkey),
            self.loaded.eq(hashing.loaded & ~written & ~asked),
        ]
        with m.If(hashing.subkey.valid):
            m.d.sync += asked.eq(0)
        for key in reversed(range(self._keys)):
            with m.If(complete[key]):
                m.d.comb += derive.payload.eq(key)
            with m.If(derive.valid & derive.ready & (derive.payload == key)):
                m.d.sync += [written[key].eq(0), complete[key].eq(0), asked[key].eq(1)]
            with m.If(write.valid & (write.key == key)):
                m.d.sync += [written[key].eq(1), complete[key].eq(write.round == self._rounds)]
        if self._erasable:
            self._erase(m, written=written, complete=complete, asked=asked)
        return derive

    def _erase(self, m: Module, *, written: Signal, complete: Signal, asked: Signal) -> None:
        """Erase a key's powers; its zeros pass the cipher, to clear it, and lead nowhere."""
        hashing, out, write = self._hash, self._cipher.o, self.round_key
        erase, void = Signal(), Signal(self._keys)
        m.d.comb += [
            erase.eq(write.valid & (write.round == ERASE_ROUND)),
            hashing.erase.eq(erase), hashing.erase_key.eq(write.key),
        ]
        with m.If(out.valid & out.payload.tag.subkey):
            m.d.sync += asked.eq(0)
        with m.If(void.bit_select(out.payload.tag.key, 1)):
            m.d.comb += hashing.subkey.valid.eq(0)
        for key in range(self._keys):
            with m.If(write.valid & (write.key == key)):
                with m.If(write.round == 0):
                    m.d.sync += void[key].eq(0)
                with m.Elif(erase):
                    m.d.sync += [void[key].eq(1), written[key].eq(1), complete[key].eq(1)]

    def _finish(self, m: Module) -> None:
        """Add pad and hash, whichever comes last; a MAC that waited for its pad gives way."""
        hashed, made = self._hash.o, self._cipher.o
        done, mac = self.o.valid, self.o.payload
        if self._registered:
            done, mac = Signal(), Signal(mac.shape())
            m.d.sync += [self.o.valid.eq(done), self.o.payload.eq(mac)]
        pads = Memory(shape=128, depth=self._entries, init=[])
        kept = data.StructLayout({"hash": 128, "tag": self._tag})
        hashes = Memory(shape=kept, depth=self._entries, init=[])
        m.submodules.pads, m.submodules.hashes = pads, hashes
        m.submodules.late = late = SyncFIFO(
            width=max(1, (self._entries - 1).bit_length()), depth=self._entries)
        pad_write, pad_read = pads.write_port(), pads.read_port(domain="comb")
        hash_write, hash_read = hashes.write_port(), hashes.read_port(domain="comb")
        pad_there, hash_there = Signal(self._entries), Signal(self._entries)
        pad, pad_entry, hash_entry = Signal(), made.payload.tag.entry, hashed.payload.entry
        direct, together = Signal(), Signal()
        m.d.comb += [
            pad.eq(made.valid & ~made.payload.tag.subkey),
            direct.eq(hashed.valid & pad_there.bit_select(hash_entry, 1)),
            together.eq(hashed.valid & pad & (hash_entry == pad_entry)),
            pad_write.en.eq(pad), pad_write.addr.eq(pad_entry),
            pad_write.data.eq(made.payload.block),
            hash_write.en.eq(hashed.valid & ~direct), hash_write.addr.eq(hash_entry),
            hash_write.data.hash.eq(hashed.payload.hash),
            hash_write.data.tag.eq(hashed.payload.tag),
            late.w_en.eq(pad & (together | hash_there.bit_select(pad_entry, 1))),
            late.w_data.eq(pad_entry), late.r_en.eq(~direct),
            pad_read.addr.eq(Mux(direct, hash_entry, late.r_data)),
            hash_read.addr.eq(late.r_data),
            done.eq(direct | late.r_rdy),
            mac.entry.eq(Mux(direct, hash_entry, late.r_data)),
            mac.mac.eq(Mux(direct, hashed.payload.hash, hash_read.data.hash) ^ pad_read.data),
            mac.tag.eq(hash_read.data.tag),
        ]
        with m.If(direct):
            m.d.comb += mac.tag.eq(hashed.payload.tag)
            m.d.sync += pad_there.bit_select(hash_entry, 1).eq(0)
        with m.Elif(hashed.valid):
            m.d.sync += hash_there.bit_select(hash_entry, 1).eq(1)
        with m.If(late.w_en):
            m.d.sync += hash_there.bit_select(pad_entry, 1).eq(0)
        with m.Elif(pad):
            m.d.sync += pad_there.bit_select(pad_entry, 1).eq(1)
        if self._erasable:
            waiting = Signal(self._entries)  # in the queue of those whose pad came last
            m.d.sync += waiting.eq(
                (waiting & ~Mux(late.r_en & late.r_rdy, 1 << late.r_data, 0))
                | Mux(late.w_en, 1 << pad_entry, 0))
            scrub(m, pad_write, ~(pad_there | waiting), busy=pad, name="pad_scrubber")
            scrub(m, hash_write, ~(hash_there | waiting), busy=hashed.valid & ~direct,
                  name="hash_scrubber")
        # Items of one row may finish in every cycle: a gap lets the late ones out.
        one_row = self._hash.interval == 1
        m.d.comb += self.row.ready.eq(self._hash.i.ready & (~late.r_rdy if one_row else 1))


def connect_gmac(m: Module, user: wiring.PureInterface, gmac: Gmac) -> None:
    """Connect the only user's ``GmacPort`` with its unit."""
    for name in ("request", "row", "o"):
        wiring.connect(m, getattr(user, name), getattr(gmac, name))
