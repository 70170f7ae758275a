"""Reports of the data path, entries of the error log, and the policy."""

from amaranth.lib import data, enum

from ..config import DOMAIN_BITS, EngineConfig

__all__ = ["LogKind", "Policy", "ReportKind", "log_layout", "report_layout"]


class Policy(enum.Enum, shape=2):
    """What a failed tag of a line, or a failed MAC of a leaf or node, locks."""

    LOCK_ENGINE = 0
    """The whole engine."""
    LOCK_DOMAIN = 1
    """The domain's slot for a line; the whole engine for a leaf or node, which concerns all."""
    REPORT_ONLY = 2
    """Nothing."""


class ReportKind(enum.Enum, shape=2):
    """What the data path refused."""

    ACCESS = 0
    """The domain has no slot, does not own the granule, or left the data window."""
    LINE = 1
    """A line does not match its tag."""
    EXHAUSTED = 2
    """A line's version is the highest that there is."""


class LogKind(enum.Enum, shape=3):
    """Kind of an entry of the error log."""

    NONE = 0
    ACCESS = 1
    LINE = 2
    VERSION = 3
    NODE = 4
    BUS = 5
    COUNTER = 6


def report_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a report: which line of which domain, and whether it was being written."""
    return data.StructLayout({
        "kind": ReportKind, "slot": range(config.domain_slots), "domain": DOMAIN_BITS,
        "line": config.line_bits, "write": 1,
    })


def log_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a log entry.

    ``level`` counts for leaves (0) and nodes; ``slot``, ``domain`` and ``write`` for lines.
    ``address`` is the byte address of the line, leaf or node.
    """
    return data.StructLayout({
        "kind": LogKind, "level": range(max(2, config.levels)),
        "slot": range(config.domain_slots), "domain": DOMAIN_BITS, "write": 1,
        "address": config.address_bits,
    })
