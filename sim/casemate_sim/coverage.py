"""Functional coverage: which situations the system tests have been in, and which they must.

A bin is ``group/name``. Bins are declared by :func:`bins`, so that a misspelt one raises; what a
configuration cannot reach is not declared for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import groupby
from pathlib import Path

from casemate.config import EngineConfig

from casemate_sim.bursts import Burst, legal_shapes
from casemate_sim.faults import Response
from casemate_sim.files import whole_file

__all__ = ["CHANNELS", "PROFILES", "Coverage", "bins", "merge", "report"]

CHANNELS = tuple(f"{bus}.{channel}" for bus in ("s_axi", "m_axi")
                 for channel in ("aw", "w", "b", "ar", "r"))
"""The channels of both buses, as back-pressure bins name them."""

PROFILES = ("always", "alternate", "random", "stalls")
"""Profiles of back-pressure; see ``back_pressure.pauses``."""

_HAZARDS = ("read behind write", "write behind read", "write behind write")

_SITUATIONS = {
    "strobes": [f"{mode}, {kind}" for mode in ("plain", "xts")
                for kind in ("whole line", "part of a line", "scattered bytes", "none")],
    "mode": [f"{mode} {access}" for mode in ("plain", "xts") for access in ("read", "write")],
    "hazard": [*_HAZARDS, *(f"{hazard}, across IDs" for hazard in _HAZARDS)],
    "id": ["read behind read", "write behind write", "read and write"],
    "order": ["reads out of order across IDs", "writes out of order across IDs",
              "read data of two IDs interleaved", "DRAM answers reads out of order",
              "DRAM answers writes out of order", "DRAM interleaves read data"],
    "response": [f"{response} {access}" for response in ("OKAY", "SLVERR", "DECERR")
                 for access in ("read", "write")],
    "dram": [f"{response} on {access}" for response in ("EXOKAY", "SLVERR", "DECERR")
             for access in ("read", "fill", "write")] + ["error on some beats of a line"],
    "refused": [f"{reason} {access}" for access in ("read", "write")
                for reason in ("FIXED", "outside the window", "unknown domain",
                               "authenticating domain")],
    "exclusive": ["read", "write"],
    "wrap": [f"{access} of {length}" for access in ("read", "write") for length in (2, 4, 8, 16)],
    "full": ["read table", "write table", "write bursts"],
    "reset": ["reads in flight", "writes in flight", "idle"],
    "domains": ["two modes in flight"],
}


def bins(config: EngineConfig) -> list[str]:
    """Return every bin of a configuration; each must be hit."""
    names = [f"{group}/{name}" for group, members in _SITUATIONS.items() for name in members]
    for access in ("read", "write"):
        names += [f"burst/{access}, {kind}, {size} bytes, {length} beats, aligned to {alignment}"
                  for kind, size, length, alignment in legal_shapes(config.data_bits // 8)]
    names += [f"back-pressure/{channel}, {profile}"
              for channel in CHANNELS for profile in PROFILES]
    if config.beats_per_line == 1:
        names.remove("order/DRAM interleaves read data")
        names.remove("dram/error on some beats of a line")
    return names


class Coverage:
    """Counts of one configuration.

    Parameters
    ----------
    config:
        Says which bins there are.

    Attributes
    ----------
    hits:
        Times that each bin was hit.
    totals:
        Other figures of the run, by name: cycles, transactions.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.name = config.name
        self.hits = dict.fromkeys(bins(config), 0)
        self.totals: dict[str, int] = {}

    def hit(self, name: str) -> None:
        """Count a bin; KeyError if it was not declared."""
        self.hits[name] += 1

    def hit_if(self, name: str) -> None:
        """Count a bin that not every configuration has."""
        if name in self.hits:
            self.hits[name] += 1

    def add(self, name: str, count: int = 1) -> None:
        """Add to a total."""
        self.totals[name] = self.totals.get(name, 0) + count

    def burst(self, burst: Burst) -> None:
        """Count a burst's shape."""
        access = "write" if burst.write else "read"
        kind, size, length, alignment = burst.shape
        self.hit(f"burst/{access}, {kind}, {size} bytes, {length} beats, aligned to {alignment}")
        if kind == "WRAP":
            self.hit(f"wrap/{access} of {burst.length}")
        if burst.exclusive:
            self.hit(f"exclusive/{access}")

        self.add("write bursts" if burst.write else "read bursts")
        self.add("write beats" if burst.write else "read beats", burst.length)

    def same_id(self, burst: Burst, queues: Mapping[str, Mapping[int, Sized]]) -> None:
        """Count a burst whose ID has others in flight; `queues` has those, by access and ID."""
        if queues["write"][burst.id]:
            self.hit("id/write behind write" if burst.write else "id/read and write")
        if queues["read"][burst.id]:
            self.hit("id/read and write" if burst.write else "id/read behind read")

    def mode(self, burst: Burst, encrypt: bool) -> None:
        """Count the mode of a burst that is not refused."""
        self.hit(f"mode/{'xts' if encrypt else 'plain'} {'write' if burst.write else 'read'}")

    def modes(self, encrypting: Iterable[bool]) -> None:
        """Count bursts in flight of two modes."""
        if len(set(encrypting)) > 1:
            self.hit("domains/two modes in flight")

    def strobes(self, strobes: Sequence[bool], *, encrypt: bool) -> None:
        """Count how a line is written."""
        pieces = sum(1 for written, _ in groupby(strobes) if written)
        kind = "none" if not pieces else "part of a line" if pieces == 1 else "scattered bytes"
        self.hit(f"strobes/{'xts' if encrypt else 'plain'}, "
                 f"{'whole line' if all(strobes) else kind}")

    def dram(self, responses: Sequence[Response], access: str) -> None:
        """Count what the DRAM answers to one access."""
        for response in set(responses) - {Response.OKAY}:
            self.hit(f"dram/{response.name} on {access}")
        if len({response.error for response in responses}) > 1:
            self.hit_if("dram/error on some beats of a line")

    @property
    def missed(self) -> list[str]:
        """Bins that were not hit."""
        return [name for name, count in self.hits.items() if not count]

    def save(self, path: Path) -> None:
        """Write the counts as JSON."""
        content = {"config": self.name, "totals": self.totals, "missed": self.missed,
                   "hits": self.hits}
        with whole_file(path) as file:
            file.write(json.dumps(content, indent=1).encode())

    @classmethod
    def load(cls, path: Path, config: EngineConfig) -> Coverage:
        """Read what :meth:`save` wrote; bins that no longer exist are dropped."""
        coverage = cls(config)
        content = json.loads(path.read_text())
        coverage.hits |= {name: count for name, count in content["hits"].items()
                          if name in coverage.hits}
        coverage.totals = content["totals"]
        return coverage


def merge(paths: Iterable[Path]) -> dict[str, object]:
    """Return the content of several saved files, by configuration."""
    contents = (json.loads(path.read_text()) for path in sorted(paths))
    return {content.pop("config"): content for content in contents}


def report(merged: Mapping[str, object]) -> str:
    """Return a table: bins hit of each group, one column for each configuration."""
    groups: dict[str, dict[str, tuple[int, int]]] = {}
    for config, content in merged.items():
        for name, count in content["hits"].items():  # pyright: ignore[reportIndexIssue]
            group = groups.setdefault(name.split("/")[0], {})
            hit, all_of = group.get(config, (0, 0))
            group[config] = (hit + bool(count), all_of + 1)
    totals = sorted({name for content in merged.values()
                     for name in content["totals"]})  # pyright: ignore[reportIndexIssue]
    rows = [["coverage", *merged]]
    rows += [[group, *("{}/{}".format(*counts.get(config, (0, 0))) for config in merged)]
             for group, counts in groups.items()]
    rows += [[name, *(str(content["totals"].get(name, 0))  # pyright: ignore[reportIndexIssue]
                      for content in merged.values())] for name in totals]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) if index == 0 else cell.rjust(width)
                       for index, (cell, width) in enumerate(zip(row, widths, strict=True)))
             for row in rows]
    missed = [f"missed by {config}: {name}" for config, content in merged.items()
              for name in content["missed"]]  # pyright: ignore[reportIndexIssue]
    return "\n".join(line.rstrip() for line in (*lines, *missed)) + "\n"
