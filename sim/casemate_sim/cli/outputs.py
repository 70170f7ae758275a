"""What ``casemate sim`` leaves: shown and written one by one, none lost for another's failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from casemate.config import EngineConfig
from rich.console import Console

from casemate_sim.cli.errors import InputError, complain
from casemate_sim.cli.show import STDOUT, write_result
from casemate_sim.compare import Comparison
from casemate_sim.dump import DomainSecrets, DumpError, Expected, Secrets, write_dump
from casemate_sim.modes import AUTHENTICATED, config_of_mode, encrypts
from casemate_sim.summary import comparison_dict, comparison_table, latency_picture, verdict
from casemate_sim.tenant import DOMAIN, secrets_of_seed
from casemate_sim.traffic import Traffic

__all__ = ["Outputs"]


class Outputs:
    """Shows and writes a comparison.

    A file that cannot be written is reported, and the others are written all the same.

    Parameters
    ----------
    comparison:
        The runs.
    traffic, config, seed:
        What was simulated.
    """

    def __init__(self, comparison: Comparison, traffic: Traffic, config: EngineConfig,
                 seed: int) -> None:
        self._comparison = comparison
        self._traffic = traffic
        self._config = config
        self._seed = seed
        self._failed = False
        self._written: list[str] = []

    @contextmanager
    def _careful(self, name: object) -> Iterator[None]:
        """Report a file that cannot be written and go on."""
        try:
            yield
        except BrokenPipeError:
            raise
        except (OSError, DumpError, InputError) as error:
            self._failed = True
            reason = getattr(error, "strerror", None)
            complain(f"{name}: cannot be written: {reason}" if reason else error, error=error)

    @property
    def title(self) -> str:
        """Trace, configuration and DRAM in a line."""
        dram = self._comparison.results[0].dram if self._comparison.results else None
        memory = "" if dram is None else f", {dram.name} at {dram.clock_mhz:.1f} MHz"
        return f"{self._traffic.name}: {len(self._traffic.records):,} records on " \
               f"{self._config.name}{memory}"

    def show(self, console: Console) -> None:
        """Print table, picture and verdict."""
        if not self._comparison.results:
            return
        with self._careful("standard output"):
            console.print()
            console.print(comparison_table(self._comparison, self.title))
            picture = latency_picture(self._comparison, min(console.width, 100) - 2)
            # Block characters exist in Unicode only.
            if picture is not None and console.encoding.startswith("utf"):
                console.print()
                console.print(picture, no_wrap=True)
            console.print()
            console.print(verdict(self._comparison), highlight=False, markup=False)
            console.file.flush()

    def write_json(self, name: str | None, recording: Mapping[str, object] | None = None) -> None:
        """Write the JSON; to stdout if `name` is ``-`` or cannot be written.

        The runs may have taken hours: they are printed rather than lost.

        Parameters
        ----------
        name:
            The file.
        recording:
            How the traffic was recorded, if that belongs to it.
        """
        if name is None:
            return
        with self._careful("standard output" if name == STDOUT else name):
            write_result(name, comparison_dict(
                self._comparison, trace=self._traffic.as_dict(), config=self._config)
                | ({} if recording is None else {"recording": dict(recording)}))
            if name == STDOUT:
                sys.stdout.flush()
            else:
                self._written.append(f"JSON: {name}")

    def write_plot(self, path: Path | None) -> None:
        """Draw the plot of the runs that there are."""
        if path is None or not self._comparison.results:
            return
        from casemate_sim.plot import draw_comparison

        with self._careful(path):
            draw_comparison(self._comparison, path, self.title)
            self._written.append(f"plot: {path}")

    def write_dump(self, directory: Path | None) -> None:
        """Write the dump of the mode of interest, if that run finished."""
        if directory is None:
            return
        run = self._comparison.finished(self._comparison.mode)
        if run is None or run.image is None or run.expected is None:
            complain(f"{directory}: no dump, because {self._comparison.mode} was not run to its "
                     "end")
            return
        if run.mode in AUTHENTICATED and run.root_counters is None:
            complain(f"{directory}: no dump, because the engine is locked and cannot be flushed")
            return
        secrets = secrets_of_seed(self._seed)
        with self._careful(directory):
            write_dump(
                directory, config=config_of_mode(self._config, run.mode), image=run.image.items(),
                expected=Expected(*run.expected), root_counters=run.root_counters,
                stats=run.as_dict(), versions=run.versions,
                secrets=Secrets(
                    root_key=secrets.root_key, boot_nonce=secrets.boot_nonce,
                    domains={DOMAIN: DomainSecrets(
                        encrypt=encrypts(run.mode),
                        authenticate=run.mode in AUTHENTICATED)}))
            self._written.append(f"dump: {directory} (check it: casemate audit {directory})")

    def name_wave(self, path: Path | None) -> None:
        """Say where the waveform is, which the simulation itself wrote."""
        run = self._comparison.result(self._comparison.mode)
        if path is not None and run is not None:
            self._written.append(f"waveform: {path}")

    def close(self) -> bool:
        """Say on stderr what was written; return whether that was everything."""
        for line in self._written:
            typer.echo(line, err=True)
        return not self._failed
