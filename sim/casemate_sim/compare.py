"""One trace through the bare wire and the engine in its modes, side by side.

What the engine costs is the difference to the same trace without it: same DRAM, same core.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from casemate.config import EngineConfig
from numpy.typing import NDArray

from casemate_sim.dram.timing import DramTiming
from casemate_sim.modes import MODES, config_of_mode
from casemate_sim.native.simulation import SimulationError
from casemate_sim.player_config import PlayerConfig
from casemate_sim.simulate import PreparedRun, check_records, prepare
from casemate_sim.simulation_result import Progress, Result
from casemate_sim.toolchain import ToolError

__all__ = ["Comparison", "compare", "compared_modes"]


def compared_modes(mode: str) -> tuple[str, ...]:
    """Return the modes that are run to judge `mode`, the least first, `mode` last."""
    return MODES[:MODES.index(mode) + 1]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs of one trace.

    Parameters
    ----------
    modes:
        What was to be run, in this order.
    results:
        What was run, in the same order: all, or fewer if something ended it. If Ctrl-C did, there
        may be runs that were cut short.
    interrupted:
        Ctrl-C ended it.
    failure:
        A tool that is missing, a build that failed, a simulation that stopped or a file that
        cannot be written ended it.
    """

    modes: tuple[str, ...]
    results: tuple[Result, ...]
    interrupted: bool = False
    failure: ToolError | SimulationError | OSError | None = None

    @property
    def ok(self) -> bool:
        """Everything ran to its end and was all right."""
        return (len(self.results) == len(self.modes) and self.failure is None
                and not self.interrupted and all(result.ok for result in self.results))

    @property
    def mode(self) -> str:
        """The mode of interest."""
        return self.modes[-1]

    def result(self, mode: str) -> Result | None:
        """Return the run of `mode`, None if it did not start."""
        return next((result for result in self.results if result.mode == mode), None)

    def finished(self, mode: str) -> Result | None:
        """Return the run of `mode` if it went to the trace's end, else None."""
        result = self.result(mode)
        return None if result is None or result.interrupted else result

    def slowdown(self, mode: str) -> float | None:
        """Return the cycles of `mode` over those of the bare wire; None unless both finished."""
        bare, result = self.finished("bare"), self.finished(mode)
        return None if bare is None or result is None else result.cycles / max(bare.cycles, 1)

    @property
    def slowdowns(self) -> dict[str, float | None]:
        """The slowdown of each mode but the bare wire, in their order."""
        return {mode: self.slowdown(mode) for mode in self.modes if mode != "bare"}

    def added_latency(self, mode: str) -> float | None:
        """Return how many cycles longer a read takes on average than over the bare wire.

        None unless both runs finished and read something.
        """
        bare, result = self.finished("bare"), self.finished(mode)
        if bare is None or result is None:
            return None
        before, after = bare.mean_latency(), result.mean_latency()
        return None if before is None or after is None else after - before


def compare(
    records: NDArray, *, config: EngineConfig, mode: str, dram: DramTiming,
    player: PlayerConfig | None = None, seed: int = 0, wave: Path | None = None,
    wave_cycles: tuple[int, int] | None = None, keep_image: bool = False, jobs: int | None = None,
    progress: Callable[[str, Progress | None], None] | None = None,
    finished: Callable[[Result], None] | None = None,
) -> Comparison:
    """Run a trace in every mode of :func:`compared_modes`; Ctrl-C and failures keep what finished.

    Models are built and loaded one after another; what is ready plays in a thread of its own.

    Parameters
    ----------
    records, config, dram, player, seed:
        See `prepare`; the same for every run.
    mode:
        The mode of interest: any but ``"bare"``.
    wave, wave_cycles, keep_image:
        See `prepare`; for the mode of interest only.
    jobs:
        Runs at a time; None: as many as there are processors. Nothing but the simulation's speed
        depends on it.
    progress:
        Called with a mode and None when its run begins, which may have to build the model, then
        with its progress, from its thread.
    finished:
        Called with each result, from its thread.

    Raises
    ------
    ValueError
        If an argument is not possible, or the trace does not fit the data window.
    """
    modes = compared_modes(mode)
    check_records(records, config)
    config_of_mode(config, mode)  # before anything runs
    # About 256 samples at 8 cycles a record, so that a short trace has a curve, too.
    interval = min(max(len(records) // 32, 16), 4096)
    jobs = jobs or os.cpu_count() or 1
    results: dict[str, Result] = {}
    failures: list[Exception] = []
    ended, free = threading.Event(), threading.Semaphore(jobs)

    def play(run: PreparedRun) -> None:
        def told(now: Progress) -> None:
            if ended.is_set():
                raise KeyboardInterrupt
            if progress is not None:
                progress(run.mode, now)

        try:
            result = results[run.mode] = run.play(told)
            if finished is not None:
                finished(result)
        except Exception as error:
            failures.append(error)
        finally:
            free.release()

    threads = ThreadPoolExecutor(jobs)
    plays: list[Future[None]] = []
    try:
        try:
            for each in modes:
                free.acquire()
                if failures:
                    break
                if progress is not None:
                    progress(each, None)
                last = each == mode
                plays.append(threads.submit(play, prepare(
                    records, config=config, mode=each, dram=dram, player=player, seed=seed,
                    wave=wave if last else None, wave_cycles=wave_cycles if last else None,
                    keep_image=keep_image and last, interval=interval)))
        except Exception as error:
            failures.append(error)
        wait(plays)  # what plays when another one fails goes on to its end
    except KeyboardInterrupt:
        ended.set()
    finally:
        threads.shutdown()
    failure = failures[0] if failures else None
    if failure is not None and not isinstance(failure, (ToolError, SimulationError, OSError)):
        raise failure
    return Comparison(
        modes=modes, results=tuple(results[each] for each in modes if each in results),
        interrupted=ended.is_set(), failure=failure)
