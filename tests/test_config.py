"""The configuration: its memory map against a table written by hand, and every refusal."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from casemate.config import (
    PRESETS,
    CipherConfig,
    ConfigError,
    EngineConfig,
    LeafShape,
    SBox,
    TreeConfig,
    preset,
)

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40

# data_bytes, root_counters, then (base, size) of leaves and of each level; data begins at 0.
# A leaf describes 4 lines (256 bytes) in 64 bytes, a node 8 children in 64: /4, /8, /8, ...
# A level is stored until the one above it would need at most root_counters counters.
MEMORY_MAPS = [
    (64 * KIB, 1024, [(64 * KIB, 16 * KIB)]),
    (64 * KIB, 256, [(64 * KIB, 16 * KIB)]),
    (64 * KIB, 128, [(64 * KIB, 16 * KIB), (80 * KIB, 2 * KIB)]),
    (64 * KIB, 64, [(64 * KIB, 16 * KIB), (80 * KIB, 2 * KIB)]),
    (64 * KIB, 8, [(64 * KIB, 16 * KIB), (80 * KIB, 2 * KIB), (82 * KIB, 256)]),
    (128 * MIB, 1024, [(128 * MIB, 32 * MIB), (160 * MIB, 4 * MIB), (164 * MIB, 512 * KIB),
                       (164 * MIB + 512 * KIB, 64 * KIB)]),
    (128 * MIB, 128, [(128 * MIB, 32 * MIB), (160 * MIB, 4 * MIB), (164 * MIB, 512 * KIB),
                      (164 * MIB + 512 * KIB, 64 * KIB), (164 * MIB + 576 * KIB, 8 * KIB)]),
    (64 * GIB, 1024, [(64 * GIB, 16 * GIB), (80 * GIB, 2 * GIB), (82 * GIB, 256 * MIB),
                      (82 * GIB + 256 * MIB, 32 * MIB), (82 * GIB + 288 * MIB, 4 * MIB),
                      (82 * GIB + 292 * MIB, 512 * KIB),
                      (82 * GIB + 292 * MIB + 512 * KIB, 64 * KIB)]),
]


@pytest.mark.parametrize(("data_bytes", "root_counters", "expected"), MEMORY_MAPS)
def test_the_memory_map_is_that_of_the_table(
        data_bytes: int, root_counters: int, expected: list[tuple[int, int]]) -> None:
    config = EngineConfig(data_bytes=data_bytes, root_counters=root_counters, address_bits=48)
    assert [(region.base, region.size) for region in config.regions] == [(0, data_bytes), *expected]
    assert [region.name for region in config.regions[:3]] \
        == ["data", "leaves", "level 1 nodes"][:len(config.regions)]


@pytest.mark.parametrize("data_bytes", [2**n for n in range(16, 47)])
@pytest.mark.parametrize("root_counters", [8, 64, 1024])
def test_every_child_has_a_counter_in_a_stored_level_or_in_the_root(
        data_bytes: int, root_counters: int) -> None:
    config = EngineConfig(data_bytes=data_bytes, root_counters=root_counters, address_bits=64)
    children = data_bytes // 256
    for size in config.level_sizes:
        assert children > root_counters
        assert 8 * size == children
        children = size
    assert children <= root_counters


def test_128_mib_with_1024_root_counters_stores_three_levels() -> None:
    assert EngineConfig().level_sizes == (65536, 8192, 1024)


def test_regions_may_be_placed_by_hand() -> None:
    config = EngineConfig(data_bytes=64 * KIB, data_base=MIB, leaf_base=0, node_bases=(2 * MIB,),
                          root_counters=64)
    assert [region.base for region in config.regions] == [1 * MIB, 0, 2 * MIB]


@pytest.mark.parametrize(("data_bits", "row_bytes", "lanes", "rows", "beats"), [
    (64, 16, 1, 4, 8), (128, 16, 1, 4, 4), (256, 32, 2, 2, 2), (512, 64, 4, 1, 1)])
def test_rows_and_beats_follow_from_the_bus(
        data_bits: int, row_bytes: int, lanes: int, rows: int, beats: int) -> None:
    config = EngineConfig(data_bits=data_bits)
    assert (config.row_bytes, config.lanes, config.rows_per_line, config.beats_per_line) \
        == (row_bytes, lanes, rows, beats)


def test_widths_follow_from_the_sizes() -> None:
    config = preset("server")
    assert (config.lines, config.line_bits, config.aes_rounds) == (2**30, 30, 14)
    assert preset("tiny").line_bits == 10
    assert preset("tiny").aes_rounds == 10


@pytest.mark.parametrize("name", ["tiny", "latency", "ecp5", "compact", "server"])
def test_a_preset_is_found_by_its_name(name: str) -> None:
    assert preset(name).name == name
    assert PRESETS[name] is preset(name)


def test_the_digest_names_the_values_and_not_the_name() -> None:
    digests = {config.digest for config in PRESETS.values()}
    assert len(digests) == len(PRESETS)
    assert preset("tiny").replace(name="other").digest == preset("tiny").digest
    assert preset("tiny").replace(aes_bits=256).digest != preset("tiny").digest
    assert re.fullmatch("[0-9a-f]{16}", preset("tiny").digest)


def test_a_configuration_is_json() -> None:
    assert json.loads(json.dumps(preset("ecp5").as_dict()))["data_cipher"]["sbox"] \
        in [str(sbox) for sbox in SBox]


WRONG = [
    ({"data_bytes": 3 * 2**20},
     "data_bytes = 3145728 is not possible: a power of two from 65536 (64 KiB) to 2**46"),
    ({"data_bytes": 32 * KIB},
     "data_bytes = 32768 is not possible: a power of two from 65536 (64 KiB) to 2**46"),
    ({"data_bytes": 128 * TIB, "address_bits": 64},
     f"data_bytes = {128 * TIB} is not possible: a power of two from 65536 (64 KiB) to 2**46"),
    ({"data_base": 64}, "data_base = 64 is not possible: a multiple of data_bytes (134217728)"),
    ({"data_base": -128 * MIB},
     f"data_base = {-128 * MIB} is not possible: a multiple of data_bytes (134217728)"),
    ({"root_counters": 4}, "root_counters = 4 is not possible: a power of two of at least 8"),
    ({"root_counters": 1000}, "root_counters = 1000 is not possible: a power of two of at least 8"),
    ({"aes_bits": 192}, "aes_bits = 192 is not possible: 128 or 256"),
    ({"data_bits": 32}, "data_bits = 32 is not possible: 64, 128, 256 or 512"),
    ({"address_bits": 31}, "address_bits = 31 is not possible: 32 to 64"),
    ({"address_bits": 65}, "address_bits = 65 is not possible: 32 to 64"),
    ({"id_bits": 0}, "id_bits = 0 is not possible: 1 to 16"),
    ({"id_bits": 17}, "id_bits = 17 is not possible: 1 to 16"),
    ({"domain_slots": 3}, "domain_slots = 3 is not possible: a power of two from 2 to 64"),
    # A slot number of no bits at all is more than the exporter can take.
    ({"domain_slots": 1}, "domain_slots = 1 is not possible: a power of two from 2 to 64"),
    ({"read_entries": 1}, "read_entries = 1 is not possible: a power of two from 2 to 64"),
    ({"write_entries": 128}, "write_entries = 128 is not possible: a power of two from 2 to 64"),
    ({"write_bursts": 5}, "write_bursts = 5 is not possible: a power of two from 2 to 64"),
    ({"node_bases": (0,)},
     "node_bases = (0,) is not possible: 3 addresses, one for each stored level"),
    ({"leaf_base": 128 * MIB + 32},
     "base of leaves = 134217760 is not possible: a multiple of 64"),
    ({"leaf_base": 0}, "base of leaves = '0x0' is not possible: it overlaps data, "
                       "which ends at 0x8000000"),
    ({"data_bytes": 4 * GIB, "address_bits": 32},
     "end of leaves = '0x140000000' is not possible: at most 2**address_bits (0x100000000)"),
    ({"leaf_base": -128 * MIB},
     "end of leaves = '-0x6000000' is not possible: at most 2**address_bits (0x10000000000)"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_an_impossible_engine_is_refused_with_name_and_value(
        change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EngineConfig(**change)  # pyright: ignore
    assert message in str(caught.value)


@pytest.mark.parametrize(("change", "message"), [
    ({"rounds_per_stage": 3}, "rounds_per_stage = 3 is not possible: 1 or 2"),
    ({"registers_per_round": 0}, "registers_per_round = 0 is not possible: 1 or 2"),
    ({"registers_per_round": 2, "rounds_per_stage": 2}, "registers_per_round = 2 is not possible: "
     "2 needs a pipelined core with rounds_per_stage = 1"),
    ({"registers_per_round": 2, "pipelined": False}, "registers_per_round = 2 is not possible: "
     "2 needs a pipelined core with rounds_per_stage = 1"),
    ({"sbox": "table?"}, "sbox = 'table?' is not possible: one of ['table', 'block_ram', 'logic']"),
    ({"sbox": SBox.BLOCK_RAM, "rounds_per_stage": 2}, "rounds_per_stage = 2 is not possible: 1, "
     "because a block-RAM S-box holds a register in every round"),
])
def test_an_impossible_cipher_is_refused_with_name_and_value(
        change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CipherConfig(**change)  # pyright: ignore
    assert str(caught.value) == message


def test_a_shared_cipher_needs_one_gmac_and_three_equal_ciphers_that_are_no_rings() -> None:
    with pytest.raises(ConfigError, match=r"^shared_cipher = True is not possible: it needs "
                                          r"shared_gmac$"):
        TreeConfig(shared_cipher=True)
    iterative = CipherConfig(pipelined=False)
    tree = TreeConfig(pad_cipher=iterative, shared_gmac=True, shared_cipher=True)
    config = EngineConfig(data_cipher=iterative, tweak_cipher=iterative, tree=tree)
    assert config.digest != config.replace(
        tree=dataclasses.replace(tree, shared_cipher=False)).digest
    pipelined = CipherConfig()
    config.replace(data_cipher=pipelined, tweak_cipher=pipelined,
                   tree=dataclasses.replace(tree, pad_cipher=pipelined))
    other = CipherConfig(pipelined=False, sbox=SBox.LOGIC)
    for change in ({"data_bits": 256}, {"tweak_cipher": other}, {"data_cipher": CipherConfig()},
                   {"tree": dataclasses.replace(tree, pad_cipher=other)},
                   {name: CipherConfig(pipelined=False, units=2)
                    for name in ("data_cipher", "tweak_cipher")}):
        with pytest.raises(ConfigError, match=r"^shared_cipher = True is not possible: it needs "
                                              r"data_bits of at most 128, and data_cipher, "):
            config.replace(**change)


def test_an_impossible_leaf_is_refused_with_name_and_value() -> None:
    with pytest.raises(ConfigError, match=r"^lines = 3 is not possible: a power of two$"):
        LeafShape(lines=3)
    with pytest.raises(ConfigError, match=r"^leaf = '948 bits' is not possible: at most 512 bits$"):
        LeafShape(lines=8)


def test_an_unknown_preset_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"^no preset is called 'huge'; there are tiny, latency,"):
        preset("huge")
