"""What AXI4 demands of a burst's address and control (ARM IHI 0022, A3.4.1, A4.4, A7.2.4)."""

from collections.abc import Iterator

from amaranth import Module, Signal, Value
from amaranth.lib import wiring

from .signature import Burst

__all__ = ["address_rules"]


def address_rules(m: Module, bus: wiring.PureInterface, channel: str,
                  bus_bytes: int) -> Iterator[tuple[Value, str, str, str]]:
    """Yield the rules of one address channel; see ``rules.Rules``.

    Parameters
    ----------
    m:
        Module that gets the (combinational) logic.
    bus:
        Interface with the members of an AXI4 bus.
    channel:
        ``aw`` or ``ar``.
    bus_bytes:
        Width of the bus in bytes.

    Yields
    ------
    tuple of Value, str, str, str
        Condition that holds in every cycle, name, section of the standard, text.
    """
    upper = channel.upper()
    valid, address, length, size, burst, lock, cache = (
        getattr(bus, channel + field)
        for field in ("valid", "addr", "len", "size", "burst", "lock", "cache"))
    fixed, incr, wrap = (burst == kind.value for kind in (Burst.FIXED, Burst.INCR, Burst.WRAP))
    size_mask = Signal(12, name=f"{channel}_size_mask")
    # The burst's bytes less one, and whether they are a power of two.
    span, power = Signal(16, name=f"{channel}_span"), Signal(name=f"{channel}_power")
    end = Signal(17, name=f"{channel}_end")
    m.d.comb += [
        size_mask.eq((1 << size) - 1),
        span.eq(((length + 1) << size) - 1), power.eq((length & (length + 1)) == 0),
        end.eq((address[:12] & ~size_mask) + span),
    ]
    for condition, name, section, text in (
            (burst != 3, f"{upper}BURST", "A3.4.1", f"{upper}BURST 3 is reserved"),
            (size <= (bus_bytes - 1).bit_length(), f"{upper}SIZE", "A3.4.1",
             f"{upper}SIZE must not exceed the width of the bus"),
            (~fixed | (length < 16), f"{upper}LEN_FIXED", "A3.4.1",
             "a FIXED burst has at most 16 beats"),
            (~wrap | (power & (length < 16) & (length != 0)), f"{upper}LEN_WRAP", "A3.4.1",
             "a WRAP burst has 2, 4, 8 or 16 beats"),
            (~wrap | ((address & size_mask) == 0), f"{upper}ADDR_WRAP_ALIGN", "A3.4.1",
             f"the address of a WRAP burst is aligned to {upper}SIZE"),
            (~incr | (end < 4096), f"{upper}ADDR_BOUNDARY", "A3.4.1",
             "a burst must not cross an address that is a multiple of 4096"),
            (cache[1] | (cache[2:] == 0), f"{upper}CACHE", "A4.4",
             f"{upper}CACHE of a non-modifiable access has no allocate bits"),
            (~lock | (length < 16), f"{upper}LEN_LOCK", "A7.2.4",
             "an exclusive access has at most 16 beats"),
            (~lock | (span < 128), "EXCL_MAX", "A7.2.4",
             "an exclusive access has at most 128 bytes"),
            (~lock | power, "EXCL_LEN", "A7.2.4",
             "the bytes of an exclusive access are a power of two"),
            (~lock | ~power | ((address & span) == 0), "EXCL_ALIGN", "A7.2.4",
             "an exclusive access is aligned to its number of bytes")):
        yield ~valid | condition, f"ERRM_{name}", section, text
