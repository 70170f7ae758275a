"""Record the DRAM traffic of a real program: valgrind, a cache hierarchy, a trace file.

valgrind's lackey prints every data access of the program; the text is parsed as it comes and never
stored. Pages are placed in the data window in the order of their first touch, accesses pass the
caches by these addresses, and what the last level reads or writes back goes to the trace with the
number of instructions since the record before. Instruction fetches are counted, not recorded: they
are taken to hit.
"""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES
from numpy.typing import NDArray

from casemate_sim.caches import HIERARCHIES, CacheFilter
from casemate_sim.lackey import Accesses, LackeyError, parse
from casemate_sim.pages import KeptAddresses, PageError, PageTable
from casemate_sim.toolchain import ToolError
from casemate_sim.trace import CacheLevel, TraceHeader, TraceWriter, make_records, writer

__all__ = ["RecordError", "Recorder", "Recording", "ValgrindMissingError", "record"]

_CHUNK_BYTES = 4 << 20
_PIPE_BYTES = 1 << 20
_PAUSE_SECONDS = 0.005
_PATIENCE_SECONDS = 5
_MOST_DISTANCE = 2**32 - 1


class RecordError(RuntimeError):
    """A program cannot be recorded; the message says why and what helps."""


class ValgrindMissingError(RecordError, ToolError):
    """valgrind is not installed; the message says how to get it."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was recorded.

    Parameters
    ----------
    instructions, accesses:
        Instructions and data accesses of the program, skipped ones included.
    reads, writes:
        Records of each kind.
    pages:
        4 KiB pages that the program touched.
    window_bytes:
        Size of the data window.
    misses:
        Misses of each cache level, by pycachesim's counters.
    interrupted:
        Whether Ctrl-C ended it.
    limited:
        Whether a limit of records or instructions ended it.
    exit_code:
        Of the program; negative if a signal ended it.
    seconds:
        Wall-clock time.
    """

    instructions: int
    accesses: int
    reads: int
    writes: int
    pages: int
    window_bytes: int
    misses: dict[str, int]
    interrupted: bool
    limited: bool
    exit_code: int
    seconds: float

    @property
    def records(self) -> int:
        """Records in the trace."""
        return self.reads + self.writes


class Recorder:
    """Turn accesses into records: placement of pages, caches, distances.

    Parameters
    ----------
    hierarchy:
        The caches, first level first; none: every access to a line is a record.
    pages:
        The page table.
    skip:
        Instructions at the start that warm the caches and leave no record.
    """

    def __init__(self, hierarchy: Sequence[CacheLevel], pages: PageTable | KeptAddresses,
                 skip: int = 0) -> None:
        self.pages = pages
        self.caches = CacheFilter(hierarchy) if hierarchy else None
        self.instructions = 0
        self.accesses = 0
        self._skip = skip
        self._last = skip  # instruction of the last record

    def take(self, accesses: Accesses) -> NDArray[np.void]:
        """Return the records (``RECORD``) that `accesses` cause.

        Raises
        ------
        PageError
            If the window is too small for the pages touched.
        """
        line, write, instruction = _split_lines(accesses)
        cause = np.arange(len(line))
        line = self.pages.place(line)
        if self.caches is not None:
            cause, line, write = self.caches.filter(line, write)
        at = self.instructions + instruction[cause]
        if self.instructions < self._skip:
            kept = at > self._skip
            at, line, write = at[kept], line[kept], write[kept]
        distance = np.diff(at, prepend=self._last)
        if len(at):
            self._last = int(at[-1])
        self.instructions += accesses.instructions
        self.accesses += len(accesses.address)
        return make_records(line, write=write, distance=np.minimum(distance, _MOST_DISTANCE))


def _split_lines(accesses: Accesses) -> tuple[
        NDArray[np.uint64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return line, write and instruction of each access, one entry for each line it touches."""
    first = accesses.address // np.uint64(LINE_BYTES)
    last = (accesses.address + accesses.size.astype(np.uint64) - np.uint64(1)) \
        // np.uint64(LINE_BYTES)
    if (first == last).all():
        return first, accesses.write, accesses.instruction
    lines = (last - first + np.uint64(1)).astype(np.int64)
    source = np.repeat(np.arange(len(first)), lines)
    step = np.arange(len(source)) - np.repeat(np.cumsum(lines) - lines, lines)
    return (first[source] + step.astype(np.uint64), accesses.write[source],
            accesses.instruction[source])


def record(command: Sequence[str], output: Path | str, *,
           hierarchy: Sequence[CacheLevel] = HIERARCHIES["desktop"],
           window_bytes: int | None = None, shuffle_seed: int | None = None,
           skip_instructions: int = 0, maximum_records: int | None = None,
           maximum_instructions: int | None = None, follow_children: bool = False,
           progress: Callable[[int, int], None] | None = None) -> Recording:
    """Run a program and write the trace of its DRAM traffic.

    Ctrl-C ends the program; what was recorded so far becomes a valid trace.

    Parameters
    ----------
    command:
        Program and arguments; its input and output are the caller's.
    output:
        Trace file to write.
    hierarchy:
        Caches between the program and DRAM, first level first.
    window_bytes:
        Size of the data window, a power of two; by default the least that holds the program.
    shuffle_seed:
        Place pages in an order shuffled by this seed; needs `window_bytes`.
    skip_instructions:
        Instructions at the program's start that warm the caches and leave no record.
    maximum_records, maximum_instructions:
        End the program when either is reached; the instructions are looked at every few hundred
        thousand of them, the skipped ones included.
    follow_children:
        Record the programs that it starts, too. Their accesses are merged as valgrind prints them,
        and equal virtual addresses of different processes share a page.
    progress:
        Called with instructions and records so far, a few times a second.

    Raises
    ------
    RecordError
        If valgrind is missing, the program cannot be run or the window is too small.
    CacheError
        If the hierarchy is impossible or pycachesim is not installed.
    TraceError
        If `output` cannot be written, which is found out before the program starts.
    """
    begin = time.monotonic()
    valgrind = _find_valgrind()
    if not command:
        raise RecordError("no program to record")
    if shutil.which(command[0]) is None:
        raise RecordError(f"{command[0]}: no such program")
    try:
        pages = PageTable(window_bytes, shuffle_seed)
        recorder = Recorder(hierarchy, pages, skip_instructions)
    except PageError as error:
        raise RecordError(str(error)) from None
    placing = "in order" if shuffle_seed is None else f"shuffled by seed {shuffle_seed}"
    header = TraceHeader(
        source=shlex.join(command), window_bytes=pages.window_bytes,
        hierarchy=tuple(hierarchy),
        notes=f"{_version(valgrind)} lackey; 4096-byte pages placed {placing} of first touch"
        + (f"; first {skip_instructions} instructions skipped" if skip_instructions else ""))
    options = ["--tool=lackey", "--trace-mem=yes", "--basic-counts=no",
               f"--trace-children={'yes' if follow_children else 'no'}"]
    if not follow_children:
        options.append("--child-silent-after-fork=yes")
    with writer(output, header) as trace:
        run = _Run([valgrind, *options], command)
        limited = _consume(run, recorder, trace, maximum_records, maximum_instructions, progress)
        if not recorder.accesses:
            raise RecordError(
                f"{command[0]}: valgrind recorded nothing (exit code {run.exit_code})")
        trace.header = replace(
            header, window_bytes=pages.window_bytes,
            instructions=max(recorder.instructions - skip_instructions, 0))
    return Recording(
        instructions=recorder.instructions, accesses=recorder.accesses, reads=trace.reads,
        writes=trace.records - trace.reads, pages=pages.pages,
        window_bytes=pages.window_bytes,
        misses=recorder.caches.misses() if recorder.caches else {},
        interrupted=run.interrupted, limited=limited, exit_code=run.exit_code,
        seconds=time.monotonic() - begin)


def _find_valgrind() -> str:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise ValgrindMissingError(
            "valgrind is not installed; on Debian and Ubuntu `apt install valgrind` does it, on "
            "Fedora `dnf install valgrind`")
    return valgrind


def _version(valgrind: str) -> str:
    answer = subprocess.run([valgrind, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _consume(run: _Run, recorder: Recorder, trace: TraceWriter, maximum_records: int | None,
             maximum_instructions: int | None,
             progress: Callable[[int, int], None] | None) -> bool:
    """Record until the program or a limit ends; return whether it was a limit."""
    with closing(run.texts()) as texts:
        for text in texts:
            try:
                records = recorder.take(parse(text))
            except LackeyError as error:
                raise RecordError(f"valgrind printed what is not understood: {error}") from None
            except PageError as error:
                raise RecordError(f"{error}; give a larger one") from None
            if maximum_records is not None:
                records = records[:maximum_records - trace.records]
            trace.append(records)
            if progress is not None:
                progress(recorder.instructions, trace.records)
            if maximum_records is not None and trace.records >= maximum_records:
                return True
            if maximum_instructions is not None and recorder.instructions >= maximum_instructions:
                return True
    return False


class _Run:
    """The program under valgrind, and the pipe that its trace comes through."""

    def __init__(self, valgrind: list[str], command: Sequence[str]) -> None:
        self.interrupted = False
        self.exit_code = 0
        self._valgrind = valgrind
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Turn Ctrl-C into the program's end; a second one kills it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(_number: int, _frame: object) -> None:
            again, self.interrupted = self.interrupted, True
            if self._process is not None:
                self._process.send_signal(signal.SIGKILL if again else signal.SIGTERM)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def texts(self) -> Generator[bytes]:
        """Start the program and yield what valgrind prints, in pieces of whole lines."""
        source, sink = os.pipe()
        with suppress(OSError):  # a small pipe works, too
            fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        with self._interruptible(), os.fdopen(source, "rb", buffering=0) as pipe:
            try:
                self._process = subprocess.Popen(
                    [*self._valgrind, f"--log-fd={sink}", "--", *self._command], pass_fds=[sink])
            finally:
                os.close(sink)
            try:
                yield from self._pieces(pipe.fileno())
            except BaseException:
                self._end(pipe.fileno())
                raise
            finally:
                self.exit_code = self._process.wait()

    def _end(self, pipe: int) -> None:
        """End the program because of a limit or an error.

        Its trace is read on and dropped until it is gone: valgrind does not come to a signal while
        it waits for room in the pipe.
        """
        assert self._process is not None
        self._process.terminate()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            if time.monotonic() > deadline or not os.read(pipe, _PIPE_BYTES):
                break
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(deadline - time.monotonic(), 0.1))
        self._process.kill()

    def _pieces(self, pipe: int) -> Iterator[bytes]:
        waiting = bytearray()
        while piece := os.read(pipe, _PIPE_BYTES):
            waiting += piece
            if len(waiting) >= _CHUNK_BYTES:
                end = waiting.rfind(b"\n") + 1
                yield bytes(waiting[:end])
                del waiting[:end]
            elif len(piece) < _PIPE_BYTES // 4:
                # lackey writes line by line; a reader that wakes up for each costs more than it.
                time.sleep(_PAUSE_SECONDS)
        # The last line is cut off if the program was ended.
        yield bytes(waiting[:waiting.rfind(b"\n") + 1])
