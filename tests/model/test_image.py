"""The sparse image against a plain dictionary of bytes."""

from __future__ import annotations

import numpy as np
import pytest
from casemate_sim.model import Image
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = st.one_of(st.integers(0, 3 * 4096), st.integers(2**46, 2**46 + 300))


@given(st.lists(st.tuples(ADDRESSES, st.binary(max_size=5000)), max_size=6), ADDRESSES)
def test_reads_return_what_was_written_last_and_zero_elsewhere(
        writes: list[tuple[int, bytes]], address: int) -> None:
    image, plain = Image(), {}
    for start, content in writes:
        image.write(start, content)
        plain.update({start + offset: byte for offset, byte in enumerate(content)})
    assert image.read(address, 6000) == bytes(plain.get(address + n, 0) for n in range(6000))
    rebuilt = Image(image.pages())
    assert rebuilt == image
    assert rebuilt.first_difference(image) is None


@given(st.lists(st.integers(0, 400), unique=True, max_size=40), st.integers(0, 2**32))
def test_lines_and_bytes_are_two_views_of_one_image(numbers: list[int], seed: int) -> None:
    addresses = np.array(numbers, dtype=np.uint64) * np.uint64(64) + np.uint64(1 << 40)
    lines = np.random.default_rng(seed).integers(256, size=(len(numbers), 64), dtype=np.uint8)
    image = Image()
    image.write_lines(addresses, lines)
    assert (image.read_lines(addresses) == lines).all()
    for address, line in zip(addresses.tolist(), lines, strict=True):
        assert image.read(address, 64) == line.tobytes()


def test_the_first_byte_that_differs_is_found() -> None:
    here, there = Image([(0x5000, b"abc"), (0x9000, b"x")]), Image([(0x5000, b"abd")])
    assert here.first_difference(there) == (0x5002, ord("c"), ord("d"))
    assert here != there
    there.write(0x5002, b"c")
    assert here.first_difference(there) == (0x9000, ord("x"), 0)


def test_a_line_address_that_is_no_multiple_of_64_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^an address is not a multiple of 64$"):
        Image().read_lines(np.array([65], dtype=np.uint64))
