"""The documentation agrees with the code: generated blocks, links, words that must not appear."""

import re
import subprocess
from pathlib import Path

import pytest
from casemate_sim.documents import (
    DocumentError,
    documents,
    find_blocks,
    generate,
    refreshed,
    stale_blocks,
)
from casemate_sim.documents.__main__ import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = documents(ROOT)
_names = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def _without_code(text):
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def _anchors(text):
    """The anchors that GitHub makes of a file's headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text,
                                               flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=_names)
def test_generated_blocks_are_fresh(path):
    stale = [f"{block.path.name}:{block.line}: {block.name}" for block in stale_blocks(path)]
    assert not stale, "run: python -m casemate_sim.documents --write"


@pytest.mark.parametrize("path", DOCUMENTS, ids=_names)
def test_relative_links_lead_somewhere(path):
    text = path.read_text()
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        other = path.parent / file if file else path
        if not other.exists() or (anchor and anchor not in _anchors(other.read_text())):
            broken.append(target)
    assert not broken


def test_no_path_of_the_machine_it_was_written_on():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\0")
    # Written in two parts, so that this file does not find itself.
    words = ("/" + "work/", "shared" + "/SPEC", "shared" + "/STYLE", "PEERS" + ".md")
    found = [f"{name}: {word}" for name in files if name and (ROOT / name).is_file()
             for word in words if word.encode() in (ROOT / name).read_bytes()]
    assert not found


BLOCK = """# T

<!-- BEGIN GENERATED python -m casemate_sim.documents memory-map tiny -->
{}
<!-- END GENERATED -->

After.
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "map.md").write_text(BLOCK.format("old"))
    return tmp_path


def test_check_names_file_and_block_and_write_repairs(repository, capsys):
    path = repository / "docs" / "map.md"
    assert main(["--check", "--root", str(repository)]) == 1
    assert capsys.readouterr().out == f"{path}:3: block `memory-map tiny` is stale\n"
    assert main(["--write", "--root", str(repository)]) == 0
    assert path.read_text() == BLOCK.format(generate(["memory-map", "tiny"]))
    capsys.readouterr()
    assert main(["--check", "--root", str(repository)]) == 0
    assert main(["--write", "--root", str(repository)]) == 0
    assert capsys.readouterr().out == ""


def test_memory_map_is_that_of_the_configuration():
    assert generate(["memory-map", "tiny"]).splitlines()[2:4] == [
        "| data | `0x0000000000` | `0x000000ffff` | 64 KiB |",
        "| leaves | `0x0000010000` | `0x0000013fff` | 16 KiB |"]


@pytest.mark.parametrize(("text", "message"), [
    ("<!-- END GENERATED -->", "T.md:1: a block ends that did not begin"),
    ("<!-- BEGIN GENERATED python -m casemate_sim.documents presets -->", "T.md:1: the block has"),
    ("<!-- BEGIN GENERATED x -->\n<!-- BEGIN GENERATED x -->", "T.md:2: a block begins inside"),
    ("<!-- BEGIN GENERATED python -m casemate_sim.documents pressets -->\n<!-- END GENERATED -->",
     "T.md:1: no generator is called 'pressets'; there are "),
    ("<!-- BEGIN GENERATED python -m casemate_sim.documents memory-map -->\n"
     "<!-- END GENERATED -->", "generator memory-map: missing a required argument"),
    ("<!-- BEGIN GENERATED python -m casemate_sim.documents memory-map x -->\n"
     "<!-- END GENERATED -->", "no preset is called 'x'"),
])
def test_malformed_blocks_are_named(tmp_path, text, message):
    path = tmp_path / "T.md"
    path.write_text(text + "\n")
    with pytest.raises(DocumentError, match=re.escape(message)):
        refreshed(path)


def test_comments_in_a_listing_are_no_block(tmp_path):
    path = tmp_path / "T.md"
    path.write_text("```\n<!-- END GENERATED -->\n```\n")
    assert list(find_blocks(path)) == []
