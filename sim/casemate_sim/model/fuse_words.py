"""Words of the fuses: error correction, digest, codewords of decisions.

A stored word has 39 bits: 0 to 31 data, 32 to 37 the Hamming check bits of weights 1 to 32, 38 the
parity of the others. Data bits take the Hamming positions that are no power of two, from 3 to 38.
"""

from __future__ import annotations

from dataclasses import dataclass

from casemate_sim.model.crypto import ecb_encrypt

__all__ = ["ALL_ONES", "DATA_BITS", "DEBUG", "KEY_SIZES", "MARKS", "POLICIES", "STATES",
           "WORD_BITS", "Word", "decode_word", "encode_word", "fuse_digest"]

DATA_BITS = 32
WORD_BITS = 39
ALL_ONES = (1 << WORD_BITS) - 1
"""What erasing leaves: no codeword, and no bit away from one."""

STATES = ("blank", "test", "provisioned", "production", "return", "scrap")
"""States of life; a device only moves to the right."""

MARKS = (0x73E1D036, 0x3EB459C8, 0x0977E471, 0xC3C79558, 0xEA3D9D20)
"""Word k of the life cycle is 0, or this: the device has entered state k + 1."""

KEY_SIZES = {128: 0xB99A14F8, 256: 0xC05C6F96}
POLICIES = {"report": 0x1EDE4247, "lock-domain": 0x1D69079E, "lock-engine": 0xB0F9C8E1}
DEBUG = {"returned": 0x09BA5B35, "never": 0xC71506F5}
"""Codewords; the last of each stands for every other value."""

_PLACES = [place for place in range(1, WORD_BITS) if place & (place - 1)]


@dataclass(frozen=True)
class Word:
    """A stored word, read.

    Attributes
    ----------
    raw:
        All 39 bits.
    data:
        The 32 corrected bits; 0 if there is no telling.
    wrong_bit:
        The bit that was corrected.
    bad:
        Two bits are wrong, or more.
    """

    raw: int
    data: int
    wrong_bit: int | None = None
    bad: bool = False

    @property
    def blank(self) -> bool:
        """The word stands for zero."""
        return not self.bad and self.data == 0

    @property
    def erased(self) -> bool:
        """All bits are ones, or all but one."""
        return self.raw.bit_count() >= WORD_BITS - 1


def encode_word(data: int) -> int:
    """Return the 39 bits that are stored for 32 bits of data."""
    if not 0 <= data < 1 << DATA_BITS:
        raise ValueError(f"{data:#x} does not fit a word of {DATA_BITS} bits")
    syndrome = 0
    for bit, place in enumerate(_PLACES):
        if data >> bit & 1:
            syndrome ^= place
    word = data | syndrome << DATA_BITS
    return word | (word.bit_count() & 1) << (WORD_BITS - 1)


def decode_word(raw: int) -> Word:
    """Correct a stored word.

    It is the codeword itself, or the one that differs in one bit: codewords are 4 bits apart.
    """
    data = raw & (1 << DATA_BITS) - 1
    if encode_word(data) == raw:
        return Word(raw, data)
    for bit in range(WORD_BITS):
        near = raw ^ 1 << bit
        data = near & (1 << DATA_BITS) - 1
        if encode_word(data) == near:
            return Word(raw, data, wrong_bit=bit)
    return Word(raw, 0, bad=True)


def fuse_digest(number: int, data: tuple[int, ...]) -> tuple[int, int]:
    """Return the two words that lock a partition: Davies-Meyer over AES-256, cut to 8 bytes.

    Parameters
    ----------
    number:
        Of the partition.
    data:
        Its words, at most eight; shorter ones get zero words in front.
    """
    if len(data) > 8:
        raise ValueError(f"a partition has at most 8 words, not {len(data)}")
    words = (0,) * (8 - len(data)) + data
    key = b"".join(word.to_bytes(4, "little") for word in words)
    plaintext = b"CASEMATE.FUSE" + bytes([number, 0, 0])
    block = ecb_encrypt(key, plaintext)
    digest = bytes(a ^ b for a, b in zip(block, plaintext, strict=True))
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")
