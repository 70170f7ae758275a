"""The digest that locks a partition, Davies-Meyer over AES-256, a column in each cycle.

The eight words are the AES-256 key, so that nobody finds other words with the same digest faster
than by trying; the plaintext is a constant with the number of the partition:
``digest = AES-256(words, b"CASEMATE.FUSE" || number || 2 zero bytes) ^ plaintext``, its first 8
bytes. There is no key to hide. Standards: FIPS 197; Davies-Meyer is scheme 5 of Preneel, Govaerts
and Vandewalle (1993).

Bit and byte order: byte i is bits 8i to 8i+7.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..aes.round import mix_columns, named, shift_rows
from ..aes.sbox import sbox_logic

__all__ = ["DIGEST_BITS", "MESSAGE_BITS", "Digest"]

DIGEST_BITS = 64
MESSAGE_BITS = 256

_PREFIX = b"CASEMATE.FUSE"
_ROUNDS = 14
_COLUMNS = 4


class Digest(wiring.Component):
    """Four S-boxes do a column of the state per cycle, and then a word of the key schedule.

    Latency: 71 cycles from ``start`` to ``done``; one message at a time.

    Members
    -------
    start: In(1), number: In(2), message: In(256)
        A digest is wanted; word 0 is bits 0 to 31. Starts again if one is under way.
    clear: In(1)
        Every register becomes zero; ``done`` falls.
    busy: Out(1)
        From ``start`` to ``done``.
    done: Out(1)
        Level, until ``start`` or ``clear``.
    digest: Out(64)
        With ``done``; until then zero.
    """

    def __init__(self):
        super().__init__({
            "start": In(1), "number": In(2), "message": In(MESSAGE_BITS), "clear": In(1),
            "busy": Out(1), "done": Out(1), "digest": Out(DIGEST_BITS),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        window = Signal(MESSAGE_BITS)  # eight words of the key schedule; four of them used already
        state = Signal(128)
        fresh = Signal(128)
        turned = Signal(32)  # SubWord of the newest word
        constant = Signal(8)
        step = Signal(range(_COLUMNS + 1))  # 0: the key schedule, then the columns
        turn = Signal(range(_ROUNDS + 1))  # 0: idle
        plaintext = named(m, Cat(Const(int.from_bytes(_PREFIX, "little"), 8 * len(_PREFIX)),
                                 self.number, Const(0, 22)))

        m.d.comb += self.busy.eq(turn != 0)
        newest = window[-32:]
        column = named(m, step - 1)[:2]
        substituted = named(m, sbox_logic(m, Mux(
            step == 0, Mux(turn[0], newest.rotate_right(8), newest),
            shift_rows(state).word_select(column, 32)), inverse=False))
        mixed = mix_columns(m, Cat(substituted, Const(0, 96)))[:32]
        added = Mux(turn == _ROUNDS, substituted, mixed) ^ window[128:160]
        first = named(m, step == 1)
        following = named(m, window[:32] ^ Mux(first, turned, newest))
        after = named(m, Cat(fresh[32:], added))

        with m.If(turn != 0):
            m.d.sync += step.eq(step + 1)
            with m.If(step == 0):
                m.d.sync += turned.eq(substituted ^ Mux(turn[0], constant, 0))
            with m.Else():
                m.d.sync += [window.eq(Cat(window[32:], following)), fresh.eq(after)]
            with m.If(step == _COLUMNS):
                m.d.sync += [state.eq(after), step.eq(0), turn.eq(turn + 1)]
                with m.If(turn[0]):
                    m.d.sync += constant.eq(constant << 1)
                with m.If(turn == _ROUNDS):
                    m.d.sync += [turn.eq(0), self.done.eq(1), window.eq(0), fresh.eq(0),
                                 turned.eq(0), state.eq(0),
                                 self.digest.eq((after ^ plaintext)[:DIGEST_BITS])]
        with m.If(self.start):
            m.d.sync += [
                turn.eq(1), step.eq(0), constant.eq(1), window.eq(self.message),
                state.eq(self.message[:128] ^ plaintext), self.done.eq(0), self.digest.eq(0),
            ]
        with m.If(self.clear):
            m.d.sync += [register.eq(0) for register in (
                turn, step, constant, window, state, fresh, turned, self.done, self.digest)]
        return m
