"""Choice of a free entry."""

from amaranth import Module, Signal, Value

__all__ = ["lowest_free"]


def lowest_free(m: Module, used: Signal) -> tuple[Value, Signal]:
    """Return whether an entry is free, and the index of the lowest free one.

    Parameters
    ----------
    m:
        Module that gets the (combinational) priority encoder.
    used:
        One bit for each entry.
    """
    index = Signal(range(len(used)))
    for i in reversed(range(len(used))):
        with m.If(~used[i]):
            m.d.comb += index.eq(i)
    return ~used.all(), index
