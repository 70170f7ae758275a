"""What domains that authenticate have written, and what DRAM must hold of it after a flush.

Kept is the text that an owner reads from a line. Which version a line has, and so what lies in
DRAM, depends on how writes were merged, and what leaves and nodes hold on the metadata cache. When
everything was flushed, the leaf in DRAM says the version, and :meth:`Texts.check_protected`
verifies and compares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.line_history import SPOILT
from casemate_sim.model import Image, LeafArray, Tree, find_root
from casemate_sim.model.lines import LineCipher
from casemate_sim.owners import NOBODY, Owners

__all__ = ["Texts"]

_EMPTY = bytes(LINE_BYTES)


class Texts:
    """Texts of the lines of one engine, by address, and who owns them.

    Parameters
    ----------
    config:
        The engine's configuration.

    Attributes
    ----------
    owners:
        Who owns each granule.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._modes: dict[int, tuple[bool, bool]] = {}  # encrypt, authenticate; by domain
        self._keys: dict[int, dict[str, bytes]] = {}
        self._ciphers: dict[int, LineCipher] = {}
        self._engine_key: bytes | None = None
        self._protects = False
        self._texts: dict[int, bytes | None] = {}  # of valid lines
        self._versions: Counter[int] = Counter()  # the highest that a line may have
        self._spoilable: set[int] = set()  # lines that others wrote over
        self._unknown: set[int] = set()  # lines of which DRAM's content is not known
        self.owners = Owners()

    def _learn_keys(self, domain: int, *, encrypt: bool, authenticate: bool,
                    keys: dict[str, bytes]) -> None:
        """Note a domain's mode and keys; what it protected under others is lost."""
        mode = encrypt, authenticate
        if self._keys.get(domain, keys) != keys or self._modes.get(domain, mode) != mode:
            for address in self._texts:
                if domain in self.owners.possible(self.granule(address)):
                    self._texts[address] = SPOILT
        self._modes[domain], self._keys[domain] = mode, keys
        self._ciphers.pop(domain, None)

    def _forget(self) -> None:
        """Forget all domains and their lines."""
        self._modes.clear()
        self._keys.clear()
        self._ciphers.clear()
        self._engine_key = None
        self._texts.clear()
        self._spoilable.clear()
        self._versions.clear()
        self.owners = Owners()

    def granule(self, address: int) -> int:
        """Return the number of the granule that holds an address."""
        return (address - self._config.data_base) // (LINE_BYTES * self._config.leaf.lines)

    def is_protected(self, address: int) -> bool:
        """Whether a domain that authenticates may have written a line since it got it."""
        return address in self._texts

    def text(self, address: int) -> bytes | None:
        """Return what its owner reads from a line; None if that is not known."""
        return self._texts.get(address, _EMPTY)

    def write_text(self, address: int, data: bytes, strobes: Sequence[bool]) -> bytes | None:
        """Write a line as its owner; return its text now. A spoilt line is written as a whole."""
        old = self.text(address)
        text: bytes | None = None
        if all(strobes):
            text = data
        elif old is not None:
            text = bytes(new if written else kept
                         for new, kept, written in zip(data, old, strobes, strict=True))
        self._texts[address] = text
        self.may_write(address)
        return text

    def may_write(self, address: int) -> None:
        """Note that a domain that authenticates writes a line, or may."""
        self._unknown.add(address)
        self._versions[address] += 1

    def may_be_exhausted(self, address: int) -> bool:
        """Whether a line's version may be the highest that there is."""
        return self._versions[address] >= (1 << self._config.leaf.version_bits) - 1

    def doubt_text(self, address: int) -> None:
        """Note that it is not known what a line's owner reads."""
        self._texts[address] = None

    def spoil(self, address: int) -> bytes | None:
        """Note that a domain that does not authenticate wrote a line; return its text now.

        A line that is not valid cannot be spoilt; one of which the text is not known may be.
        """
        self._spoilable.add(address)
        if self._texts.get(address) is not None:
            self._texts[address] = SPOILT
        return self.text(address)

    def settle_text(self, address: int, text: bytes) -> None:
        """Note that it is known again what a line's owner reads."""
        self._texts[address] = text
        self._spoilable.discard(address)

    @property
    def protects(self) -> bool:
        """Whether a domain that authenticates was ever there."""
        return self._protects

    def adopt(self, domain: int, address: int, text: bytes, version: int = 1) -> None:
        """Note that a line was sealed for a domain before; the image holds it."""
        self.owners.adopt(self.granule(address), domain)
        self._texts[address] = text
        self._versions[address] = version
        self._unknown.add(address)
        self._protects = True

    def reclaim(self, granule: int) -> None:
        """Take a granule from its owner."""
        size = LINE_BYTES * self._config.leaf.lines
        start = self._config.data_base + granule * size
        for address in range(start, start + size, LINE_BYTES):
            self._texts.pop(address, None)
        self.owners.reclaim(granule)  # what is in flight may spoil a text again

    def holds_text(self, domain: int, address: int, stored: bytes,
                   texts: Sequence[bytes | None]) -> bool:
        """Whether DRAM's content of a line is one of some texts, under any version it may have."""
        if None in texts:
            return True
        count = self._versions[address]
        found = self._texts_of(
            domain, np.full(count, self._line(address), np.uint64),
            np.frombuffer(stored * count, np.uint8).reshape(count, LINE_BYTES),
            np.arange(1, count + 1, dtype=np.uint64))
        return any(text.tobytes() in texts for text in found)

    def _line(self, address: int) -> int:
        return (address - self._config.data_base) // LINE_BYTES

    def _texts_of(self, domain: int, lines: NDArray[np.uint64], stored: NDArray[np.uint8],
                  versions: NDArray[np.uint64]) -> NDArray[np.uint8]:
        return self._cipher(domain).expose(domain, lines, stored, versions)

    def _cipher(self, domain: int) -> LineCipher:
        """Return what decrypts one domain's lines, whether it still has a slot or not."""
        if domain not in self._ciphers:
            cipher = self._ciphers[domain] = LineCipher(self._config)
            encrypt, authenticate = self._modes[domain]
            cipher.set_slot(0, domain=domain, encrypt=encrypt, authenticate=authenticate)
            for name, key in self._keys[domain].items():
                cipher.load_key(0, name, key)
        return self._ciphers[domain]

    # -- after a flush -----------------------------------------------------------------------

    def check_protected(self, dram: Image,
                        root: NDArray[np.uint64] | None = None) -> str | None:
        """Compare what DRAM holds after a flush with every text that its owner would read.

        Parameters
        ----------
        dram:
            Content of DRAM after a flush.
        root:
            The root counters; if None, they are searched for, as far as `find_root` does.

        Returns
        -------
        str or None
            What is wrong first, None if all agrees.
        """
        if not self._protects or self._engine_key is None:
            return None
        if root is None:
            root = find_root(self._config, self._engine_key, dram)
        tree = Tree(self._config, self._engine_key, dram, root)
        for level in tree.walk():
            if len(level.wrong):
                return (f"the MAC of level {level.level} number {level.wrong[0]} in DRAM does "
                        "not match")
        for granule in self.owners.granules():
            wrong = self._check_granule(granule, tree, dram)
            if wrong:
                return wrong
        return None

    def _check_granule(self, granule: int, tree: Tree, dram: Image) -> str | None:
        shape = self._config.leaf
        possible = self.owners.possible(granule)
        leaf = LeafArray.unpack(tree.read(0, np.array([granule], np.uint64)), shape)
        owner = int(leaf.owner[0])
        if owner not in possible:
            return f"granule {granule} belongs to domain {owner} in DRAM, not {sorted(possible)}"
        base = self._config.data_base + granule * LINE_BYTES * shape.lines
        for place in range(shape.lines):
            address = base + place * LINE_BYTES
            wrong = self._check_line(address, owner, dram, valid=bool(leaf.valid[0, place]),
                                     version=leaf.versions[:, place], tag=leaf.tags[:, place])
            if wrong:
                return f"line {address:#x} of domain {owner} in DRAM {wrong}"
        return None

    def _check_line(self, address: int, owner: int, dram: Image, *, valid: bool,
                    version: NDArray[np.uint64], tag: NDArray[np.uint64]) -> str | None:
        text = self.text(address)
        if text == SPOILT or (text is None and address in self._spoilable):
            return None
        if not valid:
            return "is not valid" if text is not None and address in self._texts else None
        if owner not in self._keys:
            return "is valid" if owner == NOBODY else None
        if address not in self._texts:
            return "is valid, and nobody wrote it"
        highest = self._versions[address]
        if not 0 < int(version[0]) <= highest:
            return f"has version {version[0]} after at most {highest} writes"
        line = np.array([self._line(address)], np.uint64)
        stored = dram.read_lines(np.array([address], np.uint64))
        if self._cipher(owner).tags(owner, line, stored, version)[0] != tag[0]:
            return f"does not match its tag under version {version[0]}"
        found = self._texts_of(owner, line, stored, version).tobytes()
        if text not in (None, found):
            return f"reads as {found.hex()} instead of {text.hex()}"
        return None
