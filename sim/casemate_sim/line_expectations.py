"""What the scoreboard holds about lines, and what it expects of domains that authenticate.

Whose a granule is, and so whether an access is refused, is known as far as ``owners`` says; what a
line may hold as far as ``line_history`` says. Where an answer tells more, it is learnt from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.bursts import Burst, Chunk
from casemate_sim.faults import Faults, Response
from casemate_sim.line_history import SPOILT, LineHistory
from casemate_sim.model import Image
from casemate_sim.owners import Ticket
from casemate_sim.reference import Reference

__all__ = ["Access", "LineExpectations", "ScoreboardError"]


class ScoreboardError(AssertionError):
    """The engine did something that the contract does not allow; the message says what."""


@dataclass
class _Verdict:
    """What a chunk of a protected read may be answered."""

    legal: set[Response]
    owner_decides: bool  # nothing but the granule's owner can be the cause of an error
    okay: bool | None = None  # what its first beat was answered


@dataclass(eq=False)
class Access:
    """A burst that was accepted and not yet answered."""

    burst: Burst
    cycle: int
    refused: bool
    protected: bool = False  # the domain authenticates
    tickets: list[Ticket] = field(default_factory=list)  # then: of each chunk
    beats: int = 0  # of which the data have come
    chunk: int = 0  # that the next beat belongs to
    # A read's contents that fit the chunk's beats so far; a content that may be anything is None.
    candidates: list[bytes | None] | None = None
    verdict: _Verdict | None = None  # on a chunk of a protected read
    # A write's errors, those that it may have, and the lines of its chunks that took their place
    # in the line's order.
    errors: set[Response] = field(default_factory=set)
    doubts: set[Response] = field(default_factory=set)
    lines: list[int] = field(default_factory=list)
    # Of a protected write: when its lines were collected, which it changes for all that was known
    # then, and what it puts into them, None if not all of it.
    collected: dict[int, int] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    contents: dict[int, bytes | None] = field(default_factory=dict)
    data: bytearray = field(default_factory=lambda: bytearray(LINE_BYTES))
    strobes: list[bool] = field(default_factory=lambda: [False] * LINE_BYTES)

    def __str__(self) -> str:
        return f"beat {self.beats} of {self.burst}"


class LineExpectations:
    """Histories of the lines of one engine, by address, and whether as their owner reads them.

    Parameters
    ----------
    config:
        The engine's configuration.
    image:
        Content of DRAM at the start; the model's from then on.
    dram:
        Reads bytes of the simulated DRAM: address, length.

    Attributes
    ----------
    reference:
        The golden model.
    faults:
        What the DRAM answers; may change only while nothing is in flight. Errors of leaves and
        nodes count as an attack.
    attacked:
        Somebody tampers with DRAM, or a domain is locked: an access of a domain that authenticates
        may be refused, but what is read must still be right. Nothing is compared with DRAM.
    """

    def __init__(self, config: EngineConfig, image: Image,
                 dram: Callable[[int, int], bytes]) -> None:
        self.config = config
        self.faults = Faults()
        self.attacked = False
        self.reference = Reference(config, image)
        self._dram = dram
        self._lines: dict[tuple[int, bool], LineHistory] = {}

    def adopt(self, domain: int, lines: NDArray[np.uint64], data: NDArray[np.uint8]) -> None:
        """Note that the image holds lines that were sealed for a domain, each with version 1."""
        for line, content in zip(lines.tolist(), data, strict=True):
            self.reference.adopt(domain, self.config.data_base + LINE_BYTES * line,
                                 content.tobytes())

    def reclaim(self, address: int, length: int) -> None:
        """Note that the supervisor has taken the granules of a range from their owners."""
        for granule in range(self.reference.granule(address),
                             self.reference.granule(address + length - 1) + 1):
            self.reference.reclaim(granule)
        for (line, protected), history in self._lines.items():
            if protected and address <= line < address + length:
                history.write(-1, None, None)

    # -- histories ---------------------------------------------------------------------------

    def _line(self, address: int, protected: bool) -> LineHistory:
        if (address, protected) not in self._lines:
            self._lines[address, protected] = LineHistory(
                self.reference.text(address) if protected else self.reference.stored(address))
        return self._lines[address, protected]

    def _drop_if_quiet(self, address: int, protected: bool) -> None:
        if self._lines[address, protected].quiet:
            del self._lines[address, protected]

    def _settle(self, write: Access, address: int) -> None:
        """Let the histories of a line know that a write was answered; look into DRAM."""
        domain = write.burst.domain
        for protected in (False, True):
            line = self._lines.get((address, protected))
            if line is None:
                continue
            contents = line.settle(write)
            if protected != write.protected:
                right = True
            elif not protected:
                right = None in contents or self._dram(address, LINE_BYTES) in contents
            else:
                right = (address not in write.changed or SPOILT in contents or self._tolerant
                         or self.reference.holds_text(
                             domain, address, self._dram(address, LINE_BYTES), contents))
            if not right:
                raise ScoreboardError(f"DRAM does not hold line {address:#x} as it was "
                                      f"written when {write.burst} is answered")
            self._drop_if_quiet(address, protected)

    # -- accesses of domains that authenticate -----------------------------------------------

    def _ticket(self, entry: Access, chunk: Chunk) -> Ticket:
        burst, address = entry.burst, chunk.line_address
        return self.reference.owners.begin(
            self.reference.granule(address), burst.domain, claim=burst.write and burst.claim,
            doubted=(lambda: self._doubt(entry, address)) if burst.write else None)

    @property
    def _tolerant(self) -> bool:
        """Whether any access of a domain that authenticates may be refused."""
        window = self.config.regions[0]
        return self.attacked or any(
            not window.base <= address < window.end
            for address in (*self.faults.reads, *self.faults.writes))

    def _collect_protected(self, cycle: int, write: Access, address: int) -> None:
        """Apply a chunk of a domain that authenticates, as far as it is certain."""
        ticket = write.tickets[write.chunk]
        if not any(write.strobes):  # whether the owner is asked is nobody's business
            write.doubts |= {Response.SLVERR} if ticket.may_be_denied else set()
            return
        write.collected[address] = cycle
        partial = not all(write.strobes)
        write.contents[address] = None if partial else bytes(write.data)
        if not ticket.may_be_granted:
            return
        old = self.reference.text(address)
        errors = {error for error in self.faults.reads.get(address, ()) if error.error and partial}
        failure = self.faults.of_write(address)
        if partial and old == SPOILT:
            errors.add(Response.SLVERR)
        doubtful = bool(errors) and not self.reference.is_protected(address)
        if doubtful or (partial and old is None):
            write.doubts |= errors | {Response.SLVERR}
        elif errors or failure:
            write.errors |= errors or {failure}
            self.reference.may_write(address)
            return
        if self.reference.may_be_exhausted(address):
            doubtful = True
            write.doubts.add(Response.SLVERR)
        write.changed.add(address)
        self._line(address, False).write(cycle, None, write)
        text = self.reference.write_text(address, bytes(write.data), write.strobes)
        self._line(address, True).write(cycle, text, write)
        if failure:
            write.doubts.add(failure)
        if doubtful or failure or ticket.may_be_denied or self._tolerant:
            self._doubt(write, address)

    def _doubt(self, write: Access, address: int) -> None:
        """Note that it is not certain any more whether a chunk is written."""
        if address in write.collected:
            for protected in (False, True):
                self._line(address, protected).doubt(write.collected[address], write)
            self.reference.doubt_text(address)
            self.reference.may_write(address)
            write.doubts |= write.errors
            write.errors.clear()

    def _legal_of_protected(self, write: Access) -> set[Response]:
        """Return every response that a write of a domain that authenticates may get."""
        errors, doubts = set(write.errors), set(write.doubts)
        for ticket, chunk in zip(write.tickets, write.burst.chunks, strict=True):
            if ticket.may_be_denied and chunk.line_address in write.collected:
                (doubts if ticket.may_be_granted else errors).add(Response.SLVERR)
        if self._tolerant:
            doubts |= {Response.SLVERR, Response.DECERR}
        return (errors or {Response.OKAY}) | doubts

    def _end_protected(self, write: Access, response: Response) -> None:
        """Learn from the response whose the granules are, and what the lines hold."""
        alone = not (write.errors or write.doubts or self._tolerant)
        if response.error:
            write.changed.clear()
        for ticket, chunk in zip(write.tickets, write.burst.chunks, strict=True):
            if ticket.overtaken:  # the line may have another owner by now
                write.changed.discard(chunk.line_address)
            granted = None
            if not response.error and chunk.line_address in write.collected:
                granted = True
            elif response.error and alone and len(write.tickets) == 1:
                granted = False
            self.reference.owners.end(ticket, granted=granted)
        for address, content in write.contents.items():
            line = self._lines.get((address, True))
            if content and line and not response.error and line.resolve(write, content):
                self.reference.settle_text(address, content)

    def _check_verdict(self, read: Access, chunk: Chunk, response: Response) -> Response:
        """Return the response that a beat must have: if it is legal, the one that it has.

        A line is verified as a whole: either all of its beats have data, or none.
        """
        if read.verdict is None:
            read.verdict = self._verdict(read, chunk)
        verdict = read.verdict
        if response not in verdict.legal:
            return min(verdict.legal)
        if verdict.okay is None:
            verdict.okay = not response.error
        elif verdict.okay is response.error:
            return Response.SLVERR if response is Response.OKAY else Response.OKAY
        return response

    def _verdict(self, read: Access, chunk: Chunk) -> _Verdict:
        ticket, address = read.tickets[read.chunk], chunk.line_address
        contents = self._line(address, True).legal(read.cycle)
        errors = {error for error in self.faults.reads.get(address, ()) if error.error}
        # A line that is not valid need not be fetched.
        fetched = self.reference.is_protected(address) and bytes(LINE_BYTES) not in contents
        legal = set()
        if ticket.may_be_granted:
            if set(contents) != {SPOILT} and not (errors and fetched):
                legal.add(Response.OKAY)
            legal |= errors
            if SPOILT in contents or None in contents or errors:
                legal.add(Response.SLVERR)
        if ticket.may_be_denied:
            legal.add(Response.SLVERR)
        if self._tolerant:
            legal |= {Response.SLVERR, Response.DECERR}
        return _Verdict(legal, owner_decides=not (
            errors or SPOILT in contents or None in contents or self._tolerant))
