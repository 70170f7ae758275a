"""Runs works in parallel by dask: on this machine's processors, or on a scheduler's workers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from casemate_sim.sweep.work import Model, Outcome, Work
from casemate_sim.toolchain import ToolError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["SchedulerError", "run_works"]

_PATIENCE = "10s"  # until a scheduler must have answered


class SchedulerError(RuntimeError):
    """There is no scheduler under an address; the message names it."""


def _build(model: Model) -> None:
    model.build()


def _run(work: Work, *_built: object) -> Outcome:
    return work.run()


def run_works(
    works: Mapping[str, Work], *, workers: int | None = None, scheduler: str | None = None,
    finished: Callable[[str, Outcome], None], failed: Callable[[str, Exception], None],
    waiting: Callable[[int], None] | None = None,
) -> None:
    """Run works in parallel; every model is built once, before the works that need it.

    A work whose worker dies is run again on another one. What `finished` and `failed` raise, and
    Ctrl-C, ends everything.

    Parameters
    ----------
    works:
        By their key.
    workers:
        Processes on this machine; one a processor if None. Not used with `scheduler`.
    scheduler:
        Address of a dask scheduler, ``tcp://HOST:PORT``.
    finished:
        Called with a key and its outcome as soon as it is known.
    failed:
        Called with a key and what its work, or the build of one of its models, raised.
    waiting:
        Called once with the number of models, before the first is built.

    Raises
    ------
    SchedulerError
        If no scheduler answers.
    ToolError
        If dask is not installed.
    """
    if not works:
        return
    with _client(workers, scheduler, len(works)) as client:
        from distributed import as_completed

        needed = {key: work.models() for key, work in works.items()}
        models = {model.key: model for each in needed.values() for model in each}
        if waiting is not None:
            waiting(len(models))
        built = {key: client.submit(_build, model, key=f"build-{key}")
                 for key, model in models.items()}
        futures = [client.submit(_run, work, *(built[model.key] for model in needed[key]), key=key)
                   for key, work in works.items()]
        try:
            for future in as_completed(futures):
                if future.status == "finished":
                    finished(future.key, future.result())
                else:
                    failed(future.key, _exception(future.exception()))
                # What was kept on disk need not stay in a worker's memory.
                future.release()
        finally:
            client.cancel([*futures, *built.values()], force=True)


def _exception(error: BaseException | None) -> Exception:
    if type(error).__name__ == "KilledWorker":
        return ToolError("its worker died, and so did those that tried it again")
    return error if isinstance(error, Exception) else ToolError(str(error))


@contextmanager
def _client(workers: int | None, scheduler: str | None, works: int) -> Iterator[Client]:
    """Connect to a scheduler, or start one with its workers on this machine."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ToolError("the Python package distributed is not installed; run: pip install "
                        "'casemate[sweep]'") from error

    # A worker that dies is not news: its points are run again.
    for name in ("distributed", "distributed.nanny", "distributed.worker", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_PATIENCE)
        except (OSError, ValueError) as error:
            raise SchedulerError(f"no dask scheduler answers at {scheduler}: {error}") from error
        with client:
            yield client
        return
    count = min(workers or os.cpu_count() or 1, works)
    # One thread each: a simulation does not let go of Python's lock. No limit of memory: what is
    # simulated lies outside of Python.
    with LocalCluster(n_workers=count, threads_per_worker=1, processes=True, memory_limit=0,
                      dashboard_address=None, silence_logs=logging.CRITICAL) as cluster, \
            Client(cluster) as client:
        yield client
