"""The golden engine: domains, modes, and the bytes that they leave in DRAM."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from casemate.config import DOMAIN_BITS, LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.model.crypto import xts_decrypt, xts_encrypt
from casemate_sim.model.image import Image
from casemate_sim.model.keys import KEY_NAMES

__all__ = ["AccessError", "GoldenEngine", "ModelError", "xts_tweaks"]


class ModelError(ValueError):
    """The model was used in a way that it does not cover; the message says how."""


class AccessError(Exception):
    """What a host sees as SLVERR with zero data; nothing in DRAM has changed.

    Parameters
    ----------
    reason:
        One sentence without address.
    address, domain:
        Of the access.
    """

    def __init__(self, reason: str, *, address: int, domain: int) -> None:
        super().__init__(f"address {address:#x}, domain {domain}: {reason}")
        self.reason = reason
        self.address = address
        self.domain = domain


def xts_tweaks(lines: NDArray[np.uint64],
               versions: NDArray[np.uint64] | None = None) -> NDArray[np.uint8]:
    """Return the 16-byte tweaks ``line | version << 64``, little-endian: ``uint8``, (N, 16).

    Parameters
    ----------
    lines:
        Line numbers, shape (N,).
    versions:
        Versions, shape (N,); 0 for all if None, as for domains that do not authenticate.
    """
    tweaks = np.zeros((len(lines), 2), dtype="<u8")
    tweaks[:, 0] = lines
    if versions is not None:
        tweaks[:, 1] = versions
    return tweaks.view(np.uint8)


@dataclass
class _Slot:
    valid: bool = False
    domain: int = 0
    encrypt: bool = False
    authenticate: bool = False
    keys: dict[str, bytes] = field(default_factory=dict)


class GoldenEngine:
    """Model of the whole engine, without time.

    Modes ``plain`` and ``xts``. Addresses are those of the host's bus, which DRAM shares.

    Parameters
    ----------
    config:
        The engine's configuration.
    image:
        Content of DRAM, changed in place; empty by default.
    """

    def __init__(self, config: EngineConfig, image: Image | None = None) -> None:
        self.config = config
        self.image = Image() if image is None else image
        self._slots = [_Slot() for _ in range(config.domain_slots)]

    # -- domains -----------------------------------------------------------------------------

    def load_key(self, slot: int, name: str, key: bytes) -> None:
        """Put `key` into a slot, as the key port does.

        Raises
        ------
        ModelError
            If there is no such slot or key name, or the key is not of the configured size.
        """
        self._require_slot(slot)
        if name not in KEY_NAMES:
            raise ModelError(f"no key is called {name!r}; there are {', '.join(KEY_NAMES)}")
        if 8 * len(key) != self.config.aes_bits:
            raise ModelError(f"a key of {8 * len(key)} bits; the engine's have "
                             f"{self.config.aes_bits}")
        self._slots[slot].keys[name] = bytes(key)

    def set_slot(self, slot: int, *, valid: bool = True, domain: int = 0, encrypt: bool = False,
                 authenticate: bool = False) -> None:
        """Say which domain a slot serves and in which mode, as the slot port does.

        Raises
        ------
        ModelError
            If there is no such slot, the domain does not fit 12 bits or has another slot already,
            or `authenticate` is asked for.
        """
        self._require_slot(slot)
        if not 0 <= domain < 1 << DOMAIN_BITS:
            raise ModelError(f"domain {domain} does not fit {DOMAIN_BITS} bits")
        if valid and authenticate:
            raise ModelError("this model has the modes plain and xts; authenticate must be off")
        for number, other in enumerate(self._slots):
            if valid and number != slot and other.valid and other.domain == domain:
                raise ModelError(f"domain {domain} is in slot {number} already")
        entry = self._slots[slot]
        entry.valid, entry.domain = valid, domain
        entry.encrypt, entry.authenticate = encrypt, authenticate

    def _require_slot(self, slot: int) -> None:
        if not 0 <= slot < len(self._slots):
            raise ModelError(f"no slot {slot}; the engine has {len(self._slots)}")

    def _slot_of(self, domain: int, address: int) -> _Slot:
        for slot in self._slots:
            if slot.valid and slot.domain == domain:
                return slot
        raise AccessError("no slot holds the domain", address=address, domain=domain)

    def _check(self, domain: int, address: int, length: int) -> _Slot:
        """Decide whether an access is allowed before anything of it happens."""
        window = self.config.regions[0]
        if not (window.base <= address and address + length <= window.end):
            raise AccessError("outside the data window", address=address, domain=domain)
        return self._slot_of(domain, address)

    # -- whole lines -------------------------------------------------------------------------

    def _addresses(self, lines: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return np.uint64(self.config.data_base) + lines * np.uint64(LINE_BYTES)

    def _check_lines(self, domain: int, lines: NDArray[np.uint64]) -> _Slot:
        outside = np.flatnonzero(lines >= self.config.lines)
        if len(outside):
            raise AccessError(f"line {lines[outside[0]]} lies outside the data window",
                              address=self.config.data_base, domain=domain)
        return self._slot_of(domain, self.config.data_base)

    def _keys(self, slot: _Slot) -> tuple[bytes, bytes]:
        missing = [name for name in ("K1", "K2") if name not in slot.keys]
        if missing:
            raise ModelError(f"domain {slot.domain} encrypts and has no {' and '.join(missing)}")
        return slot.keys["K1"], slot.keys["K2"]

    def protect(self, domain: int, lines: NDArray[np.uint64],
                data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what DRAM holds when `domain` has written `data` to `lines`; changes nothing.

        Parameters
        ----------
        domain:
            Domain ID.
        lines:
            Line numbers, shape (N,).
        data:
            ``uint8``, shape (N, 64).

        Raises
        ------
        AccessError
            If no slot holds the domain or a line lies outside the window.
        ModelError
            If the domain encrypts and its keys were not loaded.
        """
        slot = self._check_lines(domain, lines)
        if not slot.encrypt:
            return data.copy()
        return xts_encrypt(*self._keys(slot), xts_tweaks(lines), data)

    def read_lines(self, domain: int, lines: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return what `domain` reads from whole lines, ``uint8``, (N, 64); see :meth:`protect`."""
        slot = self._check_lines(domain, lines)
        stored = self.image.read_lines(self._addresses(lines))
        if not slot.encrypt:
            return stored
        return xts_decrypt(*self._keys(slot), xts_tweaks(lines), stored)

    def write_lines(self, domain: int, lines: NDArray[np.uint64],
                    data: NDArray[np.uint8]) -> None:
        """Write whole lines, none twice; arguments and errors are those of :meth:`protect`."""
        self.image.write_lines(self._addresses(lines), self.protect(domain, lines, data))

    # -- bytes -------------------------------------------------------------------------------

    def read(self, domain: int, address: int, length: int) -> bytes:
        """Return `length` bytes as `domain` reads them.

        Raises
        ------
        AccessError
            If no slot holds the domain or the access leaves the window.
        ModelError
            If the domain encrypts and its keys were not loaded.
        """
        self._check(domain, address, length)
        lines, offset = self._span(address, length)
        return self.read_lines(domain, lines).tobytes()[offset:offset + length]

    def write(self, domain: int, address: int, data: bytes,
              strobes: list[bool] | None = None) -> None:
        """Write bytes as `domain`; a partly written line is read, changed and written back.

        Parameters
        ----------
        domain:
            Domain ID.
        address:
            Byte address of ``data[0]``.
        data:
            Any number of bytes.
        strobes:
            Of each byte, whether it is written; all are if None.

        Raises
        ------
        AccessError
            If no slot holds the domain or the access leaves the window.
        ModelError
            If the domain encrypts and its keys were not loaded, or `strobes` is of another length.
        """
        written = np.ones(len(data), dtype=bool) if strobes is None else np.asarray(strobes, bool)
        if len(written) != len(data):
            raise ModelError(f"{len(written)} strobes for {len(data)} bytes")
        self._check(domain, address, len(data))
        lines, offset = self._span(address, len(data))
        content = np.zeros((len(lines), LINE_BYTES), dtype=np.uint8)
        enable = np.zeros((len(lines), LINE_BYTES), dtype=bool)
        content.reshape(-1)[offset:offset + len(data)] = np.frombuffer(data, dtype=np.uint8)
        enable.reshape(-1)[offset:offset + len(data)] = written
        touched = enable.any(axis=1)
        lines, content, enable = lines[touched], content[touched], enable[touched]
        old = self.read_lines(domain, lines)
        self.write_lines(domain, lines, np.where(enable, content, old))

    def _span(self, address: int, length: int) -> tuple[NDArray[np.uint64], int]:
        """Return the lines that an access touches and where in the first it begins."""
        start, offset = divmod(address - self.config.data_base, LINE_BYTES)
        stop = -(-(offset + length) // LINE_BYTES) + start
        return np.arange(start, stop, dtype=np.uint64), offset
