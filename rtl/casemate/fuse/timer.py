"""When the fuses are checked again: at intervals that nobody foresees."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RandomTimer"]

_TAPS = 0x8020_0003  # x^32 + x^22 + x^2 + x + 1, as a Galois register that shifts right


class RandomTimer(wiring.Component):
    """Fires after 1 to ``2 ** bits`` cycles of ``run``, again and again.

    Intervals come from a 32-bit shift register with linear feedback, which a word of entropy enters
    once. This hides the times of the checks from who has not seen the die's entropy; nothing
    secret depends on it.

    Members
    -------
    run: In(1)
        Time passes.
    entropy: In(stream.Signature(32))
        One word is taken after reset.
    due: Out(1)
        Level, until ``taken``.
    taken: In(1)
        The check has begun: the next interval starts.
    """

    entropy: stream.Interface

    def __init__(self, bits: int):
        if not 1 <= bits <= 32:
            raise ValueError(f"bits = {bits} is not possible: 1 to 32")
        self._bits = bits
        super().__init__({
            "run": In(1), "entropy": In(stream.Signature(32)), "due": Out(1), "taken": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = Signal(32, init=1)
        seeded = Signal()
        left = Signal(self._bits, init=-1)
        following = Signal(32)
        m.d.comb += [
            self.entropy.ready.eq(~seeded),
            following.eq(Cat(register[1:], 0) ^ register[0].replicate(32) & _TAPS),
        ]
        m.d.sync += register.eq(following)
        with m.If(self.entropy.valid & ~seeded):
            # Never all zeros: the register would stay there.
            m.d.sync += [seeded.eq(1), register.eq(self.entropy.payload | 1)]
        with m.If(self.run & ~self.due):
            m.d.sync += [left.eq(left - 1), self.due.eq(left == 0)]
        with m.If(self.taken):
            m.d.sync += [self.due.eq(0), left.eq(register)]
        return m
