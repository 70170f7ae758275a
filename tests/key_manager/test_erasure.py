"""After an erasure no register, no wire and no RAM of the engine holds a piece of a key."""

from hashlib import sha256

import pytest
from casemate.aes import field
from casemate.alert.layouts import Policy
from casemate.config import LINE_BYTES, CipherConfig, TreeConfig
from casemate.top import Casemate
from casemate_sim.model.keys import (
    derive_domain_keys,
    derive_engine_key,
    kdf_context,
    kdf_label,
)
from Crypto.Cipher import AES
from engine_bench import CONFIG, OKAY, EngineBench
from inspected import Inspected

ROOT, NONCE = sha256(b"root").digest(), sha256(b"nonce").digest()[:16]
WINDOW = 64
RING = CipherConfig(pipelined=False, units=3)
CONFIGS = {
    "iterative": CONFIG.replace(
        root_counters=8, read_entries=2, write_entries=2, write_bursts=2,
        tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1,
                        pad_cipher=CipherConfig(pipelined=False))),
}
CONFIGS["pipelined"] = CONFIGS["iterative"].replace(
    data_cipher=CipherConfig(rounds_per_stage=2), tweak_cipher=RING,
    tree=TreeConfig(cache_sets=1, cache_ways=2, walks=1, write_backs=1,
                    pad_cipher=CipherConfig(rounds_per_stage=2)))


# -- what is secret ------------------------------------------------------------------------------


def expanded(key):
    """Round keys of a key (FIPS 197 section 5.2)."""
    sbox, words = field.sbox(), [key[at:at + 4] for at in range(0, len(key), 4)]
    size, rounds = len(words), len(words) + 6
    constant = 1
    while len(words) < 4 * (rounds + 1):
        word = words[-1]
        if len(words) % size == 0:
            word = bytes(sbox[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
        elif size > 6 and len(words) % size == 4:
            word = bytes(sbox[byte] for byte in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[-size], strict=True)))
    return [b"".join(words[at:at + 4]) for at in range(0, len(words), 4)]


def times(a, b):
    """Product in GF(2^8)."""
    total = 0
    while b:
        total ^= a if b & 1 else 0
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return total


def unmixed(block):
    """InvMixColumns: as a decrypting cipher keeps its inner round keys."""
    return bytes(
        times(block[c + r], 14) ^ times(block[c + (r + 1) % 4], 11)
        ^ times(block[c + (r + 2) % 4], 13) ^ times(block[c + (r + 3) % 4], 9)
        for c in range(0, 16, 4) for r in range(4))


def polynomial(block):
    """A block as GHASH sees it: bit k is the coefficient of x^k."""
    return int(f"{int.from_bytes(block, 'big'):0128b}"[::-1], 2)


def multiply(a, b):
    total = 0
    while b:
        total ^= a if b & 1 else 0
        a = a << 1
        a = a ^ (1 << 128 | 0x87) if a >> 128 else a
        b >>= 1
    return total


def of_cipher(key):
    """What an AES core keeps of a key."""
    keys = expanded(key)
    return [int.from_bytes(each, "little") for each in [*keys, *map(unmixed, keys[1:-1])]]


def of_hash(key):
    """What GHASH keeps of a key."""
    subkey = AES.new(key, AES.MODE_ECB).encrypt(bytes(16))
    powers = [polynomial(subkey)]
    for _ in range(4):
        powers.append(multiply(powers[-1], powers[0]))
    ends = [multiply(polynomial((8 * size).to_bytes(8) + bytes(8)), powers[0])
            for size in (64, 56)]
    return [int.from_bytes(subkey, "little"), *powers, *ends]


def of_domain(domain, generation=0):
    keys = derive_domain_keys(ROOT, NONCE, domain, generation, CONFIG.aes_bits)
    return {"K1": of_cipher(keys.K1), "K2": of_cipher(keys.K2), "K3": of_cipher(keys.K3),
            "hash of K3": of_hash(keys.K3)}


def of_engine():
    cipher = AES.new(ROOT, AES.MODE_ECB)
    key = derive_engine_key(ROOT, NONCE, CONFIG.aes_bits)
    zero = cipher.encrypt(bytes(16))
    doubled = int.from_bytes(zero, "big") << 1
    doubled = (doubled ^ 0x87 if doubled >> 128 else doubled) & (1 << 128) - 1
    firsts, prefixes = [], []
    for name in ("K1", "K2", "K3", "K4"):
        firsts.append(cipher.encrypt((1).to_bytes(4) + kdf_label(name) + b"\0"))
        nonce = kdf_context(NONCE, 0, 0)[:16]
        prefixes.append(cipher.encrypt(bytes(
            a ^ b for a, b in zip(firsts[-1], nonce, strict=True))))
    return {
        "root key": [int.from_bytes(each, "little") for each in expanded(ROOT)],
        "subkey of CMAC": [int.from_bytes(zero, "little"),
                           int.from_bytes(doubled.to_bytes(16), "little")],
        "first blocks": [int.from_bytes(each, "little") for each in firsts],
        "prefixes": [int.from_bytes(each, "little") for each in prefixes],
        "K4": of_cipher(key), "hash of K4": of_hash(key),
    }


def windows(secrets):
    """Every 64 bits of a secret that begin at a byte, and what they are of."""
    found = {}
    for name, values in secrets.items():
        for value in values:
            for shift in range(0, 128 - WINDOW + 1, 8):
                found[value >> shift & (1 << WINDOW) - 1] = name
    found.pop(0, None)
    return found


def held(sim, secrets):
    """Which secrets there is a piece of, and where."""
    wanted, places = windows(secrets), {}
    for where, width, value in sim.contents():
        for shift in range(width - WINDOW + 1):
            name = wanted.get(value >> shift & (1 << WINDOW) - 1)
            if name is not None:
                places.setdefault(name, set()).add(where)
    return places


# -- the tests -----------------------------------------------------------------------------------


@pytest.fixture(params=[pytest.param(each, marks=pytest.mark.verify)
                        for each in ("iterative", "pipelined")])
def bench(request):
    config = CONFIGS[request.param]
    return EngineBench(config, Inspected(Casemate(config)))


def used(bench):
    """An engine with two domains that have written and read."""
    engine = bench.boot(ROOT, NONCE)
    engine.wait_for_boot()
    engine.set_policy(Policy.REPORT_ONLY)
    for domain in (5, 6):
        engine.create(domain)
        data = bytes([domain]) * LINE_BYTES
        assert bench.done(bench.write(domain, 8 * domain, data))[0] == OKAY
        assert bench.done(bench.read(domain, 8 * domain)) == (OKAY, data)
    return engine


def test_no_key_is_left(bench):
    engine = used(bench)
    first, second, own = of_domain(5), of_domain(6), of_engine()
    assert set(held(bench.sim, first)) == set(first)
    assert set(held(bench.sim, second)) == set(second)
    # The first blocks are needed while booting only.
    assert set(held(bench.sim, own)) == set(own) - {"first blocks"}

    engine.destroy(5)
    assert not held(bench.sim, first)
    assert set(held(bench.sim, second)) == set(second)
    assert bench.done(bench.read(6, 48)) == (OKAY, bytes([6]) * LINE_BYTES)
    assert not held(bench.sim, first)
    assert not held(bench.sim, of_domain(5, 1))

    bench.step({"tamper": 1})
    for _ in range(200):
        bench.step()
    assert not held(bench.sim, first | second | own)
    number = bench.read(6, 48)
    assert bench.done(number)[1] == bytes(LINE_BYTES)
    assert not held(bench.sim, first | second | own)


@pytest.mark.verify
def test_a_locked_engine_has_no_key_left():
    config = CONFIGS["iterative"]
    bench = EngineBench(config, Inspected(Casemate(config)))
    engine = used(bench)
    engine.set_policy(Policy.LOCK_ENGINE)
    bench.memory[40 * LINE_BYTES] = bytes(LINE_BYTES)
    assert bench.done(bench.read(5, 40))[1] == bytes(LINE_BYTES)
    for _ in range(200):
        bench.step()
    assert not held(bench.sim, of_domain(5) | of_domain(6) | of_engine())
