"""What a page is made of: results read from files, or handed over by who has just made them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from casemate_sim.compare import Comparison
from casemate_sim.page.proofs import Proof, proofs_of
from casemate_sim.summary import comparison_of

__all__ = ["Campaign", "Material", "MaterialError", "Played", "Swept", "attack_command"]


class MaterialError(ValueError):
    """A file holds nothing that a page can show; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """A comparison, and where it comes from.

    Parameters
    ----------
    comparison:
        The runs.
    trace:
        What was played: ``name``, ``source``, counts.
    config:
        The engine's configuration, as ``config_dict`` returns it.
    command:
        What makes it again, or the file that it was read from.
    """

    comparison: Comparison
    trace: Mapping[str, Any]
    config: Mapping[str, Any]
    command: str

    @property
    def name(self) -> str:
        """Name of what was played."""
        return self.trace["name"]


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign of attacks: the JSON of ``casemate attack``, and the command that makes it."""

    content: Mapping[str, Any]
    command: str


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A sweep: the JSON of ``casemate sweep``, and the command that makes it."""

    content: Mapping[str, Any]
    command: str


@dataclass
class Material:
    """Everything that there is to show.

    Attributes
    ----------
    played, campaigns, sweeps:
        By kind, in the order in which they came.
    figures:
        Stored figures of the benches by name, as ``Figure.as_dict`` returns them.
    proofs:
        What is proven; None if this is not known.
    versions:
        Tools and packages of the page itself.
    """

    played: list[Played] = field(default_factory=list)
    campaigns: list[Campaign] = field(default_factory=list)
    sweeps: list[Swept] = field(default_factory=list)
    figures: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    proofs: list[Proof] | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        """Add what a file holds.

        Parameters
        ----------
        path:
            JSON of ``casemate sim``, ``run``, ``compare``, ``attack`` or ``sweep``, or pytest's XML
            about the proofs.

        Raises
        ------
        MaterialError
            If it is none of them.
        OSError
            If it cannot be read.
        """
        if path.suffix == ".xml":
            try:
                self.proofs = proofs_of(path)
            except ValueError as error:
                raise MaterialError(f"{path}: {error}") from error
            return
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            schema = content.get("schema") if isinstance(content, dict) else None
            readers = self._readers()
            if schema not in readers:
                raise MaterialError(f"{path}: its schema is {schema!r}; a page shows "
                                    f"{', '.join(readers)}")
            readers[schema](content, path)
        except MaterialError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise MaterialError(f"{path}: no result that can be shown: {error!r}") from error

    def _readers(self) -> dict[str, Callable[[Mapping[str, Any], Path], None]]:
        return {"casemate.sim/1": self._add_sim, "casemate.compare/1": self._add_compare,
                "casemate.attack/1": self._add_attack, "casemate.sweep/1": self._add_sweep}

    def read_figures(self, folder: Path) -> None:
        """Add the figures of all files in a folder; there may be none.

        Raises
        ------
        MaterialError
            If a file is no JSON of figures.
        """
        for path in sorted(folder.glob("*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                self.figures |= {name: figure for name, figure in content.items()
                                 if "value" in figure}
            except (ValueError, AttributeError, TypeError) as error:
                raise MaterialError(f"{path}: no figures of the benches: {error}") from error

    def _add_sim(self, content: Mapping[str, Any], path: Path) -> None:
        comparison, trace = comparison_of(content), content["trace"]
        name, dram = content["config"]["name"], _dram(comparison)
        recording = content.get("recording")
        command = f"casemate run --config {name}{dram} -- {trace['source']}" \
            if recording is not None else \
            f"casemate sim {trace['name']} --limit {trace['records']} --config {name}{dram}"
        self.played.append(Played(comparison=comparison, trace=trace, config=content["config"],
                                  command=f"{command}  # {path.name}"))

    def _add_compare(self, content: Mapping[str, Any], path: Path) -> None:
        for each in content["traces"].values():
            comparison = comparison_of(each)
            self.played.append(Played(
                comparison=comparison, trace=each["trace"], config=each["config"],
                command=f"casemate compare {each['trace']['name']} --limit "
                f"{each['trace']['records']} --config {each['config']['name']}{_dram(comparison)}"
                f"  # {path.name}"))

    def _add_attack(self, content: Mapping[str, Any], path: Path) -> None:
        self.campaigns.append(Campaign(
            content=content, command=f"{attack_command(content)}  # {path.name}"))

    def _add_sweep(self, content: Mapping[str, Any], path: Path) -> None:
        self.sweeps.append(Swept(content=content, command=f"casemate sweep {content['name']}.toml"
                                 f" --json {path.name}"))


def attack_command(content: Mapping[str, Any]) -> str:
    """Return the command that makes a campaign again."""
    name = content["config"]["name"].removesuffix("_tree")
    return (f"casemate attack --trials {content['trials']} --seed {content['seed']} "
            f"--config {name}" + (" --model" if content["model"] else "")
            + (" --netlist" if content.get("netlist") else ""))


def _dram(comparison: Comparison) -> str:
    return f" --dram {comparison.results[0].dram.name}" if comparison.results else ""
