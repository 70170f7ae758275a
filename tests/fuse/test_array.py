# amaranth: UnusedElaboratable=no
"""The stand-in for the macro: a one stays a one, whatever happens."""

import pytest
from casemate.fuse.otp import OtpArray
from casemate_sim.component import NativeComponent
from casemate_sim.model.fuse_words import ALL_ONES


def read(array, address):
    array.step({"otp_read": 1, "otp_address": address})
    result = array.step({"otp_address": address})
    assert result["otp_valid"]
    return result["otp_data"]


def program(array, address, word, **inputs):
    array.step({"otp_program": 1, "otp_address": address, "otp_program_data": word})
    for cycle in range(1, 1000):
        result = array.step({"otp_address": address, **inputs})
        if result["otp_done"]:
            return cycle, result["otp_error"]
        assert result["otp_busy"]
    raise AssertionError("never done")


@pytest.mark.parametrize("bit_cycles", [1, 3])
def test_bits_only_go_from_0_to_1_and_the_time_does_not_tell_which(bit_cycles):
    array = NativeComponent(OtpArray([0b1010, 0], bit_cycles=bit_cycles))
    assert program(array, 0, 0b0110) == (39 * bit_cycles + 3, 0)
    assert read(array, 0) == 0b1110
    assert program(array, 0, 0) == (39 * bit_cycles + 3, 0)
    assert read(array, 0) == 0b1110
    assert read(array, 1) == 0


def test_programming_that_fails_says_so():
    array = NativeComponent(OtpArray())
    assert program(array, 5, 0b111, fail=1)[1] == 1
    assert read(array, 5) == 0
    assert program(array, 5, 0b111)[1] == 0
    assert read(array, 5) == 0b111
    assert program(array, 5, 0, fail=1)[1] == 0


def test_wrong_parameters():
    with pytest.raises(ValueError, match="at most 34 words of 39 bits"):
        OtpArray([ALL_ONES + 1])
    with pytest.raises(ValueError, match="bit_cycles = 0 is not possible"):
        OtpArray(bit_cycles=0)
