"""Progress of simulations on stderr: bars on a terminal, a line for each run elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from casemate_sim.simulation_result import Progress, Result
from casemate_sim.summary import LABELS, STYLES

__all__ = ["RunProgress"]

_BUILD_SHOWS_AFTER = 1.0  # seconds; a model that is in the cache takes less


class _State(ProgressColumn):
    """What a run does: waits, builds its model, simulates."""

    def render(self, task: Task) -> Text:
        """Return the state as text."""
        cycles, seconds = task.fields["cycles"], task.fields["seconds"]
        if cycles is not None:
            speed = f", {cycles / seconds / 1000:,.0f} k/s" if seconds > 0 else ""
            return Text(f"{cycles:,} cycles{speed}")
        if task.started and (task.elapsed or 0) > _BUILD_SHOWS_AFTER:
            return Text("building the model (once) ...")
        return Text("")


class RunProgress:
    """Shows the runs of a comparison; use as a context manager.

    Parameters
    ----------
    modes:
        What will be run.
    records:
        Records of the trace.
    """

    def __init__(self, modes: tuple[str, ...], records: int) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal
        self._bars = Bars(
            TextColumn("{task.description:>9}"), BarColumn(bar_width=24), TaskProgressColumn(),
            _State(), TimeElapsedColumn(), console=self._console, disable=not self._live)
        self._tasks = {mode: self._bars.add_task(
            f"[{STYLES[mode]}]{LABELS[mode]:>9}[/]", total=None, start=False, cycles=None,
            seconds=0.0) for mode in modes}
        self._records = records

    def __enter__(self) -> RunProgress:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._bars.stop()

    def update(self, mode: str, now: Progress | None) -> None:
        """Show that `mode` begins (None), or how far it is."""
        if now is None:
            self._bars.start_task(self._tasks[mode])
            if not self._live:
                self._say(f"{LABELS[mode]}: building the model if it is new, then simulating ...")
        else:
            self._bars.update(self._tasks[mode], total=self._records, completed=now.records,
                              cycles=now.cycles, seconds=now.seconds)

    def finished(self, run: Result) -> None:
        """Show that a run is over."""
        task = self._tasks[run.mode]
        self._bars.update(task, total=self._records, completed=run.records_played)
        self._bars.stop_task(task)
        if not self._live:
            state = "interrupted" if run.interrupted else "done"
            self._say(f"{LABELS[run.mode]}: {state}, {run.cycles:,} cycles in "
                      f"{run.wall_seconds:.1f} s after {run.build_seconds:.1f} s of preparation")

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)
