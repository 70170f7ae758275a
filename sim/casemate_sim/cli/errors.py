"""From exceptions to messages and exit codes, in one place for all commands.

======  ==========================================================================
code    meaning
======  ==========================================================================
0       done, and everything was right
1       the run shows a fault: wrong data, an error response, a dump that disagrees
2       what was given is wrong, or a file cannot be read or written
3       a program or package is missing, or the model does not build
130     Ctrl-C; what had finished was shown and kept
======  ==========================================================================
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from casemate_sim.toolchain import ToolError

__all__ = ["BAD_INPUT", "FAULT", "INTERRUPTED", "MISSING_TOOL", "Commands", "InputError",
           "complain", "exit_codes", "expected_code", "message_of"]

FAULT, BAD_INPUT, MISSING_TOOL, INTERRUPTED = 1, 2, 3, 130

_BROKEN_PIPE = 141  # as the shell shows a program that SIGPIPE ended


class InputError(ValueError):
    """What the user gave is wrong; the message says what, where, and what is allowed."""


def complain(message: object, *, command: str = "casemate", error: Exception | None = None) -> None:
    """Print one error on stderr; with ``CASEMATE_TRACEBACK=1`` also where it came from."""
    if error is not None and os.environ.get("CASEMATE_TRACEBACK") == "1":
        traceback.print_exception(error)
    typer.echo(f"{command}: error: {message}", err=True)


def expected_code(error: Exception) -> int | None:
    """Return the exit code of an expected error, None of any other."""
    from casemate.config import ConfigError

    from casemate_sim.adversary.adapter import AdapterError
    from casemate_sim.adversary.campaign import TrialError
    from casemate_sim.caches import CacheError
    from casemate_sim.cpu.program import ProgramError
    from casemate_sim.driver import DriverError
    from casemate_sim.dump import DumpError
    from casemate_sim.model.fuses import FuseError
    from casemate_sim.native.model import SimulationError
    from casemate_sim.package.folder import PackageError
    from casemate_sim.page.material import MaterialError
    from casemate_sim.pages import PageError
    from casemate_sim.record import RecordError
    from casemate_sim.sizes import SizeError
    from casemate_sim.sweep.plan import SweepError
    from casemate_sim.sweep.runner import SchedulerError
    from casemate_sim.sweep.work import ParameterError
    from casemate_sim.synthesis.budget import BudgetError
    from casemate_sim.synthesis.devices import DeviceError
    from casemate_sim.trace import TraceError
    from casemate_sim.traffic import TrafficError
    from casemate_sim.workload import WorkloadError

    if isinstance(error, ToolError):
        return MISSING_TOOL
    if isinstance(error, (AdapterError, SimulationError)):
        return FAULT
    if isinstance(error, (
            InputError, BudgetError, ConfigError, CacheError, DeviceError, DriverError, DumpError,
            FuseError, MaterialError, PackageError, PageError, ParameterError, ProgramError,
            RecordError, SchedulerError, SizeError, SweepError, TraceError, TrafficError,
            TrialError, WorkloadError, OSError)):
        return BAD_INPUT
    return None


def message_of(error: Exception) -> str:
    """Return what to tell of an expected error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'standard output'}: {error.strerror}"
    return str(error)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what a command raises into a message and an exit code.

    Raises
    ------
    typer.Exit
        For Ctrl-C and every error that is expected; others pass.
    """
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        complain(error.format_message(), error=error,
                 command=context.command_path if context else "casemate")
        raise typer.Exit(BAD_INPUT) from None
    except BrokenPipeError:
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_BROKEN_PIPE) from None
    except Exception as error:
        code = expected_code(error)
        if code is None:
            raise
        complain(message_of(error), error=error)
        raise typer.Exit(code) from None


class Commands(TyperGroup):
    """A group of commands whose errors become messages and exit codes."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """Parse the options before the command."""
        with exit_codes():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with exit_codes():
            return super().invoke(ctx)
