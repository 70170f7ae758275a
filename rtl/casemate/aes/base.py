"""What all constructions of the block cipher share: interface, round keys, the end of a round."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import enum, stream, wiring
from amaranth.lib.memory import Memory

from ..config import CipherConfig
from .round import mix_columns, named
from .signature import CipherPort

__all__ = ["BlockCipher", "Direction"]


class Direction(enum.Enum):
    """What a cipher does to a block."""

    ENCRYPT = 0
    DECRYPT = 1


class BlockCipher(wiring.Component):
    """A core without its rounds; see ``create_cipher`` for parameters and members."""

    i: stream.Interface
    o: stream.Interface
    latency: int
    interval: int

    def __init__(self, config: CipherConfig, *, aes_bits: int, direction: Direction, keys: int,
                 tag: ShapeLike, erasable: bool = False):
        self._config = config
        self._rounds = {128: 10, 256: 14}[aes_bits]
        self._decrypt = direction is Direction.DECRYPT
        self._keys = keys
        self._tag = tag
        self._erasable = erasable
        super().__init__(dict(CipherPort(keys, tag).flip().members.items()))

    def _round_key(self, step: int) -> int:
        """Return the number of the round key that is added in the given step, counted from 0."""
        return self._rounds - step if self._decrypt else step

    def _mix(self, m: Module, substituted: Value, key: Value, *, last: Value | bool) -> Value:
        """Compute what follows SubBytes in a round."""
        mixed = mix_columns(m, substituted, inverse=self._decrypt)
        return named(m, Mux(last, substituted, mixed) ^ key)

    def _kept_key(self, m: Module) -> Value:
        """Return what is stored of the round key at the port.

        A decrypting core keeps the inner round keys behind InvMixColumns: see ``cipher``.
        """
        value, number = self.round_key.value, self.round_key.round
        if not self._decrypt:
            return value
        outer = (number == 0) | (number == self._rounds)
        return named(m, Mux(outer, value, mix_columns(m, value, inverse=True)))

    def _stored_key(self, m: Module, steps: Sequence[int], key: Value, kept: Value, *,
                    turn: Value | int = 0, registered: bool = False) -> Value:
        """Return the round key of one of some steps: a small RAM beside the stage, read at once.

        Parameters
        ----------
        steps:
            Steps that the stage does; `turn` says which of them it is.
        key:
            Index of the key.
        kept:
            What ``_kept_key`` returned.
        registered:
            Read a cycle ahead: `key` and `turn` are those of the next cycle.
        """
        turns = 1 << (len(steps) - 1).bit_length()
        memory = Memory(shape=128, depth=self._keys * turns, init=[])
        m.submodules[f"round_key_{steps[0]}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [write.data.eq(kept), read.addr.eq(key * turns + turn)]
        for place, step in enumerate(steps):
            with m.If(self.round_key.valid & (self.round_key.round == self._round_key(step))):
                m.d.comb += [write.en.eq(1), write.addr.eq(self.round_key.key * turns + place)]
        if not registered:
            return read.data
        held = Signal(128, reset_less=True, name=f"held_key_{steps[0]}")
        m.d.sync += held.eq(read.data)
        return held
