"""What of an engine is secret, computed from the standards, and whether a simulation holds it."""

from hashlib import sha256

from casemate.aes import field
from casemate.config import LINE_BYTES
from casemate_sim.model.keys import (
    derive_domain_keys,
    derive_engine_key,
    kdf_context,
    kdf_label,
)
from Crypto.Cipher import AES
from Crypto.Util.strxor import strxor

ROOT, NONCE = sha256(b"root").digest(), sha256(b"nonce").digest()[:16]
WINDOW = 64
AES_BITS = 128
VERSIONS = range(4)


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
    keys = derive_domain_keys(ROOT, NONCE, domain, generation, AES_BITS)
    return {"K1": of_cipher(keys.K1), "K2": of_cipher(keys.K2), "K3": of_cipher(keys.K3),
            "hash of K3": of_hash(keys.K3)}


def of_engine():
    cipher = AES.new(ROOT, AES.MODE_ECB)
    key = derive_engine_key(ROOT, NONCE, AES_BITS)
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


# -- what is made of keys for one line -----------------------------------------------------------


def number(block):
    return int.from_bytes(block, "little")


def shifted(state, step):
    """ShiftRows, or with a step of -1 its inverse."""
    return bytes(state[4 * ((c + step * r) % 4) + r] for c in range(4) for r in range(4))


def mixed(block):
    """MixColumns: three times its inverse, which is of order 4."""
    for _ in range(3):
        block = unmixed(block)
    return block


def encryption(key, block):
    """Every state of an encryption: behind the first AddRoundKey, and behind each round."""
    sbox, keys = field.sbox(), expanded(key)
    states = [strxor(block, keys[0])]
    for last, round_key in zip([False] * (len(keys) - 2) + [True], keys[1:], strict=True):
        state = shifted(bytes(sbox[byte] for byte in states[-1]), 1)
        states.append(strxor(state if last else mixed(state), round_key))
    assert states[-1] == AES.new(key, AES.MODE_ECB).encrypt(block)
    return states


def decryption(key, block):
    """The same of a decryption (FIPS 197 section 5.3.5 has the same states)."""
    inverse, keys = field.inverse_sbox(), expanded(key)[::-1]
    states = [strxor(block, keys[0])]
    for last, round_key in zip([False] * (len(keys) - 2) + [True], keys[1:], strict=True):
        state = strxor(bytes(inverse[byte] for byte in shifted(states[-1], -1)), round_key)
        states.append(state if last else unmixed(state))
    assert states[-1] == AES.new(key, AES.MODE_ECB).decrypt(block)
    return states


def of_line(domain, line, data, stored):
    """What comes of the keys while a line is read or written.

    Parameters
    ----------
    data, stored:
        Its plaintext, and what lies in DRAM.
    """
    keys = derive_domain_keys(ROOT, NONCE, domain, 0, AES_BITS)
    tweaks, whitened, pads = [], [], []
    for version in VERSIONS:
        # Public blocks are half zeros: their first state would be a piece of a round key.
        rounds = encryption(keys.K2, (line | version << 64).to_bytes(16, "little"))[1:]
        tweaks += rounds
        tweak = number(rounds[-1])
        for at in range(0, LINE_BYTES, 16):
            tweak_bytes = tweak.to_bytes(16, "little")
            tweaks.append(tweak_bytes)
            before = strxor(data[at:at + 16], tweak_bytes)
            behind = strxor(stored[at:at + 16], tweak_bytes)
            whitened += [before, behind, *encryption(keys.K1, before),
                         *decryption(keys.K1, behind)]
            tweak <<= 1
            tweak = (tweak ^ 0x87 if tweak >> 128 else tweak) & (1 << 128) - 1
        iv = (1 << 92 | version << 40 | line).to_bytes(12)
        pads += encryption(keys.K3, iv + (1).to_bytes(4))[1:]
    subkey = polynomial(AES.new(keys.K3, AES.MODE_ECB).encrypt(bytes(16)))
    hashes, total = [], 0
    blocks = [stored[at:at + 16] for at in range(0, LINE_BYTES, 16)]
    for block in (*blocks, (8 * LINE_BYTES).to_bytes(8) + bytes(8)):
        total = multiply(total ^ polynomial(block), subkey)
    power, partial = subkey, 0
    powers = []
    for _ in range(len(blocks)):
        power = multiply(power, subkey)
        powers.insert(0, power)
    for block, power in zip(blocks, powers, strict=True):
        product = multiply(polynomial(block), power)
        partial ^= product
        hashes += [product, partial]
    hashes += [total, number(mirrored(total))]
    return {"tweaks": list(map(number, tweaks)), "whitened": list(map(number, whitened)),
            "pads": list(map(number, pads)), "hashes": hashes}


def mirrored(value):
    """A polynomial as a block."""
    return int(f"{value:0128b}"[::-1], 2).to_bytes(16)


# -- what is held ---------------------------------------------------------------------------------


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
