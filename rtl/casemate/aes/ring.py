"""AES with a few round units in a ring, through which each block goes several times (FIPS 197).

Bit and byte order: byte i of a block is bits 8i to 8i+7.
"""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from .base import BlockCipher
from .round import named, shift_rows
from .sbox import SubBytes

__all__ = ["RingCipher"]


class RingCipher(BlockCipher):
    """As many blocks at a time as there are round units; parameters and members: ``create_cipher``.

    A block enters through a register, then passes a unit per cycle, round after round, until it
    leaves behind the unit of its last round. Latency: the rounds plus 1 cycle. `i` is ready unless
    a block comes round; at the distance of ``interval`` cycles none ever does.

    The rounds of unit u are u + 1, u + 1 + units, u + 1 + 2 units and so on.
    """

    @property
    def latency(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Cycles from a transfer on `i` to its result on `o`."""
        return self._rounds + 1

    @property
    def interval(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Cycles from one transfer on `i` to the next, so that none waits."""
        units = self._config.units
        returns = range(units, self._rounds, units)
        return next(n for n in range(1, self._rounds + 1)
                    if not any(back % n == 0 for back in returns))

    @property
    def _passes(self) -> int:
        return -(-self._rounds // self._config.units)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        units = self._config.units
        last_unit, last_pass = (self._rounds - 1) % units, self._passes - 1
        carried = data.StructLayout({
            "turn": range(self._passes), "key": range(self._keys), "tag": self._tag})
        # What stands before each unit, and behind the last one before it comes round.
        valid = [Signal(name=f"valid_{unit}") for unit in range(units)]
        state = [Signal(128, name=f"state_{unit}", reset_less=True) for unit in range(units)]
        side = [Signal(carried, name=f"side_{unit}", reset_less=True) for unit in range(units)]
        kept = self._kept_key(m)

        done = Signal()
        result = Signal(128, reset_less=True)
        result_tag = Signal(self._tag, reset_less=True)
        m.d.comb += [self.o.valid.eq(done), self.o.payload.block.eq(result),
                     self.o.payload.tag.eq(result_tag)]
        for unit in range(units):
            sub = SubBytes(self._config.sbox, inverse=self._decrypt)
            m.submodules[f"sub_{unit}"] = sub
            m.d.comb += sub.i.eq(shift_rows(state[unit], inverse=self._decrypt))
            ends = (side[unit].turn == last_pass) if unit == last_unit else False
            key = self._stored_key(m, unit, side[unit], kept)
            after = self._mix(m, sub.o, key, last=ends)
            goes_on = Signal(name=f"goes_on_{unit}")
            m.d.comb += goes_on.eq(valid[unit] & ~ends if unit == last_unit else valid[unit])
            if unit == last_unit:
                m.d.sync += [done.eq(valid[unit] & ends), result.eq(after),
                             result_tag.eq(side[unit].tag)]
            if unit + 1 < units:
                m.d.sync += [valid[unit + 1].eq(goes_on), state[unit + 1].eq(after),
                             side[unit + 1].eq(side[unit])]
                continue
            whitened = named(m, self.i.payload.block ^ self._first_key(m, kept))
            m.d.comb += self.i.ready.eq(~goes_on)
            m.d.sync += [
                valid[0].eq(goes_on | self.i.valid),
                state[0].eq(Mux(goes_on, after, whitened)),
                side[0].turn.eq(Mux(goes_on, side[unit].turn + 1, 0)),
                side[0].key.eq(Mux(goes_on, side[unit].key, self.i.payload.key)),
                side[0].tag.eq(Mux(goes_on, side[unit].tag, self.i.payload.tag)),
            ]
        return m

    def _first_key(self, m: Module, kept: Value) -> Value:
        """Return the round key that is added before the first round."""
        m.submodules.first_key = memory = Memory(shape=128, depth=self._keys, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.round_key.valid & (self.round_key.round == self._round_key(0))),
            write.addr.eq(self.round_key.key), write.data.eq(kept),
            read.addr.eq(self.i.payload.key),
        ]
        return read.data

    def _stored_key(self, m: Module, unit: int, side: data.View, kept: Value) -> Value:
        """Return the round key of a unit's turn, from a small RAM indexed by key and turn."""
        turns = 1 << (self._passes - 1).bit_length()
        memory = Memory(shape=128, depth=self._keys * turns, init=[])
        m.submodules[f"round_key_{unit}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [write.data.eq(kept), read.addr.eq(side.key * turns + side.turn)]
        for turn in range(self._passes):
            step = turn * self._config.units + unit + 1
            if step > self._rounds:
                continue
            with m.If(self.round_key.valid & (self.round_key.round == self._round_key(step))):
                m.d.comb += [write.en.eq(1), write.addr.eq(self.round_key.key * turns + turn)]
        return read.data
