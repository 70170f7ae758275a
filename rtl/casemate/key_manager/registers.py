"""What the key manager remembers, and the parts that its states command."""

from dataclasses import dataclass

from amaranth import Signal
from amaranth.lib import enum, wiring

from ..config import DOMAIN_BITS, EngineConfig
from ..engine.keys import KeyLoader
from .domain_table import DomainTable
from .eraser import Eraser
from .filler import Filler
from .layouts import KeyResult, domain_layout
from .slot_table import SlotTable

__all__ = ["SETTLE_CYCLES", "After", "Parts", "Registers"]

SETTLE_CYCLES = 8
"""From a line's verdict to the lock that it may cause, and some more."""


class After(enum.Enum, shape=2):
    """What follows an erasure."""

    RETRY = 0
    """What was interrupted."""
    REPLY = 1
    """The answer to the command."""
    LOCK = 2
    """Nothing more: the slot is locked."""


@dataclass(frozen=True)
class Parts:
    """The key manager's submodules."""

    kdf: wiring.Component
    domains: DomainTable
    table: SlotTable
    filler: Filler
    expansion: KeyLoader
    eraser: Eraser


class Registers:
    """Registers of the key manager, and the wires that several of its states look at.

    Attributes
    ----------
    dead, booted:
        All keys are to be erased, or were; the boot is over.
    slot, full:
        The slot in hand; it belonged to a domain, and its keys are still there.
    domain:
        The domain in hand.
    missing, channel:
        What is done is a look-up that misses; whose it is.
    draining, erased:
        Slots of destroyed domains with lines in flight; locked slots whose keys are gone.
    settle:
        Cycles for which nothing of the slot has been in flight.
    after, result:
        What follows the erasure; the answer to the command.
    to_erase, urgent:
        Wires: locked slots that still have keys; something must be erased at once.
    slot_in_use:
        Wire: something of the slot is in flight.
    equal:
        Wire: K2 equals K1.
    following:
        Wire: the domain's entry when the command is done.
    """

    def __init__(self, config: EngineConfig):
        slots = config.domain_slots
        self.dead, self.booted = Signal(), Signal()
        self.slot, self.full = Signal(range(slots)), Signal()
        self.domain = Signal(DOMAIN_BITS)
        self.missing, self.channel = Signal(), Signal()
        self.draining, self.erased = Signal(slots), Signal(slots)
        self.settle = Signal(range(SETTLE_CYCLES))
        self.after, self.result = Signal(After), Signal(KeyResult)
        self.to_erase, self.urgent = Signal(slots), Signal()
        self.slot_in_use, self.equal = Signal(), Signal()
        self.following = Signal(domain_layout())
