"""What goes wrong in the golden model: refused accesses, failed checks, counters at their end."""

from __future__ import annotations

__all__ = ["AccessError", "ExhaustedError", "IntegrityError", "ModelError", "kind_of_level",
           "name_of"]


class ModelError(ValueError):
    """The model was used in a way that it does not cover; the message says how."""


class AccessError(Exception):
    """What a host sees as SLVERR with zero data; nothing in DRAM has changed.

    Parameters
    ----------
    reason:
        One sentence without address.
    address, domain:
        Of the access.
    """

    def __init__(self, reason: str, *, address: int, domain: int) -> None:
        super().__init__(f"address {address:#x}, domain {domain}: {reason}")
        self.reason = reason
        self.address = address
        self.domain = domain


def kind_of_level(level: int | None) -> str:
    """Return ``line`` for None, ``leaf`` for level 0, ``node`` for the levels above."""
    return "line" if level is None else "node" if level else "leaf"


def name_of(level: int | None, index: int) -> str:
    """Return what people call a line, a leaf or a node."""
    return f"level {level} node {index}" if level else f"{kind_of_level(level)} {index}"


class _PlacedError(Exception):
    """Something about one line, leaf or node.

    Parameters
    ----------
    level:
        None for a line, 0 for a leaf, k for a node of level k.
    index:
        Line number, or number in its level.
    address:
        Byte address in DRAM.
    """

    def __init__(self, level: int | None, index: int, address: int, what: str) -> None:
        super().__init__(f"{name_of(level, index)} at address {address:#x}: {what}")
        self.kind = kind_of_level(level)
        self.level = level
        self.index = index
        self.address = address


class IntegrityError(_PlacedError):
    """A tag or MAC does not match: the host sees SLVERR with zero data, and an alert is raised.

    Attributes
    ----------
    kind:
        ``line``, ``leaf`` or ``node``.
    level, index, address:
        Which one, and where it lies.
    """

    def __init__(self, level: int | None, index: int, address: int) -> None:
        what = "tag" if level is None else "MAC"
        super().__init__(level, index, address, f"its {what} does not match")


class ExhaustedError(_PlacedError):
    """A version or counter is the highest that there is: the write is refused, nothing changes.

    Attributes are those of :class:`IntegrityError`.
    """

    def __init__(self, level: int | None, index: int, address: int) -> None:
        what = "version" if level is None else "counter"
        super().__init__(level, index, address, f"its {what} is the highest that there is")
