"""AES with a few round units in a ring, through which each block goes several times (FIPS 197).

Bit and byte order: byte i of a block is bits 8i to 8i+7.
"""

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data

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
        written = self._key_write(m)

        done = Signal()
        result = Signal(128, reset_less=True)
        result_tag = Signal(self._tag, reset_less=True)
        m.d.comb += [self.o.valid.eq(done), self.o.payload.block.eq(result),
                     self.o.payload.tag.eq(result_tag)]
        goes_on: Value = Const(0)
        after: Value = Const(0)
        for unit in range(units):
            sub = SubBytes(self._config.sbox, inverse=self._decrypt)
            m.submodules[f"sub_{unit}"] = sub
            m.d.comb += sub.i.eq(shift_rows(state[unit], inverse=self._decrypt))
            ends = (side[unit].turn == last_pass) if unit == last_unit else Const(0)
            steps = range(unit + 1, self._rounds + 1, units)
            key = self._stored_key(m, steps, side[unit].key, written, turn=side[unit].turn)
            after = self._mix(m, sub.o, key, last=ends)
            goes_on = named(m, valid[unit] & ~ends)
            if unit == last_unit:
                m.d.sync += [done.eq(valid[unit] & ends), result.eq(after),
                             result_tag.eq(side[unit].tag)]
            if unit + 1 < units:
                m.d.sync += [valid[unit + 1].eq(goes_on), state[unit + 1].eq(after),
                             side[unit + 1].eq(side[unit])]

        # What comes round goes first.
        m.d.comb += self.i.ready.eq(~goes_on)
        m.d.sync += [
            valid[0].eq(goes_on | self.i.valid),
            state[0].eq(Mux(goes_on, after, self._entering(m, written))),
            side[0].turn.eq(Mux(goes_on, side[-1].turn + 1, 0)),
            side[0].key.eq(Mux(goes_on, side[-1].key, self.i.payload.key)),
            side[0].tag.eq(Mux(goes_on, side[-1].tag, self.i.payload.tag)),
        ]
        return m
