"""Configuration of one engine: validated values, derived geometry, memory map.

The same object builds the RTL, the golden model, the documentation's memory map and the reports.
This module imports the standard library only, so that the golden model can use it without Amaranth.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

__all__ = [
    "DOMAIN_BITS",
    "LINE_BYTES",
    "PRESETS",
    "CipherConfig",
    "ConfigError",
    "EngineConfig",
    "FuseConfig",
    "KeyManagerConfig",
    "LeafShape",
    "Region",
    "SBox",
    "TreeConfig",
    "preset",
]

LINE_BYTES = 64
"""Bytes of a line: the unit of encryption and of every DRAM access."""

BLOCK_BYTES = 16
"""Bytes of an AES block (FIPS 197)."""

DOMAIN_BITS = 12
"""Width of a domain ID on the bus."""

COUNTERS_PER_NODE = 8
"""Children of an inner tree node."""

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40


class ConfigError(ValueError):
    """A configuration value is impossible; the message names the value and what is allowed."""


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{name} = {value!r} is not possible: {allowed}")


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


class SBox(enum.StrEnum):
    """How the AES S-box is built."""

    TABLE = "table"
    """256-entry look-up in LUTs, combinational."""
    BLOCK_RAM = "block_ram"
    """256-entry look-up in block RAM; the RAM's own register is a pipeline register."""
    LOGIC = "logic"
    """Composite-field arithmetic, combinational."""


@dataclass(frozen=True, kw_only=True)
class CipherConfig:
    """One AES core.

    Parameters
    ----------
    pipelined:
        True: fully unrolled, one block per cycle. False: iterative.
    units:
        Round units of an iterative core, 1 to 5: as many blocks at a time, which go round in a
        ring. More than 1 needs ``rounds_per_stage`` 1 and a combinational S-box.
    rounds_per_stage:
        Rounds between two pipeline registers, or rounds per cycle of the iterative core: 1 or 2.
    registers_per_round:
        Pipeline registers in each round, 1 or 2; 2 only with ``rounds_per_stage`` 1 and a
        pipelined core.
    sbox:
        Construction of the S-box. ``SBox.BLOCK_RAM`` needs ``rounds_per_stage`` 1.
    """

    pipelined: bool = True
    units: int = 1
    rounds_per_stage: int = 1
    registers_per_round: int = 1
    sbox: SBox = SBox.TABLE

    def __post_init__(self) -> None:
        _require(self.rounds_per_stage in (1, 2), "rounds_per_stage", self.rounds_per_stage,
                 "1 or 2")
        _require(self.registers_per_round in (1, 2), "registers_per_round",
                 self.registers_per_round, "1 or 2")
        if self.registers_per_round == 2:
            _require(self.rounds_per_stage == 1 and self.pipelined, "registers_per_round", 2,
                     "2 needs a pipelined core with rounds_per_stage = 1")
        _require(isinstance(self.sbox, SBox), "sbox", self.sbox,
                 f"one of {[str(s) for s in SBox]}")
        if self.sbox is SBox.BLOCK_RAM:
            _require(self.rounds_per_stage == 1, "rounds_per_stage", self.rounds_per_stage,
                     "1, because a block-RAM S-box holds a register in every round")
        _require(1 <= self.units <= 5, "units", self.units, "1 to 5")
        if self.units > 1:
            _require(not self.pipelined, "units", self.units, "1 for a pipelined core")
            _require(self.rounds_per_stage == 1 and self.sbox is not SBox.BLOCK_RAM, "units",
                     self.units, "more than 1 needs rounds_per_stage = 1 and a combinational S-box")


@dataclass(frozen=True, kw_only=True)
class LeafShape:
    """Shape of the 64-byte metadata leaf that describes one granule of lines.

    Parameters
    ----------
    lines:
        Lines that one leaf describes, a power of two.
    version_bits, tag_bits, owner_bits, mac_bits:
        Widths of the leaf's fields in bits. ``lines`` versions, ``lines`` tags, the owner,
        ``lines`` valid bits and the MAC must fit 512 bits.
    """

    lines: int = 4
    version_bits: int = 52
    tag_bits: int = 56
    owner_bits: int = DOMAIN_BITS
    mac_bits: int = 64

    def __post_init__(self) -> None:
        _require(_is_power_of_two(self.lines), "lines", self.lines, "a power of two")
        used = (self.lines * (self.version_bits + self.tag_bits + 1)
                + self.owner_bits + self.mac_bits)
        _require(used <= 8 * LINE_BYTES, "leaf", f"{used} bits", "at most 512 bits")


@dataclass(frozen=True, kw_only=True)
class TreeConfig:
    """What keeps the integrity tree: metadata cache, walks, write-backs, the cipher of the pads.

    Parameters
    ----------
    cache_sets, cache_ways:
        Shape of the metadata cache, powers of two: 1 to 4096 sets, 2 to 16 ways of 64 bytes.
    walks:
        Leaves or nodes of one level that are fetched at the same time, 1 to 32.
    write_backs:
        Leaves or nodes of one level that are written back at the same time, 1 to 32.
    pad_cipher:
        The AES core that makes the pads of all tags and MACs.
    multiplier_stages:
        Registers in each GHASH multiplier, 1 to 3; 0: one that takes 8 bits of a block in a cycle.
    shared_gmac:
        One GMAC for everything, which hashes one row in a cycle; otherwise lines that are read,
        lines that are written, and the tree have one each.
    shared_cipher:
        One core encrypts data, tweaks and pads; otherwise they have one each. Needs
        ``shared_gmac``, a bus of at most 128 bits, and three equal ciphers, no rings. A pipeline
        that writes then takes six cycles a line instead of four.
    """

    cache_sets: int = 64
    cache_ways: int = 8
    walks: int = 8
    write_backs: int = 4
    pad_cipher: CipherConfig = field(default_factory=CipherConfig)
    multiplier_stages: int = 2
    shared_gmac: bool = False
    shared_cipher: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (("cache_sets", 1, 4096), ("cache_ways", 2, 16)):
            value = getattr(self, name)
            _require(_is_power_of_two(value) and least <= value <= most, name, value,
                     f"a power of two from {least} to {most}")
        for name in ("walks", "write_backs"):
            value = getattr(self, name)
            _require(1 <= value <= 32, name, value, "1 to 32")
        _require(self.multiplier_stages in (0, 1, 2, 3), "multiplier_stages",
                 self.multiplier_stages, "0 to 3")
        _require(not self.shared_cipher or self.shared_gmac, "shared_cipher", self.shared_cipher,
                 "it needs shared_gmac")


@dataclass(frozen=True, kw_only=True)
class FuseConfig:
    """Where root key and boot nonce come from: fuses, and a source of entropy.

    Parameters
    ----------
    check_bits:
        The fuses are checked again after 1 to ``2 ** check_bits`` cycles, 1 to 32.
    patience_bits:
        The fuse macro has ``2 ** patience_bits - 1`` cycles for an answer, 4 to 32; programming a
        word is one.
    entropy_bits:
        Bits of min-entropy that the source claims for a word of 32 bits, 1 to 32.
    """

    check_bits: int = 16
    patience_bits: int = 16
    entropy_bits: int = 16

    def __post_init__(self) -> None:
        for name, least in (("check_bits", 1), ("patience_bits", 4), ("entropy_bits", 1)):
            value = getattr(self, name)
            _require(least <= value <= 32, name, value, f"{least} to 32")


@dataclass(frozen=True, kw_only=True)
class KeyManagerConfig:
    """What derives the keys and gives them to domains.

    Parameters
    ----------
    domains:
        Domain IDs that can be created, 0 up to this number less one; a power of two from 16 to
        4096.
    fuses:
        What keeps the root key on the die; None builds an engine whose root key and tested entropy
        come in at ports.
    """

    domains: int = 1 << DOMAIN_BITS
    fuses: FuseConfig | None = None

    def __post_init__(self) -> None:
        _require(_is_power_of_two(self.domains) and 16 <= self.domains <= 1 << DOMAIN_BITS,
                 "domains", self.domains, "a power of two from 16 to 4096")


@dataclass(frozen=True)
class Region:
    """A contiguous range of external DRAM: ``[base, base + size)`` in bytes."""

    name: str
    base: int
    size: int

    @property
    def end(self) -> int:
        """First byte address behind the region."""
        return self.base + self.size


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Everything that is fixed when an engine is built.

    Parameters
    ----------
    name:
        Name of the preset it came from, for reports.
    data_bytes:
        Size of the data window in bytes, a power of two from 64 KiB to 64 TiB.
    data_base:
        Byte address of the data window in DRAM and on the host's bus; a multiple of
        ``data_bytes``.
    leaf_base, node_bases:
        Byte addresses of the leaves and of each stored node level (level 1 first). By default they
        follow the data without a gap.
    root_counters:
        Counters of the tree's root that are held on the die, a power of two of at least 8.
    leaf:
        Shape of the metadata leaf.
    counter_bits:
        Width of the counters in nodes and root, 2 to 52; less than 52 only to test exhaustion.
    tree:
        What keeps the integrity tree; None builds an engine without the modes `integrity` and
        `full`.
    keys:
        What derives keys from a root key, creates and erases domains; needs a tree. None builds an
        engine whose keys and slots are set at ports.
    aes_bits:
        AES key size: 128 or 256.
    data_bits:
        Width of the data bus on both AXI4 ports: 64, 128, 256 or 512 bits.
    address_bits:
        Width of the AXI4 addresses, 32 to 64 bits.
    id_bits:
        Width of the AXI4 IDs on the host side, 1 to 16 bits.
    domain_slots:
        Domains whose keys are held in hardware at the same time, a power of two from 2 to 64.
    read_entries:
        Lines being read at the same time, a power of two from 2 to 64.
    write_entries:
        Lines being written at the same time, a power of two from 2 to 64.
    write_bursts:
        Host write bursts whose response is outstanding, a power of two from 2 to 64.
    data_cipher, tweak_cipher:
        The AES cores of the data path (one pair, encrypt and decrypt, for each 16 bytes of the
        bus) and of the tweaks (one).
    register_requests:
        Put a register in front of the DRAM's address channels: one more cycle, a shorter path.
    """

    name: str = "custom"
    data_bytes: int = 128 * MIB
    data_base: int = 0
    leaf_base: int | None = None
    node_bases: tuple[int, ...] | None = None
    root_counters: int = 1024
    leaf: LeafShape = field(default_factory=LeafShape)
    counter_bits: int = 52
    tree: TreeConfig | None = None
    keys: KeyManagerConfig | None = None
    aes_bits: int = 128
    data_bits: int = 128
    address_bits: int = 40
    id_bits: int = 4
    domain_slots: int = 8
    read_entries: int = 32
    write_entries: int = 16
    write_bursts: int = 16
    data_cipher: CipherConfig = field(default_factory=CipherConfig)
    tweak_cipher: CipherConfig = field(default_factory=CipherConfig)
    register_requests: bool = False

    def __post_init__(self) -> None:
        _require(_is_power_of_two(self.data_bytes) and 64 * KIB <= self.data_bytes <= 64 * TIB,
                 "data_bytes", self.data_bytes, "a power of two from 65536 (64 KiB) to 2**46")
        _require(self.data_base >= 0 and self.data_base % self.data_bytes == 0, "data_base",
                 self.data_base, f"a multiple of data_bytes ({self.data_bytes})")
        _require(_is_power_of_two(self.root_counters) and self.root_counters >= 8,
                 "root_counters", self.root_counters, "a power of two of at least 8")
        _require(2 <= self.counter_bits <= 52, "counter_bits", self.counter_bits, "2 to 52")
        if self.tree is not None:
            _require(self.root_counters <= 4096, "root_counters", self.root_counters,
                     "at most 4096 with a tree: the root is on the die")
            _require(not self.tree.shared_cipher or self.may_share_cipher, "shared_cipher",
                     self.tree.shared_cipher, "it needs data_bits of at most 128, and data_cipher, "
                     "tweak_cipher and pad_cipher that are the same and no rings (units = 1)")
        _require(self.keys is None or self.tree is not None, "keys", self.keys,
                 "a key manager needs a tree: it is controlled by the registers")
        _require(self.aes_bits in (128, 256), "aes_bits", self.aes_bits, "128 or 256")
        _require(self.data_bits in (64, 128, 256, 512), "data_bits", self.data_bits,
                 "64, 128, 256 or 512")
        _require(32 <= self.address_bits <= 64, "address_bits", self.address_bits, "32 to 64")
        _require(1 <= self.id_bits <= 16, "id_bits", self.id_bits, "1 to 16")
        for name, least in (("domain_slots", 2), ("read_entries", 2), ("write_entries", 2),
                            ("write_bursts", 2)):
            value = getattr(self, name)
            _require(_is_power_of_two(value) and least <= value <= 64, name, value,
                     f"a power of two from {least} to 64")
        if self.node_bases is not None:
            _require(len(self.node_bases) == len(self.level_sizes), "node_bases", self.node_bases,
                     f"{len(self.level_sizes)} addresses, one for each stored level")
        for region in self.regions:
            _require(region.base % LINE_BYTES == 0, f"base of {region.name}", region.base,
                     f"a multiple of {LINE_BYTES}")
            _require(region.base >= 0 and region.end <= 1 << self.address_bits,
                     f"end of {region.name}", f"{region.end:#x}",
                     f"at most 2**address_bits ({1 << self.address_bits:#x})")
        ordered = sorted(self.regions, key=lambda region: region.base)
        for low, high in pairwise(ordered):
            _require(low.end <= high.base, f"base of {high.name}", f"{high.base:#x}",
                     f"it overlaps {low.name}, which ends at {low.end:#x}")

    # -- lines and beats ---------------------------------------------------------------------

    @property
    def row_bytes(self) -> int:
        """Bytes that the inner data path moves per cycle: the bus, at least one AES block."""
        return max(BLOCK_BYTES, self.data_bits // 8)

    @property
    def lanes(self) -> int:
        """AES blocks in a row."""
        return self.row_bytes // BLOCK_BYTES

    @property
    def may_share_cipher(self) -> bool:
        """Whether one core can encrypt data, tweaks and the pads of the tree."""
        cipher = self.data_cipher
        return (self.lanes == 1 and cipher.units == 1 and cipher == self.tweak_cipher
                and (self.tree is None or cipher == self.tree.pad_cipher))

    @property
    def rows_per_line(self) -> int:
        """Rows of one line."""
        return LINE_BYTES // self.row_bytes

    @property
    def beats_per_line(self) -> int:
        """Bus beats of one line."""
        return LINE_BYTES // (self.data_bits // 8)

    @property
    def lines(self) -> int:
        """Lines in the data window."""
        return self.data_bytes // LINE_BYTES

    @property
    def line_bits(self) -> int:
        """Width of a line number."""
        return (self.lines - 1).bit_length()

    @property
    def entry_id_bits(self) -> int:
        """Width of what names a line in flight: one bit for the table, then the entry."""
        return 1 + (max(self.read_entries, self.write_entries) - 1).bit_length()

    @property
    def node_entries(self) -> int:
        """Leaves and nodes that may be on their way from or to DRAM: a pool for each level."""
        if self.tree is None:
            return 0
        return self.levels * (self.tree.walks + self.tree.write_backs)

    @property
    def memory_id_bits(self) -> int:
        """Width of the AXI4 IDs on the DRAM side; with a tree, the top bit marks metadata."""
        if self.tree is None:
            return self.entry_id_bits
        return 1 + max(self.entry_id_bits, (self.node_entries - 1).bit_length())

    @property
    def aes_rounds(self) -> int:
        """Rounds of the block cipher (FIPS 197, figure 4)."""
        return {128: 10, 256: 14}[self.aes_bits]

    # -- memory map --------------------------------------------------------------------------

    @property
    def leaves(self) -> int:
        """Leaves that describe the data window."""
        return self.lines // self.leaf.lines

    @cached_property
    def level_sizes(self) -> tuple[int, ...]:
        """Nodes of each stored level, level 1 first; the level above the last is the root."""
        sizes = []
        children = self.leaves
        while children > self.root_counters:
            children = -(-children // COUNTERS_PER_NODE)
            sizes.append(children)
        return tuple(sizes)

    @property
    def levels(self) -> int:
        """Levels that DRAM stores, the leaves (level 0) included."""
        return len(self.level_sizes) + 1

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The memory map of external DRAM: data, leaves, then each stored node level."""
        data = Region("data", self.data_base, self.data_bytes)
        leaf_base = data.end if self.leaf_base is None else self.leaf_base
        regions = [data, Region("leaves", leaf_base, self.leaves * LINE_BYTES)]
        for index, size in enumerate(self.level_sizes):
            base = regions[-1].end if self.node_bases is None else self.node_bases[index]
            regions.append(Region(f"level {index + 1} nodes", base, size * LINE_BYTES))
        return tuple(regions)

    # -- identity ----------------------------------------------------------------------------

    def replace(self, **changes: object) -> EngineConfig:
        """Return a copy with `changes` applied, validated again."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def as_dict(self) -> dict[str, object]:
        """All parameters as plain JSON values."""
        return dataclasses.asdict(self)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that name this configuration, whatever it is called."""
        values = {key: value for key, value in self.as_dict().items() if key != "name"}
        # An engine without a later addition is what it was before there was one.
        if values["tree"] is not None:
            for name in ("shared_gmac", "shared_cipher"):
                if not values["tree"][name]:
                    del values["tree"][name]
        if values["keys"] is None:
            del values["keys"]
        elif values["keys"]["fuses"] is None:
            del values["keys"]["fuses"]
        return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


_ITERATIVE = CipherConfig(pipelined=False, sbox=SBox.BLOCK_RAM)
_DEEP = CipherConfig(registers_per_round=2, sbox=SBox.BLOCK_RAM)
# A tweak in every fourth cycle is what a 128-bit bus to DRAM needs, and the tweak must be there
# before the data are.
_RING = CipherConfig(pipelined=False, units=3)

PRESETS: dict[str, EngineConfig] = {
    config.name: config
    for config in (
        EngineConfig(
            name="tiny", data_bytes=64 * KIB, root_counters=64, domain_slots=2, read_entries=4,
            write_entries=4, write_bursts=4, data_cipher=_ITERATIVE, tweak_cipher=_ITERATIVE),
        EngineConfig(name="latency"),
        EngineConfig(
            name="ecp5", data_cipher=_DEEP, tweak_cipher=_RING, register_requests=True),
        # One pipeline encrypts everything, one multiplier hashes everything: what a mid-sized FPGA
        # has room for beside a system.
        EngineConfig(
            name="compact", domain_slots=4, write_entries=8, write_bursts=8, read_entries=16,
            data_cipher=_DEEP, tweak_cipher=_DEEP, register_requests=True, tree=TreeConfig(
                cache_ways=4, walks=2, write_backs=1, pad_cipher=_DEEP, multiplier_stages=3,
                shared_gmac=True, shared_cipher=True)),
        EngineConfig(
            name="server", data_bytes=64 * GIB, address_bits=48, aes_bits=256, data_bits=512,
            id_bits=8, domain_slots=64, read_entries=64, write_entries=64, write_bursts=64),
    )
}
"""Named configurations."""


def preset(name: str) -> EngineConfig:
    """Return the preset called `name`.

    Raises
    ------
    ConfigError
        If there is none of that name; the message lists those that exist.
    """
    if name not in PRESETS:
        raise ConfigError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
