"""AXI4-Lite manager for Amaranth's simulator."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["LiteManager"]


class LiteManager:
    """One transaction at a time, with channels that start and end at random moments.

    Parameters
    ----------
    bus:
        The subordinate's interface (``LiteSignature``).
    ctx:
        The testbench's context.
    seed:
        Of the moments; None is as fast as it can be.
    """

    def __init__(self, bus: Any, ctx: Any, seed: int | None = None) -> None:
        self._bus = bus
        self._ctx = ctx
        self._rng = None if seed is None else random.Random(seed)

    def _delay(self) -> int:
        return 0 if self._rng is None else self._rng.choice((0, 0, 1, 2, 5))

    async def write(self, address: int, value: int, strobe: int = 0xF) -> int:
        """Write a register; return BRESP."""
        bus, ctx = self._bus, self._ctx
        ctx.set(bus.awaddr, address)
        ctx.set(bus.wdata, value)
        ctx.set(bus.wstrb, strobe)
        ends = await self._exchange({"aw": self._delay(), "w": self._delay()}, "b", bus.bresp)
        return ends[0]

    async def read(self, address: int) -> tuple[int, int]:
        """Read a register; return RDATA and RRESP."""
        bus = self._bus
        self._ctx.set(bus.araddr, address)
        value, response = await self._exchange({"ar": self._delay()}, "r", bus.rdata, bus.rresp)
        return value, response

    async def _exchange(self, starts: dict[str, int], answer: str, *sampled: Any) -> list[int]:
        """Send on channels from given cycles on, and take the answer; samples of that cycle."""
        bus, ctx = self._bus, self._ctx
        waiting, patience = dict(starts), self._delay()
        held: tuple[int, ...] | None = None
        for cycle in range(1000):
            for channel, start in waiting.items():
                ctx.set(getattr(bus, f"{channel}valid"), cycle >= start)
            ready = not waiting and patience == 0
            ctx.set(getattr(bus, f"{answer}ready"), ready)
            channels = list(waiting)
            _, _, valid, *rest = await ctx.tick().sample(
                getattr(bus, f"{answer}valid"), *sampled,
                *(getattr(bus, f"{channel}ready") for channel in channels))
            values, readies = rest[:len(sampled)], rest[len(sampled):]
            for channel, taken in zip(channels, readies, strict=True):
                if taken and cycle >= starts[channel]:
                    del waiting[channel]
                    ctx.set(getattr(bus, f"{channel}valid"), 0)
            assert not (valid and waiting and channels == list(waiting)), "answered too early"
            assert held is None or (valid and held == tuple(values)), "the answer changed"
            held = tuple(values) if valid and not ready else None
            if valid and ready:
                ctx.set(getattr(bus, f"{answer}ready"), 0)
                return [int(value) for value in values]
            if valid and patience:
                patience -= 1
        raise AssertionError(f"no answer on channel {answer}")
