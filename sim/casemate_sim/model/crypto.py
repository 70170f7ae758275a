"""AES and the modes that the engine uses, on top of pycryptodome.

FIPS 197 (AES), IEEE 1619-2018 (XTS-AES), SP 800-38D (GMAC), SP 800-38B (CMAC). pycryptodome has no
XTS: it is built here from AES-ECB, for many data units in one call.

Bytes stand in the order in which the standards print them: byte 0 first.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from Crypto.Cipher import AES
from Crypto.Hash import CMAC
from numpy.typing import NDArray

__all__ = ["BLOCK_BYTES", "cmac", "ecb_decrypt", "ecb_encrypt", "gmac", "gmac_many",
           "xts_decrypt", "xts_encrypt"]

BLOCK_BYTES = 16
"""Bytes of an AES block."""

_POLYNOMIAL = np.uint64(0x87)  # x^7 + x^2 + x + 1, IEEE 1619-2018, 5.2

Bytes = NDArray[np.uint8]


def ecb_encrypt(key: bytes, blocks: bytes) -> bytes:
    """Encrypt whole blocks, each on its own (SP 800-38A, 6.1)."""
    return AES.new(key, AES.MODE_ECB).encrypt(blocks)


def ecb_decrypt(key: bytes, blocks: bytes) -> bytes:
    """Decrypt whole blocks, each on its own (SP 800-38A, 6.1)."""
    return AES.new(key, AES.MODE_ECB).decrypt(blocks)


def xts_encrypt(data_key: bytes, tweak_key: bytes, tweaks: Bytes, units: Bytes) -> Bytes:
    """Encrypt data units of whole blocks with XTS-AES (IEEE 1619-2018, 5.3.2).

    Parameters
    ----------
    data_key, tweak_key:
        16 or 32 bytes each: the standard's Key1 and Key2.
    tweaks:
        The data units' 16-byte tweaks, ``uint8``, shape (N, 16).
    units:
        Plaintext, ``uint8``, shape (N, 16 * B), B at least 1.

    Returns
    -------
    numpy.ndarray
        Ciphertext, ``uint8``, shape (N, 16 * B).

    Raises
    ------
    ValueError
        If the shapes do not agree or a unit is not made of whole blocks.
    """
    masks = _masks(tweak_key, tweaks, units)
    return _over_blocks(ecb_encrypt, data_key, units ^ masks) ^ masks


def xts_decrypt(data_key: bytes, tweak_key: bytes, tweaks: Bytes, units: Bytes) -> Bytes:
    """Decrypt data units of whole blocks with XTS-AES (IEEE 1619-2018, 5.4.2).

    Parameters, result and errors are those of :func:`xts_encrypt`.
    """
    masks = _masks(tweak_key, tweaks, units)
    return _over_blocks(ecb_decrypt, data_key, units ^ masks) ^ masks


def _over_blocks(cipher: object, key: bytes, blocks: Bytes) -> Bytes:
    result = cipher(key, blocks.tobytes())  # pyright: ignore[reportCallIssue]
    return np.frombuffer(result, dtype=np.uint8).reshape(blocks.shape)


def _masks(tweak_key: bytes, tweaks: Bytes, units: Bytes) -> Bytes:
    """``E_K2(tweak) * alpha**j`` for each block j of each unit, shaped as `units`."""
    if tweaks.shape != (len(units), BLOCK_BYTES) or tweaks.dtype != np.uint8:
        raise ValueError(f"{tweaks.dtype} tweaks of shape {tweaks.shape} do not fit "
                         f"{len(units)} data units")
    if units.ndim != 2 or units.dtype != np.uint8 or units.shape[1] == 0 \
            or units.shape[1] % BLOCK_BYTES:
        raise ValueError(f"{units.dtype} units of shape {units.shape} are not whole blocks")
    blocks = units.shape[1] // BLOCK_BYTES
    masks = np.empty((len(units), blocks, 2), dtype="<u8")
    current = _over_blocks(ecb_encrypt, tweak_key, tweaks).view("<u8")
    low, high = current[:, 0], current[:, 1]
    for block in range(blocks):
        masks[:, block, 0], masks[:, block, 1] = low, high
        # Multiply by alpha: shift left by one bit, fold the bit that leaves (5.2).
        carry = high >> np.uint64(63)
        high = (high << np.uint64(1)) | (low >> np.uint64(63))
        low = (low << np.uint64(1)) ^ (carry * _POLYNOMIAL)
    return masks.view(np.uint8).reshape(units.shape)


def gmac(key: bytes, iv: bytes, message: bytes) -> bytes:
    """Authenticate `message` with AES-GMAC: GCM with empty plaintext (SP 800-38D, 3).

    Returns the full 16-byte tag; a truncated tag is its first bytes.
    """
    mac = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=BLOCK_BYTES)
    mac.update(message)
    return mac.digest()


def gmac_many(key: bytes, ivs: Bytes, messages: Bytes) -> Bytes:
    """Authenticate many messages of one length, as :func:`gmac` does each.

    Parameters
    ----------
    key:
        16 or 32 bytes.
    ivs:
        ``uint8``, shape (N, 12).
    messages:
        ``uint8``, shape (N, M).

    Returns
    -------
    numpy.ndarray
        The tags, ``uint8``, shape (N, 16).
    """
    count, length = messages.shape
    tables, constant = _ghash_tables(key, length)
    hashes = np.empty((count, 2), dtype=np.uint64)
    hashes[:] = constant
    for column, table in zip(messages.T, tables, strict=True):
        hashes ^= table[column]
    counters = np.zeros((count, BLOCK_BYTES), dtype=np.uint8)
    counters[:, :12] = ivs
    counters[:, -1] = 1  # SP 800-38D, 7.1, step 2: J0
    return _over_blocks(ecb_encrypt, key, counters) ^ hashes.view(np.uint8)


_REDUCTION = 0xE1 << 120  # x^128 = x^7 + x^2 + x + 1, with x^0 at the top (SP 800-38D, 6.3)


def _times_x(value: int) -> int:
    return value >> 1 ^ (_REDUCTION if value & 1 else 0)


def _multiply(left: int, right: int) -> int:
    """Multiply in GF(2^128) as GCM does (SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = _times_x(right)
    return product


@lru_cache(maxsize=64)
def _ghash_tables(key: bytes, length: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return what each byte of a message adds to its GHASH, and what its length adds.

    GHASH is linear in the message: byte i of block j of m counts with H^(m + 1 - j), whatever the
    other bytes are. The first result has shape (length, 256, 2), the second (2,).
    """
    subkey = int.from_bytes(ecb_encrypt(key, bytes(BLOCK_BYTES)), "big")
    power = subkey
    constant = _multiply(8 * length << 64, power)
    steps = np.empty((length, 8, BLOCK_BYTES), dtype=np.uint8)
    for start in range((length - 1) // BLOCK_BYTES * BLOCK_BYTES, -1, -BLOCK_BYTES):
        power = multiple = _multiply(power, subkey)
        for place in range(start, start + BLOCK_BYTES):
            for bit in range(8):
                if place < length:
                    steps[place, bit] = np.frombuffer(multiple.to_bytes(BLOCK_BYTES, "big"),
                                                      dtype=np.uint8)
                multiple = _times_x(multiple)
    tables = np.zeros((length, 256, BLOCK_BYTES), dtype=np.uint8)
    for bit in range(8):
        chosen = np.arange(256) & 0x80 >> bit != 0
        tables[:, chosen] ^= steps[:, bit, None]
    return (tables.view(np.uint64),
            np.frombuffer(constant.to_bytes(BLOCK_BYTES, "big"), dtype=np.uint64))


def cmac(key: bytes, message: bytes) -> bytes:
    """Authenticate `message` with AES-CMAC (SP 800-38B); 16 bytes."""
    return CMAC.new(key, msg=message, ciphermod=AES).digest()
