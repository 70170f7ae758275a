"""GHASH (SP 800-38D section 6.4) without a loop through the multiplier.

The hash of blocks X1 to Xn under H is X1 H^n + X2 H^(n-1) + ... + Xn H. The powers of H are stored
with each key, so that a block is multiplied by its own power in a pipeline and the products are
added up as they come. For the order of bits see ``gf128``.
"""

from functools import reduce
from operator import xor

from amaranth import Array, Const, Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .gf128 import Multiplier, mirror, multiply_add_digit

__all__ = ["Ghash", "hash_members", "mirrored"]


def mirrored(block: bytes) -> int:
    """Return a block as a polynomial: bit k is the coefficient of x^k."""
    return sum((block[k // 8] >> (7 - k % 8) & 1) << k for k in range(128))


def hash_members(side: data.StructLayout, *, lanes: int, rows: int, keys: int, erasable: bool,
                 always_ready: bool) -> dict[str, wiring.Member]:
    """Return the members of a unit that hashes; see ``Ghash``.

    Parameters
    ----------
    side:
        Layout of what accompanies a row, with ``entry`` and ``tag`` of its item.
    rows:
        Rows of an item.
    always_ready:
        Rows are never refused.
    """
    out = {name: side.members[name] for name in ("entry", "tag")}
    return {
        "i": In(stream.Signature(data.StructLayout(
            {"data": 128 * lanes, "row": range(rows)} | side.members),
            always_ready=always_ready)),
        "o": Out(stream.Signature(data.StructLayout({"hash": 128} | out), always_ready=True)),
        "subkey": In(stream.Signature(data.StructLayout({"key": range(keys), "value": 128}))),
        "loaded": Out(keys),
        **({"erase": In(1), "erase_key": In(range(keys))} if erasable else {}),
    }


class Ghash(wiring.Component):
    """Hashes items of a fixed number of blocks, rows of an item in any order, items interleaved.

    Latency: ``latency`` cycles from an item's last row to its hash. Throughput: one row per cycle;
    never stalls. A shorter item is one with zero blocks in front, which do not change the hash.

    Parameters
    ----------
    lanes:
        Blocks in a row; a power of two. There is one multiplier for each.
    blocks:
        Blocks in an item; `lanes` times a power of two.
    keys:
        Number of keys whose powers are held.
    entries:
        Items that may be incomplete at the same time.
    stages:
        Registers in each multiplier, 1 to 3.
    tag:
        Shape of what accompanies an item unchanged; that of its last row counts.
    suffixes:
        Blocks that items may end with, known in advance, such as their length: block
        ``suffixes[suffix]`` follows an item's own blocks and takes no cycle, because its product
        with H is stored with the key. Empty: items end with their own blocks.
    digit_bits:
        Bits per cycle of the multiplier that computes the powers: 1, 2, 4, 8 or 16.
    erasable:
        Keys can be erased, and nothing is kept of an item that is complete.

    Members
    -------
    i: In(stream.Signature({"data", "row", "key", "entry", "first", "last", "suffix", "tag"},
                           always_ready=True))
        Rows. ``row`` is the row's place in its item; ``first`` and ``last`` mark the first and last
        row that comes of an item; ``entry`` tells unfinished items apart. ``key`` must be in
        ``loaded``.
    o: Out(stream.Signature({"hash": 128, "entry", "tag"}, always_ready=True))
        Hashes, in the order of the last rows.
    subkey: In(stream.Signature({"key": range(keys), "value": 128}))
        H of a key; its powers take ``load_cycles``. Rows of this key must not be under way.
    loaded: Out(keys)
        Keys whose powers are complete, or erased.
    erase: In(1), erase_key: In(range(keys))
        With ``erasable`` only: all that is stored of a key becomes zero, one value in a cycle; what
        is being computed, of whatever key, is given up.
    """

    i: stream.Interface
    o: stream.Interface
    subkey: stream.Interface
    loaded: Signal

    def __init__(self, *, lanes: int, blocks: int, keys: int, entries: int, stages: int,
                 tag: ShapeLike, suffixes: tuple[bytes, ...] = (), digit_bits: int = 8,
                 erasable: bool = False):
        exact_log2(lanes)
        if blocks < lanes or blocks & (blocks - 1):
            raise ValueError(f"blocks must be {lanes} times a power of two, not {blocks}")
        if digit_bits not in (1, 2, 4, 8, 16):
            raise ValueError(f"digit_bits must be 1, 2, 4, 8 or 16, not {digit_bits}")
        self._lanes, self._blocks, self._rows = lanes, blocks, blocks // lanes
        self._keys, self._entries = keys, entries
        self._suffixes = suffixes
        self._digits = 128 // digit_bits
        self._erasable = erasable
        self._side = data.StructLayout({
            "key": range(keys), "entry": range(entries), "first": 1, "last": 1,
            "suffix": range(max(1, len(suffixes))), "tag": tag,
        })
        self._multipliers = [
            Multiplier(stages=stages, tag=self._side if lane == 0 else 0) for lane in range(lanes)]
        super().__init__(hash_members(
            self._side, lanes=lanes, rows=self._rows, keys=keys, erasable=erasable,
            always_ready=True))

    @property
    def latency(self) -> int:
        """Cycles from the transfer of an item's last row to its hash on `o`."""
        return self._multipliers[0].latency + 2

    row_interval = 1
    """Cycles from one row to the next possible one."""

    @property
    def interval(self) -> int:
        """Cycles from one item's first row to the next one's, sustained."""
        return self._rows

    @property
    def load_cycles(self) -> int:
        """Cycles from a transfer on `subkey` to its key in `loaded` and the next transfer."""
        return self._products * (self._digits + 1) + 2

    @property
    def _products(self) -> int:
        """Multiplications by H that a key takes."""
        return self._top - 1 + len(self._suffixes)

    @property
    def _top(self) -> int:
        """Highest power of H."""
        return self._blocks + bool(self._suffixes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        powers = [Memory(shape=128, depth=self._keys * self._rows, init=[])
                  for _ in range(self._lanes)]
        ends = Memory(shape=128, depth=self._keys * max(1, len(self._suffixes)), init=[])
        for lane, memory in enumerate(powers):
            m.submodules[f"powers_{lane}"] = memory
        m.submodules.ends = ends
        self._load(m, [memory.write_port() for memory in powers], ends.write_port())

        given = self.i.payload
        valid = Signal()
        side = Signal(self._side, reset_less=True)
        m.d.sync += valid.eq(self.i.valid)
        m.d.sync += [side[name].eq(given[name]) for name in self._side.members]
        for lane, (memory, multiplier) in enumerate(zip(powers, self._multipliers, strict=True)):
            m.submodules[f"multiplier_{lane}"] = multiplier
            read = memory.read_port(domain="comb")
            block, power = (Signal(128, reset_less=True) for _ in range(2))
            m.d.comb += [
                read.addr.eq(given.key * self._rows + given.row),
                multiplier.i.valid.eq(valid), multiplier.i.payload.a.eq(block),
                multiplier.i.payload.b.eq(power),
            ]
            m.d.sync += [block.eq(mirror(given.data.word_select(lane, 128))), power.eq(read.data)]
        first = self._multipliers[0]
        m.d.comb += first.i.payload.tag.eq(side)
        total = reduce(xor, (multiplier.o.payload.product for multiplier in self._multipliers))
        self._sum(m, first.o.valid, first.o.payload.tag, total, ends.read_port(domain="comb"))
        return m

    def _sum(self, m: Module, valid: Value, side: data.View, total: Value,
             end: ReadPort) -> None:
        """Add a row's product to those of its item."""
        if self._rows > 1:
            m.submodules.sums = sums = Memory(shape=128, depth=self._entries, init=[])
            write, read = sums.write_port(), sums.read_port(domain="comb")
            so_far = Signal(128)
            m.d.comb += [
                so_far.eq(total ^ Mux(side.first, 0, read.data)),
                read.addr.eq(side.entry), write.addr.eq(side.entry),
                write.en.eq(valid & ~side.last), write.data.eq(so_far),
            ]
            if self._erasable:
                m.d.comb += [write.en.eq(valid), write.data.eq(Mux(side.last, 0, so_far))]
            total = so_far
        if self._suffixes:
            m.d.comb += end.addr.eq(side.key * len(self._suffixes) + side.suffix)
            total = total ^ end.data
        result = Signal(128, reset_less=True)
        out = Signal(data.StructLayout(
            {name: self._side.members[name] for name in ("entry", "tag")}), reset_less=True)
        done = Signal()
        m.d.sync += [done.eq(valid & side.last), result.eq(total),
                     out.entry.eq(side.entry), out.tag.eq(side.tag)]
        m.d.comb += [self.o.valid.eq(done), self.o.payload.hash.eq(mirror(result)),
                     self.o.payload.entry.eq(out.entry), self.o.payload.tag.eq(out.tag)]

    def _load(self, m: Module, powers: list[WritePort], ends: WritePort) -> None:
        """Compute a key's powers of H, then the products of the suffixes, and store each.

        One digit-serial multiplier, apart from those of the rows: a key that is loaded delays
        nobody else.
        """
        busy, multiplying = Signal(), Signal()
        key = Signal(range(self._keys))
        subkey, factor, total, digits = (Signal(128) for _ in range(4))
        number = Signal(range(self._products + 1))  # H^(number + 1), then the suffixes
        digit = Signal(range(self._digits))
        width = 128 // self._digits
        is_power = Signal()
        following = multiply_add_digit(m, total, factor, digits[-width:])
        m.d.comb += [self.subkey.ready.eq(~busy), is_power.eq(number < self._top)]

        stored = busy & ~multiplying
        for place in range(self._blocks):  # of a block in its item
            row, lane = divmod(place, self._lanes)
            with m.If(number == self._top - 1 - place):
                m.d.comb += [powers[lane].en.eq(stored),
                             powers[lane].addr.eq(key * self._rows + row)]
        for port in powers:
            m.d.comb += port.data.eq(total)
        if self._suffixes:
            m.d.comb += [
                ends.en.eq(stored & ~is_power), ends.data.eq(total),
                ends.addr.eq(key * len(self._suffixes) + (number - self._top)),
            ]

        with m.If(~busy):
            with m.If(self.subkey.valid):
                value = mirror(self.subkey.payload.value)
                m.d.sync += [
                    busy.eq(1), key.eq(self.subkey.payload.key), subkey.eq(value),
                    total.eq(value), number.eq(0),
                    self.loaded.bit_select(self.subkey.payload.key, 1).eq(0),
                ]
        with m.Elif(multiplying):
            m.d.sync += [total.eq(following), digits.eq(digits << width), digit.eq(digit + 1)]
            with m.If(digit == self._digits - 1):
                m.d.sync += [multiplying.eq(0), number.eq(number + 1)]
        with m.Elif(number == self._products):
            m.d.sync += [busy.eq(0), self.loaded.bit_select(key, 1).eq(1),
                         subkey.eq(0), factor.eq(0), total.eq(0), digits.eq(0)]
        with m.Else():
            m.d.sync += [multiplying.eq(1), digit.eq(0), digits.eq(subkey), total.eq(0),
                         factor.eq(total)]
            if self._suffixes:
                constants = Array(Const(mirrored(block), 128) for block in self._suffixes)
                with m.If(number >= self._top - 1):
                    m.d.sync += factor.eq(constants[number - (self._top - 1)])
        if self._erasable:
            # Stores zeros, as if they had been multiplied already.
            erasing = Signal()
            with m.If(self.erase):
                m.d.sync += [
                    erasing.eq(1), busy.eq(1), multiplying.eq(0), number.eq(0),
                    key.eq(self.erase_key), subkey.eq(0), factor.eq(0), total.eq(0), digits.eq(0),
                    self.loaded.bit_select(self.erase_key, 1).eq(0)]
            with m.Elif(erasing):
                m.d.sync += [multiplying.eq(0), number.eq(number + 1), erasing.eq(
                    number != self._products)]
