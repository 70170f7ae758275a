"""``casemate fuse``: images built, checked and explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from casemate_sim.fuse_file import read_fuses
from casemate_sim.model.fuses import SECRET, boot

IDENTITY = ("--device", "00112233445566778899aabbccddeeff", "--serial", "0102030405060708")
PRODUCTION = ("--life-cycle", "production", *IDENTITY, "--key-size", "128")


def refused(result, *words: str) -> None:
    assert result.exit_code == 2, result.stdout
    assert result.stderr.count("\n") == 1, result.stderr
    for word in ("error: ", *words):
        assert word in result.stderr
    assert result.stdout == ""


@pytest.fixture
def image(casemate, tmp_path: Path) -> Path:
    key = tmp_path / "key.hex"
    key.write_text("5a" * 32 + "\n")
    path = tmp_path / "fuses.hex"
    result = casemate("fuse", "build", "-o", path, *PRODUCTION, "--root-key", key)
    assert result.exit_code == 0, result.stderr
    return path


def flip(path: Path, word: int, bits: int) -> None:
    lines = path.read_text().splitlines()
    digits, _, rest = lines[word + 1].partition(" ")
    lines[word + 1] = f"{int(digits, 16) ^ bits:010x} {rest}"
    path.write_text("\n".join(lines))


def test_an_image_is_built_and_starts(casemate, image: Path) -> None:
    assert boot(read_fuses(image)).root_key == b"\x5a" * 32
    result = casemate("fuse", "check", image, "--json")
    content = json.loads(result.stdout)
    assert result.exit_code == 0 and content["ok"] and content["findings"] == []
    assert content["life_cycle"] == "production"


def test_every_build_without_a_key_draws_a_new_one(casemate, tmp_path: Path) -> None:
    keys = set()
    for name in ("a", "b"):
        casemate("fuse", "build", "-o", tmp_path / name, *PRODUCTION)
        keys.add(boot(read_fuses(tmp_path / name)).root_key)
    assert len(keys) == 2


def test_an_image_on_stdout(casemate, tmp_path: Path) -> None:
    result = casemate("fuse", "build", "-o", "-", "--life-cycle", "test")
    (tmp_path / "image").write_text(result.stdout)
    assert boot(read_fuses(tmp_path / "image")).life_cycle == "test"
    refused(casemate("fuse", "build", "-o", "-", "--json"), "--json", "--output")


def test_a_wrong_bit_is_named_and_two_are_a_fault(casemate, image: Path) -> None:
    flip(image, 9, 1 << 35)
    result = casemate("fuse", "check", image)
    assert result.exit_code == 0
    assert "word 9 (identity: device 1): bit 35 is wrong; corrected" in result.stdout
    flip(image, 9, 1 << 2)
    result = casemate("fuse", "check", image)
    assert result.exit_code == 1
    assert "word 9 (identity: device 1): more than one bit is wrong" in result.stdout
    assert "the device does not start" in result.stdout


def test_a_tampered_digest_is_a_fault(casemate, image: Path) -> None:
    lines = image.read_text().splitlines()
    lines[1 + 16], lines[1 + 17] = lines[1 + 17], lines[1 + 16]
    image.write_text("\n".join(lines))
    result = casemate("fuse", "check", image, "--json")
    assert result.exit_code == 1
    assert "the configuration does not match its digest" in json.loads(result.stdout)["reason"]


def test_explain_hides_the_secret_until_asked(casemate, image: Path) -> None:
    hidden, shown = (json.loads(casemate("fuse", "explain", image, "--json", *options).stdout)
                     for options in ((), ("--reveal",)))
    meanings = [{word["meaning"] for word in each["words"] if word["partition"] == "secret"}
                for each in (hidden, shown)]
    assert meanings[0] == {"hidden"}
    assert "0x5a5a5a5a" in meanings[1] and "hidden" not in meanings[1]
    text = casemate("fuse", "explain", image).stdout
    assert "production entered" in text and "5a5a5a5a" not in text


def test_an_erased_device(casemate, tmp_path: Path) -> None:
    path = tmp_path / "returned"
    casemate("fuse", "build", "-o", path, "--life-cycle", "return", "--erased", *IDENTITY,
             "--key-size", "256", "--debug", "returned")
    content = json.loads(casemate("fuse", "explain", path, "--json").stdout)
    assert content["debug"] == "open"
    assert {word["meaning"] for word in content["words"] if word["partition"] == "secret"} == {
        "erased"}
    flip(path, SECRET.base, 1)
    assert "bit 0 was not erased" in casemate("fuse", "check", path).stdout


@pytest.mark.parametrize(("options", "words"), [
    (("--life-cycle", "old"), ("life cycle 'old'", "production")),
    (("--life-cycle", "production"), ("production", "needs an identity")),
    (("--life-cycle", "test", "--device", "00" * 16), ("serial", "missing")),
    (("--device", "xy", "--serial", "00" * 8), ("--device", "'xy' is not hexadecimal")),
    (("--device", "00", "--serial", "00" * 8), ("--device", "32 hexadecimal digits, not 2")),
    (("--key-size", "192"), ("key size 192", "128, 256")),
    (("--policy", "none"), ("policy 'none'", "lock-engine")),
    (("--debug", "always"), ("debug 'always'", "never")),
    (("--product", str(1 << 32)), ("4294967296", "32 bits")),
    (("--erased",), ("blank", "not erased")),
    (("--key-size", "256"), ("blank device",)),
    (("--root-key", "/no/such/key"), ("/no/such/key",)),
])
def test_build_refuses(casemate, tmp_path: Path, options, words) -> None:
    refused(casemate("fuse", "build", "-o", tmp_path / "a", *options), *words)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("content", "words"), [
    ("", ("34 words, not 0",)), ("zz\n", (":1:", "'zz' is no hexadecimal number")),
    ("// a\n8000000000\n", (":2:", "39 bits")), ("0\n" * 35, ("34 words, not 35",)),
])
@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_file_that_is_no_image(casemate, tmp_path: Path, command, content, words) -> None:
    path = tmp_path / "image"
    path.write_text(content)
    refused(casemate("fuse", command, path), str(path), *words)


def test_a_file_that_is_not_there_or_not_text(casemate, tmp_path: Path) -> None:
    refused(casemate("fuse", "check", tmp_path / "none"), "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    refused(casemate("fuse", "check", tmp_path / "binary"), "not a text file")
