"""Audit of a dump: recompute what DRAM must hold and name the first thing that does not agree.

In the modes ``plain`` and ``xts`` every line that the host wrote is compared byte for byte. In
``integrity`` and ``full`` everything that was written is verified from the root counters down:
nodes, leaves, and the tag of each valid line; and what the host wrote must come out again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from casemate.config import LINE_BYTES

from casemate_sim.audit_checks import LineCheck, Metadata, Mismatch
from casemate_sim.dump_reader import (
    DramFile,
    read_config,
    read_expected,
    read_root,
    read_secrets,
)

__all__ = ["AuditReport", "Mismatch", "audit"]

_CHUNK_LINES = 1 << 16

@dataclass(frozen=True)
class AuditReport:
    """Outcome of an audit.

    Parameters
    ----------
    lines:
        Lines of ``expected.npz``. In the modes ``plain`` and ``xts`` no other line of DRAM has a
        content that could be predicted.
    wrong_lines:
        Lines that do not agree.
    lines_by_mode:
        Lines of ``expected.npz`` in each mode.
    mismatch:
        What is wrong first: the topmost node, of several the one of the lowest number; then leaves,
        then lines. None if all agrees.
    other_lines:
        Lines that are valid by their leaf and not in ``expected.npz``; their tags are checked.
    leaves, nodes:
        Leaves and nodes that were verified: all of which the counter is not zero.
    wrong_leaves, wrong_nodes:
        Those that do not agree.
    hidden_lines:
        Lines of ``expected.npz`` below a wrong leaf or node, which nothing can be said of.
    """

    lines: int
    wrong_lines: int
    lines_by_mode: dict[str, int]
    mismatch: Mismatch | None
    other_lines: int = 0
    leaves: int = 0
    nodes: int = 0
    wrong_leaves: int = 0
    wrong_nodes: int = 0
    hidden_lines: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return self.mismatch is None

    def __str__(self) -> str:
        modes = ", ".join(f"{count} {mode}" for mode, count in self.lines_by_mode.items())
        checked = f"{self.lines} lines" + (f" and {self.other_lines} others"
                                           if self.other_lines else "")
        checked += " checked" + (f" ({modes})" if modes else "")
        if self.leaves or self.nodes:
            checked += f", {self.leaves} leaves, {self.nodes} nodes"
        if self.mismatch is None:
            return f"{checked}: all agree"
        wrong = self.wrong_lines + self.wrong_leaves + self.wrong_nodes
        hidden = f"; {self.hidden_lines} lines below cannot be checked" if self.hidden_lines else ""
        return f"{checked}: {wrong} wrong, the first is {self.mismatch}{hidden}"


def audit(directory: Path | str,
          progress: Callable[[int, int], None] | None = None) -> AuditReport:
    """Check a dump with the golden model.

    Parameters
    ----------
    directory:
        What :func:`casemate_sim.dump.write_dump` wrote.
    progress:
        Called with lines done and lines in total.

    Raises
    ------
    DumpError
        If a file is missing, malformed, or contradicts another; the message names it.
    """
    directory = Path(directory)
    config = read_config(directory / "config.json")
    secrets = read_secrets(directory / "secrets.json", config)
    expected = read_expected(directory / "expected.npz", config, secrets)
    root = read_root(directory / "root.bin", config)
    uses_tree = bool(root.any()) or any(
        domain.authenticate for domain in secrets.domains.values())
    dram = DramFile(directory / "dram.bin", config, tree=uses_tree)

    metadata = Metadata(config, secrets)
    if uses_tree:
        metadata.verify(dram, root)
    other_line, other_domain = metadata.others(expected.line)
    line = np.r_[expected.line, other_line]
    order = np.argsort(line, kind="stable")
    domain = np.r_[expected.domain.astype(np.uint64), other_domain][order]
    check = LineCheck(config, secrets, dram, metadata)
    for start in range(0, len(line), _CHUNK_LINES):
        chunk = order[start:start + _CHUNK_LINES]
        known = chunk < len(expected.line)
        data = np.zeros((len(chunk), LINE_BYTES), dtype=np.uint8)
        data[known] = expected.data[chunk[known]]
        check.check(line[chunk], domain[start:start + _CHUNK_LINES], data, known)
        if progress is not None:
            progress(min(start + _CHUNK_LINES, len(line)), len(line))
    modes: dict[str, int] = {}
    for number, count in zip(*np.unique(expected.domain, return_counts=True), strict=True):
        mode = secrets.domains[int(number)].mode
        modes[mode] = modes.get(mode, 0) + int(count)
    return AuditReport(
        len(expected.line), check.wrong, modes, metadata.mismatch or check.mismatch,
        other_lines=len(other_line), leaves=metadata.counts[0], nodes=metadata.counts[1],
        wrong_leaves=metadata.wrong_counts[0], wrong_nodes=metadata.wrong_counts[1],
        hidden_lines=check.hidden)
