"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["check_writable", "whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the name `path` only when the block ends without an exception.

    The content goes to a temporary file beside `path`, is flushed to the disk, and then renamed.
    On any exception, Ctrl-C included, the temporary file is removed and an older file at `path`
    stays as it was. What is not a regular file, such as ``/dev/stdout``, is written directly.

    Yields
    ------
    BinaryIO
        Open for writing and seekable, unless `path` names something that is not.

    Raises
    ------
    OSError
        What the operating system says: no such directory, no permission, no space left.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only the owner reads; give it what open() would have given.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def check_writable(path: Path) -> None:
    """Find out early whether :func:`whole_file` will be able to write `path`.

    Raises
    ------
    OSError
        If not; nothing is created or changed.
    """
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        with path.open("wb"):
            return
    with tempfile.TemporaryFile(dir=path.parent):
        pass
