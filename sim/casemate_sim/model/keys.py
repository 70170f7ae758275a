"""Derivation of every key from the fused root key (SP 800-108r1, counter mode, CMAC-AES-256).

``Label = b"CASEMATE.K1"`` (``.K2``, ``.K3``, ``.K4``); ``Context = boot_nonce || domain (2 bytes,
big-endian) || generation (4 bytes, big-endian) || 6 zero bytes``; the counter and the length are 32
bits, big-endian. One PRF call takes 48 bytes: three AES blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from casemate.config import DOMAIN_BITS
from Crypto.Protocol.KDF import SP800_108_Counter

from casemate_sim.model.crypto import cmac

__all__ = ["BOOT_NONCE_BYTES", "KEY_NAMES", "ROOT_KEY_BYTES", "DomainKeys", "derive_domain_keys",
           "derive_engine_key", "derive_key", "kdf_context", "kdf_label"]

KEY_NAMES = ("K1", "K2", "K3", "K4")
"""K1 encrypts data, K2 tweaks; K3 authenticates lines; K4, the engine's, leaves and nodes."""

ROOT_KEY_BYTES = 32
BOOT_NONCE_BYTES = 16


def kdf_label(name: str) -> bytes:
    """Return the KDF's Label for the key called `name`, 11 bytes."""
    if name not in KEY_NAMES:
        raise ValueError(f"no key is called {name!r}; there are {', '.join(KEY_NAMES)}")
    return b"CASEMATE." + name.encode()


def kdf_context(boot_nonce: bytes, domain: int, generation: int) -> bytes:
    """Return the KDF's Context, 28 bytes."""
    if len(boot_nonce) != BOOT_NONCE_BYTES:
        raise ValueError(f"a boot nonce has {BOOT_NONCE_BYTES} bytes, not {len(boot_nonce)}")
    if not 0 <= domain < 1 << DOMAIN_BITS:
        raise ValueError(f"domain {domain} does not fit {DOMAIN_BITS} bits")
    if not 0 <= generation < 1 << 32:
        raise ValueError(f"generation {generation} does not fit 32 bits")
    return boot_nonce + domain.to_bytes(2, "big") + generation.to_bytes(4, "big") + bytes(6)


def derive_key(root_key: bytes, boot_nonce: bytes, name: str, domain: int, generation: int,
               aes_bits: int) -> bytes:
    """Derive one key.

    Parameters
    ----------
    root_key:
        32 bytes from the fuses.
    boot_nonce:
        16 bytes, fresh at every reset.
    name:
        One of ``KEY_NAMES``; ``K4`` belongs to the engine: domain 0, generation 0.
    domain:
        12-bit domain ID.
    generation:
        How often the ID was re-keyed since reset, 32 bits.
    aes_bits:
        Size of the key: 128 or 256 bits.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.
    """
    if len(root_key) != ROOT_KEY_BYTES:
        raise ValueError(f"a root key has {ROOT_KEY_BYTES} bytes, not {len(root_key)}")
    if aes_bits not in (128, 256):
        raise ValueError(f"aes_bits = {aes_bits} is not possible: 128 or 256")
    if name == "K4" and (domain, generation) != (0, 0):
        raise ValueError("K4 is the engine's key: it has domain 0 and generation 0")
    return cast(bytes, SP800_108_Counter(
        root_key, aes_bits // 8, lambda key, message: cmac(key, message),
        label=kdf_label(name), context=kdf_context(boot_nonce, domain, generation)))


@dataclass(frozen=True)
class DomainKeys:
    """The keys of one domain: K1 and K2 encrypt, K3 authenticates."""

    K1: bytes
    K2: bytes
    K3: bytes


def derive_domain_keys(root_key: bytes, boot_nonce: bytes, domain: int, generation: int,
                       aes_bits: int) -> DomainKeys:
    """Derive the three keys of a domain; arguments and errors are those of :func:`derive_key`."""
    return DomainKeys(*(derive_key(root_key, boot_nonce, name, domain, generation, aes_bits)
                        for name in ("K1", "K2", "K3")))


def derive_engine_key(root_key: bytes, boot_nonce: bytes, aes_bits: int) -> bytes:
    """Derive K4, the key of leaves and nodes."""
    return derive_key(root_key, boot_nonce, "K4", 0, 0, aes_bits)
