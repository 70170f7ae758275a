"""What the controller remembers, and how its parts speak about it."""

from amaranth import Cat, Module, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, enum

from .codes import Flag, LifeCycle, Status, codewords
from .digest import DIGEST_BITS, MESSAGE_BITS
from .map import CONFIGURATION, IDENTITY, LIFE_CYCLE, SECRET, WORDS
from .secded import DATA_BITS

__all__ = ["AREAS", "Area", "Command", "Registers", "Result", "Step", "Task", "command_layout",
           "configuration_layout", "identity_layout", "one_of"]


class Command(enum.Enum, shape=3):
    """What software can ask for; see ``commands``."""

    PROGRAM = 0
    """Program a word of data of identity or configuration."""
    LOCK = 1
    """Compute and program the digest of the partition that begins at ``address``."""
    SHARE = 2
    """Hand over the next word of the licensee's share of the root key."""
    PROVISION = 3
    """Make the root key from both shares, lock it, and move to ``PROVISIONED``."""
    MOVE = 4
    """Program the mark with number ``address``: enter the next state of life."""


class Result(enum.Enum, shape=2):
    """How a command ended."""

    DONE = 0
    REFUSED = 1
    """Not allowed now; nothing has changed."""
    FAILED = 2
    """A word does not hold what was to be programmed."""


def command_layout() -> data.StructLayout:
    """Layout of a command; fields that it does not need are ignored."""
    return data.StructLayout({"kind": Command, "address": range(WORDS), "data": DATA_BITS})


def identity_layout() -> data.StructLayout:
    """Layout of the public identity: byte 0 of each field is in its lowest bits."""
    return data.StructLayout({"device": 128, "serial": 64})


def configuration_layout() -> data.StructLayout:
    """Layout of the configuration: decisions as codewords, and a number of the licensee's own."""
    return data.StructLayout({"key_size": 32, "policy": 32, "debug": 32, "product": 32})


class Step(enum.Enum, shape=15):
    """States of the controller."""

    (START, BEGIN, READ, WAIT, DIGEST, HASH, COMPARE, NEXT, COMMIT, RUN, JUDGE, SHARED, STORE,
     STORED, DRAW, SEAL, ERASE, ERASED, SPENT, ALARM) = codewords(20, 15)


class Area(enum.Enum, shape=13):
    """What is being read; the life cycle twice, first and last, because it has no digest."""

    LIFE_CYCLE, IDENTITY, CONFIGURATION, SECRET, LIFE_CYCLE_AGAIN = codewords(5, 13)


class Task(enum.Enum, shape=13):
    """What is under way; ``FINISH``: the mark in which power was lost is programmed again."""

    BOOT, CHECK, COMMAND, LOCK, PROVISION, FINISH = codewords(6, 13)


AREAS = {Area.LIFE_CYCLE: LIFE_CYCLE, Area.IDENTITY: IDENTITY, Area.CONFIGURATION: CONFIGURATION,
         Area.SECRET: SECRET, Area.LIFE_CYCLE_AGAIN: LIFE_CYCLE}


def one_of(value: Value, *codes: enum.Enum) -> Value:
    """Return whether a register holds one of some codewords."""
    result: Value = value == codes[0]
    for code in codes[1:]:
        result = result | (value == code)
    return result


class Registers:
    """Registers of the controller; each comes out of reset with what is safe.

    Attributes
    ----------
    step, area, task, place:
        Where the controller is: state, partition, purpose, word in the partition.
    walk, ended:
        State of life by the marks read so far; a blank mark was among them.
    life:
        State of life by all marks.
    torn:
        One mark has some of its bits and no others; it is ``word``, at ``target``.
    status:
        What each partition was found to be.
    free:
        The partition holds nothing that must be kept: it is open or erased. Says again what
        ``status`` says, so that no register alone opens a door.
    block:
        Words of the partition that is read or written; the root key until it is taken.
    stored:
        Digest that was read.
    blank, erased, intact:
        Every word of the partition so far: stands for zero; is erased; could be corrected.
    identity, configuration:
        What was found under a good digest.
    running, offer:
        Everything passed; the root key is in ``block`` for the key manager.
    command, word, target:
        What software asked for; the word to be programmed, and where.
    shares:
        Words of the licensee's share in ``block``.
    retried, tampered:
        The secret was erased since reset; ``tamper`` was seen.
    """

    def __init__(self):
        self.step = Signal(Step, init=Step.START)
        self.area = Signal(Area, init=Area.LIFE_CYCLE)
        self.task = Signal(Task, init=Task.BOOT)
        self.place = Signal(4)
        self.walk = Signal(LifeCycle, init=LifeCycle.SCRAP)
        self.ended = Signal()
        self.life = Signal(LifeCycle, init=LifeCycle.SCRAP)
        self.torn = Signal(Flag, init=Flag.NO)
        self.status = {
            area: Signal(Status, init=Status.UNKNOWN, name=f"status_{area.name.lower()}")
            for area in (Area.IDENTITY, Area.CONFIGURATION, Area.SECRET)}
        self.free = {area: Signal(Flag, init=Flag.NO, name=f"free_{area.name.lower()}")
                     for area in self.status}
        self.block = Signal(MESSAGE_BITS)
        self.stored = Signal(DIGEST_BITS)
        self.blank = Signal()
        self.erased = Signal()
        self.intact = Signal()
        self.identity = Signal(32 * IDENTITY.words)
        self.configuration = Signal(32 * CONFIGURATION.words)
        self.running = Signal(Flag, init=Flag.NO)
        self.offer = Signal(Flag, init=Flag.NO)
        self.command = Signal(command_layout())
        self.word = Signal(DATA_BITS)
        self.target = Signal(range(WORDS))
        self.shares = Signal(range(SECRET.words + 1))
        self.retried = Signal()
        self.tampered = Signal(Flag, init=Flag.NO)

    @property
    def absent(self) -> Value:
        """No secret is in the fuses, and no part of one in a register."""
        return (one_of(self.status[Area.SECRET], Status.OPEN, Status.ERASED)
                & (self.free[Area.SECRET] == Flag.YES) & (self.shares == 0))

    @property
    def keyed(self) -> Value:
        """The device is in a state of life in which it has a root key."""
        return one_of(self.life, LifeCycle.PROVISIONED, LifeCycle.PRODUCTION)

    @property
    def untampered(self) -> Value:
        """``tamper`` was not seen since reset."""
        return self.tampered == Flag.NO

    def go(self, m: Module, step: Step) -> None:
        """Continue in another state."""
        m.d.sync += self.step.eq(step)

    def fill(self, m: Module, value: ValueLike) -> None:
        """Replace ``block``; what was offered of it is gone."""
        m.d.sync += [self.block.eq(value), self.offer.eq(Flag.NO)]

    def shift(self, m: Module, word: Value) -> None:
        """Put one word into ``block`` behind the others."""
        self.fill(m, Cat(self.block[DATA_BITS:], word))

    def wipe(self, m: Module) -> None:
        """Zero every register that may hold bits of a key, and close all doors."""
        self.fill(m, 0)
        m.d.sync += [self.stored.eq(0), self.word.eq(0), self.command.eq(0), self.shares.eq(0),
                     self.running.eq(Flag.NO)]
