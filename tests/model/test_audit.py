"""Dump and audit: agreement, the first wrong line by name, and every malformed file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from casemate.config import preset
from casemate_sim.audit import audit
from casemate_sim.dump import DomainSecrets, DumpError, Expected, Secrets, write_dump
from casemate_sim.model import GoldenEngine, derive_domain_keys

CONFIG = preset("tiny").replace(data_base=65536)
SECRETS = Secrets(
    root_key=bytes(range(32)), boot_nonce=bytes(range(16)), domains={
        1: DomainSecrets(encrypt=True), 2: DomainSecrets(encrypt=False),
        0xABC: DomainSecrets(encrypt=True, generation=3)})
LINES = np.array([700, 3, 1023, 0, 512, 64], np.uint64)
DOMAINS = np.array([1, 2, 0xABC, 0xABC, 1, 2], np.uint16)
DATA = np.random.default_rng(4).integers(256, size=(6, 64), dtype=np.uint8)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    golden = GoldenEngine(CONFIG.replace(domain_slots=4))
    for slot, (domain, secrets) in enumerate(SECRETS.domains.items()):
        keys = derive_domain_keys(SECRETS.root_key, SECRETS.boot_nonce, domain,
                                  secrets.generation, CONFIG.aes_bits)
        golden.set_slot(slot, domain=domain, encrypt=secrets.encrypt)
        golden.load_key(slot, "K1", keys.K1)
        golden.load_key(slot, "K2", keys.K2)
    for line, domain, data in zip(LINES, DOMAINS, DATA, strict=True):
        golden.write_lines(int(domain), line.reshape(1), data.reshape(1, 64))
    golden.image.write(CONFIG.data_base + 64 * 5, b"nobody's")
    write_dump(tmp_path / "dump", config=CONFIG, image=golden.image.pages(),
               expected=Expected(LINES, DOMAINS, DATA), secrets=SECRETS, stats={"cycles": 17})
    return tmp_path / "dump"


def flip(dump: Path, line: int, offset: int) -> None:
    with (dump / "dram.bin").open("r+b") as file:
        file.seek(CONFIG.data_base + 64 * line + offset)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def test_a_dump_of_the_model_agrees_with_it(dump: Path) -> None:
    seen = []
    report = audit(dump, lambda *now: seen.append(now))
    assert report.ok
    assert report.mismatch is None
    assert (report.lines, report.wrong_lines) == (6, 0)
    assert report.lines_by_mode == {"xts": 4, "plain": 2}
    assert str(report) == "6 lines checked (4 xts, 2 plain): all agree"
    assert seen == [(6, 6)]


@pytest.mark.parametrize(
    ("line", "domain"), list(zip(LINES.tolist(), DOMAINS.tolist(), strict=True)))
@pytest.mark.parametrize("offset", [0, 15, 16, 63])
def test_one_changed_byte_names_its_line(dump: Path, line: int, domain: int, offset: int) -> None:
    flip(dump, line, offset)
    report = audit(dump)
    assert not report.ok
    assert report.wrong_lines == 1
    found = report.mismatch
    assert found is not None
    assert (found.line, found.address, found.domain, found.offset) == (
        line, CONFIG.data_base + 64 * line, domain, offset)
    assert found.actual == found.expected ^ 1
    assert f"1 wrong, the first is line {line} at address {found.address:#x} of domain {domain}: " \
        f"byte {offset} is {found.actual:#04x}, expected {found.expected:#04x}" in str(report)


def test_the_first_wrong_line_is_that_of_the_lowest_number(dump: Path) -> None:
    for line in (1023, 64, 700):
        flip(dump, line, 9)
        flip(dump, line, 3)
    report = audit(dump)
    assert report.wrong_lines == 3
    assert report.mismatch is not None
    assert (report.mismatch.line, report.mismatch.offset) == (64, 3)


def test_a_line_that_nobody_wrote_is_not_checked(dump: Path) -> None:
    flip(dump, 6, 0)
    assert audit(dump).ok


def test_swapped_ciphertexts_are_found(dump: Path) -> None:
    content = bytearray((dump / "dram.bin").read_bytes())
    first, second = (slice(CONFIG.data_base + 64 * line, CONFIG.data_base + 64 * line + 64)
                     for line in (512, 700))
    content[first], content[second] = content[second], content[first]
    (dump / "dram.bin").write_bytes(content)
    assert audit(dump).wrong_lines == 2


def test_the_files_hold_what_the_contract_lists(dump: Path) -> None:
    assert {path.name for path in dump.iterdir()} == {
        "config.json", "dram.bin", "root.bin", "secrets.json", "expected.npz", "stats.json"}
    config = json.loads((dump / "config.json").read_text())
    assert (config["data_bytes"], config["data_base"], config["leaf_base"], config["node_bases"],
            config["root_counters"], config["aes_bits"]) == (
        65536, 65536, 131072, [131072 + 16384], 64, 128)
    assert "numpy" in config["versions"]
    secrets = json.loads((dump / "secrets.json").read_text())
    assert secrets["root_key"] == bytes(range(32)).hex()
    assert set(secrets) == {"root_key", "boot_nonce", "K4", "domains"}
    assert set(secrets["domains"]["2748"]) == {
        "generation", "encrypt", "authenticate", "K1", "K2", "K3"}
    assert (dump / "root.bin").read_bytes() == bytes(8 * 64)
    assert json.loads((dump / "stats.json").read_text()) == {"cycles": 17}
    assert (dump / "dram.bin").stat().st_size == 131072 + 16384 + 2048
    assert (dump / "dram.bin").read_bytes()[:65536] == bytes(65536)


def test_the_dram_of_a_large_window_is_a_sparse_file(tmp_path: Path) -> None:
    config = preset("server")
    line = np.array([config.lines - 1], np.uint64)
    keys = Secrets(root_key=bytes(32), boot_nonce=bytes(16),
                   domains={1: DomainSecrets(encrypt=False)})
    data = np.full((1, 64), 7, np.uint8)
    write_dump(tmp_path, config=config, image=[(config.data_bytes - 64, bytes([7]) * 64)],
               expected=Expected(line, np.array([1], np.uint16), data), secrets=keys, stats={})
    status = (tmp_path / "dram.bin").stat()
    assert status.st_size > 64 * 2**30
    assert status.st_blocks * 512 < 2**20
    assert audit(tmp_path).ok


# -- malformed dumps -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    "config.json", "dram.bin", "root.bin", "secrets.json", "expected.npz"])
def test_a_missing_file_is_named(dump: Path, name: str) -> None:
    (dump / name).unlink()
    with pytest.raises(DumpError, match=rf"{name}: missing; the dump is not complete$"):
        audit(dump)


@pytest.mark.parametrize(("name", "message"), [
    ("config.json", "config.json: no JSON: "), ("secrets.json", "secrets.json: no JSON: "),
    ("expected.npz", "expected.npz: no archive of line, domain and data: "),
    ("root.bin", "root.bin: 5 bytes; 64 root counters have 512"),
    ("dram.bin", "dram.bin: 5 bytes; the data window ends at 131072"),
])
def test_a_file_of_rubbish_is_named(dump: Path, name: str, message: str) -> None:
    (dump / name).write_bytes(b"{\xff: 1")
    (dump / name).write_bytes(b"hello")
    with pytest.raises(DumpError, match=re.escape(message)):
        audit(dump)


def change(dump: Path, name: str, **values: object) -> None:
    content = json.loads((dump / name).read_text())
    content.update(values)
    (dump / name).write_text(json.dumps(content))


@pytest.mark.parametrize(("values", "message"), [
    ({"data_bytes": 100}, "config.json: data_bytes = 100 is not possible: a power of two"),
    ({"data_bytes": "100"}, "config.json: data_bytes = '100' is no int"),
    ({"aes_bits": True}, "config.json: aes_bits = True is no int"),
    ({"node_bases": 5}, "config.json: node_bases = 5 is no list"),
    ({"node_bases": ["x"]}, "config.json: "),
])
def test_an_impossible_configuration_is_named(
        dump: Path, values: dict[str, object], message: str) -> None:
    change(dump, "config.json", **values)
    with pytest.raises(DumpError, match=re.escape(message)):
        audit(dump)


@pytest.mark.parametrize(("values", "message"), [
    ({"root_key": "xyz"}, "root_key is no hexadecimal text"),
    ({"root_key": "00"}, "root_key has 1 bytes, not 32"),
    ({"K4": "00" * 16}, "K4 is not the key that root_key and boot_nonce derive"),
    ({"boot_nonce": "00" * 16}, "K4 is not the key that root_key and boot_nonce derive"),
    ({"domains": []}, "domains = [] is no dict"),
    ({"domains": {"x": {}}}, "domain 'x' is no domain ID with an object"),
    ({"domains": {"5000": {}}}, "domain '5000' is no domain ID with an object"),
    ({"domains": {"1": {}}}, "generation = None is no int"),
    ({"domains": {"1": {"generation": 0, "encrypt": True, "authenticate": True}}},
     "domain 1 authenticates; this program audits the modes plain and xts"),
    ({"domains": {"1": {"generation": -1, "encrypt": True, "authenticate": False}}},
     "generation -1 does not fit 32 bits"),
    ({"domains": {"1": {"generation": 1, "encrypt": True, "authenticate": False,
                        "K1": "00" * 16}}},
     "K1 of domain 1 is not the key that root_key and boot_nonce derive"),
])
def test_secrets_that_cannot_be_are_named(
        dump: Path, values: dict[str, object], message: str) -> None:
    change(dump, "secrets.json", **values)
    with pytest.raises(DumpError, match=re.escape(f"secrets.json: {message}")):
        audit(dump)


@pytest.mark.parametrize(("values", "message"), [
    ({"line": LINES.astype(np.int64)}, "line is int64 of shape (6,), not uint64 of shape (6,)"),
    ({"data": DATA[:5]}, "data is uint8 of shape (5, 64), not uint8 of shape (6, 64)"),
    ({"domain": DOMAINS[:5]}, "domain is uint16 of shape (5,), not uint16 of shape (6,)"),
    ({"line": LINES + np.uint64(1)}, "line 1024 lies outside the data window"),
    ({"line": np.zeros(6, np.uint64)}, "line 0 occurs more than once"),
    ({"domain": DOMAINS + np.uint16(1)}, "domain 3 is not in secrets.json"),
])
def test_an_expectation_that_cannot_be_is_named(
        dump: Path, values: dict[str, np.ndarray], message: str) -> None:
    arrays = {"line": LINES, "domain": DOMAINS, "data": DATA, **values}
    np.savez(dump / "expected.npz", **arrays)
    with pytest.raises(DumpError, match=re.escape(f"expected.npz: {message}")):
        audit(dump)


def test_a_dump_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DumpError, match=r"file/dump: cannot be written: Not a directory$"):
        write_dump(tmp_path / "file" / "dump", config=CONFIG, image=[],
                   expected=Expected(LINES, DOMAINS, DATA), secrets=SECRETS, stats={})


def test_an_interrupted_dump_is_not_taken_for_complete(dump: Path) -> None:
    def interrupted():
        yield 0, b"x"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dump(dump, config=CONFIG, image=interrupted(),
                   expected=Expected(LINES, DOMAINS, DATA), secrets=SECRETS, stats={})
    with pytest.raises(DumpError, match=r"config\.json: missing; the dump is not complete$"):
        audit(dump)


def test_too_few_root_counters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=r"^3 root counters; the configuration has 64$"):
        write_dump(tmp_path, config=CONFIG, image=[], root=np.zeros(3, np.uint64),
                   expected=Expected(LINES, DOMAINS, DATA), secrets=SECRETS, stats={})
