"""AES-256 under the root key, and nothing else (FIPS 197).

Bit and byte order: byte i of a key or a block is bits 8i to 8i+7.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..aes.key_schedule import KeyExpander
from ..aes.round import mix_columns, named, shift_rows
from ..aes.sbox import sbox_logic

__all__ = ["ROOT_KEY_BITS", "RootCipher"]

ROOT_KEY_BITS = 256
"""Width of the root key."""

_ROUNDS = 14


class RootCipher(wiring.Component):
    """Encrypts one block at a time, a round per cycle: ``LATENCY`` cycles.

    The round keys are made anew for every block, so that there is one register with the root key
    and no RAM to be erased. A block's state is zeroed when its result is taken.

    Members
    -------
    root_key: In(stream.Signature(256))
        Taken once; further ones wait until the first is erased.
    i: In(stream.Signature(128))
        Blocks. Not ready without a root key.
    o: Out(stream.Signature(128))
        Results.
    erase: In(1)
        Root key and state become zero in the next cycle, the expander within 15 cycles.
    idle: Out(1)
        No block is inside, and no round key.
    """

    LATENCY = _ROUNDS + 2
    """Cycles from a transfer on `i` to its result on `o`."""

    root_key: stream.Interface
    i: stream.Interface
    o: stream.Interface
    erase: Signal
    idle: Signal

    def __init__(self):
        super().__init__({
            "root_key": In(stream.Signature(ROOT_KEY_BITS)), "i": In(stream.Signature(128)),
            "o": Out(stream.Signature(128)), "erase": In(1), "idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.expander = expander = KeyExpander(aes_bits=ROOT_KEY_BITS, tag=0)
        root, loaded = Signal(ROOT_KEY_BITS), Signal()
        state, busy, done = Signal(128), Signal(), Signal()
        number, key = expander.o.payload.round, expander.o.payload.value
        m.d.comb += [
            self.root_key.ready.eq(~loaded),
            expander.i.valid.eq(self.i.valid & loaded & ~done),
            expander.i.payload.key.eq(root),
            self.i.ready.eq(expander.i.ready & loaded & ~done),
            self.o.valid.eq(done), self.o.payload.eq(state),
            self.idle.eq(expander.i.ready & ~done),
        ]
        with m.If(self.root_key.valid & ~loaded):
            m.d.sync += [loaded.eq(1), root.eq(self.root_key.payload)]

        substituted = sbox_logic(m, shift_rows(state), inverse=False)
        last = number == _ROUNDS
        following = named(m, Mux(number == 0, state, Mux(
            last, substituted, mix_columns(m, substituted))) ^ key)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [busy.eq(1), state.eq(self.i.payload)]
        with m.If(busy):
            m.d.sync += state.eq(following)
            with m.If(last):
                m.d.sync += [busy.eq(0), done.eq(1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [done.eq(0), state.eq(0)]
        with m.If(self.erase):
            m.d.sync += [root.eq(0), loaded.eq(0), state.eq(0), busy.eq(0), done.eq(0)]
        return m
