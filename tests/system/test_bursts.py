"""Burst arithmetic against the standard's own words, and the shapes that tests draw."""

from random import Random

import pytest
from casemate_sim.bursts import (
    BOUNDARY_BYTES,
    Burst,
    Kind,
    legal_shapes,
    random_burst,
    random_strobes,
    shape_burst,
)


def addresses(**members):
    return [beat.address for beat in Burst(write=False, bus_bytes=16, **members).beats]


def test_incrementing_burst_is_aligned_from_its_second_beat_on():
    assert addresses(address=0x1003, length=4, size=2) == [0x1003, 0x1004, 0x1008, 0x100C]


def test_wrapping_burst_returns_to_its_boundary():
    assert addresses(address=0x28, length=4, size=3, kind=Kind.WRAP) == [0x28, 0x30, 0x38, 0x20]


def test_fixed_burst_stays():
    assert addresses(address=0x31, length=3, size=1, kind=Kind.FIXED) == [0x31] * 3


def test_byte_lanes_are_those_of_the_bus():
    burst = Burst(write=True, address=0x1D, length=3, size=2, bus_bytes=8)
    assert [(beat.low, beat.high) for beat in burst.beats] == [(5, 8), (0, 4), (4, 8)]
    assert [beat.mask for beat in burst.beats] == [0xE0, 0x0F, 0xF0]


def test_chunks_follow_the_lines():
    burst = Burst(write=True, address=0x60, length=8, size=4, bus_bytes=16, kind=Kind.WRAP)
    assert [(c.line_address, c.first, c.beats) for c in burst.chunks] == [
        (0x40, 0, 2), (0x00, 2, 4), (0x40, 6, 2)]


@pytest.mark.parametrize("bus_bytes", [8, 16, 32, 64])
def test_every_shape_can_be_drawn_and_is_legal(bus_bytes, seed):
    random = Random(seed)
    for shape in legal_shapes(bus_bytes):
        for _ in range(30):
            burst = shape_burst(random, shape, write=True, base=0x10000, size_bytes=0x4000,
                                bus_bytes=bus_bytes)
            assert burst.shape == shape
            check_legal(burst, 0x10000, 0x4000)


@pytest.mark.parametrize("size", [64, 256, 0x10000])
def test_random_bursts_are_legal_and_stay_in_their_range(size, seed):
    random = Random(seed)
    for bus_bytes in (8, 16, 64):
        for _ in range(2000):
            burst = random_burst(random, write=True, base=0x20000, size_bytes=size,
                                 bus_bytes=bus_bytes)
            check_legal(burst, 0x20000, size)
            strobes = random_strobes(random, burst)
            assert all(not strobe & ~beat.mask
                       for strobe, beat in zip(strobes, burst.beats, strict=True))


def check_legal(burst, base, size):
    """Check what ARM IHI 0022 A3.4.1 demands."""
    assert 1 << burst.size <= burst.bus_bytes
    last = burst.beats[-1]
    if burst.kind is Kind.INCR:
        assert 1 <= burst.length <= 256
        assert last.address // BOUNDARY_BYTES == burst.address // BOUNDARY_BYTES
    else:
        assert burst.length <= 16
    if burst.kind is Kind.WRAP:
        assert burst.length in (2, 4, 8, 16) and burst.address % (1 << burst.size) == 0
    assert all(base <= beat.address < base + size for beat in burst.beats)
    assert all(0 <= beat.low < beat.high <= burst.bus_bytes for beat in burst.beats)
