"""Runs the build script that a platform wrote, with its log in a file, and tells its stages."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["forget", "run_script"]

_POLL_SECONDS = 0.5


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
