"""Reads the files of a dump; what is missing, malformed or contradicts another is named."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES, ConfigError, EngineConfig, LeafShape
from numpy.typing import NDArray

from casemate_sim.dump import DomainSecrets, DumpError, Expected, Secrets
from casemate_sim.model.formats import COUNTER_BITS

__all__ = ["DramFile", "read_config", "read_expected", "read_root", "read_secrets"]


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DumpError(f"{path}: missing; the dump is not complete") from None
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DumpError(f"{path}: no JSON: {error}") from None
    if not isinstance(content, dict):
        raise DumpError(f"{path}: no JSON object")
    return content


def _field(path: Path, content: dict[str, object], name: str, kind: type) -> object:
    value = content.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DumpError(f"{path}: {name} = {value!r} is no {kind.__name__}")
    return value


def _integer(path: Path, content: dict[str, object], name: str) -> int:
    value = _field(path, content, name, int)
    assert isinstance(value, int)
    return value


def _hex(path: Path, content: dict[str, object], name: str, size: int) -> bytes:
    text = _field(path, content, name, str)
    try:
        value = bytes.fromhex(str(text))
    except ValueError:
        raise DumpError(f"{path}: {name} is no hexadecimal text") from None
    if len(value) != size:
        raise DumpError(f"{path}: {name} has {len(value)} bytes, not {size}")
    return value


def read_config(path: Path) -> EngineConfig:
    """Return the engine's configuration."""
    content = _read_json(path)
    bases = _field(path, content, "node_bases", list)
    assert isinstance(bases, list)
    try:
        return EngineConfig(
            data_bytes=_integer(path, content, "data_bytes"),
            data_base=_integer(path, content, "data_base"),
            leaf_base=_integer(path, content, "leaf_base"), node_bases=tuple(bases),
            root_counters=_integer(path, content, "root_counters"),
            leaf=LeafShape(**_field(path, content, "leaf", dict)  # pyright: ignore
                           if "leaf" in content else {}),
            aes_bits=_integer(path, content, "aes_bits"), address_bits=64)
    except (ConfigError, TypeError) as error:
        raise DumpError(f"{path}: {error}") from None


def read_secrets(path: Path, config: EngineConfig) -> Secrets:
    """Return keys and modes; every key must be the one that is derived."""
    content = _read_json(path)
    listed = _field(path, content, "domains", dict)
    assert isinstance(listed, dict)
    domains: dict[int, DomainSecrets] = {}
    for name, entry in listed.items():
        if not (name.isdecimal() and int(name) < 1 << 12 and isinstance(entry, dict)):
            raise DumpError(f"{path}: domain {name!r} is no domain ID with an object")
        domains[int(name)] = DomainSecrets(
            generation=_integer(path, entry, "generation"),
            encrypt=bool(_field(path, entry, "encrypt", bool)),
            authenticate=bool(_field(path, entry, "authenticate", bool)))
        if domains[int(name)].authenticate and int(name) == 0:
            raise DumpError(f"{path}: domain 0 authenticates, but owner 0 is nobody")
    secrets = Secrets(root_key=_hex(path, content, "root_key", 32),
                      boot_nonce=_hex(path, content, "boot_nonce", 16), domains=domains)
    try:
        derived = secrets.as_dict(config.aes_bits)
    except ValueError as error:
        raise DumpError(f"{path}: {error}") from None
    size = config.aes_bits // 8
    if _hex(path, content, "K4", size).hex() != derived["K4"]:
        raise DumpError(f"{path}: K4 is not the key that root_key and boot_nonce derive")
    for name, entry in listed.items():
        for key in ("K1", "K2", "K3"):
            right = derived["domains"][str(int(name))][key]  # pyright: ignore
            if _hex(path, entry, key, size).hex() != right:
                raise DumpError(f"{path}: {key} of domain {name} is not the key that root_key and "
                                "boot_nonce derive")
    return secrets


def read_expected(path: Path, config: EngineConfig, secrets: Secrets) -> Expected:
    """Return what the host last wrote."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            line, domain, data = arrays["line"], arrays["domain"], arrays["data"]
    except FileNotFoundError:
        raise DumpError(f"{path}: missing; the dump is not complete") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DumpError(f"{path}: no archive of line, domain and data: {error}") from None
    for name, array, kind, shape in (
            ("line", line, np.uint64, (len(line),)), ("domain", domain, np.uint16, (len(line),)),
            ("data", data, np.uint8, (len(line), LINE_BYTES))):
        if array.dtype != kind or array.shape != shape:
            raise DumpError(f"{path}: {name} is {array.dtype} of shape {array.shape}, not "
                            f"{np.dtype(kind)} of shape {shape}")
    outside = line[line >= config.lines]
    if len(outside):
        raise DumpError(f"{path}: line {outside[0]} lies outside the data window")
    values, counts = np.unique(line, return_counts=True)
    if (counts > 1).any():
        raise DumpError(f"{path}: line {values[counts > 1][0]} occurs more than once")
    unknown = sorted(set(np.unique(domain).tolist()) - set(secrets.domains))
    if unknown:
        raise DumpError(f"{path}: domain {unknown[0]} is not in secrets.json")
    return Expected(line, domain, data)


def read_root(path: Path, config: EngineConfig) -> NDArray[np.uint64]:
    """Return the root counters."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DumpError(f"{path}: missing; the dump is not complete") from None
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) != 8 * config.root_counters:
        raise DumpError(f"{path}: {len(content)} bytes; {config.root_counters} root counters have "
                        f"{8 * config.root_counters}")
    counters = np.frombuffer(content, dtype="<u8").astype(np.uint64)
    stored = config.regions[-1].size // LINE_BYTES
    for index in np.flatnonzero(counters).tolist():
        if index >= stored or int(counters[index]) >> COUNTER_BITS:
            what = (f"is not zero, and there are {stored} nodes below the root"
                    if index >= stored else f"does not fit {COUNTER_BITS} bits")
            raise DumpError(f"{path}: root counter {index} {what}")
    return counters


class DramFile:
    """``dram.bin``, of which only what is asked for is read.

    Parameters
    ----------
    path:
        The file.
    config:
        Says how long it must be.
    tree:
        Whether leaves and nodes must be in it, beside the data.

    Raises
    ------
    DumpError
        If it is missing or too short.
    """

    def __init__(self, path: Path, config: EngineConfig, *, tree: bool) -> None:
        try:
            size = path.stat().st_size
            for region in config.regions if tree else config.regions[:1]:
                if size < region.end:
                    what = "the data window ends" if region.name == "data" else (
                        f"the {region.name} end")
                    raise DumpError(f"{path}: {size} bytes; {what} at {region.end}")
            self._lines = np.memmap(path, dtype=np.uint8, mode="r",
                                    shape=(size // LINE_BYTES, LINE_BYTES))
        except FileNotFoundError:
            raise DumpError(f"{path}: missing; the dump is not complete") from None
        except OSError as error:
            raise DumpError(f"{path}: cannot be read: {error.strerror}") from error

    def read_lines(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return whole lines: byte addresses (N,) to ``uint8`` (N, 64)."""
        return self._lines[addresses // np.uint64(LINE_BYTES)]
