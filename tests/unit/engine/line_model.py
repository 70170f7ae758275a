"""What each line may hold, from the writes that the host has made, in their order."""

from dataclasses import dataclass, replace

from casemate.config import LINE_BYTES
from casemate.metadata.interface import Outcome

OKAY, SLVERR, DECERR = 0, 2, 3
ZEROS = bytes(LINE_BYTES)
WHOLE = (1 << LINE_BYTES) - 1


@dataclass(frozen=True)
class State:
    data: bytes = ZEROS
    valid: bool = True
    broken: bool = False  # what lies in DRAM does not have the tag of the leaf


@dataclass
class Write:
    """One line of a write; `mask` has a bit for each byte.

    Without any, nothing is stored, and nothing older is waited for.
    """

    domain: int
    claim: bool
    mask: int
    data: bytes
    taken: bool = False  # the last beat was
    answered: bool = False
    tampered: bool = False  # not by the host
    response: int | None = None


class Line:
    """History of a line; `outcomes` are those of its authenticated writes, in order."""

    def __init__(self, state, *, authenticated, outcomes=(), read_error=0, write_error=0):
        self.states, self.writes = [state], []
        self.authenticated, self.outcomes = authenticated, outcomes
        self.read_error, self.write_error = read_error, write_error
        self.accesses = 0

    def add(self, write):
        self.writes.append(write)

    def tamper(self):
        """Note that what lies in DRAM was changed, while nothing of the line is in flight."""
        write = Write(0, False, 0, ZEROS, taken=True, answered=True, tampered=True)
        self.evaluate(len(self.writes))
        self.add(write)
        self.states.append(replace(self.states[-1], broken=True))

    @property
    def busy(self):
        return not all(write.answered for write in self.writes)

    def first(self):
        """Return how many writes a read that begins now must see."""
        return max((i + 1 for i, write in enumerate(self.writes)
                    if write.answered and (write.mask or write.tampered)), default=0)

    def candidates(self, first):
        """Return the states that a read may have seen that began when ``first()`` was `first`."""
        last = sum(write.taken for write in self.writes)
        self.evaluate(last)
        return self.states[first:last + 1]

    def evaluate(self, count):
        """Compute the states up to the given number of writes, as far as outcomes are known."""
        while len(self.states) <= count:
            write = self.writes[len(self.states) - 1]
            outcome = Outcome.GRANTED
            if self.authenticated and write.mask:
                if self.accesses == len(self.outcomes):
                    return
                outcome, domain, claim = self.outcomes[self.accesses]
                assert (domain, claim) == (write.domain, write.claim)
                self.accesses += 1
            write.response, state = self.step(self.states[-1], write, outcome)
            self.states.append(state)

    def step(self, state, write, outcome):
        if not write.mask:
            return OKAY, state
        if outcome is not Outcome.GRANTED:
            return DECERR if outcome is Outcome.BUS_ERROR else SLVERR, state
        if self.authenticated and write.mask != WHOLE and state.valid:
            if self.read_error:
                return self.read_error, state
            if state.broken:
                return SLVERR, state
        old = state.data if state.valid else ZEROS
        data = bytes(new if write.mask >> i & 1 else before
                     for i, (new, before) in enumerate(zip(write.data, old, strict=True)))
        return self.write_error, State(data, broken=bool(self.write_error))
