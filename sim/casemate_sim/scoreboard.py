"""Compares everything that the host sees, and at the end all of DRAM, with the golden model.

It knows nothing of a simulator: a monitor tells it each handshake on the host's bus, with the
cycle. Which results are legal when accesses overlap is explained in ``line_history``, and in
``owners`` where domains authenticate; what DRAM must hold then, in ``texts``.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from casemate.config import LINE_BYTES, EngineConfig
from numpy.typing import NDArray

from casemate_sim.bursts import Burst, Chunk
from casemate_sim.coverage import Coverage
from casemate_sim.faults import Response
from casemate_sim.line_expectations import Access, LineExpectations, ScoreboardError
from casemate_sim.line_history import SPOILT
from casemate_sim.model import Image

__all__ = ["Scoreboard", "ScoreboardError"]


class Scoreboard(LineExpectations):
    """The golden model in step with one engine.

    Parameters
    ----------
    config:
        The engine's configuration.
    image:
        Content of DRAM at the start; the model's from then on.
    dram:
        Reads bytes of the simulated DRAM: address, length.
    coverage:
        Where situations are counted.
    """

    def __init__(self, config: EngineConfig, image: Image, dram: Callable[[int, int], bytes],
                 coverage: Coverage) -> None:
        super().__init__(config, image, dram)
        self.coverage = coverage
        self._uncertain: dict[int, set[bytes | None]] = {}
        self._begin()

    def _begin(self) -> None:
        self._lines.clear()
        self._announced: deque[Access] = deque()
        self._data: deque[tuple[int, int, int]] = deque()
        self._queues: dict[str, dict[int, deque[Access]]] = {
            "read": defaultdict(deque), "write": defaultdict(deque)}
        self._order: dict[str, list[Access]] = {"read": [], "write": []}
        self._interrupted: int | None = None  # ID of a read that has had some of its data
        self._collected: Counter[int] = Counter()  # chunks in their line's order, by line

    # -- settings ----------------------------------------------------------------------------

    def set_domain(self, slot: int, domain: int, *, encrypt: bool, authenticate: bool = False,
                   keys: Mapping[str, bytes] | None = None) -> None:
        """Give a slot to a domain, as the slot port and the key port do."""
        self.reference.set_domain(slot, domain, encrypt=encrypt, authenticate=authenticate,
                                  keys=keys or {})

    def reset(self) -> None:
        """Forget the slots and what was in flight, as the engine does; see :meth:`recover`."""
        in_flight = [f"{access}s in flight" for access, queues in self._queues.items()
                     if any(queues.values())]
        for name in in_flight or ["idle"]:
            self.coverage.hit(f"reset/{name}")
        for (address, protected), line in self._lines.items():
            if not protected:
                self._uncertain.setdefault(address, set()).update(line.contents)
        self.reference.forget_domains()
        self._begin()

    def recover(self) -> None:
        """Take over from DRAM what became of the lines that were being written at a reset.

        Each block of 16 bytes, or each beat where the bus is narrower, must be one that the line
        held since its last write that was answered.

        Raises
        ------
        ScoreboardError
            If it is anything else.
        """
        step = min(16, self.config.data_bits // 8)
        for address, contents in self._uncertain.items():
            found = self._dram(address, LINE_BYTES)
            for at in range(0, LINE_BYTES, step):
                part = found[at:at + step]
                if None not in contents and part not in {
                        content[at:at + step] for content in contents if content}:
                    raise ScoreboardError(f"after reset, {address + at:#x} holds {part.hex()}, "
                                          f"not one of its {len(contents)} possible contents")
            self.reference.take_over(address, found)
        for address in self.reference.unknown:
            self.reference.take_over(address, self._dram(address, LINE_BYTES))
        self._uncertain = {}

    # -- addresses ---------------------------------------------------------------------------

    def address(self, cycle: int, burst: Burst) -> None:
        """Note that an address was accepted."""
        access = "write" if burst.write else "read"
        reason = self.reference.refusal(burst)
        entry = Access(burst, cycle, reason is not None)
        self.coverage.burst(burst)
        self.coverage.same_id(burst, self._queues)
        self._queues[access][burst.id].append(entry)
        self._order[access].append(entry)
        if reason:
            self.coverage.hit(f"refused/{reason} {access}")
        elif self.reference.authenticates(burst.domain):
            entry.protected = True
            self.coverage.hit_if(f"mode/{self._mode(burst.domain)} {access}")
            entry.tickets = [self._ticket(entry, chunk) for chunk in burst.chunks]
        else:
            self.coverage.mode(burst, self.reference.encrypts(burst.domain))
            self.coverage.modes(self.reference.encrypts(other.burst.domain)
                                for entries in self._order.values() for other in entries[-2:]
                                if not other.refused)
        if burst.write:
            self._announced.append(entry)
            if reason:
                entry.errors.add(Response.SLVERR)
            self._take_data()
        elif not reason:
            for chunk in burst.chunks:
                if self._collected[chunk.line_address]:
                    self._cover_hazard("read behind write", "write", entry, chunk)
                self._line(chunk.line_address, entry.protected).begin_read(cycle)

    def _mode(self, domain: int) -> str:
        encrypt = self.reference.encrypts(domain)
        if self.reference.authenticates(domain):
            return "full" if encrypt else "integrity"
        return "xts" if encrypt else "plain"

    # -- writes ------------------------------------------------------------------------------

    def write_data(self, cycle: int, data: int, strobes: int) -> None:
        """Note a beat of write data."""
        self._data.append((cycle, data, strobes))
        self._take_data()

    def _take_data(self) -> None:
        while self._announced and self._data:
            write = self._announced[0]
            cycle, data, strobes = self._data.popleft()
            beat = write.burst.beats[write.beats]
            content = data.to_bytes(write.burst.bus_bytes, "little")
            row = (beat.address - beat.low) % LINE_BYTES
            for lane in range(beat.low, beat.high):
                if strobes >> lane & 1:
                    write.data[row + lane] = content[lane]
                    write.strobes[row + lane] = True
            write.beats += 1
            chunk = write.burst.chunks[write.chunk]
            if write.beats == chunk.first + chunk.beats:
                if not write.refused:
                    self._collect(cycle, write, chunk)
                write.chunk += 1
                write.data, write.strobes = bytearray(LINE_BYTES), [False] * LINE_BYTES
            if write.beats == write.burst.length:
                self._announced.popleft()

    def _collect(self, cycle: int, write: Access, chunk: Chunk) -> None:
        """Apply a chunk to the model, if the DRAM will store it."""
        address, domain = chunk.line_address, write.burst.domain
        line = self._line(address, write.protected)
        if line.being_read:
            self._cover_hazard("write behind read", "read", write, chunk)
        if self._collected[address]:
            self._cover_hazard("write behind write", "write", write, chunk)
        self._collected[address] += 1
        write.lines.append(address)
        if write.protected:
            self._collect_protected(cycle, write, address)
            return
        encrypt = self.reference.encrypts(domain)
        self.coverage.strobes(write.strobes, encrypt=encrypt)
        error = self._write_error(address, write.strobes, encrypt)
        if error:
            write.errors.add(error)
        elif any(write.strobes):
            if self.reference.protects:
                line_of_owner = self._line(address, True)
                line_of_owner.write(cycle, self.reference.spoil(address), write)
            line.write(cycle, self.reference.write(
                domain, address, bytes(write.data), write.strobes), write)

    def _write_error(self, address: int, strobes: Sequence[bool], encrypt: bool) -> Response:
        """Error that keeps a chunk from being stored; OKAY if there is none."""
        if not any(strobes):
            return Response.OKAY
        if encrypt and not all(strobes):
            self.coverage.dram(self.faults.reads.get(address, ()), "fill")
            error = self.faults.of_row(address, range(self.config.beats_per_line))
            if error:
                return error
        self.coverage.dram([self.faults.writes.get(address, Response.OKAY)], "write")
        return self.faults.of_write(address)

    def write_response(self, identifier: int, response: int) -> None:
        """Check a write response, and that what it answers for is in DRAM.

        Raises
        ------
        ScoreboardError
            If it is not: or there is no such burst, its data have not all come, or the response is
            another.
        """
        if not self._queues["write"][identifier]:
            raise ScoreboardError(f"write response for ID {identifier}, which has no write")
        write = self._queues["write"][identifier].popleft()
        if write.beats < write.burst.length:
            raise ScoreboardError(f"write response before {write}")
        legal = (self._legal_of_protected(write) if write.protected
                 else write.errors or {Response.OKAY})
        if response not in legal:
            raise ScoreboardError(f"response {Response(response).name} instead of "
                                  f"{[value.name for value in sorted(legal)]} to {write.burst}")
        self._answered("write", write, Response(response))
        if write.protected:
            self._end_protected(write, Response(response))
        for address in write.lines:
            self._collected[address] -= 1
            self._settle(write, address)

    # -- reads -------------------------------------------------------------------------------

    def read_data(self, identifier: int, data: int, response: int, last: int) -> None:
        """Check a beat of read data.

        Raises
        ------
        ScoreboardError
            If there is no such burst, or data, response or last are wrong.
        """
        if not self._queues["read"][identifier]:
            raise ScoreboardError(f"read data for ID {identifier}, which has no read")
        read = self._queues["read"][identifier][0]
        burst = read.burst
        chunk = burst.chunks[read.chunk]
        final = read.beats == burst.length - 1
        if last != final:
            raise ScoreboardError(f"RLAST is {last} in {read}")
        if read.protected:
            expected = self._check_verdict(read, chunk, Response(response))
        else:
            expected = Response.SLVERR if read.refused else self._read_error(read, chunk)
        if response != expected:
            raise ScoreboardError(f"response {Response(response).name} instead of "
                                  f"{expected.name} in {read}")
        if not expected:
            self._check_data(read, chunk, data)
        elif data:
            raise ScoreboardError(f"data {data:#x} beside an error in {read}")
        if self._interrupted not in (None, identifier):
            self.coverage.hit("order/read data of two IDs interleaved")
        self._interrupted = None if final else identifier
        read.beats += 1
        if read.beats == chunk.first + chunk.beats:
            if read.verdict:
                granted = True if read.verdict.okay else (
                    False if read.verdict.owner_decides else None)
                self.reference.owners.end(read.tickets[read.chunk], granted=granted)
            read.candidates = read.verdict = None
            read.chunk += 1
            if not read.refused:
                self._lines[chunk.line_address, read.protected].end_read(read.cycle)
                self._drop_if_quiet(chunk.line_address, read.protected)
        if final:
            self._queues["read"][identifier].popleft()
            self._answered("read", read, Response(response))

    def _read_error(self, read: Access, chunk: Chunk) -> Response:
        """Error of the row that holds a beat; OKAY if there is none."""
        responses = self.faults.reads.get(chunk.line_address)
        if responses is None:
            return Response.OKAY
        self.coverage.dram(responses, "read")
        row_bytes = self.config.row_bytes
        row = read.burst.beats[read.beats].address % LINE_BYTES // row_bytes
        beats = row_bytes // read.burst.bus_bytes
        return self.faults.of_row(chunk.line_address, range(row * beats, (row + 1) * beats))

    def _check_data(self, read: Access, chunk: Chunk, data: int) -> None:
        if read.candidates is None:
            contents = self._line(chunk.line_address, read.protected).legal(read.cycle)
            read.candidates = [
                stored if stored is None or read.protected
                else self.reference.view(read.burst.domain, chunk.line_address, stored)
                for stored in contents if stored != SPOILT]
        beat = read.burst.beats[read.beats]
        start, size = beat.address % LINE_BYTES, beat.high - beat.low
        found = data.to_bytes(read.burst.bus_bytes, "little")[beat.low:beat.high]
        fitting = [line for line in read.candidates
                   if line is None or line[start:start + size] == found]
        if not fitting:
            wanted = {line[start:start + size].hex() for line in read.candidates if line}
            raise ScoreboardError(f"data {found.hex()} instead of {' or '.join(wanted)} in {read}")
        read.candidates = fitting

    # -- end ---------------------------------------------------------------------------------

    @property
    def pending(self) -> list[Burst]:
        """Bursts without a full answer."""
        return [entry.burst for entries in self._order.values() for entry in entries]

    def finish(self, dram: Image, root: NDArray[np.uint64] | None = None, *,
               flushed: bool = True) -> None:
        """Compare every byte of DRAM with the model.

        Parameters
        ----------
        dram:
            Content of DRAM.
        root:
            The root counters; if None, they are searched for.
        flushed:
            Whether the metadata cache was flushed; if not, lines of domains that authenticate
            cannot be compared.

        Raises
        ------
        ScoreboardError
            If bursts are pending or a byte differs.
        """
        if self.pending or self._data:
            raise ScoreboardError(f"{len(self.pending)} bursts were not answered: "
                                  f"{self.pending[:4]}")
        if self._tolerant and self.reference.protects:
            return
        difference = self.reference.difference(dram)
        if difference is None and flushed:
            difference = self.reference.check_protected(dram, root)
        if difference:
            raise ScoreboardError(difference)

    # -- bookkeeping -------------------------------------------------------------------------

    def _answered(self, access: str, entry: Access, response: Response) -> None:
        self.coverage.hit(f"response/{response.name} {access}")
        if self._order[access][0] is not entry:
            self.coverage.hit(f"order/{access}s out of order across IDs")
        self._order[access].remove(entry)

    def _cover_hazard(self, name: str, others: str, entry: Access, chunk: Chunk) -> None:
        self.coverage.hit(f"hazard/{name}")
        if any(chunk in other.burst.chunks for identifier, queue in self._queues[others].items()
               if identifier != entry.burst.id for other in queue):
            self.coverage.hit(f"hazard/{name}, across IDs")
