"""Dump and audit: agreement, the first wrong line by name, and every malformed file."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from casemate.config import LeafShape, preset
from casemate_sim.audit import audit
from casemate_sim.dump import DomainSecrets, DumpError, Expected, Secrets, write_dump
from casemate_sim.model import GoldenEngine, Image, derive_domain_keys, seal_image
from hypothesis import given, settings
from hypothesis import strategies as st

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
    ({"domains": {"0": {"generation": 0, "encrypt": True, "authenticate": True}}},
     "domain 0 authenticates, but owner 0 is nobody"),
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
        write_dump(tmp_path, config=CONFIG, image=[], root_counters=np.zeros(3, np.uint64),
                   expected=Expected(LINES, DOMAINS, DATA), secrets=SECRETS, stats={})


# -- modes integrity and full --------------------------------------------------------------------

# 1024 lines from 0x10000, 256 leaves, 32 nodes of level 1, 4 of level 2.
DEEP = CONFIG.replace(root_counters=8, domain_slots=4)
LEAVES, NODES1, NODES2 = (region.base for region in DEEP.regions[1:])
MODES = {1: (False, False), 2: (True, False), 3: (False, True), 4: (True, True)}
DEEP_SECRETS = Secrets(root_key=bytes(range(32)), boot_nonce=bytes(16), domains={
    domain: DomainSecrets(encrypt=encrypt, authenticate=authenticate, generation=domain)
    for domain, (encrypt, authenticate) in MODES.items()})
WRITTEN = {1: [4, 5, 1000], 2: [8], 3: [16, 18, 19, 20], 4: [0, 1, 300, 1023]}


def engine(image: Image | None = None, root: np.ndarray | None = None) -> GoldenEngine:
    golden = GoldenEngine(DEEP, image, root)
    keys = DEEP_SECRETS.as_dict(128)
    for slot, (domain, (encrypt, authenticate)) in enumerate(MODES.items()):
        golden.set_slot(slot, domain=domain, encrypt=encrypt, authenticate=authenticate)
        for name in ("K1", "K2", "K3"):
            golden.load_key(slot, name, bytes.fromhex(keys["domains"][str(domain)][name]))
    golden.load_key(0, "K4", bytes.fromhex(keys["K4"]))
    return golden


def expectation(**without: int) -> Expected:
    pairs = [(line, domain) for domain, lines in WRITTEN.items() for line in lines]
    pairs = [pair for pair in pairs if pair[0] != without.get("line")]
    return Expected(np.array([line for line, _ in pairs], np.uint64),
                    np.array([domain for _, domain in pairs], np.uint16),
                    np.array([[line % 256] * 64 for line, _ in pairs], np.uint8))


def write_deep(folder: Path, golden: GoldenEngine, expected: Expected | None = None) -> None:
    write_dump(folder, config=DEEP, image=golden.image.pages(), secrets=DEEP_SECRETS, stats={},
               expected=expected or expectation(), root_counters=golden.root)


@pytest.fixture(scope="module")
def written() -> GoldenEngine:
    golden = engine()
    for line, domain, data in zip(*vars(expectation()).values(), strict=True):
        golden.write(int(domain), DEEP.data_base + 64 * int(line), data.tobytes(), claim=True)
    golden.write(4, DEEP.data_base + 64 * 600, b"was there", claim=True)
    golden.reclaim(DEEP.data_base + 64 * 600, 256)
    return golden


@pytest.fixture(scope="module")
def whole(written: GoldenEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dump")
    write_deep(folder, written)
    return folder


@pytest.fixture
def deep(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "dump")
    return tmp_path / "dump"


def flip_bit(dump: Path, address: int, bit: int, name: str = "dram.bin") -> None:
    with (dump / name).open("r+b") as file:
        file.seek(address + bit // 8)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1 << bit % 8]))


def test_a_dump_of_all_modes_agrees(deep: Path) -> None:
    report = audit(deep)
    assert report.ok
    assert report.lines_by_mode == {"plain": 3, "xts": 1, "integrity": 4, "full": 4}
    # Leaves 0, 4, 5, 75, 150 (reclaimed), 255; the nodes above them.
    assert (report.leaves, report.nodes, report.other_lines) == (6, 4 + 4, 0)
    assert str(report) == ("12 lines checked (3 plain, 1 xts, 4 integrity, 4 full), 6 leaves, "
                           "8 nodes: all agree")


PLACES = [(("line", None, line), DEEP.data_base + 64 * line)
          for lines in WRITTEN.values() for line in lines]
PLACES += [(("leaf", 0, leaf), LEAVES + 64 * leaf) for leaf in (0, 4, 5, 75, 150, 255)]
PLACES += [(("node", 1, node), NODES1 + 64 * node) for node in (0, 9, 18, 31)]
PLACES += [(("node", 2, node), NODES2 + 64 * node) for node in range(4)]


@settings(deadline=None)
@given(st.sampled_from(PLACES), st.integers(0, 511))
def test_a_flipped_bit_is_found_at_its_place(
        whole: Path, place: tuple[tuple[str, int | None, int], int], bit: int) -> None:
    wanted, address = place
    flip_bit(whole, address, bit)
    try:
        report = audit(whole)
    finally:
        flip_bit(whole, address, bit)
    found = report.mismatch
    assert found is not None
    assert ((found.kind, found.level, found.index), found.address) == place
    assert report.wrong_lines + report.wrong_leaves + report.wrong_nodes == 1
    assert found.line == (wanted[2] if wanted[0] == "line" else None)
    hidden = {("node", 2, 0): 6, ("node", 1, 0): 6, ("leaf", 0, 4): 3, ("leaf", 0, 150): 0}
    if wanted in hidden:
        assert report.hidden_lines == hidden[wanted]


@settings(deadline=None)
@given(st.one_of(
    st.builds(lambda line: DEEP.data_base + 64 * line, st.sampled_from([2, 3, 6, 17, 302, 600])),
    st.builds(lambda leaf: LEAVES + 64 * leaf, st.sampled_from([1, 2, 3, 6, 74, 254])),
    st.builds(lambda node: NODES1 + 64 * node, st.sampled_from([1, 8, 10, 30]))),
    st.integers(0, 511))
def test_what_nothing_covers_may_hold_anything(whole: Path, address: int, bit: int) -> None:
    flip_bit(whole, address, bit)
    try:
        assert audit(whole).ok
    finally:
        flip_bit(whole, address, bit)


def test_a_flipped_root_counter_is_its_nodes_failure(deep: Path) -> None:
    flip_bit(deep, 8, 1, "root.bin")
    found = audit(deep).mismatch
    assert found is not None
    assert (found.kind, found.level, found.index) == ("node", 2, 1)


@pytest.mark.parametrize(("bit", "message"), [
    (64 * 4, "root counter 4 is not zero, and there are 4 nodes below the root"),
    (52, "root counter 0 does not fit 52 bits")])
def test_a_root_that_cannot_be_is_named(deep: Path, bit: int, message: str) -> None:
    flip_bit(deep, 0, bit, "root.bin")
    with pytest.raises(DumpError, match=f"root.bin: {message}$"):
        audit(deep)


def test_a_lost_subtree_is_missed(deep: Path) -> None:
    content = bytearray((deep / "root.bin").read_bytes())
    content[8:16] = bytes(8)
    (deep / "root.bin").write_bytes(content)
    report = audit(deep)
    assert report.wrong_lines == 1
    assert "line 300 at address 0x14b00 of domain 4: its leaf was never written" in str(report)


def test_the_dump_of_an_earlier_time_is_found(deep: Path, written: GoldenEngine) -> None:
    golden = engine(Image(written.image.pages()), written.root.copy())
    golden.write(4, DEEP.data_base + 64 * 300, b"later")
    (deep / "root.bin").write_bytes(golden.root.astype("<u8").tobytes())
    found = audit(deep).mismatch
    assert found is not None
    assert (found.kind, found.level, found.index) == ("node", 2, 1)


def change_model(golden: GoldenEngine, leaf: int, **values: object) -> None:
    """Seal a leaf that the rules do not allow."""
    fields = golden.leaf(leaf)
    content = np.frombuffer(replace(fields, **values).pack(), np.uint8).reshape(1, 64)
    golden.tree().write_leaves(np.array([leaf], np.uint64), content)


WRONG = [
    (0, {"owner": 3}, "line 0 at address 0x10000 of domain 4: its granule belongs to domain 3"),
    (0, {"owner": 0, "valid": (False,) * 4},
     "line 0 at address 0x10000 of domain 4: its granule belongs to nobody"),
    (0, {"valid": (True, False, False, False)},
     "line 1 at address 0x10040 of domain 4: it is not valid in its leaf"),
    (0, {"owner": 0}, "leaf 0 at address 0x20000: it belongs to nobody and has valid lines"),
    (0, {"owner": 2}, "leaf 0 at address 0x20000: its owner is no domain of secrets.json that "
     "authenticates"),
    (0, {"owner": 77}, "leaf 0 at address 0x20000: its owner is no domain of secrets.json that "
     "authenticates"),
    (75, {"versions": (0, 0, 0, 0)}, "leaf 75 at address 0x212c0: a line is valid under version 0"),
    (75, {"versions": (2, 0, 0, 0)},
     "line 300 at address 0x14b00 of domain 4: its tag does not match"),
    (75, {"valid": (True, True, False, False), "versions": (1, 1, 0, 0)},
     "line 301 at address 0x14b40 of domain 4: its tag does not match"),
]


@pytest.mark.parametrize(("leaf", "values", "message"), WRONG)
def test_a_leaf_that_verifies_must_make_sense(
        tmp_path: Path, written: GoldenEngine, leaf: int, values: dict[str, object],
        message: str) -> None:
    golden = engine(Image(written.image.pages()), written.root.copy())
    change_model(golden, leaf, **values)
    write_deep(tmp_path, golden)
    assert message in str(audit(tmp_path))


def test_a_line_that_the_host_did_not_expect_is_verified_too(
        tmp_path: Path, written: GoldenEngine) -> None:
    write_deep(tmp_path, written, expectation(line=300))
    report = audit(tmp_path)
    assert report.ok
    assert "11 lines and 1 others checked" in str(report)
    flip_bit(tmp_path, DEEP.data_base + 64 * 300, 5)
    assert "line 300 at address 0x14b00 of domain 4: its tag" in str(audit(tmp_path))


def test_data_that_verify_must_be_what_the_host_wrote(
        tmp_path: Path, written: GoldenEngine) -> None:
    expected = expectation()
    expected.data[expected.line == 300, 7] ^= 0x10
    write_deep(tmp_path, written, expected)
    report = audit(tmp_path)
    assert report.wrong_lines == 1
    assert "line 300 at address 0x14b00 of domain 4: byte 7 is 0x2c, expected 0x3c" in str(report)


def test_the_first_wrong_thing_is_the_topmost(deep: Path) -> None:
    for address in (DEEP.data_base + 64 * 300, LEAVES + 64 * 5, LEAVES + 64 * 4, NODES1 + 64 * 31):
        flip_bit(deep, address, 3)
    report = audit(deep)
    assert (report.wrong_lines, report.wrong_leaves, report.wrong_nodes) == (1, 2, 1)
    assert report.hidden_lines == 3 + 1 + 1
    assert ": 4 wrong, the first is level 1 node 31 at address " in str(report)
    assert str(report).endswith(
        "its MAC does not match; 5 lines below cannot be checked")
    flip_bit(deep, NODES1 + 64 * 31, 3)
    assert "the first is leaf 4 at address 0x20100: its MAC does not match" in str(audit(deep))


def test_a_file_without_the_nodes_is_named(deep: Path) -> None:
    with (deep / "dram.bin").open("r+b") as file:
        file.truncate(NODES2)
    with pytest.raises(DumpError, match=r"dram.bin: 149504 bytes; the level 2 nodes end at"):
        audit(deep)


def test_the_shape_of_a_leaf_is_written_down_if_it_is_another(tmp_path: Path) -> None:
    shape = LeafShape(lines=2, version_bits=40)
    config = DEEP.replace(leaf=shape)
    secrets = DEEP_SECRETS.as_dict(128)
    keys = {**secrets["domains"]["4"], "K4": secrets["K4"]}
    keys = {name: bytes.fromhex(keys[name]) for name in ("K1", "K2", "K3", "K4")}
    image, root = seal_image(config, keys, 4, LINES, DATA)
    expected = Expected(LINES, np.full(6, 4, np.uint16), DATA)
    write_dump(tmp_path, config=config, image=image.pages(), root_counters=root,
               secrets=DEEP_SECRETS, stats={}, expected=expected)
    assert json.loads((tmp_path / "config.json").read_text())["leaf"]["lines"] == 2
    report = audit(tmp_path)
    assert report.ok
    assert report.leaves == 6
    change(tmp_path, "config.json", leaf={"lines": 3})
    with pytest.raises(DumpError, match=r"config.json: lines = 3 is not possible"):
        audit(tmp_path)
