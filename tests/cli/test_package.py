"""``casemate package``: what it writes and says, and what it refuses."""

from __future__ import annotations

import json

import pytest


def test_it_writes_a_package_and_says_what_is_in_it(casemate, tmp_path) -> None:
    folder = tmp_path / "new" / "ip"
    result = casemate("package", folder, "--config", "tiny", "--name", "mee", "--mhz", 80, "--json")
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert content["schema"] == "casemate.package/1"
    assert content["module"] == "mee"
    assert content["folder"] == str(folder)
    for name in content["files"]:
        assert (folder / name).is_file()
    assert content.items() >= json.loads((folder / "manifest.json").read_text()).items()
    assert "module mee(" in (folder / "mee.v").read_text()


@pytest.mark.parametrize(("options", "words"), [
    (("--mhz", "0"), ("--mhz 0", "1 to 2000")),
    (("--mhz", "fast"), ("--mhz", "valid number")),
    (("--name", "7up"), ("--name '7up'",)),
    (("--config", "huge"), ("'huge'", "ecp5")),
])
def test_wrong_options_are_refused(casemate, tmp_path, options, words) -> None:
    result = casemate("package", tmp_path / "ip", *options)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words), result.stderr
    assert not (tmp_path / "ip").exists()


def test_a_folder_with_other_things_is_refused_before_the_work_begins(casemate, tmp_path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    result = casemate("package", tmp_path, "--config", "tiny")
    assert result.exit_code == 2
    assert "is no package of Casemate's" in result.stderr
    (tmp_path / "file").write_text("")
    result = casemate("package", tmp_path / "file" / "ip", "--config", "tiny")
    assert result.exit_code == 2
    assert "is no folder" in result.stderr
