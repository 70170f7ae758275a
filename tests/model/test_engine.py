"""The golden engine: byte semantics, every DRAM byte, and who is refused."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from casemate.config import EngineConfig, preset
from casemate_sim.model import AccessError, GoldenEngine, Image, ModelError
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
            (lambda: golden.set_slot(0, domain=8, authenticate=True),
             "this model has the modes plain and xts; authenticate must be off"),
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


def test_the_model_needs_neither_amaranth_nor_the_rtl() -> None:
    code = ("import sys, casemate_sim.model, casemate_sim.audit, casemate_sim.dump\n"
            "bad = [name for name in sys.modules if name.split('.')[0] in ('amaranth', 'cocotb')\n"
            "       or name.startswith('casemate.') and name != 'casemate.config']\n"
            "assert not bad, bad")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
