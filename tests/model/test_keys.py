"""Key derivation: the contract, byte by byte, against a CMAC written out by hand."""

from __future__ import annotations

import re

import cryptography_vectors
import pytest
from casemate_sim.model import derive_domain_keys, derive_key, keys
from Crypto.Cipher import AES

ROOT_KEY = bytes(range(32))
BOOT_NONCE = bytes(range(0x80, 0x90))


def double(block: bytes) -> bytes:
    """Multiply by x as SP 800-38B, 6.1 does (big-endian)."""
    value = int.from_bytes(block, "big") << 1
    return ((value ^ 0x87) & (1 << 128) - 1 if value >> 128 else value).to_bytes(16, "big")


def cmac_by_hand(key: bytes, message: bytes) -> bytes:
    """CMAC of a message, from AES of single blocks."""
    cipher = AES.new(key, AES.MODE_ECB)
    subkey = double(cipher.encrypt(bytes(16)))
    if not message or len(message) % 16:
        subkey = double(subkey)
        message += b"\x80" + bytes(-(len(message) + 1) % 16)
    state = bytes(16)
    for start in range(0, len(message), 16):
        block = bytes(a ^ b for a, b in zip(state, message[start:start + 16], strict=True))
        if start + 16 == len(message):
            block = bytes(a ^ b for a, b in zip(block, subkey, strict=True))
        state = cipher.encrypt(block)
    return state


def kdf_by_hand(key: bytes, fixed: bytes, bits: int) -> bytes:
    """Counter-mode KDF of SP 800-108r1, 4.1, with a 32-bit counter before the fixed input."""
    blocks = [cmac_by_hand(key, number.to_bytes(4, "big") + fixed)
              for number in range(1, -(-bits // 128) + 1)]
    return b"".join(blocks)[:bits // 8]


def test_the_kdf_by_hand_agrees_with_the_nist_vectors() -> None:
    with cryptography_vectors.open_vector_file("KDF/nist-800-108-KBKDF-CTR.txt", "r") as file:
        text = file.read()
    checked = 0
    for part in re.split(r"(?=\[PRF=)", text):
        if not all(f"[{choice}]" in part for choice in (
                "PRF=CMAC_AES256", "CTRLOCATION=BEFORE_FIXED", "RLEN=32_BITS")):
            continue
        for block in re.findall(r"COUNT=.*?KO = \w+", part, re.DOTALL):
            values = dict(re.findall(r"(\w+) = (\w+)", block))
            found = kdf_by_hand(bytes.fromhex(values["KI"]),
                                bytes.fromhex(values["FixedInputData"]), int(values["L"]))
            assert found.hex() == values["KO"]
            checked += 1
    assert checked == 40


@pytest.mark.parametrize("aes_bits", [128, 256])
@pytest.mark.parametrize(("name", "domain", "generation"), [
    ("K1", 1, 0), ("K2", 0xFFF, 1), ("K3", 0x123, 0xFFFFFFFF), ("K4", 0, 0)])
def test_a_key_is_the_kdf_of_label_and_context(
        name: str, domain: int, generation: int, aes_bits: int) -> None:
    fixed = (b"CASEMATE." + name.encode() + b"\x00" + BOOT_NONCE + domain.to_bytes(2, "big")
             + generation.to_bytes(4, "big") + bytes(6) + aes_bits.to_bytes(4, "big"))
    assert derive_key(ROOT_KEY, BOOT_NONCE, name, domain, generation, aes_bits) \
        == kdf_by_hand(ROOT_KEY, fixed, aes_bits)


@pytest.mark.parametrize(("aes_bits", "calls"), [(128, 1), (256, 2)])
def test_each_call_of_the_prf_takes_three_aes_blocks(
        monkeypatch: pytest.MonkeyPatch, aes_bits: int, calls: int) -> None:
    seen = []
    real = keys.cmac
    monkeypatch.setattr(keys, "cmac", lambda key, message: seen.append(message) or real(
        key, message))
    derive_key(ROOT_KEY, BOOT_NONCE, "K1", 7, 0, aes_bits)
    assert [len(message) for message in seen] == [48] * calls


def test_keys_differ_in_name_domain_generation_nonce_and_root() -> None:
    other = bytes(16)
    derived = {derive_key(root, nonce, name, domain, generation, 128)
               for root in (ROOT_KEY, bytes(32)) for nonce in (BOOT_NONCE, other)
               for name in ("K1", "K2", "K3") for domain in (0, 1, 256) for generation in (0, 1)}
    assert len(derived) == 2 * 2 * 3 * 3 * 2


def test_domain_keys_are_k1_k2_and_k3() -> None:
    found = derive_domain_keys(ROOT_KEY, BOOT_NONCE, 5, 2, 256)
    for name in ("K1", "K2", "K3"):
        assert getattr(found, name) == derive_key(ROOT_KEY, BOOT_NONCE, name, 5, 2, 256)


@pytest.mark.parametrize(("change", "message"), [
    ({"root_key": bytes(16)}, "a root key has 32 bytes, not 16"),
    ({"boot_nonce": bytes(12)}, "a boot nonce has 16 bytes, not 12"),
    ({"name": "K5"}, "no key is called 'K5'; there are K1, K2, K3, K4"),
    ({"domain": 4096}, "domain 4096 does not fit 12 bits"),
    ({"generation": 1 << 32}, "generation 4294967296 does not fit 32 bits"),
    ({"aes_bits": 192}, "aes_bits = 192 is not possible: 128 or 256"),
    ({"name": "K4"}, "K4 is the engine's key: it has domain 0 and generation 0"),
])
def test_a_wrong_argument_is_named(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "root_key": ROOT_KEY, "boot_nonce": BOOT_NONCE, "name": "K1", "domain": 1,
        "generation": 0, "aes_bits": 128, **change}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        derive_key(**arguments)  # pyright: ignore
