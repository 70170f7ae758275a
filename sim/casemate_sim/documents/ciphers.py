"""Latency and throughput of the ciphers, as the classes state them, and the vectors they pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from casemate.config import CipherConfig, ConfigError, SBox

from casemate_sim.exported import unused_hardware
from casemate_sim.vectors import nist_file, read_vectors

from .markdown import table

__all__ = ["authentication", "ciphers", "vectors"]


def _constructions() -> Iterator[tuple[str, CipherConfig]]:
    for pipelined, units, rounds, registers, sbox in itertools.product(
            (True, False), (1, 2, 3, 4, 5), (2, 1), (1, 2), SBox):
        try:
            config = CipherConfig(pipelined=pipelined, units=units, rounds_per_stage=rounds,
                                  registers_per_round=registers, sbox=sbox)
        except ConfigError:
            continue
        if pipelined:
            kind = "pipelined, " + ("a register for two rounds" if rounds == 2 else
                                    "a register a round" if registers == 1 else
                                    "two registers a round")
        elif units > 1:
            kind = f"ring of {units} units"
        else:
            kind = f"iterative, {('a round', 'two rounds')[rounds - 1]} a step"
        yield kind, config


def _aes(config: CipherConfig, bits: int) -> tuple[int, int]:
    from casemate.aes.cipher import Direction, create_cipher

    cipher = create_cipher(config, aes_bits=bits, direction=Direction.ENCRYPT, keys=1, tag=0)
    return cipher.latency, cipher.interval


def ciphers() -> str:
    """Return latency and interval of each construction; equal ones share a row."""
    rows: dict[tuple, list[str]] = {}
    with unused_hardware():
        for kind, config in _constructions():
            key = (kind, *_aes(config, 128), *_aes(config, 256))
            rows.setdefault(key, []).append(f"`{config.sbox}`")
    return table(
        ("construction", "S-box", "AES-128: latency", "cycles per block", "AES-256: latency",
         "cycles per block"),
        ((key[0], ", ".join(sboxes), *key[1:]) for key, sboxes in rows.items()))


def authentication() -> str:
    """Return latency and throughput of GMAC for each width of the data path, AES-128."""
    from casemate.modes.gmac import Gmac

    cipher = CipherConfig()
    rows = []
    with unused_hardware():
        for lanes, stages in itertools.product((1, 2, 4), (0, 1, 2, 3)):
            unit = Gmac(cipher, aes_bits=128, lanes=lanes, keys=1, entries=2, stages=stages, tag=0)
            rows.append((f"{16 * lanes} bytes", stages or "digit by digit", unit.interval,
                         unit.latency, unit.pad_latency, unit.load_cycles))
    return table(
        ("row", "registers in the multiplier", "cycles per line", "from the last row to the MAC",
         "from the request to the MAC, rows first", "from a key's last round key to its use"), rows)


def vectors() -> str:
    """Return how many vectors each NIST file holds, and how many of them apply."""
    rows = []
    for bits in (128, 256):
        for kind in ("GFSbox", "KeySbox", "VarKey", "VarTxt", "MMT"):
            count = len(read_vectors(nist_file(f"ECB/ECB{kind}{bits}.rsp")))
            rows.append((f"ECB{kind}{bits}", count, count, ""))
        for folder in ("tweak-128hexstr", "tweak-dataunitseqno"):
            found = read_vectors(nist_file(f"XTS/{folder}/XTSGenAES{bits}.rsp"))
            whole = sum(int(vector.values["DataUnitLen"]) % 128 == 0 for vector in found)
            rows.append((f"XTSGenAES{bits}, {folder}", len(found), whole,
                         "ciphertext stealing: a line has whole blocks only"))
        for name in ("gcmEncryptExtIV", "gcmDecrypt"):
            found = read_vectors(nist_file(f"GCM/{name}{bits}.rsp"))
            empty = sum(vector.section["PTlen"] == "0" for vector in found)
            rows.append((f"{name}{bits}", len(found), empty, "plaintext: GMAC has none"))
    totals = (sum(row[1] for row in rows), sum(row[2] for row in rows))
    rows.append(("all", *totals, ""))
    return table(("file", "vectors", "run through the RTL", "why not the others"), rows)
