"""AXI4 bursts: which bytes each beat carries, random ones, and the shapes that tests must cover.

Written from the burst address equations of the AMBA AXI specification (ARM IHI 0022, "Burst
address"), not from the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import groupby
from random import Random

from casemate.config import LINE_BYTES

__all__ = [
    "ALIGNMENTS",
    "BOUNDARY_BYTES",
    "LENGTHS",
    "Beat",
    "Burst",
    "Chunk",
    "Kind",
    "legal_shapes",
    "random_burst",
    "random_strobes",
    "shape_burst",
]

BOUNDARY_BYTES = 4096
"""An INCR burst may not cross a multiple of this."""


class Kind(IntEnum):
    """AxBURST."""

    FIXED = 0
    INCR = 1
    WRAP = 2


LENGTHS = {"1": (1, 1), "2-15": (2, 15), "16": (16, 16), "17-255": (17, 255), "256": (256, 256)}
"""Classes of burst lengths in beats, first and last of each."""

ALIGNMENTS = ("line", "size", "none")
"""A burst starts at a line's first byte, at a multiple of its size, or at neither."""


@dataclass(frozen=True)
class Beat:
    """One beat: bytes ``low`` to ``high - 1`` of the bus; the first lies at ``address``."""

    address: int
    low: int
    high: int

    @property
    def mask(self) -> int:
        """Strobes of all bytes that the beat may carry."""
        return (1 << self.high) - (1 << self.low)


@dataclass(frozen=True)
class Chunk:
    """Consecutive beats of a burst in one line; ``line_address`` is that of its first byte."""

    line_address: int
    first: int
    beats: int


@dataclass(frozen=True, kw_only=True)
class Burst:
    """A transaction as its address channel announces it.

    Parameters
    ----------
    write:
        AW or AR.
    address:
        Byte address of the first beat; need not be aligned.
    length:
        Beats, 1 to 256: AxLEN plus 1.
    size:
        AxSIZE: log2 of the bytes of a beat.
    kind:
        AxBURST.
    bus_bytes:
        Width of the bus in bytes.
    id, domain, claim, exclusive, cache, prot, qos:
        The channel's other members; ``domain`` and ``claim`` are AxUSER.
    """

    write: bool
    address: int
    length: int
    size: int
    bus_bytes: int
    kind: Kind = Kind.INCR
    id: int = 0
    domain: int = 0
    claim: bool = False
    exclusive: bool = False
    cache: int = 0b0011
    prot: int = 0b010
    qos: int = 0

    @cached_property
    def beats(self) -> tuple[Beat, ...]:
        """Every beat's address and byte lanes."""
        step = 1 << self.size
        aligned = self.address // step * step
        container = step * self.length
        bottom = self.address // container * container
        beats = []
        for number in range(self.length):
            address = self.address
            if self.kind is not Kind.FIXED and number:
                address = aligned + number * step
                if self.kind is Kind.WRAP and address >= bottom + container:
                    address -= container
            low = address % self.bus_bytes
            high = address // step * step + step - address // self.bus_bytes * self.bus_bytes
            beats.append(Beat(address, low, high))
        return tuple(beats)

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The burst cut wherever it goes to another line."""
        chunks, first = [], 0
        for line, group in groupby(beat.address // LINE_BYTES for beat in self.beats):
            beats = len(list(group))
            chunks.append(Chunk(line * LINE_BYTES, first, beats))
            first += beats
        return tuple(chunks)

    @property
    def shape(self) -> tuple[str, str, str, str]:
        """Kind, bytes of a beat, class of length and of alignment, as in :func:`legal_shapes`."""
        length = next(name for name, (low, high) in LENGTHS.items() if low <= self.length <= high)
        return self.kind.name, str(1 << self.size), length, _alignment(self.address, self.size)


def _alignment(address: int, size: int) -> str:
    if address % LINE_BYTES == 0:
        return "line"
    return "none" if address % (1 << size) else "size"


def legal_shapes(bus_bytes: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield every combination of kind, size, class of length and alignment that AXI4 allows."""
    for size in range(bus_bytes.bit_length()):
        step = 1 << size
        for alignment in ALIGNMENTS:
            if (alignment == "none" and size == 0) or (alignment == "size" and step >= LINE_BYTES):
                continue
            for kind in Kind:
                for name, (low, _) in LENGTHS.items():
                    if kind is Kind.WRAP and (name in ("1", "17-255", "256")
                                              or alignment == "none"):
                        continue
                    if kind is Kind.FIXED and low > 16:
                        continue
                    # Whatever does not start at the boundary loses a beat of it at least.
                    room = BOUNDARY_BYTES if alignment != "size" else BOUNDARY_BYTES - step
                    if kind is Kind.INCR and low * step > room:
                        continue
                    yield kind.name, str(step), name, alignment


def shape_burst(random: Random, shape: tuple[str, str, str, str], *, write: bool, base: int,
                size_bytes: int, bus_bytes: int, **members: object) -> Burst:
    """Return a random burst of a shape from :func:`legal_shapes`.

    Parameters
    ----------
    random:
        Source of every choice.
    shape:
        Kind, bytes of a beat, class of length, alignment.
    base, size_bytes:
        Range that it stays in; multiples of 4096.
    members:
        Further members of the burst.
    """
    kind, step, alignment = Kind[shape[0]], int(shape[1]), shape[3]
    low, high = LENGTHS[shape[2]]
    if kind is Kind.WRAP:
        high = {15: random.choice((2, 4, 8))}.get(high, high)
        low = high
    elif kind is Kind.INCR:
        room = BOUNDARY_BYTES - (step if alignment == "size" else 0)
        high = min(high, room // step)
    length = random.randint(low, high)
    offset = 0
    if alignment == "size":
        offset = step * random.randrange(1, LINE_BYTES // step)
    elif alignment == "none":
        offset = step * random.randrange(LINE_BYTES // step) + random.randrange(1, step)
    if kind is Kind.INCR:
        last = (BOUNDARY_BYTES - offset // step * step - length * step) // LINE_BYTES
        if last < 0:  # so long that only the very first bytes of the boundary will do
            offset = offset % step if alignment == "none" else step
            last = (BOUNDARY_BYTES - offset // step * step - length * step) // LINE_BYTES
        line = random.randint(0, max(0, last))
    else:
        line = random.randrange(BOUNDARY_BYTES // LINE_BYTES)
    page = random.randrange(size_bytes // BOUNDARY_BYTES)
    return Burst(write=write, address=base + page * BOUNDARY_BYTES + line * LINE_BYTES + offset,
                 length=length, size=step.bit_length() - 1, kind=kind, bus_bytes=bus_bytes,
                 **members)  # pyright: ignore[reportArgumentType]


def random_burst(random: Random, *, write: bool, base: int, size_bytes: int, bus_bytes: int,
                 longest: int = 32, **members: object) -> Burst:
    """Return a random INCR or WRAP burst that stays in ``[base, base + size_bytes)``.

    Parameters
    ----------
    random:
        Source of every choice.
    base, size_bytes:
        The range; ``size_bytes`` a power of two of at least a line, ``base`` a multiple of it.
    longest:
        Most beats.
    members:
        Further members of the burst.
    """
    widest = bus_bytes.bit_length() - 1
    size = widest if random.random() < 0.6 else random.randint(0, widest)
    step = 1 << size
    if random.random() < 0.3:
        fitting = [n for n in (2, 4, 8, 16) if n <= longest and n * step <= size_bytes]
        if fitting:
            address = base + random.randrange(0, size_bytes, step)
            return Burst(write=write, address=address, length=random.choice(fitting), size=size,
                         kind=Kind.WRAP, bus_bytes=bus_bytes,
                         **members)  # pyright: ignore[reportArgumentType]
    address = base + random.randrange(size_bytes)
    whole = random.random() < 0.35  # full lines are what a cache asks for
    if whole:
        size, step = widest, 1 << widest
        address -= address % LINE_BYTES
    elif random.random() < 0.5:
        address -= address % step
    end = min(base + size_bytes, address // BOUNDARY_BYTES * BOUNDARY_BYTES + BOUNDARY_BYTES)
    room = (end - address // step * step) // step
    length = random.randint(1, max(1, min(longest, room)))
    if whole:
        in_line = LINE_BYTES // step
        length = min(room, random.choice((1, 1, 1, 2, 3)) * in_line)
    return Burst(write=write, address=address, length=length, size=size, bus_bytes=bus_bytes,
                 **members)  # pyright: ignore[reportArgumentType]


def random_strobes(random: Random, burst: Burst) -> list[int]:
    """Return strobes for each beat: all, none, a few, in some or all beats."""
    style = random.random()
    if style < 0.5:
        return [beat.mask for beat in burst.beats]
    if style < 0.58:
        return [0] * burst.length
    if style < 0.75:
        return [beat.mask if random.random() < 0.5 else 0 for beat in burst.beats]
    return [beat.mask & random.getrandbits(burst.bus_bytes) for beat in burst.beats]
