"""Every ``casemate`` command that the documentation quotes is one that the command line takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from casemate_sim.cli import app
from casemate_sim.documents import documents

ROOT = Path(__file__).parents[2]


def _quoted():
    for path in documents(ROOT):
        text = path.read_text().replace("\\\n", " ")
        for listing in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in listing.splitlines():
                line = re.split(r" (?:\d?>|\||&&) ?", line)[0]  # what the shell takes for itself
                if line.startswith("casemate "):
                    yield pytest.param(line, id=f"{path.name}: {line}")


COMMANDS = list(_quoted())


def parse(line):
    """Parse a command line as far as to the function behind it, without calling that."""
    command, words = typer.main.get_command(app), shlex.split(line, comments=True)[1:]
    context = None
    while True:
        parent, context = context, command.make_context("casemate", list(words), parent=context)
        if not hasattr(command, "resolve_command"):
            return context.params
        assert parent is None or words
        _, command, words = command.resolve_command(context, words)


@pytest.mark.parametrize("line", COMMANDS)
def test_quoted_command_parses(line):
    assert parse(line) is not None


def test_there_are_commands_to_check():
    assert len(COMMANDS) > 5


@pytest.mark.parametrize("line", ["casemate sim --no-such-option", "casemate simulate",
                                  "casemate sim a b c"])
def test_a_wrong_command_does_not_parse(line):
    with pytest.raises(Exception, match=r"[Nn]o such|unexpected extra"):
        parse(line)
