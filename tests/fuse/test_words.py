"""Codewords, error correction and digest: the hardware against the golden model."""

from itertools import combinations
from random import Random

import pytest
from casemate.fuse import codes, map, registers
from casemate.fuse.digest import Digest
from casemate.fuse.port import _Step
from casemate.fuse.secded import Decoder
from casemate_sim.component import NativeComponent
from casemate_sim.model import fuse_words, fuses
from casemate_sim.model.fuse_words import ALL_ONES, WORD_BITS, decode_word, encode_word, fuse_digest
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.integers(0, (1 << 32) - 1)
BITS = st.integers(0, WORD_BITS - 1)


@pytest.mark.parametrize("code", [
    codes.LifeCycle, codes.Status, codes.Flag, registers.Step, registers.Area, registers.Task,
    _Step, codes.KeySize, codes.FailurePolicy, codes.Debug])
def test_codewords_are_far_apart_and_far_from_zeros_and_ones(code):
    width = code.as_shape().width
    words = [0, (1 << width) - 1, *(member.value for member in code)]
    assert min((a ^ b).bit_count() for a, b in combinations(words, 2)) >= codes.DISTANCE


def test_marks_are_far_apart_and_only_set_bits():
    words = [0, ALL_ONES, *map_encoded(codes.MARKS)]
    assert min((a ^ b).bit_count() for a, b in combinations(words, 2)) >= 10


def map_encoded(words):
    return [encode_word(word) for word in words]


def test_codewords_that_do_not_exist():
    with pytest.raises(ValueError, match="there are no 9 codewords of 8 bits, 5 bits apart"):
        codes.codewords(9, 8)


def test_hardware_and_golden_model_have_one_map():
    assert map.WORDS == fuses.WORDS
    assert codes.MARKS == fuse_words.MARKS
    assert [state.name.lower() for state in codes.LifeCycle] == list(fuse_words.STATES)
    for ours, golden in zip(map.PARTITIONS, fuses.PARTITIONS, strict=True):
        assert (ours.name, ours.number, ours.base, ours.words, ours.end) == (
            golden.name, golden.number, golden.base, golden.words, golden.end)
    for ours, golden in ((codes.KeySize, fuse_words.KEY_SIZES),
                         (codes.FailurePolicy, fuse_words.POLICIES),
                         (codes.Debug, fuse_words.DEBUG)):
        assert [member.value for member in ours] == list(golden.values())


@given(WORDS, BITS)
def test_a_wrong_bit_is_found(data, bit):
    word = decode_word(encode_word(data) ^ 1 << bit)
    assert (word.data, word.wrong_bit, word.bad) == (data, bit, False)


@given(WORDS, st.lists(BITS, min_size=2, max_size=2, unique=True))
def test_two_wrong_bits_are_seen(data, bits):
    assert decode_word(encode_word(data) ^ sum(1 << bit for bit in bits)).bad


def test_no_bit_away_from_all_ones_is_a_word():
    assert all(decode_word(word).bad and decode_word(word).erased
               for word in [ALL_ONES, *(ALL_ONES ^ 1 << bit for bit in range(WORD_BITS))])


def test_decoder_agrees_with_the_golden_model(seed):
    random = Random(seed)
    raw = []
    for flips in range(6):
        for _ in range(400):
            word = encode_word(random.getrandbits(32))
            for bit in random.sample(range(WORD_BITS), flips):
                word ^= 1 << bit
            raw.append(word)
    raw += [0, ALL_ONES, *(ALL_ONES ^ 1 << bit for bit in range(WORD_BITS)),
            *(1 << bit for bit in range(WORD_BITS))]
    results = NativeComponent(Decoder()).run([{"word": word} for word in raw])
    for word, result in zip(raw, results, strict=True):
        golden = decode_word(word)
        assert result == {
            "data": golden.data, "corrected": golden.wrong_bit is not None, "bad": golden.bad,
            "blank": golden.blank, "erased": golden.erased}, hex(word)


def test_digest_agrees_with_the_golden_model_and_holds_nothing_when_cleared(seed):
    random = Random(seed)
    digest = NativeComponent(Digest())
    for number in range(4):
        for _ in range(8):
            words = tuple(random.getrandbits(32) for _ in range(8))
            message = sum(word << 32 * place for place, word in enumerate(words))
            digest.step({"start": 1, "number": number, "message": message})
            waiting = digest.run([{"number": number}] * 71)
            low, high = fuse_digest(number, words)
            assert [result["done"] for result in waiting] == [0] * 70 + [1]
            assert waiting[-2]["digest"] == 0
            assert waiting[-1]["digest"] == low | high << 32
    assert digest.run([{"clear": 1}, {}])[1] == {"busy": 0, "done": 0, "digest": 0}
