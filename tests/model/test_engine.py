"""The golden engine: byte semantics, every DRAM byte, and who is refused."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from casemate.config import EngineConfig, LeafShape, preset
from casemate_sim.model import (
    AccessError,
    ExhaustedError,
    GoldenEngine,
    Image,
    IntegrityError,
    ModelError,
)
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st

WINDOW = 64 * 1024
CONFIG = preset("tiny").replace(data_base=0x100000, domain_slots=4)
KEY1, KEY2 = bytes(range(16)), bytes(range(16, 32))


def engine(config: EngineConfig = CONFIG) -> GoldenEngine:
    """Domain 5 encrypts, domain 6 does not."""
    golden = GoldenEngine(config)
    size = config.aes_bits // 8
    golden.set_slot(1, domain=5, encrypt=True)
    golden.load_key(1, "K1", (KEY1 * 2)[:size])
    golden.load_key(1, "K2", (KEY2 * 2)[:size])
    golden.set_slot(2, domain=6)
    return golden


def xts_by_hand(key1: bytes, key2: bytes, line: int, data: bytes) -> bytes:
    """One line, block by block, straight from IEEE 1619."""
    tweak = int.from_bytes(AES.new(key2, AES.MODE_ECB).encrypt(line.to_bytes(16, "little")),
                           "little")
    stored = b""
    for start in range(0, 64, 16):
        mask = tweak.to_bytes(16, "little")
        block = bytes(a ^ b for a, b in zip(data[start:start + 16], mask, strict=True))
        block = AES.new(key1, AES.MODE_ECB).encrypt(block)
        stored += bytes(a ^ b for a, b in zip(block, mask, strict=True))
        tweak = (tweak << 1 ^ (0x87 if tweak >> 127 else 0)) & (1 << 128) - 1
    return stored


OPERATIONS = st.lists(st.tuples(
    st.sampled_from([5, 6]), st.integers(0, 1000), st.binary(min_size=1, max_size=200),
    st.integers(0, 2**200)), max_size=12)


@settings(deadline=None)
@given(OPERATIONS)
def test_partial_writes_equal_the_semantics_of_bytes(
        operations: list[tuple[int, int, bytes, int]]) -> None:
    golden = engine()
    memory = {5: bytearray(4096), 6: bytearray(4096)}
    offset = {5: 0, 6: 8192}
    for domain in (5, 6):
        golden.write(domain, CONFIG.data_base + offset[domain], bytes(4096))
    for domain, start, content, mask in operations:
        strobes = [bool(mask >> place & 1) for place in range(len(content))]
        golden.write(domain, CONFIG.data_base + offset[domain] + start, content, strobes)
        for place, written in enumerate(strobes):
            if written:
                memory[domain][start + place] = content[place]
    for domain in (5, 6):
        assert golden.read(domain, CONFIG.data_base + offset[domain], 4096) == memory[domain]
        assert golden.read(domain, CONFIG.data_base + offset[domain] + 7, 99) \
            == memory[domain][7:106]


@settings(deadline=None)
@given(st.integers(0, WINDOW // 64 - 1), st.binary(min_size=64, max_size=64))
def test_dram_holds_the_line_as_ieee_1619_encrypts_it_and_nothing_else(
        line: int, data: bytes) -> None:
    golden = engine()
    golden.write(5, CONFIG.data_base + 64 * line, data)
    assert golden.image == Image([(CONFIG.data_base + 64 * line,
                                   xts_by_hand(KEY1, KEY2, line, data))])


def test_plain_leaves_the_hosts_bytes_in_dram() -> None:
    golden = engine()
    golden.write(6, CONFIG.data_base + 100, b"hello")
    assert golden.image == Image([(CONFIG.data_base + 100, b"hello")])


def test_the_tweak_is_the_line_number_and_not_the_address() -> None:
    low, high = engine(), engine(CONFIG.replace(data_base=0x4000000))
    low.write(5, CONFIG.data_base + 128, bytes(64))
    high.write(5, 0x4000000 + 128, bytes(64))
    assert low.image.read(CONFIG.data_base + 128, 64) == high.image.read(0x4000000 + 128, 64)


def test_aes_256_uses_the_whole_key() -> None:
    golden = engine(CONFIG.replace(aes_bits=256))
    golden.write(5, CONFIG.data_base, bytes(64))
    assert golden.image.read(CONFIG.data_base, 64) == xts_by_hand(KEY1 * 2, KEY2 * 2, 0, bytes(64))


def test_a_domain_reads_garbage_where_another_has_written() -> None:
    golden = engine()
    golden.write(5, CONFIG.data_base, b"secret" + bytes(58))
    assert b"secret" not in golden.read(6, CONFIG.data_base, 64)


def test_a_write_without_any_strobe_changes_nothing() -> None:
    golden = engine()
    golden.write(5, CONFIG.data_base + 3, b"abc", [False] * 3)
    assert golden.image == Image()


def test_lines_in_bulk_equal_lines_one_by_one() -> None:
    random = np.random.default_rng(3)
    lines = random.choice(CONFIG.lines, 200, replace=False).astype(np.uint64)
    data = random.integers(256, size=(200, 64), dtype=np.uint8)
    bulk, single = engine(), engine()
    bulk.write_lines(5, lines, data)
    for line, content in zip(lines.tolist(), data, strict=True):
        single.write(5, CONFIG.data_base + 64 * line, content.tobytes())
    assert bulk.image == single.image
    assert (bulk.read_lines(5, lines) == data).all()


BASE = CONFIG.data_base


@pytest.mark.parametrize(("domain", "address", "length", "message"), [
    (7, BASE, 4, "address 0x100000, domain 7: no slot holds the domain"),
    (5, BASE - 4, 4, "address 0xffffc, domain 5: outside the data window"),
    (5, BASE + WINDOW, 1, "address 0x110000, domain 5: outside the data window"),
    (5, BASE + WINDOW - 4, 8, "address 0x10fffc, domain 5: outside the data window"),
])
def test_an_access_error_changes_nothing(
        domain: int, address: int, length: int, message: str) -> None:
    golden = engine()
    with pytest.raises(AccessError, match=f"^{re.escape(message)}$"):
        golden.write(domain, address, bytes(length))
    with pytest.raises(AccessError, match=f"^{re.escape(message)}$"):
        golden.read(domain, address, length)
    assert golden.image == Image()


def test_a_slot_that_is_no_longer_valid_serves_nobody() -> None:
    golden = engine()
    golden.set_slot(2, valid=False)
    with pytest.raises(AccessError, match=r"no slot holds the domain"):
        golden.read(6, BASE, 1)


def test_the_model_refuses_what_it_does_not_cover() -> None:
    golden = engine()
    for call, message in (
            (lambda: golden.set_slot(0, domain=0, authenticate=True),
             "domain 0 cannot authenticate: owner 0 is nobody"),
            (lambda: golden.reclaim(BASE + 64, 256),
             "256 bytes at 0x100040 are not whole granules of 256 bytes in the data window"),
            (lambda: golden.reclaim(BASE + WINDOW, 256),
             "256 bytes at 0x110000 are not whole granules of 256 bytes in the data window"),
            (lambda: golden.set_slot(0, domain=5), "domain 5 is in slot 1 already"),
            (lambda: golden.set_slot(4, domain=9), "no slot 4; the engine has 4"),
            (lambda: golden.set_slot(0, domain=4096), "domain 4096 does not fit 12 bits"),
            (lambda: golden.load_key(0, "K5", KEY1),
             "no key is called 'K5'; there are K1, K2, K3, K4"),
            (lambda: golden.load_key(0, "K1", KEY1 * 2),
             "a key of 256 bits; the engine's have 128"),
            (lambda: golden.write(5, BASE, b"ab", [True]), "1 strobes for 2 bytes")):
        with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
            call()
    golden.set_slot(0, domain=9, encrypt=True)
    golden.load_key(0, "K1", KEY1)
    with pytest.raises(ModelError, match=r"^domain 9 encrypts and has no K2$"):
        golden.read(9, BASE, 1)
    golden.set_slot(0, domain=9, authenticate=True)
    with pytest.raises(ModelError, match=r"^leaves and nodes need K4, which was not loaded$"):
        golden.read(9, BASE, 1)
    golden.load_key(0, "K4", KEY1)
    with pytest.raises(ModelError, match=r"^domain 9 authenticates and has no K3$"):
        golden.write(9, BASE, b"x", claim=True)
    assert golden.image == Image()


# -- domains that authenticate -------------------------------------------------------------------


def owners(*, lazy: bool = False) -> GoldenEngine:
    """Domains 5 and 6 as above, 7 in mode full, 8 in mode integrity."""
    golden = GoldenEngine(CONFIG, lazy=lazy)
    golden.set_slot(0, domain=5, encrypt=True)
    golden.set_slot(1, domain=6)
    golden.set_slot(2, domain=7, encrypt=True, authenticate=True)
    golden.set_slot(3, domain=8, authenticate=True)
    for slot in range(4):
        for name in ("K1", "K2", "K3"):
            golden.load_key(slot, name, bytes([slot, int(name[1])]) * 8)
    golden.load_key(3, "K4", KEY1)
    return golden


def test_a_granule_of_nobody_is_refused_until_it_is_claimed() -> None:
    golden = owners()
    nobody = r"^address 0x100040, domain 7: the granule belongs to nobody$"
    with pytest.raises(AccessError, match=nobody):
        golden.read(7, BASE + 0x44, 4)
    with pytest.raises(AccessError, match=nobody):
        golden.write(7, BASE + 0x44, b"text")
    assert golden.image == Image()
    golden.write(7, BASE + 0x44, b"text", claim=True)
    golden.write(7, BASE, b"unclaimed")  # its own by now
    assert golden.read(7, BASE, 256) == (
        b"unclaimed".ljust(0x44, b"\0") + b"text").ljust(256, b"\0")
    leaf = golden.leaf(0)
    assert (leaf.owner, leaf.versions, leaf.valid) == (
        7, (1, 1, 0, 0), (True, True, False, False))
    with pytest.raises(AccessError, match=r"0x100100, domain 7: the granule belongs to nobody"):
        golden.read(7, BASE, 257)


def test_a_granule_of_another_is_refused_and_stays() -> None:
    golden = owners()
    golden.write(7, BASE, b"secret", claim=True)
    before, root = Image(golden.image.pages()), golden.root.copy()
    for claim in (False, True):
        with pytest.raises(AccessError, match=r"domain 8: the granule belongs to another domain"):
            golden.write(8, BASE + 64, bytes(64), claim=claim)
        with pytest.raises(AccessError, match=r"domain 8: the granule belongs to another domain"):
            golden.write(8, BASE + 192, bytes(128), claim=claim)  # and one of nobody
    with pytest.raises(AccessError, match=r"domain 8: the granule belongs to another domain"):
        golden.read(8, BASE, 1)
    assert golden.image == before
    assert (golden.root == root).all()


def test_a_reclaimed_granule_is_nobodys_and_reads_as_zeros_to_its_next_owner() -> None:
    golden = owners()
    golden.write(7, BASE, b"s" * 1024, claim=True)
    golden.reclaim(BASE + 256, 512)
    assert golden.read(7, BASE, 256) == b"s" * 256
    assert golden.read(7, BASE + 768, 256) == b"s" * 256
    with pytest.raises(AccessError, match=r"the granule belongs to nobody"):
        golden.read(7, BASE + 256, 1)
    golden.write(8, BASE + 257, b"n", claim=True)
    assert golden.read(8, BASE + 256, 256) == b"\0n".ljust(256, b"\0")
    leaf = golden.leaf(1)
    assert leaf.versions == (2, 1, 1, 1)  # no version comes again, whoever owns the line
    assert (leaf.owner, leaf.valid) == (8, (True, False, False, False))
    root = golden.root.copy()
    golden.reclaim(BASE + 512, 256)  # nobody's already
    golden.reclaim(BASE, 0)
    assert (golden.root == root).all()


def test_a_domain_that_does_not_authenticate_can_destroy_and_not_inject() -> None:
    golden = owners()
    golden.write(7, BASE, b"secret", claim=True)
    golden.write(6, BASE, b"forged")
    with pytest.raises(IntegrityError, match=r"^line 0 at address 0x100000: its tag does not"):
        golden.read(7, BASE, 1)
    golden.write(7, BASE, b"w" * 64)  # a whole line needs nothing of the old one
    assert golden.read(7, BASE, 64) == b"w" * 64


def test_equal_data_never_give_equal_bytes_in_mode_full() -> None:
    golden = owners()
    seen = set()
    for _ in range(3):
        golden.write(7, BASE, b"same" * 16, claim=True)
        seen.add(golden.image.read(BASE, 64))
    golden.write(7, BASE + 64, b"same" * 16)
    seen.add(golden.image.read(BASE + 64, 64))
    assert len(seen) == 4
    golden.write(8, BASE + 256, b"same" * 16, claim=True)
    assert golden.image.read(BASE + 256, 64) == b"same" * 16


def test_a_narrow_version_comes_to_its_end() -> None:
    config = CONFIG.replace(leaf=LeafShape(version_bits=2))
    golden = GoldenEngine(config)
    golden.set_slot(0, domain=7, authenticate=True)
    for name in ("K3", "K4"):
        golden.load_key(0, name, KEY1)
    for count in range(3):
        golden.write(7, BASE + 64, bytes([count]) * 64, claim=True)
    before = Image(golden.image.pages())
    with pytest.raises(ExhaustedError) as caught:
        golden.write(7, BASE, bytes(128))
    error = caught.value
    assert (error.kind, error.level, error.index, error.address) == ("line", None, 1, BASE + 64)
    assert golden.image == before
    golden.reclaim(BASE, 256)
    with pytest.raises(ExhaustedError):
        golden.write(7, BASE + 64, b"x", claim=True)


ACCESSES = st.lists(st.tuples(
    st.sampled_from([7, 8]), st.integers(0, 1000), st.binary(min_size=1, max_size=200),
    st.integers(0, 2**200), st.sampled_from(["read", "write", "claim", "reclaim", "flush"])),
    max_size=14)


@settings(deadline=None)
@given(ACCESSES, st.booleans())
def test_owners_and_bytes_are_those_of_the_rules(
        accesses: list[tuple[int, int, bytes, int, str]], lazy: bool) -> None:
    golden = owners(lazy=lazy)
    memory, owner = bytearray(2048), [0] * 8
    for domain, start, content, mask, kind in accesses:
        strobes = [kind == "read" or bool(mask >> place & 1) for place in range(len(content))]
        touched = {(start + place) // 256 for place, on in enumerate(strobes) if on}
        allowed = all(owner[granule] == domain or (owner[granule] == 0 and kind == "claim")
                      for granule in touched)
        if kind == "flush":
            golden.flush()
        elif kind == "reclaim":
            granule = start // 256
            golden.reclaim(BASE + 256 * granule, 256)
            owner[granule] = 0
            memory[256 * granule:256 * granule + 256] = bytes(256)
        elif not allowed:
            with pytest.raises(AccessError):
                if kind == "read":
                    golden.read(domain, BASE + start, len(content))
                else:
                    golden.write(domain, BASE + start, content, strobes, claim=kind == "claim")
        elif kind == "read":
            assert golden.read(domain, BASE + start, len(content)) \
                == memory[start:start + len(content)]
        else:
            golden.write(domain, BASE + start, content, strobes, claim=kind == "claim")
            for place, on in enumerate(strobes):
                if on:
                    memory[start + place] = content[place]
            for granule in touched:
                owner[granule] = domain
    golden.flush()
    fresh = GoldenEngine(CONFIG, golden.image, golden.root)
    for slot, (domain, encrypt) in enumerate(((7, True), (8, False)), 2):
        fresh.set_slot(slot, domain=domain, encrypt=encrypt, authenticate=True)
        for name in ("K1", "K2", "K3"):
            fresh.load_key(slot, name, bytes([slot, int(name[1])]) * 8)
    fresh.load_key(0, "K4", KEY1)
    for granule, domain in enumerate(owner):
        assert fresh.leaf(granule).owner == domain
        if domain:
            assert fresh.read(domain, BASE + 256 * granule, 256) \
                == memory[256 * granule:256 * granule + 256]


def test_the_model_needs_neither_amaranth_nor_the_rtl() -> None:
    code = ("import sys, casemate_sim.model, casemate_sim.audit, casemate_sim.dump\n"
            "bad = [name for name in sys.modules if name.split('.')[0] in ('amaranth', 'cocotb')\n"
            "       or name.startswith('casemate.') and name != 'casemate.config']\n"
            "assert not bad, bad")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
