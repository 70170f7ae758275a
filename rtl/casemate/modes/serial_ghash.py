"""GHASH (SP 800-38D section 6.4) digit by digit: small, and slow.

The hash of blocks X1 to Xn under H is computed as the standard writes it: from zero, add a block,
multiply by H. For the order of bits see ``gf128``.
"""

from amaranth import Array, Const, Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory

from .gf128 import mirror, multiply_add_digit
from .ghash import hash_members, mirrored

__all__ = ["SerialGhash"]

_DIGIT_BITS = 8


class SerialGhash(wiring.Component):
    """Does what ``Ghash`` does with one digit of a block in each cycle; rows of an item in order.

    Latency and throughput: ``128 / 8`` cycles for each block of a row, and for the suffix of an
    item; one cycle more for each row.

    Parameters
    ----------
    lanes, blocks, keys, entries, tag, suffixes, erasable:
        See ``Ghash``; there must be suffixes.

    Members
    -------
    i: In(stream.Signature({"data", "row", "key", "entry", "first", "last", "suffix", "tag"}))
    o, subkey, loaded, erase, erase_key:
        As those of ``Ghash``.
    """

    i: stream.Interface
    o: stream.Interface
    subkey: stream.Interface
    loaded: Signal

    def __init__(self, *, lanes: int, blocks: int, keys: int, entries: int, tag: ShapeLike,
                 suffixes: tuple[bytes, ...], erasable: bool = False):
        self._lanes, self._rows = lanes, blocks // lanes
        self._keys, self._entries, self._suffixes = keys, entries, suffixes
        self._erasable = erasable
        self._side = data.StructLayout({
            "key": range(keys), "entry": range(entries), "first": 1, "last": 1,
            "suffix": range(len(suffixes)), "tag": tag})
        super().__init__(hash_members(
            self._side, lanes=lanes, rows=self._rows, keys=keys, erasable=erasable,
            always_ready=False))

    @property
    def _block_cycles(self) -> int:
        return 128 // _DIGIT_BITS

    @property
    def latency(self) -> int:
        """Cycles from the transfer of an item's last row to its hash on `o`."""
        return (self._lanes + 1) * self._block_cycles + 1

    @property
    def row_interval(self) -> int:
        """Cycles from a row to the next possible one; behind an item's last row it is `latency`."""
        return self._lanes * self._block_cycles + 1

    @property
    def interval(self) -> int:
        """Cycles from one item's first row to the next one's, sustained."""
        return (self._rows - 1) * self.row_interval + self.latency

    @property
    def load_cycles(self) -> int:
        """Cycles from a transfer on `subkey` to its key in `loaded`, and to the next transfer."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.subkeys = subkeys = Memory(shape=128, depth=self._keys, init=[])
        m.submodules.sums = sums = Memory(shape=128, depth=self._entries, init=[])
        subkey = subkeys.read_port(domain="comb")
        write, read = sums.write_port(), sums.read_port(domain="comb")
        self._load(m, subkeys.write_port())

        given, side = self.i.payload, Signal(self._side)
        busy, done = Signal(), Signal()
        total, digits, following = Signal(128), Signal(128), Signal(128)
        left = Signal(range(self._block_cycles))  # digits of the block behind this one
        ahead = Signal(range(self._lanes + 1))  # blocks behind this one, the suffix included
        rest = Signal(128 * self._lanes)  # what of the row is still to be hashed
        suffix = Array(Const(mirrored(block), 128) for block in self._suffixes)[side.suffix]
        m.d.comb += [
            self.i.ready.eq(~busy), subkey.addr.eq(side.key),
            following.eq(multiply_add_digit(m, total, subkey.data, digits[-_DIGIT_BITS:])),
            read.addr.eq(given.entry), write.addr.eq(side.entry),
            write.data.eq(Mux(side.last, 0, following) if self._erasable else following),
            self.o.valid.eq(done), self.o.payload.hash.eq(mirror(total)),
            self.o.payload.entry.eq(side.entry), self.o.payload.tag.eq(side.tag),
        ]
        m.d.sync += [done.eq(0), total.eq(0)]
        with m.If(~busy & self.i.valid):
            m.d.sync += [
                busy.eq(1), left.eq(self._block_cycles - 1),
                ahead.eq(self._lanes - 1 + given.last),
                digits.eq(mirror(given.data[:128]) ^ Mux(given.first, 0, read.data)),
                rest.eq(given.data[128:]),
                *(side[name].eq(given[name]) for name in self._side.members),
            ]
        with m.If(busy):
            m.d.sync += [total.eq(following), digits.eq(digits << _DIGIT_BITS), left.eq(left - 1)]
            with m.If(left == 0):
                m.d.sync += [ahead.eq(ahead - 1), rest.eq(rest >> 128)]
                with m.If(ahead == 0):
                    m.d.sync += [busy.eq(0), done.eq(side.last)]
                    m.d.comb += write.en.eq(1)
                with m.Else():
                    m.d.sync += [
                        total.eq(0),
                        digits.eq(following ^ Mux(side.last & (ahead == 1), suffix,
                                                  mirror(rest[:128])))]
        return m

    def _load(self, m: Module, write: wiring.PureInterface) -> None:
        """Store H of a key; erase it."""
        given = self.subkey.payload
        m.d.comb += [
            self.subkey.ready.eq(1), write.en.eq(self.subkey.valid), write.addr.eq(given.key),
            write.data.eq(mirror(given.value)),
        ]
        with m.If(self.subkey.valid):
            m.d.sync += self.loaded.bit_select(given.key, 1).eq(1)
        if self._erasable:
            with m.If(self.erase):
                m.d.comb += [self.subkey.ready.eq(0), write.en.eq(1), write.data.eq(0),
                             write.addr.eq(self.erase_key)]
                m.d.sync += self.loaded.bit_select(self.erase_key, 1).eq(1)
