"""Cores of AES whose every round is that of FIPS 197: the schedules of ours, with its steps.

Each has its registers where the core that it is compared with has them, so that a proof goes from
register to register, one round at a time.
"""

import fips_197 as fips
from amaranth import Cat, Const, Elaboratable, Module, Mux, Signal, Value
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert
from casemate.aes.cipher import Direction, create_cipher
from casemate.aes.key_schedule import KeyExpander
from casemate.config import CipherConfig, SBox

KEYS, TAG = 2, 1


def registered(m: Module, valid: Value, *values: Value, reset: bool = False) -> list[Signal]:
    """Return registers behind some values; without `reset`, one leaves all but the first."""
    values = valid, *values
    held = [Signal(len(value), reset_less=place > 0 and not reset)
            for place, value in enumerate(values)]
    m.d.sync += [register.eq(value) for register, value in zip(held, values, strict=True)]
    return held


class CipherSpec(Elaboratable):
    """A core of ours and one of FIPS 197 do the same in every cycle, whatever comes in.

    Round keys are written and blocks come in at any time, also together; everything is free.
    Encrypting, the reference is Cipher (section 5.1); decrypting, EqInvCipher (section 5.3.5) with
    its own round keys, or InvCipher (section 5.3) where the core is iterative. A fault shows in
    fewer `rounds` than the standard's, too.
    """

    def __init__(self, config: CipherConfig, *, aes_bits: int, direction: Direction,
                 rounds: int | None = None):
        self.config = config
        self._in_ram = config.pipelined and config.sbox is SBox.BLOCK_RAM
        self.rounds = rounds or {128: 10, 256: 14}[aes_bits]
        self.inverse = direction is Direction.DECRYPT
        self.cipher = create_cipher(config, aes_bits=aes_bits, direction=direction, keys=KEYS,
                                    tag=TAG)
        self.cipher._rounds = self.rounds

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.cipher = cipher = self.cipher
        self.given = given = cipher.i.payload
        self.valid = cipher.i.valid
        write = cipher.round_key
        number = AnySeq(4)
        m.d.comb += [
            cipher.i.valid.eq(AnySeq(1)), given.block.eq(AnySeq(128)), given.key.eq(AnySeq(1)),
            given.tag.eq(AnySeq(TAG)), write.valid.eq(AnySeq(1)), write.key.eq(AnySeq(1)),
            write.round.eq(Mux(number > self.rounds, 0, number)), write.value.eq(AnySeq(128)),
        ]
        self._keep_keys(m)
        construct = (self._pipeline_of_block_ram if self._in_ram else
                     self._pipeline if self.config.pipelined else
                     self._ring if self.config.units > 1 else self._iterative)
        ready, valid, block, tag = construct(m)
        m.d.comb += [
            Assert(cipher.i.ready == ready), Assert(cipher.o.valid == valid),
            Assert(cipher.o.payload.block == block), Assert(cipher.o.payload.tag == tag),
        ]
        return m

    def _keep_keys(self, m: Module) -> None:
        """Make a register of each round key; those of EqInvCipher behind InvMixColumns."""
        write = self.cipher.round_key
        kept = Signal(128)
        m.d.comb += kept.eq(write.value)
        if self.inverse and (self.config.pipelined or self.config.units > 1):
            with m.If((write.round != 0) & (write.round != self.rounds)):
                m.d.comb += kept.eq(fips.mix(m, write.value, inverse=True))
        self._kept = [Signal(128, reset_less=True) for _ in range(16 * KEYS)]
        valid, address = write.valid, write.key * 16 + write.round
        if self._in_ram:  # ours come a cycle later
            valid, address, kept = registered(m, valid, address, kept, reset=True)
        for place, register in enumerate(self._kept):
            with m.If(valid & (address == place)):
                m.d.sync += register.eq(kept)

    def _round_key(self, m: Module, step: Value | int, key: Value) -> Value:
        """Return the round key of a step, counted from 0, of one of the keys."""
        number = self.rounds - step if self.inverse else step
        if isinstance(number, int):
            return Mux(key, self._kept[16 + number], self._kept[number])
        found = Signal(128)
        with m.Switch((key * 16 + number)[:5]):
            for place, register in enumerate(self._kept):
                with m.Case(place):
                    m.d.comb += found.eq(register)
        return found

    def _substitute(self, m: Module, state: Value) -> Value:
        return fips.substitute(m, fips.shift(state, inverse=self.inverse),
                               fips.INVERSE_SBOX if self.inverse else fips.SBOX)

    def _end(self, m: Module, state: Value, key: Value, last: Value | bool) -> Value:
        """Compute what is behind the substitution of a round."""
        return Mux(last, state, fips.mix(m, state, inverse=self.inverse)) ^ key

    def _pipeline(self, m: Module):
        """One round after another, with a register behind each or behind every second."""
        valid, key, tag = self.valid, self.given.key, self.given.tag
        state = self.given.block ^ self._round_key(m, 0, key)

        for step in range(1, self.rounds + 1):
            state = self._end(m, self._substitute(m, state), self._round_key(m, step, key),
                              step == self.rounds)
            if step % self.config.rounds_per_stage == 0:
                valid, state, key, tag = registered(m, valid, state, key, tag)
        return 1, valid, state, tag

    @staticmethod
    def _product(m: Module, state: Value, factor: int) -> Value:
        """Multiply each byte."""
        return Cat(fips.times(m, state.word_select(place, 8), factor) for place in range(16))

    def _pipeline_of_block_ram(self, m: Module):
        """One round after another, with two registers behind each substitution.

        Ours hold products of the substituted bytes. The second registers hold them here too, beside
        the bytes, and are stated to do so: a proof finds equal only what both sides have.
        """
        assert self.config.registers_per_round == 2
        factors = (14, 17) if self.inverse else (1, 2)
        valid, key, tag = self.valid, self.given.key, self.given.tag
        state = self.given.block ^ self._round_key(m, 0, key)
        for step in range(1, self.rounds + 1):
            valid, state, key, tag = registered(m, valid, self._substitute(m, state), key, tag)
            valid, state, round_key, key, tag, *products = registered(
                m, valid, state, self._round_key(m, step, key), key, tag,
                *(self._product(m, state, factor) for factor in factors))
            m.d.comb += [Assert(product == self._product(m, state, factor))
                         for product, factor in zip(products, factors, strict=True)]
            state = self._end(m, state, round_key, step == self.rounds)
        return 1, valid, state, tag

    def _ring(self, m: Module):
        """Some units, each of which does a round in a cycle; what comes round goes first."""
        units, given = self.config.units, self.given
        assert self.rounds % units == 1  # so that a block leaves behind the first unit
        stage = first = [Signal(), Signal(128, reset_less=True), Signal(2, reset_less=True),
                         Signal(1, reset_less=True), Signal(TAG, reset_less=True)]
        behind, result = [], []
        for unit in range(units):
            valid, state, turn, key, tag = stage
            number = (turn * units + unit + 1)[:4]
            last = (number == self.rounds) if unit == 0 else Const(0)
            after = self._end(m, self._substitute(m, state), self._round_key(m, number, key), last)
            if unit == 0:
                result = registered(m, valid & last, after, tag)
            behind = [valid & ~last, after, turn, key, tag]
            if unit + 1 < units:
                stage = registered(m, *behind)
        behind[2] = behind[2] + 1
        entering = [self.valid, given.block ^ self._round_key(m, 0, given.key), 0, given.key,
                    given.tag]
        goes_on = Signal()
        m.d.comb += goes_on.eq(behind[0])
        m.d.sync += [register.eq(Mux(goes_on, back, new))
                     for register, back, new in zip(first, behind, entering, strict=True)]
        done, block, tag = result
        return ~goes_on, done, block, tag

    def _iterative(self, m: Module):
        """One block at a time; each round looks up in a cycle, and ends in the next."""
        given = self.given
        number, looked_up, done = Signal(4), Signal(), Signal()
        state, substituted = Signal(128, reset_less=True), Signal(128, reset_less=True)
        key, tag = Signal(1, reset_less=True), Signal(TAG, reset_less=True)
        idle = number == 0
        round_key = Signal(128, reset_less=True)
        m.d.sync += [
            round_key.eq(self._round_key(m, number, Mux(idle, given.key, key))),
            substituted.eq(self._substitute(
                m, state ^ Mux((number == 1) & ~looked_up, round_key, 0))),
            looked_up.eq(~idle & ~looked_up), done.eq(0),
        ]
        last = number == self.rounds
        added = substituted ^ round_key  # InvCipher adds the key before InvMixColumns
        ended = (Mux(last, added, fips.mix(m, added, inverse=True)) if self.inverse else
                 self._end(m, substituted, round_key, last))
        with m.If(idle & self.valid):
            m.d.sync += [number.eq(1), state.eq(given.block), key.eq(given.key), tag.eq(given.tag)]
        with m.If(~idle & looked_up):
            over = number >= self.rounds
            m.d.sync += [state.eq(ended), number.eq(Mux(over, 0, number + 1)), done.eq(over)]
        return idle, done, state, tag


class ExpansionSpec(Elaboratable):
    """Key expansion word by word (section 5.2): every round key comes in its cycle.

    Rcon is x to the power of 0, 1, 2 and so on; `factor` stands for x.
    """

    def __init__(self, *, aes_bits: int, factor: int = 2):
        self.aes_bits, self.factor = aes_bits, factor
        self.expander = KeyExpander(aes_bits=aes_bits, tag=TAG)

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.expander = expander = self.expander
        given, out = expander.i.payload, expander.o.payload
        m.d.comb += [expander.i.valid.eq(AnySeq(1)), given.key.eq(AnySeq(self.aes_bits)),
                     given.tag.eq(AnySeq(TAG))]
        length = self.aes_bits // 32  # Nk
        rounds = length + 6
        words = [Signal(32, name=f"word_{place}") for place in range(length)]
        number, busy, tag = Signal(4), Signal(), Signal(TAG)
        constant = Signal(8, init=1)
        even = Const(1) if length == 4 else ~number[0]
        rotated = Cat(words[-1][8:], words[-1][:8])
        temp = fips.substitute(m, Mux(even, rotated, words[-1]), fips.SBOX)
        following = [words[0] ^ temp ^ Mux(even, constant, 0)]
        for word in words[1:4]:
            following.append(word ^ following[-1])
        with m.If(busy):
            m.d.sync += [number.eq(number + 1), Cat(words).eq(Cat(*words[4:], *following))]
            with m.If(even):
                m.d.sync += constant.eq(fips.times(m, constant, self.factor))
            with m.If(number == rounds):
                m.d.sync += [busy.eq(0), number.eq(0), Cat(words).eq(0), constant.eq(1)]
        with m.Elif(expander.i.valid):
            m.d.sync += [busy.eq(1), Cat(words).eq(given.key), tag.eq(given.tag)]
        m.d.comb += [
            Assert(expander.i.ready == ~busy), Assert(expander.o.valid == busy),
            Assert(out.round == number), Assert(out.value == Cat(words[:4])),
            Assert(out.tag == tag),
        ]
        return m
