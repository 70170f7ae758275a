"""A supervisor that manages a domain's memory and keys, owns DRAM, and wants its data.

It uses everything that it has: a domain of its own, all registers, every image of DRAM. Whatever it
does, the victim gets what it last wrote, zeros where its granule was taken away and claimed again,
or an error; and nobody else gets a line of the victim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from casemate.alert.layouts import Policy
from casemate.config import LINE_BYTES

from casemate_sim.bench import OKAY, Bench
from casemate_sim.driver import Casemate, DriverError

__all__ = ["Breach", "HostileSupervisor"]

VICTIM, OWN = 5, 6
_ZEROS = bytes(LINE_BYTES)
_GRANULES = 3


class Breach(AssertionError):
    """A domain got what it must not get."""


class HostileSupervisor:
    """One boot of an engine under attack; both domains are in the mode `full`.

    Parameters
    ----------
    bench:
        The engine, without fuses; it is reset.
    random:
        Chooses keys, data, attacks and their moments.

    Attributes
    ----------
    outcomes:
        How often the victim got its data, zeros, or an error.
    actions:
        How often each attack was made.
    """

    def __init__(self, bench: Bench, random: Random) -> None:
        self.bench, self.random = bench, random
        bench.restart(random.choice((3, 10, 40)))
        self.engine: Casemate = bench.boot(random.randbytes(32), random.randbytes(16))
        self.engine.wait_for_boot()
        self.engine.set_policy(random.choice((Policy.REPORT_ONLY, Policy.LOCK_DOMAIN,
                                              Policy.LOCK_ENGINE)))
        self.lines = range(_GRANULES * bench.config.leaf.lines)
        self.outcomes: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()
        self._secrets: set[bytes] = set()
        # What each line of the victim may read as; nothing: an error only.
        self._allowed: dict[int, set[bytes]] = {line: set() for line in self.lines}
        # Granules that were perhaps taken from the victim, which has written nothing there since.
        self._taken: set[range] = set()
        self._images: list[dict[int, bytes]] = []
        for domain in (VICTIM, OWN):
            self.engine.create(domain, policy=random.choice(tuple(Policy)))
        for line in self.lines:
            self._victim_writes(line)

    def run(self, actions: int) -> None:
        """Attack so many times; the victim looks at its lines behind each attack.

        Raises
        ------
        Breach
            If anybody gets what it must not get.
        """
        attacks: tuple[Callable[[], None], ...] = (
            self.read_it, self.write_it, self.reclaim, self.reclaim_and_use, self.race, self.remap,
            self.replay, self.replay, self.rekey, self.reuse_id, self.take_image, self.take_image)
        for _ in range(actions):
            attack = self.random.choice(attacks)
            self.actions[attack.__name__] += 1
            try:
                attack()
            except DriverError:
                self.outcomes["command refused"] += 1  # of a locked engine, or a tampered granule
            for line in self.random.sample(self.lines, 3):
                self._victim_reads(line)
            if self.random.random() < 0.5:
                self._victim_writes(self.random.choice(self.lines))
        for line in self.lines:
            self._victim_reads(line)
        for address, content in self.bench.memory.items():
            if content in self._secrets:
                raise Breach(f"a line of the victim lies open at {address:#x}")

    # -- the victim --------------------------------------------------------------------------

    def _victim_writes(self, line: int) -> None:
        data = self.random.randbytes(LINE_BYTES)
        self._secrets.add(data)
        number = self.bench.write(VICTIM, line, data)
        self._written(line, data, self.bench.done(number)[0])

    def _written(self, line: int, data: bytes, response: int) -> None:
        if response == OKAY:
            granule = self._granule(line)
            if granule in self._taken:  # this write claimed it: the other lines are not valid
                self._taken.remove(granule)
                for other in granule:
                    self._allowed[other].add(_ZEROS)
            self._allowed[line] = {data}
        else:
            self._allowed[line].add(data)

    def _victim_reads(self, line: int) -> None:
        self._seen(line, *self.bench.done(self.bench.read(VICTIM, line)))

    def _seen(self, line: int, response: int, data: bytes) -> None:
        if response != OKAY:
            self.outcomes["error"] += 1
            if not self._cut_short(line, data):
                raise Breach(f"line {line:#x}: data with an error response")
        elif data not in self._allowed[line]:
            raise Breach(f"line {line:#x}: the victim got {data.hex()}")
        else:
            self.outcomes["zeros" if data == _ZEROS else "data"] += 1

    def _cut_short(self, line: int, data: bytes) -> bool:
        """Whether a lock came between two beats: the first are the victim's, the rest zero."""
        beat = self.bench.config.data_bits // 8
        return any(data == allowed[:given] + bytes(LINE_BYTES - given)
                   for allowed in (_ZEROS, *self._allowed[line])
                   for given in range(0, LINE_BYTES, beat))

    def _granule(self, line: int) -> range:
        lines = self.bench.config.leaf.lines
        return range(line - line % lines, line - line % lines + lines)

    def _lost(self) -> None:
        """From now on nothing that the victim wrote may be read by anybody.

        A line that is not valid still reads as zeros.
        """
        self._allowed = {line: allowed & {_ZEROS} for line, allowed in self._allowed.items()}

    # -- the supervisor ----------------------------------------------------------------------

    def _mine(self, response: int, data: bytes, line: int) -> None:
        if data in self._secrets or (response != OKAY and data not in (_ZEROS, b"")):
            raise Breach(f"line {line:#x}: the supervisor got {data.hex()}")

    def read_it(self) -> None:
        """Read lines of the victim."""
        for line in self.random.sample(self.lines, 4):
            self._mine(*self.bench.done(self.bench.read(OWN, line)), line)

    def write_it(self) -> None:
        """Write lines of the victim; those that it owns stay as they are."""
        line = self.random.choice(self.lines)
        self.bench.done(self.bench.write(OWN, line, self.random.randbytes(LINE_BYTES)))

    def _range(self) -> tuple[int, int, range]:
        lines = self.bench.config.leaf.lines
        first = self.random.randrange(_GRANULES)
        count = self.random.randint(1, _GRANULES - first)
        base = self.bench.config.data_base
        return (base + first * lines * LINE_BYTES, count * lines * LINE_BYTES,
                range(first * lines, (first + count) * lines))

    def reclaim(self) -> None:
        """Take granules from the victim."""
        address, length, lines = self._range()
        self._take(address, length, lines)

    def _take(self, address: int, length: int, lines: range) -> None:
        self._taken |= {self._granule(line) for line in lines}
        self.engine.reclaim(address, length)
        for line in lines:  # if it failed some were not taken, and what was allowed still is
            self._allowed[line] = set()

    def reclaim_and_use(self) -> None:
        """Take granules from the victim and look what is in them."""
        address, length, lines = self._range()
        self._take(address, length, lines)
        line = self.random.choice(lines)
        self.bench.done(self.bench.write(OWN, line, self.random.randbytes(LINE_BYTES)))
        for each in self._granule(line):
            self._mine(*self.bench.done(self.bench.read(OWN, each)), each)
        if self.random.random() < 0.7:
            self._take(address, length, lines)

    def race(self) -> None:
        """Take a granule while the victim reads and writes it."""
        address, length, lines = self._range()
        requests: list[tuple[int, int, bytes | None]] = []
        for line in self.random.sample(list(lines), min(3, len(lines))):
            if self.random.random() < 0.5:
                requests.append((self.bench.read(VICTIM, line, id_=line % 4), line, None))
            else:
                data = self.random.randbytes(LINE_BYTES)
                self._secrets.add(data)
                requests.append((self.bench.write(VICTIM, line, data, id_=line % 4), line, data))
                self._allowed[line].add(data)
        self._taken |= {self._granule(line) for line in lines}
        for each in lines:  # taken, then claimed again by one of the writes
            self._allowed[each].add(_ZEROS)
        for _ in range(self.random.randrange(60)):
            self.bench.step()
        try:
            self.engine.reclaim(address, length)
        finally:
            for number, line, data in requests:
                response, read = self.bench.done(number)
                if data is None:
                    self._seen(line, response, read)

    def take_image(self) -> None:
        """Keep everything that DRAM holds."""
        if self.random.random() < 0.7:
            self.engine.invalidate()
        self._images.append(dict(self.bench.memory))

    def replay(self) -> None:
        """Put an earlier image back: all of it, the data, or the metadata."""
        if not self._images:
            return
        self.engine.invalidate()
        image, part = self.random.choice(self._images), self.random.randrange(3)
        end = self.bench.config.data_base + self.bench.config.data_bytes
        for address in self.bench.memory:
            if part == 0 or (address < end) == (part == 1):
                self.bench.memory[address] = image.get(address, _ZEROS)

    def remap(self) -> None:
        """Swap two lines."""
        base = self.bench.config.data_base
        one, two = (base + LINE_BYTES * line for line in self.random.sample(self.lines, 2))
        memory = self.bench.memory
        memory[one], memory[two] = memory.get(two, _ZEROS), memory.get(one, _ZEROS)

    def rekey(self) -> None:
        """Give the victim new keys."""
        self.engine.rekey(VICTIM)
        self._lost()

    def reuse_id(self) -> None:
        """Destroy the victim; what comes next has its ID."""
        self.engine.destroy(VICTIM)
        self._lost()
        self.engine.create(VICTIM)
