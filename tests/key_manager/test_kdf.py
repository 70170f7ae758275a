"""Derivation of keys against the golden model, a library and the vectors of NIST."""

import random
from pathlib import Path

import cryptography_vectors
import pytest
from casemate.key_manager.kdf import Kdf
from casemate.key_manager.root_cipher import RootCipher
from casemate_sim.component import NativeComponent
from casemate_sim.model.keys import derive_key
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st
from inspected import Inspected

NAMES = ("K1", "K2", "K3", "K4")


class KdfBench:
    """A KDF, Verilated, with one call for each thing that it does."""

    def __init__(self, aes_bits):
        self.aes_bits = aes_bits
        self.kdf = Kdf(aes_bits=aes_bits)
        self.dut = NativeComponent(self.kdf)

    def boot(self, root_key, nonce):
        """Reset; return the cycles until it is ready."""
        self.dut.restart()
        given = {"root_key": int.from_bytes(root_key, "little"), "root_key_valid": 1,
                 "nonce": int.from_bytes(nonce, "little"), "nonce_valid": 1}
        assert self.dut.step(given)["root_key_ready"]
        return self._until("user_ready", {})

    def derive(self, name, domain, generation):
        """Return a key and the cycles from the request to it."""
        request = {
            "user_request_name": NAMES.index(name), "user_request_domain": domain,
            "user_request_generation": generation, "user_request_valid": 1}
        cycles = self._until("user_request_ready", request)
        out = self.dut.step({"user_key_ready": 1})
        assert out["user_key_valid"]
        return out["user_key"].to_bytes(self.aes_bits // 8, "little"), cycles

    def _until(self, port, inputs):
        for cycle in range(1, 1000):
            if self.dut.step(inputs)[port]:
                return cycle
        raise AssertionError(f"{port} never came")


@pytest.fixture(scope="module")
def benches():
    return {bits: KdfBench(bits) for bits in (128, 256)}


@pytest.mark.parametrize("aes_bits", [128, 256])
def test_keys_are_those_of_the_library_and_take_the_cycles_that_are_documented(benches, aes_bits):
    bench = benches[aes_bits]
    calls = aes_bits // 128
    assert bench.boot(bytes(range(32)), bytes(range(100, 116))) == bench.kdf.boot_cycles
    for name in NAMES:
        key, cycles = bench.derive(name, 0, 0)
        assert key == derive_key(bytes(range(32)), bytes(range(100, 116)), name, 0, 0, aes_bits)
        assert cycles == bench.kdf.cycles == 1 + 17 * calls


@pytest.mark.parametrize("aes_bits", [128, 256])
def test_random_roots_nonces_domains_and_generations(benches, aes_bits, seed):
    bench = benches[aes_bits]

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(root=st.binary(min_size=32, max_size=32), nonce=st.binary(min_size=16, max_size=16),
           wanted=st.lists(st.tuples(st.sampled_from(NAMES[:3]), st.integers(0, 4095),
                                     st.integers(0, 2**32 - 1)), min_size=1, max_size=6))
    def check(root, nonce, wanted):
        bench.boot(root, nonce)
        for name, domain, generation in wanted:
            assert bench.derive(name, domain, generation)[0] == derive_key(
                root, nonce, name, domain, generation, aes_bits)

    check()
    rng = random.Random(seed)
    root, nonce = rng.randbytes(32), rng.randbytes(16)
    bench.boot(root, nonce)
    for _ in range(100):
        name, domain, generation = rng.choice(NAMES[:3]), rng.randrange(4096), rng.getrandbits(32)
        assert bench.derive(name, domain, generation)[0] == derive_key(
            root, nonce, name, domain, generation, aes_bits)


def test_each_input_changes_the_key(benches):
    bench = benches[128]
    root, nonce = bytes(32), bytes(16)
    keys = set()
    for root_key, boot_nonce in (
            (root, nonce), (b"\1" + root[1:], nonce), (root, b"\1" + nonce[1:])):
        bench.boot(root_key, boot_nonce)
        keys |= {bench.derive(name, domain, generation)[0] for name in NAMES[:3]
                 for domain in (1, 2) for generation in (0, 1)}
    assert len(keys) == 3 * 3 * 2 * 2


def test_an_erased_kdf_holds_zeros_and_derives_again_from_a_new_root(benches):
    bench = benches[128]
    bench.boot(bytes(range(32)), bytes(16))
    bench.dut.step({"user_request_name": 1, "user_request_valid": 1}, 5)
    assert bench._until("user_idle", {"user_erase": 1}) <= 20
    assert not bench.dut.step({}, 200)["user_ready"]
    given = {"root_key": 7, "root_key_valid": 1, "nonce": 9, "nonce_valid": 1}
    assert bench.dut.step(given)["root_key_ready"]
    bench._until("user_ready", {})
    assert bench.derive("K1", 3, 4)[0] == derive_key(
        (7).to_bytes(32, "little"), (9).to_bytes(16, "little"), "K1", 3, 4, 128)


def cmac_vectors():
    """Key, message and MAC of NIST's CMAC-AES-256 examples whose message is whole blocks."""
    path = Path(cryptography_vectors.__file__).parent / "CMAC" / "nist-800-38b-aes256.txt"
    fields, cases = {}, []
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        fields[name.strip().lower()] = value.strip()
        if name.strip().lower() == "output":
            cases.append(fields)
            fields = {}
    return cases


class CipherBench:
    def __init__(self, key):
        self.dut = NativeComponent(RootCipher())
        assert self.dut.step({"root_key": int.from_bytes(key, "little"), "root_key_valid": 1})[
            "root_key_ready"]

    def __call__(self, block):
        given = {"i": int.from_bytes(block, "little"), "i_valid": 1}
        assert self.dut.step(given)["i_ready"]
        out = self.dut.step({"o_ready": 0}, RootCipher.LATENCY)
        assert out["o_valid"]
        assert self.dut.step({"o_ready": 1})["o"] == out["o"]
        return out["o"].to_bytes(16, "little")


def doubled(block):
    number = int.from_bytes(block, "big") << 1
    return ((number ^ 0x87 if number >> 128 else number) & (1 << 128) - 1).to_bytes(16, "big")


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def test_the_cipher_gives_the_cmac_examples_of_nist():
    cases = cmac_vectors()
    assert len(cases) == 4
    encrypt = CipherBench(bytes.fromhex(cases[0]["key"]))
    whole = doubled(encrypt(bytes(16)))
    for case in cases:
        assert case["key"] == cases[0]["key"]
        message = bytes.fromhex(case["message"])
        complete = bool(message) and len(message) % 16 == 0
        if not complete:
            message += b"\x80" + bytes(-(len(message) + 1) % 16)
        blocks = [message[at:at + 16] for at in range(0, len(message), 16)]
        blocks[-1] = xor(blocks[-1], whole if complete else doubled(whole))
        chain = bytes(16)
        for block in blocks:
            chain = encrypt(xor(chain, block))
        assert chain.hex() == case["output"]


def test_the_cipher_agrees_with_the_library(seed):
    rng = random.Random(seed)
    for _ in range(3):
        key = rng.randbytes(32)
        encrypt = CipherBench(key)
        for _ in range(50):
            block = rng.randbytes(16)
            assert encrypt(block) == AES.new(key, AES.MODE_ECB).encrypt(block)


def test_an_erased_kdf_holds_nothing_but_zeros_when_it_says_so():
    dut = Inspected(Kdf(aes_bits=128))
    given = {"root_key": 2**255 - 19, "root_key_valid": 1, "nonce": 2**127 - 1, "nonce_valid": 1}
    while not dut.step(given)["root_key_ready"]:
        pass
    while not dut.step({})["user_ready"]:
        pass
    rows = {name for name, _, value in dut.contents() if "[" in name and value}
    assert len(rows) == 4
    while not dut.step({"user_erase": 1})["user_idle"]:
        pass
    assert not [name for name, _, value in dut.contents() if value and (
        "[" in name or name in ("root", "subkey", "chain", "nonce", "key", "window", "state"))]
