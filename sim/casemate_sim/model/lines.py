"""Encryption and tags of whole lines, many at once, as each domain's slot says."""

from __future__ import annotations

import numpy as np
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

from casemate_sim.model.crypto import xts_decrypt, xts_encrypt
from casemate_sim.model.errors import AccessError
from casemate_sim.model.slots import Slot, SlotTable
from casemate_sim.model.tags import line_tags

__all__ = ["LineCipher", "xts_tweaks"]

Numbers = NDArray[np.uint64]
Contents = NDArray[np.uint8]


def xts_tweaks(lines: Numbers, versions: Numbers | None = None) -> Contents:
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


class LineCipher(SlotTable):
    """What the domains of one engine do to lines on their way to and from DRAM."""

    def _addresses(self, lines: Numbers) -> Numbers:
        return np.uint64(self.config.data_base) + lines * np.uint64(LINE_BYTES)

    def _check_lines(self, domain: int, lines: Numbers) -> Slot:
        outside = np.flatnonzero(lines >= self.config.lines)
        if len(outside):
            raise AccessError(f"line {lines[outside[0]]} lies outside the data window",
                              address=self.config.data_base, domain=domain)
        return self._slot_of(domain, self.config.data_base)

    def protect(self, domain: int, lines: Numbers, data: Contents,
                versions: Numbers | None = None) -> Contents:
        """Return what DRAM holds when `domain` has written `data` to `lines`; changes nothing.

        Parameters
        ----------
        domain:
            Domain ID.
        lines:
            Line numbers, shape (N,).
        data:
            ``uint8``, shape (N, 64).
        versions:
            Of a domain that authenticates: the lines' versions, shape (N,).

        Raises
        ------
        AccessError
            If no slot holds the domain or a line lies outside the window.
        ModelError
            If a key that the domain needs was not loaded.
        """
        slot = self._check_lines(domain, lines)
        if not slot.encrypt:
            return data.copy()
        return xts_encrypt(slot.key("K1"), slot.key("K2"), xts_tweaks(lines, versions), data)

    def expose(self, domain: int, lines: Numbers, stored: Contents,
               versions: Numbers | None = None) -> Contents:
        """Return what `domain` reads when DRAM holds `stored`; the reverse of :meth:`protect`."""
        slot = self._check_lines(domain, lines)
        if not slot.encrypt:
            return stored.copy()
        return xts_decrypt(slot.key("K1"), slot.key("K2"), xts_tweaks(lines, versions), stored)

    def tags(self, domain: int, lines: Numbers, stored: Contents, versions: Numbers) -> Numbers:
        """Return the tags of lines that hold `stored`; arguments and errors as :meth:`protect`."""
        slot = self._check_lines(domain, lines)
        return line_tags(slot.key("K3"), lines, versions, stored, self.config.leaf.tag_bits)
