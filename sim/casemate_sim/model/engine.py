"""The golden engine: domains, modes, owners, and the bytes that they leave in DRAM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.model.arrays import LeafArray
from casemate_sim.model.errors import AccessError, ExhaustedError, IntegrityError, ModelError
from casemate_sim.model.formats import Leaf
from casemate_sim.model.image import Image
from casemate_sim.model.lines import LineCipher
from casemate_sim.model.slots import Slot
from casemate_sim.model.tree import Tree

__all__ = ["GoldenEngine"]

Numbers = NDArray[np.uint64]
Contents = NDArray[np.uint8]


@dataclass
class _Opened:
    """Lines that a domain may access, and the leaves that describe them."""

    lines: Numbers
    indices: Numbers  # of the leaves, ascending, each once
    leaves: LeafArray
    row: NDArray[np.intp]  # of each line, which of these leaves describes it
    place: NDArray[np.intp]  # and at which place in it


class GoldenEngine(LineCipher):
    """Model of the whole engine, without time, in all modes.

    Addresses are those of the host's bus, which DRAM shares. Of an access that covers several
    lines either all is done or, if it raises, nothing.

    Parameters
    ----------
    config:
        The engine's configuration; ``config.tree`` counts for nothing here.
    image:
        Content of DRAM, changed in place; empty by default.
    root:
        The root counters, changed in place; all zero by default, as after a reset.
    lazy:
        Keep changed leaves back until :meth:`flush`, as a write-back cache does. Versions, tags,
        owners, valid bits and the data in DRAM do not depend on it; counters and MACs do.
    """

    def __init__(self, config: EngineConfig, image: Image | None = None,
                 root: Numbers | None = None, *, lazy: bool = False) -> None:
        super().__init__(config)
        self.image = Image() if image is None else image
        self.root = np.zeros(config.root_counters, dtype=np.uint64) if root is None else root
        self._lazy = lazy
        self._pending: dict[int, Contents] = {}

    # -- leaves ------------------------------------------------------------------------------

    def tree(self) -> Tree:
        """Return the tree over the image; what is kept back is not in it."""
        return Tree(self.config, self._require_engine_key(), self.image, self.root)

    def flush(self) -> None:
        """Write back every leaf that is kept back.

        Raises
        ------
        IntegrityError, ExhaustedError
            As :meth:`~casemate_sim.model.tree.Tree.write_leaves` does.
        """
        if self._pending:
            indices = np.array(sorted(self._pending), dtype=np.uint64)
            self.tree().write_leaves(
                indices, np.stack([self._pending[index] for index in indices.tolist()]))
            self._pending.clear()

    def leaf(self, index: int) -> Leaf:
        """Return a leaf as it must be now, verified; its MAC, which counters decide, as 0."""
        content = self._load(np.array([index], dtype=np.uint64)).pack(self.config.leaf)
        return Leaf.unpack(content.tobytes(), self.config.leaf)

    def _load(self, indices: Numbers) -> LeafArray:
        """Return verified leaves; `indices` are ascending, each once."""
        contents = np.zeros((len(indices), LINE_BYTES), dtype=np.uint8)
        kept = np.array([index in self._pending for index in indices.tolist()], dtype=bool)
        if not kept.all():
            contents[~kept] = self.tree().read(0, indices[~kept])
        for row in np.flatnonzero(kept).tolist():
            contents[row] = self._pending[int(indices[row])]
        return LeafArray.unpack(contents, self.config.leaf)

    def _save(self, indices: Numbers, leaves: LeafArray) -> None:
        contents = leaves.pack(self.config.leaf)
        if self._lazy:
            self._pending.update(zip(indices.tolist(), contents, strict=True))
        else:
            self.tree().write_leaves(indices, contents)

    def _open(self, slot: Slot, lines: Numbers, *, claim: bool = False) -> _Opened:
        """Apply the rules of owners to lines, none of which occurs twice."""
        per_leaf = np.uint64(self.config.leaf.lines)
        indices, row = np.unique(lines // per_leaf, return_inverse=True)
        leaves = self._load(indices)
        owner = leaves.owner[row]
        refused = np.flatnonzero((owner != slot.domain) & ~((owner == 0) & claim))
        if len(refused):
            line = refused[0]
            whose = "another domain" if owner[line] else "nobody"
            raise AccessError(f"the granule belongs to {whose}",
                              address=int(self._addresses(lines)[line]), domain=slot.domain)
        return _Opened(lines, indices, leaves, row, (lines % per_leaf).astype(np.intp))

    # -- whole lines -------------------------------------------------------------------------

    def read_lines(self, domain: int, lines: Numbers) -> Contents:
        """Return what `domain` reads from whole lines, ``uint8``, (N, 64).

        Raises
        ------
        AccessError
            If no slot holds the domain, a line lies outside the window, or the domain
            authenticates and does not own it.
        IntegrityError
            If a line, its leaf or a node above does not verify.
        ModelError
            If a key that the domain needs was not loaded.
        """
        slot = self._check_lines(domain, lines)
        if slot.authenticate:
            return self._read_opened(slot, self._open(slot, lines))
        return self.expose(domain, lines, self.image.read_lines(self._addresses(lines)))

    def _read_opened(self, slot: Slot, opened: _Opened,
                     wanted: NDArray[np.bool_] | None = None) -> Contents:
        """Read the lines that are `wanted`, all if None; the others, as those not valid, zeros."""
        read = opened.leaves.valid[opened.row, opened.place]
        if wanted is not None:
            read = read & wanted
        lines, row, place = opened.lines[read], opened.row[read], opened.place[read]
        stored = self.image.read_lines(self._addresses(lines))
        versions = opened.leaves.versions[row, place]
        right = self.tags(slot.domain, lines, stored, versions)
        wrong = np.flatnonzero(right != opened.leaves.tags[row, place])
        if len(wrong):
            line = int(lines[wrong[0]])
            raise IntegrityError(None, line, self.config.data_base + LINE_BYTES * line)
        data = np.zeros((len(opened.lines), LINE_BYTES), dtype=np.uint8)
        data[read] = self.expose(slot.domain, lines, stored, versions)
        return data

    def write_lines(self, domain: int, lines: Numbers, data: Contents, *, claim: bool = False,
                    versions: Numbers | None = None) -> None:
        """Write whole lines, none twice.

        Parameters
        ----------
        domain, lines, data:
            As of :meth:`protect`.
        claim:
            Take granules that belong to nobody, if the domain authenticates.
        versions:
            Versions that the lines get, shape (N,); each its old one plus 1 if None.

        Raises
        ------
        AccessError
            If no slot holds the domain, a line lies outside the window, or the domain
            authenticates and does not own it.
        IntegrityError
            If a leaf or a node above does not verify.
        ExhaustedError
            If a version or counter is the highest that there is.
        ModelError
            If a key that the domain needs was not loaded.
        """
        slot = self._check_lines(domain, lines)
        if slot.authenticate:
            self._write_opened(slot, self._open(slot, lines, claim=claim), data, versions)
        else:
            self.image.write_lines(self._addresses(lines), self.protect(domain, lines, data))

    def _write_opened(self, slot: Slot, opened: _Opened, data: Contents,
                      versions: Numbers | None = None) -> None:
        leaves, row, place, lines = opened.leaves, opened.row, opened.place, opened.lines
        if versions is None:
            old = leaves.versions[row, place]
            spent = np.flatnonzero(old >= np.uint64((1 << self.config.leaf.version_bits) - 1))
            if len(spent):
                line = int(lines[spent[0]])
                raise ExhaustedError(None, line, self.config.data_base + LINE_BYTES * line)
            versions = old + np.uint64(1)
        stored = self.protect(slot.domain, lines, data, versions)
        leaves.versions[row, place] = versions
        leaves.tags[row, place] = self.tags(slot.domain, lines, stored, versions)
        leaves.valid[row, place] = True
        leaves.owner[:] = slot.domain
        self._save(opened.indices, leaves)
        self.image.write_lines(self._addresses(lines), stored)

    # -- bytes -------------------------------------------------------------------------------

    def read(self, domain: int, address: int, length: int) -> bytes:
        """Return `length` bytes as `domain` reads them; errors as of :meth:`read_lines`."""
        self.check(domain, address, length)
        lines, offset = self._span(address, length)
        return self.read_lines(domain, lines).tobytes()[offset:offset + length]

    def write(self, domain: int, address: int, data: bytes,
              strobes: list[bool] | None = None, *, claim: bool = False) -> None:
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
        claim:
            Take granules that belong to nobody, if the domain authenticates.

        Raises
        ------
        AccessError, IntegrityError, ExhaustedError
            As of :meth:`write_lines`; the old content of a partly written line is verified too.
        ModelError
            If a key that the domain needs was not loaded, or `strobes` is of another length.
        """
        written = np.ones(len(data), dtype=bool) if strobes is None else np.asarray(strobes, bool)
        if len(written) != len(data):
            raise ModelError(f"{len(written)} strobes for {len(data)} bytes")
        slot = self.check(domain, address, len(data))
        lines, offset = self._span(address, len(data))
        content = np.zeros((len(lines), LINE_BYTES), dtype=np.uint8)
        enable = np.zeros((len(lines), LINE_BYTES), dtype=bool)
        content.reshape(-1)[offset:offset + len(data)] = np.frombuffer(data, dtype=np.uint8)
        enable.reshape(-1)[offset:offset + len(data)] = written
        touched = enable.any(axis=1)
        lines, content, enable = lines[touched], content[touched], enable[touched]
        if slot.authenticate:
            opened = self._open(slot, lines, claim=claim)
            old = self._read_opened(slot, opened, ~enable.all(axis=1))
            self._write_opened(slot, opened, np.where(enable, content, old))
        else:
            old = self.read_lines(domain, lines)
            self.write_lines(domain, lines, np.where(enable, content, old))

    def reclaim(self, address: int, length: int) -> None:
        """Take granules from their owners, as the supervisor does: valid bits go, versions stay.

        Raises
        ------
        ModelError
            If the range lies outside the window or is not made of whole granules.
        IntegrityError, ExhaustedError
            If a leaf or a node above does not verify, or a counter is the highest that there is.
        """
        window = self.config.regions[0]
        granule = LINE_BYTES * self.config.leaf.lines
        start = address - window.base
        if start % granule or length % granule or start < 0 or address + length > window.end:
            raise ModelError(f"{length} bytes at {address:#x} are not whole granules of {granule} "
                             "bytes in the data window")
        indices = np.arange(start // granule, (start + length) // granule, dtype=np.uint64)
        written = self.tree().counters(0, indices) != 0
        written |= np.array([index in self._pending for index in indices.tolist()], dtype=bool)
        leaves = self._load(indices[written])
        owned = leaves.owner != 0
        if owned.any():
            leaves.owner[:], leaves.valid[:] = 0, False
            kept = LeafArray(leaves.versions[owned], leaves.tags[owned], leaves.owner[owned],
                             leaves.valid[owned])
            self._save(indices[written][owned], kept)

    def check(self, domain: int, address: int, length: int) -> Slot:
        """Return the slot that serves an access; of owners nothing is asked.

        Raises
        ------
        AccessError
            If no slot holds the domain or the access leaves the window.
        """
        window = self.config.regions[0]
        if not (window.base <= address and address + length <= window.end):
            raise AccessError("outside the data window", address=address, domain=domain)
        return self._slot_of(domain, address)

    def _span(self, address: int, length: int) -> tuple[Numbers, int]:
        """Return the lines that an access touches and where in the first it begins."""
        start, offset = divmod(address - self.config.data_base, LINE_BYTES)
        stop = -(-(offset + length) // LINE_BYTES) + start
        return np.arange(start, stop, dtype=np.uint64), offset
