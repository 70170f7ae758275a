"""The tutorials' commands run, and print what the tutorials show."""

from pathlib import Path

import pytest
from casemate_sim.documents.tutorials import (
    TutorialError,
    checkout,
    main,
    run_step,
    tutorial_steps,
)

TUTORIALS = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md"))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
@pytest.mark.parametrize("long", [
    False, pytest.param(True, marks=pytest.mark.verify)], ids=["short", "long"])
def test_commands_print_what_is_shown(path, long, tmp_path):
    folder = checkout(tmp_path)
    for step in tutorial_steps(path.read_text()):
        if step.is_run and (long or not step.is_long):
            run_step(step, folder)


def test_there_are_three_and_each_shows_what_is_printed():
    assert [path.stem for path in TUTORIALS] == ["architect", "auditor", "fpga"]
    for path in TUTORIALS:
        steps = tutorial_steps(path.read_text())
        assert sum(step.shown is not None for step in steps) >= 3, path
        assert any(step.is_run and not step.is_long for step in steps), path


@pytest.mark.parametrize(("text", "message"), [
    ("```sh\necho one\n```\n\n```text\ntwo\n```\n", "echo one\nprints:\none"),
    ("```sh\nfalse\necho behind\n```\n", "ends with 1 instead of 0:\n$"),
    ("<!-- exit 1 -->\n```sh\ntrue\n```\n", "ends with 0 instead of 1"),
])
def test_what_is_not_true_is_found(text, message, tmp_path):
    step, = tutorial_steps(text)
    with pytest.raises(TutorialError, match=message):
        run_step(step, tmp_path)


def test_what_nothing_prints_is_refused():
    with pytest.raises(TutorialError, match="nothing prints this:\none"):
        tutorial_steps("```text\none\n```\n")


def test_what_is_printed_is_written_and_what_fits_stays(tmp_path, capsys):
    path = tmp_path / "a.md"
    text = ("<!-- exit 3 -->\n```sh\nseq 9\nexit 3\n```\n\nwords\n\n```text\n{}\n```\n\n"
            "<!-- not run -->\n```sh\nfalse\n```\n\n<!-- long -->\n```sh\necho 'a  '\n```\n\n"
            "```text\n{}\n```\n")
    path.write_text(text.format("1\n...\n9", "b"))
    assert main([str(path)]) == 0
    assert path.read_text() == text.format("1\n...\n9", "a")
    path.write_text("```sh\necho new\necho in 3.2 s\n```\n\n```text\nold\nin ... s\n```\n")
    assert main([str(path)]) == 0
    assert path.read_text().endswith("```text\nnew\nin ... s\n```\n")
    path.write_text("```sh\nfalse\n```\n")
    assert main([str(path)]) == 1
    assert "ends with 1 instead of 0" in capsys.readouterr().err
