"""Scripts that a platform wrote: has them synthesize as we do, runs them, tells their stages."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from .devices import ECP5

__all__ = ["forget", "refine_synthesis", "run_script"]

_POLL_SECONDS = 0.5


def refine_synthesis(script: Path) -> None:
    """Let a script of Yosys for an ECP5 synthesize as :data:`ECP5` does, without tables in LUTs.

    Parameters
    ----------
    script:
        It has one line with ``synth_ecp5`` and a top module. What the new commands read is put
        beside it.

    Raises
    ------
    ValueError
        If it does not have that line, or more of them.
    """
    text, found = re.subn(
        r"^[ \t]*synth_ecp5[ \t]+-top[ \t]+(\w+)[ \t]*$",
        lambda line: "\n".join(ECP5.commands(tables=False, top=line[1])),
        script.read_text(), flags=re.MULTILINE)
    if found != 1:
        raise ValueError(f"{script} has {found} lines synth_ecp5 -top ..., not one")
    script.write_text(text)
    for name, content in ECP5.texts.items():
        (script.parent / name).write_text(content)


def forget(folder: Path, name: str, suffixes: Iterable[str]) -> None:
    """Remove what an earlier run made, so that nobody takes it for what this one makes."""
    for suffix in suffixes:
        (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def run_script(command: Sequence[str], folder: Path, name: str, *, environment: Mapping[str, str],
               stages: Mapping[str, str], progress: Callable[[str], None]) -> int:
    """Run a script to its end; return its exit code. Ctrl-C ends its tools, too.

    Parameters
    ----------
    command, folder:
        What to run, and where. What it says is in ``build.log`` there, as it says it.
    name:
        Of the files that it makes, without suffix; see ``forget``.
    environment:
        All variables.
    stages:
        What goes on once a file with this suffix is there, in order.
    progress:
        Told what goes on now.
    """
    with (folder / "build.log").open("w") as log, subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True) as running:
        try:
            while running.poll() is None:
                begun = [text for suffix, text in stages.items()
                         if (folder / f"{name}.{suffix}").exists()]
                progress(begun[-1] if begun else "synthesis")
                time.sleep(_POLL_SECONDS)
        except BaseException:
            os.killpg(running.pid, signal.SIGTERM)
            raise
    return running.returncode
