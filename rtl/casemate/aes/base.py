"""What all constructions of the block cipher share: interface, round keys, the end of a round."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import data, enum, stream, wiring
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
    key_latency: int = 1

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

    def _entering(self, m: Module, written: data.View) -> Value:
        """Return the block at the port behind the initial AddRoundKey.

        Where a core takes what is there in every cycle, a block that stays at the port when it was
        taken would be encrypted again and again: with ``erasable`` nothing follows it.
        """
        block = self.i.payload.block ^ self._stored_key(m, [0], self.i.payload.key, written)
        return named(m, Mux(self.i.valid, block, 0) if self._erasable else block)

    def _mix(self, m: Module, substituted: Value, key: Value, *, last: Value | bool) -> Value:
        """Compute what follows SubBytes in a round."""
        mixed = mix_columns(m, substituted, inverse=self._decrypt)
        return named(m, Mux(last, substituted, mixed) ^ key)

    def _key_write(self, m: Module, *, registered: bool = False) -> data.View:
        """Return the write at the round key port, with what is stored of the key.

        A decrypting core keeps the inner round keys behind InvMixColumns: see ``cipher``.

        Parameters
        ----------
        registered:
            A cycle later.
        """
        port = self.round_key
        value, number = port.value, port.round
        if self._decrypt:
            outer = (number == 0) | (number == self._rounds)
            value = named(m, Mux(outer, value, mix_columns(m, value, inverse=True)))
        write = Signal(data.StructLayout({
            "valid": 1, "key": range(self._keys), "round": 4, "value": 128}))
        domain = m.d.sync if registered else m.d.comb
        domain += [write.valid.eq(port.valid), write.key.eq(port.key), write.round.eq(number),
                   write.value.eq(value)]
        return write

    def _stored_key(self, m: Module, steps: Sequence[int], key: Value,
                    written: data.View | wiring.PureInterface, *,
                    turn: Value | int = 0, registered: bool = False) -> Value:
        """Return the round key of one of some steps: a small RAM beside the stage, read at once.

        Parameters
        ----------
        steps:
            Steps that the stage does; `turn` says which of them it is.
        key:
            Index of the key.
        written:
            What ``_key_write`` returned, or the port, if keys are stored as they come.
        registered:
            Read a cycle ahead: `key` and `turn` are those of the next cycle.
        """
        turns = 1 << (len(steps) - 1).bit_length()
        memory = Memory(shape=128, depth=self._keys * turns, init=[])
        m.submodules[f"round_key_{steps[0]}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [write.data.eq(written.value), read.addr.eq(key * turns + turn)]
        for place, step in enumerate(steps):
            with m.If(written.valid & (written.round == self._round_key(step))):
                m.d.comb += [write.en.eq(1), write.addr.eq(written.key * turns + place)]
        if not registered:
            return read.data
        held = Signal(128, reset_less=True, name=f"held_key_{steps[0]}")
        m.d.sync += held.eq(read.data)
        return held
