"""Health tests of a noise source (SP 800-90B section 4.4)."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .cutoffs import adaptive_cutoff, repetition_cutoff
from .words import ENTROPY_BITS

__all__ = ["HealthTests"]


class HealthTests(wiring.Component):
    """Passes words on while both tests hold. Latency 1 cycle, one word per cycle.

    A sample is a whole word. Before the first word passes, ``startup`` words are tested and thrown
    away (section 4.3, requirement 4). A test that fails stops the stream until reset; the word that
    failed it does not pass.

    Repetition count (4.4.1): ``1 + ceil(alpha / entropy)`` equal words in a row fail. Adaptive
    proportion (4.4.2): of ``window`` words, ``1 + critbinom(window, 2 ** -entropy, 1 - 2 **
    -alpha)`` that equal the window's first word fail, itself counted. `entropy` is the claim of the
    source in bits of min-entropy per word.

    Parameters
    ----------
    entropy:
        Bits of min-entropy per word; the default suits a source with half a bit per bit.
    window:
        Words of a window: 512, as the standard has it for samples of more than one bit.
    startup:
        Words that are thrown away; 1024 is the standard's minimum.
    alpha:
        A good source is stopped with probability ``2 ** -alpha`` per word.

    Members
    -------
    i: In(stream.Signature(32))
        From the source; always taken.
    o: Out(stream.Signature(32))
        Tested words. A word that arrives while one waits is tested and lost.
    alert: Out(1)
        Level, until reset: a test has failed.
    tested: Out(1)
        Level: the start-up tests have passed.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, entropy: float = 16, window: int = 512, startup: int = 1024,
                 alpha: int = 30):
        if window < 2 or startup < 1:
            raise ValueError(f"window = {window}, startup = {startup} are not possible: at least "
                             "2 and 1")
        self._repetitions = repetition_cutoff(entropy, alpha)
        self._proportion = adaptive_cutoff(entropy, window, alpha)
        self._window = window
        self._startup = startup
        super().__init__({
            "i": In(stream.Signature(ENTROPY_BITS)), "o": Out(stream.Signature(ENTROPY_BITS)),
            "alert": Out(1), "tested": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.i.payload
        last, first = Signal(ENTROPY_BITS), Signal(ENTROPY_BITS)
        begun = Signal()
        repeated = Signal(range(self._repetitions + 1))
        equal = Signal(range(self._proportion + 1))
        place = Signal(range(self._window))
        left = Signal(range(self._startup + 1), init=self._startup)
        count, proportion = Signal.like(repeated), Signal.like(equal)
        failed = Signal()
        m.d.comb += [
            self.i.ready.eq(1), self.tested.eq(left == 0),
            count.eq(Mux(begun & (word == last), repeated + 1, 1)),
            proportion.eq(Mux(place == 0, 1, equal + (word == first))),
            failed.eq(self.i.valid & ((count >= self._repetitions)
                                      | (proportion >= self._proportion))),
        ]
        with m.If(self.o.ready):
            m.d.sync += [self.o.valid.eq(0), self.o.payload.eq(0)]
        with m.If(self.i.valid & ~self.alert):
            m.d.sync += [
                begun.eq(1), last.eq(word), repeated.eq(count), equal.eq(proportion),
                place.eq(Mux(place == self._window - 1, 0, place + 1)),
            ]
            with m.If(place == 0):
                m.d.sync += first.eq(word)
            with m.If(left != 0):
                m.d.sync += left.eq(left - 1)
            with m.Elif(self.o.ready | ~self.o.valid):
                m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(word)]
        with m.If(failed):
            m.d.sync += self.alert.eq(1)
        with m.If(failed | self.alert):
            m.d.sync += [self.o.valid.eq(0), self.o.payload.eq(0), last.eq(0), first.eq(0)]
        return m
