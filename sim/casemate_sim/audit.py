"""Audit of a dump: recompute what DRAM must hold and name the first line that does not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES, ConfigError, EngineConfig
from numpy.typing import NDArray

from casemate_sim.dump import DomainSecrets, DumpError, Expected, Secrets
from casemate_sim.model.engine import GoldenEngine

__all__ = ["AuditReport", "Mismatch", "audit"]

_CHUNK_LINES = 1 << 16


@dataclass(frozen=True)
class Mismatch:
    """The first line that does not hold what the golden model computes.

    Parameters
    ----------
    line, address, domain:
        Line number, byte address of the line in DRAM, and the domain that wrote it last.
    offset:
        First byte of the line that differs, 0 to 63.
    expected, actual:
        That byte by the model and in ``dram.bin``.
    """

    line: int
    address: int
    domain: int
    offset: int
    expected: int
    actual: int

    def __str__(self) -> str:
        return (f"line {self.line} at address {self.address:#x} of domain {self.domain}: byte "
                f"{self.offset} is {self.actual:#04x}, expected {self.expected:#04x}")


@dataclass(frozen=True)
class AuditReport:
    """Outcome of an audit.

    Parameters
    ----------
    lines:
        Lines checked: all of ``expected.npz``. In the modes ``plain`` and ``xts`` no other line of
        DRAM has a content that could be predicted.
    wrong_lines:
        Lines that do not agree.
    lines_by_mode:
        Lines checked in each mode.
    mismatch:
        The wrong line of the lowest number, None if all agree.
    """

    lines: int
    wrong_lines: int
    lines_by_mode: dict[str, int]
    mismatch: Mismatch | None

    @property
    def ok(self) -> bool:
        """Whether every line agrees."""
        return self.mismatch is None

    def __str__(self) -> str:
        modes = ", ".join(f"{count} {mode}" for mode, count in self.lines_by_mode.items())
        checked = f"{self.lines} lines checked" + (f" ({modes})" if modes else "")
        if self.mismatch is None:
            return f"{checked}: all agree"
        return f"{checked}: {self.wrong_lines} wrong, the first is {self.mismatch}"


def audit(directory: Path | str,
          progress: Callable[[int, int], None] | None = None) -> AuditReport:
    """Check a dump with the golden model.

    Parameters
    ----------
    directory:
        What :func:`casemate_sim.dump.write_dump` wrote.
    progress:
        Called with lines done and lines in total.

    Raises
    ------
    DumpError
        If a file is missing, malformed, or contradicts another; the message names it.
    """
    directory = Path(directory)
    config = _read_config(directory / "config.json")
    secrets = _read_secrets(directory / "secrets.json", config)
    expected = _read_expected(directory / "expected.npz", config, secrets)
    _read_root(directory / "root.bin", config)
    dram = _map_dram(directory / "dram.bin", config)

    order = np.argsort(expected.line, kind="stable")
    line, domain, data = expected.line[order], expected.domain[order], expected.data[order]
    engines = {number: _engine(config, secrets, number) for number in secrets.domains}
    wrong = 0
    mismatch = None
    for start in range(0, len(line), _CHUNK_LINES):
        chunk = slice(start, start + _CHUNK_LINES)
        predicted = np.empty_like(data[chunk])
        for number in np.unique(domain[chunk]):
            mine = domain[chunk] == number
            predicted[mine] = engines[int(number)].protect(
                int(number), line[chunk][mine], data[chunk][mine])
        stored = dram[line[chunk]]
        bad = np.flatnonzero((predicted != stored).any(axis=1))
        wrong += len(bad)
        if mismatch is None and len(bad):
            row = int(bad[0])
            offset = int(np.flatnonzero(predicted[row] != stored[row])[0])
            number = int(line[start + row])
            mismatch = Mismatch(
                line=number, address=config.data_base + LINE_BYTES * number,
                domain=int(domain[start + row]), offset=offset,
                expected=int(predicted[row, offset]), actual=int(stored[row, offset]))
        if progress is not None:
            progress(min(start + _CHUNK_LINES, len(line)), len(line))
    modes: dict[str, int] = {}
    for number, count in zip(*np.unique(domain, return_counts=True), strict=True):
        mode = "xts" if secrets.domains[int(number)].encrypt else "plain"
        modes[mode] = modes.get(mode, 0) + int(count)
    return AuditReport(len(line), wrong, modes, mismatch)


def _engine(config: EngineConfig, secrets: Secrets, domain: int) -> GoldenEngine:
    """Return a golden engine that holds one domain, in whatever slot it had in the hardware."""
    engine = GoldenEngine(config)
    mine = secrets.domains[domain]
    engine.set_slot(0, domain=domain, encrypt=mine.encrypt, authenticate=mine.authenticate)
    derived = secrets.as_dict(config.aes_bits)["domains"][str(domain)]  # pyright: ignore
    for name in ("K1", "K2", "K3"):
        engine.load_key(0, name, bytes.fromhex(derived[name]))
    return engine


# -- reading the files ---------------------------------------------------------------------------


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


def _read_config(path: Path) -> EngineConfig:
    content = _read_json(path)
    bases = _field(path, content, "node_bases", list)
    assert isinstance(bases, list)
    try:
        return EngineConfig(
            data_bytes=_integer(path, content, "data_bytes"),
            data_base=_integer(path, content, "data_base"),
            leaf_base=_integer(path, content, "leaf_base"), node_bases=tuple(bases),
            root_counters=_integer(path, content, "root_counters"),
            aes_bits=_integer(path, content, "aes_bits"), address_bits=64)
    except (ConfigError, TypeError) as error:
        raise DumpError(f"{path}: {error}") from None


def _read_secrets(path: Path, config: EngineConfig) -> Secrets:
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
        if domains[int(name)].authenticate:
            raise DumpError(f"{path}: domain {name} authenticates; this program audits the modes "
                            "plain and xts")
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


def _read_expected(path: Path, config: EngineConfig, secrets: Secrets) -> Expected:
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


def _read_root(path: Path, config: EngineConfig) -> NDArray[np.uint64]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DumpError(f"{path}: missing; the dump is not complete") from None
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) != 8 * config.root_counters:
        raise DumpError(f"{path}: {len(content)} bytes; {config.root_counters} root counters have "
                        f"{8 * config.root_counters}")
    return np.frombuffer(content, dtype="<u8")


def _map_dram(path: Path, config: EngineConfig) -> NDArray[np.uint8]:
    """Map the data window of ``dram.bin``: ``uint8``, shape (lines, 64)."""
    try:
        size = path.stat().st_size
        needed = config.data_base + config.data_bytes
        if size < needed:
            raise DumpError(f"{path}: {size} bytes; the data window ends at {needed}")
        return np.memmap(path, dtype=np.uint8, mode="r", offset=config.data_base,
                         shape=(config.lines, LINE_BYTES))
    except FileNotFoundError:
        raise DumpError(f"{path}: missing; the dump is not complete") from None
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror}") from error
