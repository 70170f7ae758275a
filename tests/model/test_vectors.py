"""The model's cryptography against the vectors of NIST and IEEE, all of them, counted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import cryptography_vectors
import numpy as np
import pytest
from casemate_sim.model.crypto import cmac, ecb_decrypt, ecb_encrypt, gmac, xts_decrypt, xts_encrypt

Vector = dict[str, str]


def read_vectors(name: str) -> Iterator[Vector]:
    """Yield the blocks of one file, with the values of the [sections] that they stand in."""
    section: Vector = {}
    block: Vector = {}
    with cryptography_vectors.open_vector_file(name, "r") as file:
        for raw in [*file, ""]:
            line = raw.strip()
            if header := re.fullmatch(r"\[(\w+)(?:\s*=\s*(.*))?\]", line):
                section[header[1]] = header[2] or ""
                if header[1] in ("ENCRYPT", "DECRYPT"):
                    section["direction"] = header[1]
            elif "=" in line and not line.startswith(("#", "Binary", "instring")):
                key, _, value = line.partition("=")
                block[key.strip().lower()] = value.strip()
            elif line == "FAIL":
                block["fail"] = ""
            elif not line and block:
                yield {**section, **block}
                block = {}
    if block:
        yield {**section, **block}


def as_unit(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), dtype=np.uint8).reshape(1, -1)


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("folder", ["tweak-128hexstr", "tweak-dataunitseqno"])
def test_xts_agrees_with_every_nist_vector_of_whole_blocks(
        folder: str, bits: int, record_property: object) -> None:
    checked, stolen = 0, 0
    for vector in read_vectors(f"ciphers/AES/XTS/{folder}/XTSGenAES{bits}.rsp"):
        if int(vector["dataunitlen"]) % 128:
            stolen += 1  # ciphertext stealing: no line has a partial block
            continue
        keys = bytes.fromhex(vector["key"])
        half = len(keys) // 2
        tweak = (as_unit(vector["i"]) if "i" in vector else np.frombuffer(
            int(vector["dataunitseqnumber"]).to_bytes(16, "little"), np.uint8).reshape(1, 16))
        plain, stored = as_unit(vector["pt"]), as_unit(vector["ct"])
        assert (xts_encrypt(keys[:half], keys[half:], tweak, plain) == stored).all(), vector
        assert (xts_decrypt(keys[:half], keys[half:], tweak, stored) == plain).all(), vector
        checked += 1
    record_property("vectors", checked)  # pyright: ignore
    assert (checked, stolen) == (600, 400)


IEEE_1619 = [
    # Annex B, vectors 1, 2 and 3: Key1, Key2, data unit sequence number, plaintext, ciphertext.
    ("00" * 16, "00" * 16, 0, "00" * 32,
     "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e"),
    ("11" * 16, "22" * 16, 0x3333333333, "44" * 32,
     "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"),
    ("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0", "22" * 16, 0x3333333333, "44" * 32,
     "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89"),
]


@pytest.mark.parametrize(("key1", "key2", "sequence", "plain", "stored"), IEEE_1619)
def test_xts_agrees_with_the_examples_of_ieee_1619(
        key1: str, key2: str, sequence: int, plain: str, stored: str) -> None:
    tweak = np.frombuffer(sequence.to_bytes(16, "little"), np.uint8).reshape(1, 16)
    result = xts_encrypt(bytes.fromhex(key1), bytes.fromhex(key2), tweak, as_unit(plain))
    assert result.tobytes().hex() == stored


def test_xts_of_a_long_unit_agrees_with_ieee_1619_vectors_4_and_10() -> None:
    plain = np.frombuffer(bytes(range(256)) * 2, np.uint8).reshape(1, -1)
    pi, e = "31415926535897932384626433832795", "27182818284590452353602874713526"
    short = xts_encrypt(bytes.fromhex(e), bytes.fromhex(pi), np.zeros((1, 16), np.uint8), plain)
    assert short.tobytes().hex().startswith(
        "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c")
    tweak = np.frombuffer(b"\xff" + bytes(15), np.uint8).reshape(1, 16)
    long = xts_encrypt(bytes.fromhex(e + "62497757247093699959574966967627"),
                       bytes.fromhex(pi + "02884197169399375105820974944592"), tweak, plain)
    assert long.tobytes().hex().startswith(
        "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b")


def test_many_units_at_once_give_what_each_gives_alone() -> None:
    random = np.random.default_rng(1)
    tweaks = random.integers(256, size=(50, 16), dtype=np.uint8)
    units = random.integers(256, size=(50, 64), dtype=np.uint8)
    keys = bytes(range(16)), bytes(range(16, 32))
    together = xts_encrypt(*keys, tweaks, units)
    alone = [xts_encrypt(*keys, tweaks[n:n + 1], units[n:n + 1]) for n in range(50)]
    assert (together == np.concatenate(alone)).all()
    assert (xts_decrypt(*keys, tweaks, together) == units).all()


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("name", ["gcmEncryptExtIV", "gcmDecrypt"])
def test_gmac_agrees_with_every_nist_gcm_vector_without_plaintext(
        name: str, bits: int, record_property: object) -> None:
    checked, refused = 0, 0
    for vector in read_vectors(f"ciphers/AES/GCM/{name}{bits}.rsp"):
        if vector["ct"]:
            continue
        tag = bytes.fromhex(vector["tag"])
        found = gmac(*(bytes.fromhex(vector[field]) for field in ("key", "iv", "aad")))
        agrees = found[:len(tag)] == tag
        assert agrees != ("fail" in vector), vector
        checked, refused = checked + 1, refused + ("fail" in vector)
    record_property("vectors", checked)  # pyright: ignore
    assert checked == 1575
    assert (refused > 500) == (name == "gcmDecrypt")


@pytest.mark.parametrize("bits", [128, 256])
def test_cmac_agrees_with_the_nist_examples(bits: int) -> None:
    vectors = list(read_vectors(f"CMAC/nist-800-38b-aes{bits}.txt"))
    for vector in vectors:
        assert cmac(bytes.fromhex(vector["key"]),
                    bytes.fromhex(vector["message"])).hex() == vector["output"]
    assert len(vectors) == 4


def test_a_block_agrees_with_the_examples_of_fips_197() -> None:
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    for size, stored in ((16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
                         (32, "8ea2b7ca516745bfeafc49904b496089")):
        key = bytes(range(size))
        assert ecb_encrypt(key, plain).hex() == stored
        assert ecb_decrypt(key, bytes.fromhex(stored)) == plain


def test_units_that_are_not_whole_blocks_are_refused() -> None:
    tweak = np.zeros((1, 16), np.uint8)
    with pytest.raises(ValueError, match=r"^uint8 units of shape \(1, 17\) are not whole blocks$"):
        xts_encrypt(bytes(16), bytes(16), tweak, np.zeros((1, 17), np.uint8))
    with pytest.raises(ValueError, match=r"^uint8 tweaks of shape \(1, 16\) do not fit 2 data"):
        xts_encrypt(bytes(16), bytes(16), tweak, np.zeros((2, 16), np.uint8))
