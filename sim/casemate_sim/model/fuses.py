"""The content of a device's fuses: built, explained, checked, and started from.

Written from the map in ``docs/fuses.md``. Addresses count 39-bit words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from casemate_sim.model.fuse_words import (
    ALL_ONES,
    DEBUG,
    KEY_SIZES,
    MARKS,
    POLICIES,
    STATES,
    Word,
    decode_word,
    encode_word,
    fuse_digest,
)

__all__ = ["PARTITIONS", "WORDS", "Boot", "Device", "Finding", "FuseError", "FusePartition", "boot",
           "check", "encode_device", "is_torn", "partition_of"]

WORDS = 34

_ERASING = ("test", "return", "scrap")
_KEYED = ("provisioned", "production")


class FuseError(ValueError):
    """What is to be built, or a file, makes no fuse image; the message says where and why."""


@dataclass(frozen=True)
class FusePartition:
    """A group of words; see :mod:`casemate_sim.model.fuses`.

    Attributes
    ----------
    name, number, base:
        Name; number in the digest; address of the first word.
    fields:
        Names of its words of data.
    digest_words:
        Words behind them.
    """

    name: str
    number: int
    base: int
    fields: tuple[str, ...]
    digest_words: int = 2

    @property
    def words(self) -> int:
        """Words of data."""
        return len(self.fields)

    @property
    def end(self) -> int:
        """Address behind the last word."""
        return self.base + self.words + self.digest_words

    def name_of(self, address: int) -> str:
        """Return what a word holds."""
        place = address - self.base
        return self.fields[place] if place < self.words else f"digest {place - self.words}"


LIFE_CYCLE = FusePartition("life cycle", 0, 0, tuple(f"mark {name}" for name in STATES[1:]), 0)
IDENTITY = FusePartition("identity", 1, 8, (*(f"device {n}" for n in range(4)), "serial 0",
                                            "serial 1"))
CONFIGURATION = FusePartition("configuration", 2, 16, ("key size", "policy", "debug", "product"))
SECRET = FusePartition("secret", 3, 24, tuple(f"root key {n}" for n in range(8)))
PARTITIONS = (LIFE_CYCLE, IDENTITY, CONFIGURATION, SECRET)


def partition_of(address: int) -> FusePartition | None:
    """Return the partition of a word; None for a word between partitions."""
    return next((part for part in PARTITIONS if part.base <= address < part.end), None)


def _words(content: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(content[at:at + 4], "little") for at in range(0, len(content), 4))


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the fuses of a device say.

    Attributes
    ----------
    life_cycle:
        One of ``STATES``.
    device, serial:
        The public identity: 16 and 8 bytes; None if its partition is open.
    key_size, policy, debug, product:
        Configuration: 128 or 256 bits; ``report``, ``lock-domain`` or ``lock-engine``; ``returned``
        or ``never``; a number of 32 bits. `key_size` None: its partition is open.
    root_key:
        32 bytes; None if there is none.
    erased:
        The secret was erased.
    """

    life_cycle: str = "blank"
    device: bytes | None = None
    serial: bytes | None = None
    key_size: int | None = None
    policy: str = "lock-engine"
    debug: str = "never"
    product: int = 0
    root_key: bytes | None = field(default=None, repr=False)
    erased: bool = False


def _validate(device: Device) -> None:
    for name, value, allowed in (("life cycle", device.life_cycle, STATES),
                                 ("key size", device.key_size, (None, *KEY_SIZES)),
                                 ("policy", device.policy, tuple(POLICIES)),
                                 ("debug", device.debug, tuple(DEBUG))):
        if value not in allowed:
            names = ", ".join(str(each) for each in allowed if each is not None)
            raise FuseError(f"{name} {value!r} is not possible; there are {names}")
    for name, content, size in (("device", device.device, 16), ("serial", device.serial, 8),
                                ("root key", device.root_key, 32)):
        if content is not None and len(content) != size:
            raise FuseError(f"{name} has {size} bytes, not {len(content)}")
    if not 0 <= device.product < 1 << 32:
        raise FuseError(f"product {device.product} does not fit 32 bits")
    if (device.device is None) != (device.serial is None):
        raise FuseError("an identity is a device and a serial: one of them is missing")
    state = device.life_cycle
    if state in _KEYED:
        for name, value in (("an identity", device.device), ("a key size", device.key_size),
                            ("a root key", device.root_key)):
            if value is None:
                raise FuseError(f"a device in state {state} needs {name}")
    elif device.root_key is not None:
        raise FuseError(f"a device in state {state} has no root key")
    if device.erased and state not in _ERASING:
        raise FuseError(f"the secret of a device in state {state} is not erased")
    if state == "blank" and (device.device is not None or device.key_size is not None):
        raise FuseError("a blank device has neither identity nor configuration")


def encode_device(device: Device) -> list[int]:
    """Return the fuse words of a device.

    Raises
    ------
    FuseError
        If it does not fit, or its state does not allow what it has.
    """
    _validate(device)
    data = [0] * WORDS
    reached = STATES.index(device.life_cycle)
    for number in range(reached):
        # A device is scrapped from any state; it is written as if it had seen all of them.
        data[number] = MARKS[number]
    contents: list[tuple[FusePartition, tuple[int, ...]]] = []
    if device.device is not None and device.serial is not None:
        contents.append((IDENTITY, _words(device.device) + _words(device.serial)))
    if device.key_size is not None:
        contents.append((CONFIGURATION, (KEY_SIZES[device.key_size], POLICIES[device.policy],
                                         DEBUG[device.debug], device.product)))
    if device.root_key is not None:
        contents.append((SECRET, _words(device.root_key)))
    for part, words in contents:
        data[part.base:part.end] = words + fuse_digest(part.number, words)
    stored = [encode_word(word) for word in data]
    if device.erased:
        stored[SECRET.base:SECRET.end] = [ALL_ONES] * (SECRET.end - SECRET.base)
    return stored


@dataclass(frozen=True)
class Finding:
    """Something about a word, or a partition, that is not as it was written.

    Attributes
    ----------
    fault:
        The device does not start; else the fault is corrected.
    text:
        What it is, with the place.
    address, bit:
        Word and bit; None for a whole partition.
    """

    fault: bool
    text: str
    address: int | None = None
    bit: int | None = None


@dataclass(frozen=True)
class Boot:
    """What a device does when it starts.

    Attributes
    ----------
    outcome:
        ``run``, ``erase`` (the secret first, then it runs without), ``finish`` (a torn mark is
        programmed again, and nothing opens before the next reset) or ``alarm``.
    life_cycle:
        State of life, of ``finish`` that of the torn mark; ``scrap`` with an alarm.
    root_key:
        What the key manager gets.
    debug:
        A debugger may get in, after erasing.
    locked:
        Names of the locked partitions.
    reason:
        Of the alarm.
    """

    outcome: str
    life_cycle: str = "scrap"
    root_key: bytes | None = field(default=None, repr=False)
    debug: bool = False
    locked: tuple[str, ...] = ()
    reason: str = ""


def is_torn(word: Word, mark: int) -> bool:
    """Return whether power was lost while a mark was programmed: some of its bits, no others."""
    return not word.blank and word.data != mark and not word.raw & ~encode_word(mark)


def _life_cycle(words: Sequence[Word]) -> tuple[str, str | None] | None:
    """Return state of life and that of a torn mark, None if the marks say nothing clear."""
    present, torn = [], []
    for state, word, mark in zip(STATES[1:], words[LIFE_CYCLE.base:], MARKS, strict=False):
        if is_torn(word, mark):
            torn.append(state)
        elif word.bad or word.data not in (0, mark):
            return None
        present.append(word.data == mark)
    *others, scrapped = present
    life = "scrap" if scrapped else STATES[sum(others)]
    follows = not torn or torn in (["scrap"], [STATES[sum(others) + 1]])
    if others != sorted(others, reverse=True) or (torn and scrapped) or not follows:
        return None
    return life, torn[0] if torn else None


def _status(part: FusePartition, words: Sequence[Word]) -> str:
    """Return what a partition is: open, locked, erased or damaged."""
    own = words[part.base:part.end]
    data = tuple(word.data for word in own[:part.words])
    stored = tuple(word.data for word in own[part.words:])
    secret = part is SECRET
    if secret and all(word.erased for word in own):
        return "erased"
    if secret and all(word.blank for word in own):
        return "open"
    if any(word.bad for word in own):
        return "damaged"
    if stored == (0, 0):
        return "damaged" if secret else "open"
    return "locked" if stored == fuse_digest(part.number, data) else "damaged"


def boot(image: Sequence[int]) -> Boot:
    """Return what a device with these fuses does when it starts."""
    words = [decode_word(raw) for raw in image]
    marks = _life_cycle(words)
    if marks is None:
        return Boot("alarm", reason="the marks of the life cycle are not clear")
    life, torn = marks
    start = _start(words, life, torn)
    if torn is None or start.outcome == "alarm":
        return start
    return Boot("finish", torn, locked=start.locked)


def _start(words: Sequence[Word], life: str, torn: str | None) -> Boot:
    """Return what state of life and partitions allow together."""
    status = {part.name: _status(part, words) for part in PARTITIONS[1:]}
    locked = tuple(name for name, what in status.items() if what == "locked")
    for name in ("identity", "configuration"):
        if status[name] == "damaged":
            return Boot("alarm", reason=f"the {name} does not match its digest")
    secret = status["secret"]
    if life == "blank":
        if set(status.values()) != {"open"}:
            return Boot("alarm", reason="a blank device is not blank")
        return Boot("run", life)
    if torn == "provisioned" and len(locked) != len(status):
        return Boot("alarm", reason="the mark of provisioned is torn, and not all is locked")
    if life in _KEYED:
        if len(locked) != len(status):
            missing = ", ".join(name for name in status if name not in locked)
            return Boot("alarm", reason=f"in state {life} all must be locked, unlike: {missing}")
        key = b"".join(word.data.to_bytes(4, "little")
                       for word in words[SECRET.base:SECRET.base + SECRET.words])
        return Boot("run", life, key, locked=locked)
    returned = "configuration" in locked and (
        words[CONFIGURATION.base + 2].data == DEBUG["returned"])
    debug = life == "test" or (life == "return" and returned)
    locked = tuple(name for name in locked if name != "secret")
    return Boot("run" if secret in ("open", "erased") else "erase", life, debug=debug,
                locked=locked)


def check(image: Sequence[int]) -> Iterator[Finding]:
    """Find what is not as it was written.

    Yields
    ------
    Finding
        Words first, by address, then what keeps the device from starting.
    """
    words = [decode_word(raw) for raw in image]
    erased = _status(SECRET, words) == "erased"
    start = boot(image)
    for address, word in enumerate(words):
        part = partition_of(address)
        place = f"word {address} ({part.name}: {part.name_of(address)})" if part else \
            f"word {address} (between the partitions)"
        if part is SECRET and erased:
            missing = ALL_ONES ^ word.raw
            if missing:
                yield Finding(False, f"{place}: bit {missing.bit_length() - 1} was not erased",
                              address, missing.bit_length() - 1)
        elif part is LIFE_CYCLE and is_torn(word, MARKS[address]):
            yield Finding(start.outcome == "alarm", f"{place}: is torn; the next start programs "
                          "the rest of it", address)
        elif word.bad:
            # Not fatal between the partitions, nor in a secret that is going to be erased.
            fatal = part is not None and start.outcome == "alarm"
            yield Finding(fatal, f"{place}: more than one bit is wrong", address)
        elif word.wrong_bit is not None:
            yield Finding(False, f"{place}: bit {word.wrong_bit} is wrong; corrected", address,
                          word.wrong_bit)
        if part is None and not word.blank:
            yield Finding(False, f"{place}: is not blank", address)
    if start.outcome == "alarm":
        yield Finding(True, f"the device does not start: {start.reason}")
