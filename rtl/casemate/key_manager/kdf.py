"""Key derivation: the counter-mode KDF of SP 800-108r1 with CMAC-AES-256 (SP 800-38B).

The input of one call of the PRF is three AES blocks (docs/formats.md)::

    block 1   counter (4) | "CASEMATE.Kn" (11) | 0
    block 2   boot nonce (16)
    block 3   domain (2) | generation (4) | zeros (6) | length in bits (4)

Numbers are big-endian. Bit and byte order: byte i of a block, a nonce or a key is bits 8i to 8i+7.
"""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS
from ..engine.keys import KeyName
from .root_cipher import ROOT_KEY_BITS, RootCipher

__all__ = ["GENERATION_BITS", "NONCE_BITS", "Kdf", "KdfSignature", "derivation_layout"]

NONCE_BITS = 128
"""Width of the boot nonce."""

GENERATION_BITS = 32
"""Width of a domain's generation."""

_NAMES = 4
_LABEL = b"CASEMATE.K"


def derivation_layout() -> data.StructLayout:
    """Layout of what a key is wanted for; K4 has domain 0 and generation 0."""
    return data.StructLayout({
        "name": KeyName, "domain": DOMAIN_BITS, "generation": GENERATION_BITS})


def _big_endian(value: Value, size: int) -> Value:
    """Return the bytes of a number, the highest first."""
    wide = Cat(value, Const(0, 8 * size - len(value)))
    return Cat(wide.word_select(byte, 8) for byte in reversed(range(size)))


def _double(block: Value) -> Value:
    """Multiply by x in the field of SP 800-38B section 6.1, whose blocks are big-endian."""
    number = _big_endian(block, 16)
    return _big_endian((number << 1)[:128] ^ Mux(number[-1], 0x87, 0), 16)


class KdfSignature(wiring.Signature):
    """A derivation from the point of view of its user.

    Parameters
    ----------
    aes_bits:
        Size of the keys.

    Members
    -------
    request: Out(stream.Signature(derivation_layout()))
        A key that is wanted. The next one may be asked for when this one was taken.
    key: In(stream.Signature(aes_bits))
        It.
    ready: In(1)
        Root key and boot nonce are there, and what depends on nothing else is computed.
    erase: Out(1)
        Root key and all that was computed become zero; what is asked for is never answered. To be
        held until ``idle``.
    idle: In(1)
        Nothing is being computed; while ``erase`` is high: all is zero.
    """

    def __init__(self, aes_bits: int):
        super().__init__({
            "request": Out(stream.Signature(derivation_layout())),
            "key": In(stream.Signature(aes_bits)),
            "ready": In(1), "erase": Out(1), "idle": In(1),
        })


class _Step(enum.Enum, shape=3):
    """What the KDF does next."""

    EMPTY = 0
    SUBKEY = 1
    LABEL = 2
    NONCE = 3
    READY = 4
    DERIVE = 5
    DELIVER = 6


class Kdf(wiring.Component):
    """Derives one key at a time: ``cycles`` from a request to its key.

    Only the third block of a message depends on the domain. What CMAC makes of the first two, for
    each label, and the subkey of CMAC are computed once after reset, in ``boot_cycles``.

    Parameters
    ----------
    aes_bits:
        Size of the derived keys: 128 (one call of the PRF) or 256 (two).

    Members
    -------
    root_key: In(stream.Signature(256)), nonce: In(stream.Signature(128))
        Taken together, once.
    user: In(KdfSignature(aes_bits))
    """

    root_key: stream.Interface
    nonce: stream.Interface
    user: wiring.PureInterface

    def __init__(self, *, aes_bits: int):
        if aes_bits not in (128, 256):
            raise ValueError(f"aes_bits must be 128 or 256, not {aes_bits}")
        self._aes_bits = aes_bits
        self._calls = aes_bits // 128
        super().__init__({
            "root_key": In(stream.Signature(ROOT_KEY_BITS)), "nonce": In(stream.Signature(128)),
            "user": In(KdfSignature(aes_bits)),
        })

    @property
    def cycles(self) -> int:
        """Cycles from a request to its key."""
        return self._calls * (RootCipher.LATENCY + 1) + 1

    @property
    def boot_cycles(self) -> int:
        """Cycles from root key and nonce to ``ready``."""
        return (1 + 2 * _NAMES * self._calls) * (RootCipher.LATENCY + 1) + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        user, request = self.user, self.user.request.payload
        m.submodules.cipher = cipher = RootCipher()
        depth = _NAMES * self._calls
        m.submodules.prefixes = prefixes = Memory(shape=128, depth=depth, init=[])
        write, read = prefixes.write_port(), prefixes.read_port(domain="comb")
        nonce = Signal(NONCE_BITS)
        subkey, chain = Signal(128), Signal(128)
        key = Signal(self._aes_bits)
        index = Signal(range(depth))  # name and, for long keys, number of the call
        call = index[0] if self._calls == 2 else Const(0, 1)
        block = Signal(128)
        result = cipher.o.payload
        last_call = call == self._calls - 1

        name = index[self._calls - 1:]
        label = Cat(
            Const(0, 24), (call + Const(1, 8))[:8], *(Const(byte, 8) for byte in _LABEL),
            (name + Const(ord("1"), 8))[:8], Const(0, 8))
        last = Cat(_big_endian(request.domain, 2), _big_endian(request.generation, 4),
                   Const(0, 48), _big_endian(Const(self._aes_bits, 32), 4))
        m.d.comb += [
            cipher.i.payload.eq(block), cipher.o.ready.eq(1), cipher.erase.eq(user.erase),
            read.addr.eq(index), write.addr.eq(index),
            user.key.payload.eq(key),
        ]

        step = Signal(_Step)
        with m.Switch(step):
            with m.Case(_Step.EMPTY):
                both = self.root_key.valid & self.nonce.valid & cipher.idle & ~user.erase
                m.d.comb += [
                    cipher.root_key.valid.eq(both), self.root_key.ready.eq(both),
                    cipher.root_key.payload.eq(self.root_key.payload), self.nonce.ready.eq(both),
                ]
                m.d.sync += index.eq(0)
                with m.If(both):
                    m.d.sync += [nonce.eq(self.nonce.payload), step.eq(_Step.SUBKEY)]
            with m.Case(_Step.SUBKEY):
                m.d.comb += cipher.i.valid.eq(1)
                with m.If(cipher.o.valid):
                    m.d.sync += [subkey.eq(_double(result)), step.eq(_Step.LABEL)]
            with m.Case(_Step.LABEL):
                m.d.comb += [block.eq(label), cipher.i.valid.eq(1)]
                with m.If(cipher.o.valid):
                    m.d.sync += [chain.eq(result), step.eq(_Step.NONCE)]
            with m.Case(_Step.NONCE):
                m.d.comb += [
                    block.eq(chain ^ nonce), cipher.i.valid.eq(1),
                    write.en.eq(cipher.o.valid), write.data.eq(result)]
                with m.If(cipher.o.valid):
                    m.d.sync += [
                        index.eq(index + 1), chain.eq(0),
                        step.eq(Mux(index == depth - 1, _Step.READY, _Step.LABEL))]
            with m.Case(_Step.READY):
                m.d.comb += [user.ready.eq(1), user.idle.eq(cipher.idle)]
                m.d.sync += index.eq(request.name.as_value() << (self._calls - 1))
                with m.If(user.request.valid):
                    m.d.sync += step.eq(_Step.DERIVE)
            with m.Case(_Step.DERIVE):
                m.d.comb += [
                    user.ready.eq(1), cipher.i.valid.eq(1), block.eq(read.data ^ last ^ subkey)]
                with m.If(cipher.o.valid):
                    m.d.sync += [key.word_select(call, 128).eq(result), index.eq(index + 1)]
                    with m.If(last_call):
                        m.d.comb += user.request.ready.eq(1)
                        m.d.sync += step.eq(_Step.DELIVER)
            with m.Case(_Step.DELIVER):
                m.d.comb += [user.ready.eq(1), user.key.valid.eq(1)]
                with m.If(user.key.ready):
                    m.d.sync += [key.eq(0), step.eq(_Step.READY)]

        left = Signal(range(depth + 1), init=depth)  # prefixes to be zeroed
        with m.If(user.erase):
            m.d.comb += [write.en.eq(1), write.data.eq(0), user.ready.eq(0),
                         user.idle.eq(cipher.idle & (left == 0))]
            m.d.sync += [
                step.eq(_Step.EMPTY), subkey.eq(0), chain.eq(0), key.eq(0), nonce.eq(0),
                index.eq(index + 1)]
            with m.If(left != 0):
                m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += left.eq(depth)
        return m
