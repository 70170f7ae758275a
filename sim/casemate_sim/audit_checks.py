"""The checks of an audit: leaves and nodes from the root down, then lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from casemate.config import COUNTERS_PER_NODE, LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.dump import Secrets
from casemate_sim.dump_reader import DramFile
from casemate_sim.model.arrays import LeafArray
from casemate_sim.model.errors import kind_of_level, name_of
from casemate_sim.model.keys import derive_domain_keys, derive_engine_key
from casemate_sim.model.lines import LineCipher
from casemate_sim.model.tree import Tree

__all__ = ["LineCheck", "Metadata", "Mismatch"]

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The first line, leaf or node that is not as the golden model computes it.

    Parameters
    ----------
    kind:
        ``line``, ``leaf`` or ``node``.
    level:
        None for a line, 0 for a leaf, k for a node of level k.
    index:
        Line number, or number in its level.
    address:
        Byte address in DRAM.
    reason:
        What is wrong with it.
    line, domain:
        Of a line: its number, and the domain that wrote it last.
    offset, expected, actual:
        Of a line with a wrong byte: the first that differs, 0 to 63, by the model and by the dump;
        as DRAM holds it in the modes ``plain`` and ``xts``, else as the domain reads it.
    """

    kind: str
    level: int | None
    index: int
    address: int
    reason: str
    line: int | None = None
    domain: int | None = None
    offset: int | None = None
    expected: int | None = None
    actual: int | None = None

    def __str__(self) -> str:
        owner = "" if self.domain is None else f" of domain {self.domain}"
        return (f"{name_of(self.level, self.index)} at address {self.address:#x}{owner}: "
                f"{self.reason}")


@dataclass
class Metadata:
    """Everything that the leaves and nodes of a dump say."""

    config: EngineConfig
    secrets: Secrets
    indices: Numbers = field(default_factory=lambda: np.zeros(0, np.uint64))  # of right leaves
    leaves: LeafArray | None = None
    counts: list[int] = field(default_factory=lambda: [0, 0])  # leaves, nodes
    wrong_counts: list[int] = field(default_factory=lambda: [0, 0])
    wrong: list[tuple[int, Numbers]] = field(default_factory=list)  # levels and numbers
    mismatch: Mismatch | None = None

    def verify(self, dram: DramFile, root: Numbers) -> None:
        """Verify all from the root down, and look at what the leaves say."""
        key = derive_engine_key(self.secrets.root_key, self.secrets.boot_nonce,
                                self.config.aes_bits)
        tree = Tree(self.config, key, dram, root)
        for found in tree.walk():
            self.counts[found.level > 0] += len(found.indices) + len(found.wrong)
            self._note(tree, found.level, found.wrong, "its MAC does not match")
            if found.level == 0:
                self._look(tree, found.indices,
                           LeafArray.unpack(found.contents, self.config.leaf))

    def _note(self, tree: Tree, level: int, indices: Numbers, reason: str) -> None:
        """Note that leaves or nodes are wrong."""
        self.wrong_counts[level > 0] += len(indices)
        if len(indices):
            self.wrong.append((level, indices))
            first = int(indices[0])
            if self.mismatch is None or (self.mismatch.level == level
                                         and first < self.mismatch.index):
                self.mismatch = Mismatch(kind=kind_of_level(level), level=level, index=first,
                                         address=tree.address(level, first), reason=reason)

    def _look(self, tree: Tree, indices: Numbers, leaves: LeafArray) -> None:
        """Keep the leaves that make sense; a MAC does not say that they do."""
        owners = [number for number, domain in self.secrets.domains.items() if domain.authenticate]
        alien = ~np.isin(leaves.owner, [0, *owners])
        nobodys = (leaves.owner == 0) & leaves.valid.any(axis=1)
        unversioned = (leaves.valid & (leaves.versions == 0)).any(axis=1) & ~alien & ~nobodys
        for wrong, reason in (
                (alien, "its owner is no domain of secrets.json that authenticates"),
                (nobodys, "it belongs to nobody and has valid lines"),
                (unversioned, "a line is valid under version 0")):
            self._note(tree, 0, indices[wrong], reason)
        right = ~(alien | nobodys | unversioned)
        self.indices = indices[right]
        self.leaves = LeafArray(leaves.versions[right], leaves.tags[right], leaves.owner[right],
                                leaves.valid[right])

    def others(self, expected: Numbers) -> tuple[Numbers, Numbers]:
        """Return valid lines that are not `expected`, and their owners."""
        if self.leaves is None:
            return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
        row, place = np.nonzero(self.leaves.valid)
        line = self.indices[row] * np.uint64(self.config.leaf.lines) + place.astype(np.uint64)
        other = ~np.isin(line, expected)
        return line[other], self.leaves.owner[row][other]

    def hidden(self, leaves: Numbers) -> NDArray[np.bool_]:
        """Return of leaf numbers whether nothing is known about them."""
        result = np.zeros(len(leaves), dtype=bool)
        for level, wrong in self.wrong:
            result |= np.isin(leaves // np.uint64(COUNTERS_PER_NODE**level), wrong)
        return result


@dataclass
class LineCheck:
    """Checks lines, in ascending order of their numbers."""

    config: EngineConfig
    secrets: Secrets
    dram: DramFile
    metadata: Metadata
    wrong: int = 0
    hidden: int = 0
    mismatch: Mismatch | None = None
    _ciphers: dict[int, LineCipher] = field(default_factory=dict)

    def check(self, line: Numbers, domain: Numbers, data: NDArray[np.uint8],
              known: NDArray[np.bool_]) -> None:
        """Check some lines; `data` is what the host last wrote to those that are `known`."""
        reasons = np.full(len(line), None, dtype=object)
        stored = self.dram.read_lines(
            np.uint64(self.config.data_base) + line * np.uint64(LINE_BYTES))
        found, wanted = stored.copy(), data.copy()
        for number in np.unique(domain).tolist():
            cipher = self._cipher(number)
            mine = np.flatnonzero(domain == number)
            if self.secrets.domains[number].authenticate:
                self._verify(cipher, number, mine, line, found, reasons, known)
            else:
                wanted[mine] = cipher.protect(number, line[mine], data[mine])
        for row in np.flatnonzero((found != wanted).any(axis=1)).tolist():
            if known[row] and reasons[row] is None:
                reasons[row] = ""
        bad = [row for row, reason in enumerate(reasons) if reason not in (None, "hidden")]
        self.wrong += len(bad)
        self.hidden += int(((reasons == "hidden") & known).sum())
        if bad and self.mismatch is None:
            row = bad[0]
            number = int(line[row])
            place = {}
            reason = reasons[row]
            if not reason:
                offset = int(np.flatnonzero(found[row] != wanted[row])[0])
                expected, actual = int(wanted[row, offset]), int(found[row, offset])
                place = {"offset": offset, "expected": expected, "actual": actual}
                reason = f"byte {offset} is {actual:#04x}, expected {expected:#04x}"
            self.mismatch = Mismatch(
                kind="line", level=None, index=number, line=number, domain=int(domain[row]),
                address=self.config.data_base + LINE_BYTES * number, reason=reason, **place)

    def _verify(self, cipher: LineCipher, domain: int, mine: NDArray[np.intp], line: Numbers,
                found: NDArray[np.uint8], reasons: NDArray[np.object_],
                known: NDArray[np.bool_]) -> None:
        """Replace what DRAM holds in `found` by what a domain reads; note why it does not."""
        leaves = self.metadata.leaves
        assert leaves is not None
        lines = self.config.leaf.lines
        leaf, place = line[mine] // np.uint64(lines), (line[mine] % np.uint64(lines)).astype(int)
        row = np.minimum(np.searchsorted(self.metadata.indices, leaf),
                         max(0, len(self.metadata.indices) - 1))
        hidden = self.metadata.hidden(leaf)
        reasons[mine[hidden]] = "hidden"
        there = (self.metadata.indices[row] == leaf if len(self.metadata.indices)
                 else np.zeros(len(mine), dtype=bool))
        reasons[mine[~there & ~hidden]] = "its leaf was never written"
        mine, row, place = mine[there], row[there], place[there]
        owner = leaves.owner[row]
        reasons[mine[owner == 0]] = "its granule belongs to nobody"
        for other in set(np.unique(owner).tolist()) - {0, domain}:
            reasons[mine[owner == other]] = f"its granule belongs to domain {other}"
        owned = owner == domain
        mine, row, place = mine[owned], row[owned], place[owned]
        valid = leaves.valid[row, place]
        reasons[mine[~valid]] = "it is not valid in its leaf"
        mine, row, place = mine[valid], row[valid], place[valid]
        versions = leaves.versions[row, place]
        right = cipher.tags(domain, line[mine], found[mine], versions) == leaves.tags[row, place]
        reasons[mine[~right]] = "its tag does not match"
        read = mine[right & known[mine]]
        found[read] = cipher.expose(domain, line[read], found[read],
                                    versions[right & known[mine]])

    def _cipher(self, domain: int) -> LineCipher:
        """Return what encrypts and tags one domain, in whatever slot the hardware had it."""
        if domain not in self._ciphers:
            cipher = self._ciphers[domain] = LineCipher(self.config)
            mine = self.secrets.domains[domain]
            cipher.set_slot(0, domain=domain, encrypt=mine.encrypt, authenticate=mine.authenticate)
            keys = derive_domain_keys(self.secrets.root_key, self.secrets.boot_nonce, domain,
                                      mine.generation, self.config.aes_bits)
            for name in ("K1", "K2", "K3"):
                cipher.load_key(0, name, getattr(keys, name))
        return self._ciphers[domain]
