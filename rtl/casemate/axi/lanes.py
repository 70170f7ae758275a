"""The byte lanes that a beat of a write burst may use (ARM IHI 0022, A3.4.3 "Write strobes")."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data

from .signature import Burst

__all__ = ["byte_lanes"]


def byte_lanes(m: Module, burst: data.View, beat: Value, bus_bytes: int) -> Signal:
    """Return a bit for each lane that may carry a byte of a beat.

    Parameters
    ----------
    m:
        Module that gets the (combinational) logic.
    burst:
        Its ``length``, ``size`` and ``burst`` are those of the address channel; its ``address``
        needs only the bits that select a lane.
    beat:
        Number of the beat, 0 for the first.
    bus_bytes:
        Width of the bus in bytes.
    """
    lanes = Signal(bus_bytes)
    if bus_bytes == 1:
        m.d.comb += lanes.eq(1)
        return lanes
    width = (bus_bytes - 1).bit_length()
    # `moving` masks the bits of the address that change during the burst.
    size_mask, moving, low, high = (Signal(width, name=f"lane_{name}") for name in (
        "size_mask", "moving", "low", "high"))
    with m.Switch(burst.burst):
        with m.Case(Burst.INCR.value):
            m.d.comb += moving.eq(~0)
        with m.Case(Burst.WRAP.value):
            m.d.comb += moving.eq(((burst.length + 1) << burst.size) - 1)
    first = burst.address[:width]
    aligned = first & ~size_mask
    m.d.comb += [
        size_mask.eq((1 << burst.size) - 1),
        low.eq(Mux((beat == 0) | (burst.burst == Burst.FIXED.value), first,
                   (aligned & ~moving) | ((aligned + (beat << burst.size)) & moving))),
        high.eq(low | size_mask),
        lanes.eq(((2 << high) - 1) & ~((1 << low) - 1)),
    ]
    return lanes
