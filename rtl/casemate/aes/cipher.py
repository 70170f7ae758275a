"""AES as a block cipher: pipelined, a ring or iterative, with round keys for many keys (FIPS 197).

Bit and byte order: byte i of a block is bits 8i to 8i+7.

One key expansion serves both directions: a decrypting core, unless it is iterative, applies
InvMixColumns to the inner round keys as they are written, so that its rounds too end with the
addition of the key (the equivalent inverse cipher, section 5.3.5), which is the shorter path.
"""

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data
from amaranth.lib.memory import Memory

from ..config import CipherConfig, SBox
from ..rams import IN_BLOCK_RAM, read_next
from .base import BlockCipher, Direction
from .products import SubProducts, mix_products
from .ring import RingCipher
from .round import mix_columns, named, shift_rows
from .sbox import SubBytes

__all__ = ["Direction", "IterativeCipher", "PipelinedCipher", "RingCipher", "create_cipher"]


class PipelinedCipher(BlockCipher):
    """One block per cycle; never stalls. Parameters and members: see ``create_cipher``.

    Latency in cycles: the rounds (10 or 14), divided by ``rounds_per_stage`` or multiplied by
    ``registers_per_round``. The initial AddRoundKey costs nothing. With a block-RAM S-box the last
    AddRoundKey is combinational behind the last register.
    """

    interval = 1

    @property
    def latency(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Cycles from a transfer on `i` to its result on `o`."""
        config = self._config
        return self._rounds // config.rounds_per_stage * config.registers_per_round

    @property
    def key_latency(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Cycles from the write of a round key to the first transfer on `i` that has it."""
        return self._config.registers_per_round

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.d.comb += self.i.ready.eq(1)
        carried = data.StructLayout({"key": range(self._keys), "tag": self._tag})
        valid: Value = self.i.valid
        side = Signal(carried)
        m.d.comb += [side.key.eq(self.i.payload.key), side.tag.eq(self.i.payload.tag)]
        # A round key goes to every round: far, where the rounds are short.
        written = self._key_write(m, registered=self.key_latency > 1)
        state = self._entering(m, written)

        def accompany() -> None:
            """Put a register behind what accompanies the state."""
            nonlocal valid, side
            next_valid, next_side = Signal(), Signal(carried, reset_less=True)
            m.d.sync += [next_valid.eq(valid), next_side.eq(side)]
            valid, side = next_valid, next_side

        def registered(state: Value) -> Signal:
            """Put a register behind the state and what accompanies it."""
            accompany()
            held = Signal.like(state, reset_less=True)
            m.d.sync += held.eq(state)
            return held

        in_ram = config.sbox is SBox.BLOCK_RAM
        for step in range(1, self._rounds + 1):
            last = step == self._rounds
            sub = (SubProducts(inverse=self._decrypt) if in_ram and not last else
                   SubBytes(config.sbox, inverse=self._decrypt))
            m.submodules[f"sub_{step}"] = sub
            m.d.comb += sub.i.eq(shift_rows(state, inverse=self._decrypt))
            substituted = sub.o
            if in_ram and config.registers_per_round == 2:
                accompany()
            # The key is read beside the substitution, so that only its addition is behind it.
            ahead = in_ram or config.registers_per_round == 2
            key = self._stored_key(m, [step], side.key, written, registered=ahead)
            # Reading a block RAM takes most of a cycle: its second register is right behind it.
            if config.registers_per_round == 2:
                substituted = registered(substituted)
            elif in_ram:
                accompany()
            if isinstance(sub, SubProducts):
                state = named(m, mix_products(m, substituted, inverse=self._decrypt) ^ key)
            else:
                state = self._mix(m, substituted, key, last=last)
            if not in_ram and step % config.rounds_per_stage == 0:
                state = registered(state)
        m.d.comb += [
            self.o.valid.eq(valid), self.o.payload.block.eq(state),
            self.o.payload.tag.eq(side.tag),
        ]
        return m


class IterativeCipher(BlockCipher):
    """One block at a time, ``rounds_per_stage`` rounds per cycle.

    Parameters and members: see ``create_cipher``. Ready while it holds no block, and in the cycle
    in which it delivers one. Latency: the rounds divided by ``rounds_per_stage`` (twice as many
    with ``block_ram``), plus 1 cycle.
    """

    @property
    def latency(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Cycles from a transfer on `i` to its result on `o`."""
        per_round = 2 if self._config.sbox is SBox.BLOCK_RAM else 1
        return self._rounds // self._config.rounds_per_stage * per_round + 1

    @property
    def interval(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Cycles from one transfer on `i` to the next possible one."""
        return self.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        step = Signal(range(self._rounds + 2))  # 0: idle, or the result is there
        done = Signal()
        state = Signal(128, reset_less=True)
        side = Signal(data.StructLayout({"key": range(self._keys), "tag": self._tag}),
                      reset_less=True)

        # A block-RAM S-box answers in the second cycle of a round; so do the round keys then. The
        # first of them is there in the first cycle of round 1.
        in_ram = config.sbox is SBox.BLOCK_RAM
        m.submodules.round_keys = memory = Memory(
            shape=128, depth=self._keys * 16, init=[],
            attrs=IN_BLOCK_RAM if in_ram else {})
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.round_key.valid),
            write.addr.eq(self.round_key.key * 16 + self.round_key.round),
            write.data.eq(self.round_key.value),
        ]

        def stored_key(number: Value) -> Value:
            key = Mux(step == 0, self.i.payload.key, side.key) if in_ram else side.key
            address = key * 16 + (self._rounds - number if self._decrypt else number)
            if in_ram:
                return read_next(m, memory, address, Const(1))
            read = memory.read_port(domain="comb")
            m.d.comb += read.addr.eq(address)
            return read.data

        substituted = Signal(init=not in_ram)
        entering: Value = self.i.payload.block
        next_state: Value = state
        if not in_ram:
            entering ^= self._stored_key(m, [0], self.i.payload.key, self.round_key)
        for offset in range(config.rounds_per_stage):
            key = stored_key(step + offset)
            if in_ram:
                next_state ^= named(m, Mux((step == 1) & ~substituted, key, 0))
            # Decrypting, the key is added before InvMixColumns: no table can hold products.
            sub = (SubProducts(inverse=False) if in_ram and not self._decrypt else
                   SubBytes(config.sbox, inverse=self._decrypt))
            m.submodules[f"sub_{offset}"] = sub
            m.d.comb += sub.i.eq(shift_rows(next_state, inverse=self._decrypt))
            next_state = self._end_of_round(m, sub, key, last=step + offset == self._rounds)
        if in_ram:
            m.d.sync += substituted.eq((step != 0) & ~substituted)
        m.d.comb += [
            self.i.ready.eq(step == 0),
            self.o.valid.eq(done), self.o.payload.block.eq(state),
            self.o.payload.tag.eq(side.tag),
        ]
        m.d.sync += done.eq(0)
        with m.If(step == 0):
            if self._erasable:
                m.d.sync += state.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [
                    step.eq(1), side.key.eq(self.i.payload.key), side.tag.eq(self.i.payload.tag),
                    state.eq(entering),
                ]
        with m.Elif(substituted):
            m.d.sync += [state.eq(next_state), step.eq(step + config.rounds_per_stage)]
            with m.If(step + config.rounds_per_stage > self._rounds):
                m.d.sync += [step.eq(0), done.eq(1)]
        return m

    def _end_of_round(self, m: Module, sub: SubBytes | SubProducts, key: Value, *,
                      last: Value) -> Value:
        """Compute what follows SubBytes in a round.

        Decrypting, the key is added before InvMixColumns (the inverse cipher, section 5.3): a
        longer path than with round keys that are stored behind InvMixColumns, but only one of it.
        """
        if isinstance(sub, SubProducts):
            mixed = mix_products(m, sub.o, inverse=False)
            return named(m, Mux(last, sub.o[0], mixed) ^ key)
        if not self._decrypt:
            return self._mix(m, sub.o, key, last=last)
        added = named(m, sub.o ^ key)
        return named(m, Mux(last, added, mix_columns(m, added, inverse=True)))


def create_cipher(
        config: CipherConfig, *, aes_bits: int, direction: Direction, keys: int, tag: ShapeLike,
        erasable: bool = False) -> PipelinedCipher | RingCipher | IterativeCipher:
    """Create the core that `config` describes.

    Parameters
    ----------
    config:
        Construction.
    aes_bits:
        Key size: 128 or 256.
    direction:
        Encrypt or decrypt.
    keys:
        Number of keys whose round keys are held; consecutive blocks may use different ones.
    tag:
        Shape of what accompanies a block unchanged.
    erasable:
        No register keeps a block's state for longer than ``latency`` cycles behind the block.

    Members
    -------
    i: In(stream.Signature({"block": 128, "key": range(keys), "tag": tag}))
        Blocks, each with the index of its key.
    o: Out(stream.Signature({"block": 128, "tag": tag}, always_ready=True))
        Results, in the order of the blocks.
    round_key: In(RoundKeyWrite(keys))
        A key's round keys must not change while its blocks are inside; blocks come
        ``key_latency`` cycles behind the last of them, or later.

    Attributes of the core
    ----------------------
    latency: int
        Cycles from a transfer on `i` to its result on `o`.
    key_latency: int
        Cycles from the write of a round key to the first transfer on `i` that has it.
    interval: int
        Cycles from one transfer on `i` to the next; transfers at this distance never wait.
    """
    kind = (PipelinedCipher if config.pipelined else
            RingCipher if config.units > 1 else IterativeCipher)
    return kind(config, aes_bits=aes_bits, direction=direction, keys=keys, tag=tag,
                erasable=erasable)
