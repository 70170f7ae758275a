"""Entries of the error log, and the policy."""

from amaranth import Mux, Value
from amaranth.lib import data, enum

from ..config import DOMAIN_BITS, EngineConfig

__all__ = ["LogKind", "Policy", "log_layout", "strictest"]


class Policy(enum.Enum, shape=2):
    """What a failed tag of a line, or a failed MAC of a leaf or node, locks."""

    LOCK_ENGINE = 0
    """The whole engine."""
    LOCK_DOMAIN = 1
    """The domain's slot for a line; the whole engine for a leaf or node, which concerns all."""
    REPORT_ONLY = 2
    """Nothing."""


def strictest(one: enum.EnumView, other: enum.EnumView) -> Value:
    """Return the policy of two that locks more."""
    return Mux(one.as_value() < other.as_value(), one, other)


class LogKind(enum.Enum, shape=3):
    """What an entry of the error log is about."""

    NONE = 0
    """Nothing: the log is empty."""
    ACCESS = 1
    """A domain was refused a line."""
    LINE = 2
    """A line did not match its tag."""
    VERSION = 3
    """A line's version was used up."""
    NODE = 4
    """A leaf or node did not match its MAC."""
    BUS = 5
    """DRAM answered an access to a leaf or node with an error."""
    COUNTER = 6
    """A leaf's or node's counter was used up."""


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
