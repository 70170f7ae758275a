"""Commands of the key manager, their results, and what it says of itself."""

from amaranth.lib import data, enum

from ..alert.layouts import Policy
from ..config import DOMAIN_BITS
from .kdf import GENERATION_BITS

__all__ = [
    "KeyCommand", "KeyResult", "KeyState", "command_layout", "domain_layout", "outcome_layout"]


class KeyCommand(enum.Enum, shape=2):
    """What is done with a domain."""

    CREATE = 0
    """It exists from now on, in the given mode, with the given policy. It owns nothing yet."""
    REKEY = 1
    """It gets new keys; what it has written is lost."""
    DESTROY = 2
    """It does not exist any more; its keys are erased, and never come back."""
    QUERY = 3
    """Nothing: its mode and generation are shown."""


class KeyResult(enum.Enum, shape=3):
    """What became of a command."""

    DONE = 0
    """What was asked for."""
    EXISTS = 1
    """Nothing: there is such a domain already."""
    UNKNOWN = 2
    """Nothing: there is no such domain."""
    REFUSED = 3
    """Nothing: no domain can have this ID, or this mode with this ID."""
    EXHAUSTED = 4
    """Nothing: the ID has used all its generations, until reset."""
    LOCKED = 5
    """Nothing: the domain, or the whole engine, is locked until reset."""
    BOOTING = 6
    """Nothing: the key manager is not ready yet."""


class KeyState(enum.Enum, shape=2):
    """Life of the key manager."""

    BOOTING = 0
    """Root key, boot nonce, or the keys of the engine are missing."""
    READY = 1
    """Domains can be created and used."""
    ERASED = 2
    """All keys are being erased, or were: until reset, nothing is possible any more."""


def domain_layout() -> data.StructLayout:
    """Layout of what is known of a domain; ``policy``: what its integrity errors lock at least."""
    return data.StructLayout({
        "created": 1, "encrypt": 1, "authenticate": 1, "policy": Policy,
        "generation": GENERATION_BITS})


def command_layout() -> data.StructLayout:
    """Layout of a command. Mode and policy count for ``CREATE`` only."""
    return data.StructLayout({
        "command": KeyCommand, "domain": DOMAIN_BITS, "encrypt": 1, "authenticate": 1,
        "policy": Policy})


def outcome_layout() -> data.StructLayout:
    """Layout of the answer to a command: its result and the domain as it is then.

    ``resident``: the domain has its keys in a slot.
    """
    return data.StructLayout({
        "result": KeyResult, "resident": 1, "entry": domain_layout()})
