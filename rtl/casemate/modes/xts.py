"""XTS over lines (IEEE 1619 section 5): tweaks, multiplication by alpha, the data path.

Bit and byte order: byte i of a block or a tweak is bits 8i to 8i+7, so that the multiplication by
alpha is a shift to the left of the whole number.
"""

from amaranth import Array, Cat, Const, Module, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..aes.cipher import Direction, create_cipher
from ..aes.signature import CipherPort, RoundKeyWrite
from ..config import LINE_BYTES, CipherConfig
from ..scrubber import scrub

__all__ = ["TweakWrite", "XtsCipher", "multiply_by_alpha"]

_BLOCKS = LINE_BYTES // 16


def multiply_by_alpha(tweak: Value, power: int) -> Value:
    """Multiply a 128-bit tweak by alpha to the given power (IEEE 1619 section 5.2).

    The field is GF(2^128) with x^128 + x^7 + x^2 + x + 1, alpha = x; `power` is at most 120. Costs
    no carry chain: the bits that are shifted out come back as a few XORs.
    """
    if not 0 <= power <= 120:
        raise ValueError(f"power must be from 0 to 120, not {power}")
    if power == 0:
        return tweak
    out = tweak[128 - power:]
    total = Cat(Const(0, power), tweak[:128 - power])
    for shift in (0, 1, 2, 7):
        total = total ^ Cat(Const(0, shift), out) if shift else total ^ out
    return total[:128]


class TweakWrite(wiring.Signature):
    """A write port for encrypted tweaks.

    Members
    -------
    valid: Out(1), entry: Out(range(entries)), value: Out(128)
    """

    def __init__(self, entries: int):
        super().__init__({"valid": Out(1), "entry": Out(range(entries)), "value": Out(128)})


class XtsCipher(wiring.Component):
    """Encrypts or decrypts the rows of lines, with the tweak of each line in flight at hand.

    Latency: the cipher's, plus 1 cycle. Throughput: a row per cycle with a pipelined cipher. The
    tweak is read twice from its RAM instead of travelling along, unless the cipher holds only one
    block: a register is smaller than a second read port, and what multiplies its data.

    Parameters
    ----------
    config:
        Construction of the cipher in each lane.
    aes_bits:
        Key size: 128 or 256.
    direction:
        Encrypt or decrypt.
    lanes:
        AES blocks in a row: 1, 2 or 4.
    keys:
        Number of keys (K1) that are held.
    entries:
        Number of tweaks that are held.
    tag:
        Shape of what accompanies a row unchanged.
    erasable:
        Tweaks of lines that are done with become zero.
    own_cipher:
        False: the cipher is outside, at the port ``cipher``; for one lane only.

    Members
    -------
    i: In(stream.Signature({"data", "row", "entry", "tag", "key"}))
        Rows; ``entry``'s tweak must have been written in an earlier cycle, and stay until the row
        is out.
    o: Out(stream.Signature({"data", "row", "entry", "tag"}, always_ready=True))
        Results, in the order of the rows.
    tweak: In(TweakWrite(entries))
        The tweak of a line, encrypted under K2.
    unused: In(entries)
        With ``erasable`` only: no row of the entry's line is still to come, or inside.
    round_key: In(RoundKeyWrite(keys))
        Round keys of K1, for all lanes.
    cipher: Out(CipherPort)
        Without ``own_cipher``: the core, of the same direction.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: CipherConfig, *, aes_bits: int, direction: Direction, lanes: int,
                 keys: int, entries: int, tag: ShapeLike, erasable: bool = False,
                 own_cipher: bool = True):
        self._erasable = erasable
        self._travels = not config.pipelined and config.units == 1
        self._lanes = lanes
        self._keys = keys
        self._entries = entries
        self._side = data.StructLayout(
            {"row": range(_BLOCKS // lanes), "entry": range(entries), "tag": tag})
        self._own_ciphers = [
            create_cipher(config, aes_bits=aes_bits, direction=direction, keys=keys,
                          tag=self._side if lane == 0 else 0, erasable=erasable)
            for lane in range(lanes if own_cipher else 0)
        ]
        fields = {"data": 128 * lanes, "row": range(_BLOCKS // lanes), "entry": range(entries),
                  "tag": tag}
        super().__init__({
            "i": In(stream.Signature(data.StructLayout(fields | {"key": range(keys)}))),
            "o": Out(stream.Signature(data.StructLayout(fields), always_ready=True)),
            "tweak": In(TweakWrite(entries)),
            "round_key": In(RoundKeyWrite(keys)),
            **({"unused": In(entries)} if erasable else {}),
            **({} if own_cipher else {"cipher": Out(CipherPort(keys, self._side))}),
        })
        self._ciphers = self._own_ciphers or [wiring.flipped(self.cipher)]

    @property
    def latency(self) -> int:
        """Cycles from a transfer on `i` to its result on `o`."""
        return self._own_ciphers[0].latency + 1

    @property
    def interval(self) -> int:
        """Cycles from one transfer on `i` to the next possible one."""
        return self._own_ciphers[0].interval

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = self._ciphers[0]
        for lane, cipher in enumerate(self._own_ciphers):
            m.submodules[f"lane_{lane}"] = cipher
        for cipher in self._ciphers:
            for name in ("valid", "key", "round", "value"):
                m.d.comb += getattr(cipher.round_key, name).eq(getattr(self.round_key, name))

        m.submodules.tweaks = tweaks = Memory(shape=128, depth=self._entries, init=[])
        write = tweaks.write_port()
        before = tweaks.read_port(domain="comb")
        row_tweak = self._row_tweak(before.data, self.i.payload.row)
        m.d.comb += [
            write.en.eq(self.tweak.valid), write.addr.eq(self.tweak.entry),
            write.data.eq(self.tweak.value), before.addr.eq(self.i.payload.entry),
        ]

        if self._erasable:
            scrub(m, write, self.unused, busy=self.tweak.valid, name="scrubber")

        whitened_valid = Signal()
        whitened = Signal(128 * self._lanes, reset_less=True)
        side = Signal(self._side, reset_less=True)
        key = Signal(range(self._keys), reset_less=True)
        m.d.comb += self.i.ready.eq(first.i.ready | ~whitened_valid)
        with m.If(self.i.ready):
            m.d.sync += [
                whitened_valid.eq(self.i.valid),
                whitened.eq(self.i.payload.data ^ row_tweak),
                side.row.eq(self.i.payload.row), side.entry.eq(self.i.payload.entry),
                side.tag.eq(self.i.payload.tag), key.eq(self.i.payload.key),
            ]
        for lane, cipher in enumerate(self._ciphers):
            m.d.comb += [
                cipher.i.valid.eq(whitened_valid), cipher.i.payload.key.eq(key),
                cipher.i.payload.block.eq(whitened.word_select(lane, 128)),
            ]
        out = first.o.payload.tag
        if self._travels:
            waiting = Signal(128 * self._lanes, reset_less=True)  # of the row in `whitened`
            inside = Signal(128 * self._lanes)
            with m.If(self.i.ready):
                m.d.sync += waiting.eq(row_tweak)
            begins = first.i.valid & first.i.ready
            with m.If(begins):
                m.d.sync += inside.eq(waiting)
            # Said last, synthesis makes it the reset of the register: no LUTs.
            with m.If(first.o.valid & ~begins):
                m.d.sync += inside.eq(0)
            row_tweak = inside
        else:
            behind = tweaks.read_port(domain="comb")
            m.d.comb += behind.addr.eq(out.entry)
            row_tweak = self._row_tweak(behind.data, out.row)
        m.d.comb += [
            first.i.payload.tag.eq(side),
            self.o.valid.eq(first.o.valid),
            self.o.payload.row.eq(out.row), self.o.payload.entry.eq(out.entry),
            self.o.payload.tag.eq(out.tag),
            self.o.payload.data.eq(Cat(cipher.o.payload.block for cipher in self._ciphers)
                                   ^ row_tweak),
        ]
        return m

    def _row_tweak(self, tweak: Value, row: Value) -> Value:
        """Return the tweaks of a row's blocks, side by side."""
        rows = [
            Cat(multiply_by_alpha(tweak, row * self._lanes + lane)
                for lane in range(self._lanes))
            for row in range(_BLOCKS // self._lanes)
        ]
        return Array(rows)[row] if len(rows) > 1 else rows[0]
