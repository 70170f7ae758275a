"""Small stream blocks: register stage, flow-through holder, round-robin choices.

Streams follow Amaranth's rules: a transfer happens in a cycle with ``valid`` and ``ready``; once
``valid``, a stream stays valid with the same payload until the transfer; ``valid`` never waits for
``ready``.
"""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Holder", "Picker", "Register", "in_turn"]


class Register(wiring.Component):
    """A register in a stream: latency 1 cycle, one transfer per cycle.

    Both directions of payload and ``valid`` are cut; ``ready`` passes through.

    Members
    -------
    i: In(stream.Signature(shape))
    o: Out(stream.Signature(shape))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike):
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        payload = Signal(self._shape, reset_less=True)
        m.d.comb += [self.o.payload.eq(payload), self.i.ready.eq(self.o.ready | ~self.o.valid)]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), payload.eq(self.i.payload)]
        return m


class Holder(wiring.Component):
    """A flow-through stage: latency 0 cycles; accepts before the far side does.

    ``i.ready`` comes from a register: a source may commit to a transfer (and change its mind about
    the next one) although ``o`` is stalled; the stage keeps ``o`` stable. After a stall of ``o`` it
    accepts nothing for one cycle.

    Members
    -------
    i: In(stream.Signature(shape))
    o: Out(stream.Signature(shape))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike):
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal()
        payload = Signal(self._shape, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~held),
            self.o.valid.eq(held | self.i.valid),
            self.o.payload.eq(Mux(held, payload, self.i.payload)),
        ]
        with m.If(~held):
            m.d.sync += payload.eq(self.i.payload)
        m.d.sync += held.eq(self.o.valid & ~self.o.ready)
        return m


class Picker(wiring.Component):
    """Chooses one requester after another, round robin; the choice is a register.

    Latency 1 cycle from request to ``o.valid``; one choice per cycle. A request must stay until its
    index was transferred on ``o`` and be gone in the next cycle.

    Parameters
    ----------
    requesters:
        Number of requesters, at least 1.

    Members
    -------
    requests: In(requesters)
        One bit each.
    o: Out(stream.Signature(range(requesters)))
        Index of the chosen requester.
    """

    requests: Signal
    o: stream.Interface

    def __init__(self, requesters: int):
        self._requesters = requesters
        super().__init__({
            "requests": In(requesters), "o": Out(stream.Signature(range(requesters))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        eligible = Signal(self._requesters)
        # `later` masks the requesters after the last choice.
        later = Signal(self._requesters)
        m.d.comb += eligible.eq(self.requests & ~Mux(self.o.valid, 1 << self.o.payload, 0))
        chosen, behind = _first_of(m, eligible, eligible & later)
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [self.o.valid.eq(eligible.any()), self.o.payload.eq(Cat(
                Cat(bit for place, bit in enumerate(chosen) if place >> power & 1).any()
                for power in range(len(self.o.payload))))]
            with m.If(eligible.any()):
                m.d.sync += later.eq(behind)
        return m


def _first_of(m: Module, some: Value, preferred: Value) -> tuple[Signal, Signal]:
    """Return the first bit of the preferred ones, or else of all, and a mask of all behind it.

    Both at the same time, without a carry: in logarithmic depth.
    """
    count = len(some)
    chosen, behind, since = Signal(count), Signal(count), Signal(count)

    def from_the_first_on(bits: Value) -> Signal:
        for power in range((count - 1).bit_length()):
            bits = bits | (bits << (1 << power))[:count]
        mask = Signal(count)
        m.d.comb += mask.eq(bits)
        return mask

    m.d.comb += [
        since.eq(Mux(preferred.any(), from_the_first_on(preferred), from_the_first_on(some))),
        behind.eq(since << 1), chosen.eq(since & ~behind),
    ]
    return chosen, behind


def in_turn(m: Module, waiting: Value, served: Value) -> Signal:
    """Choose, in this very cycle, who goes first: those behind the last one that was served do.

    Parameters
    ----------
    waiting:
        A bit for each source.
    served:
        The one that was chosen is served in this cycle.

    Returns
    -------
    One bit at most, that of the chosen source; combinational.
    """
    later = Signal(len(waiting))  # a mask
    chosen, behind = _first_of(m, waiting, waiting & later)
    with m.If(served):
        m.d.sync += later.eq(behind)
    return chosen
