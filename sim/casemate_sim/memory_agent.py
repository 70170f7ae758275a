"""An AXI4 memory for tests: reorders, interleaves, withholds, fails.

cocotbext-axi's own memory answers in the order of the requests. This one answers as adversely as
AXI4 allows: out of order across IDs, read data of several IDs interleaved, each read sampled and
each write stored at a random time between request and response. It also checks what the engine's
contract says of its requests: whole aligned lines, and never two accesses to one line at a time of
which one is a write, because AXI4 orders nothing between reads and writes, or across IDs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import cocotb
from casemate.config import LINE_BYTES, EngineConfig
from cocotb.triggers import RisingEdge
from cocotbext.axi.sparse_memory import SparseMemory

from casemate_sim.back_pressure import BackPressure
from casemate_sim.coverage import Coverage
from casemate_sim.faults import Faults, Response

__all__ = ["Answering", "MemoryAgent", "MemoryProtocolError"]

_ATTRIBUTES = ("cache", "prot", "qos")


class MemoryProtocolError(AssertionError):
    """The engine asked for something that its contract excludes."""


@dataclass
class Answering:
    """How requests are answered.

    Parameters
    ----------
    latency:
        Least and most cycles from a request to the time when it may be answered.
    reorder:
        Answer in any order across IDs; otherwise in the order of the requests.
    interleave:
        Probability that another ID's read data follow a beat.
    withhold_reads, withhold_writes:
        Accept requests and answer none until this is cleared.
    """

    latency: tuple[int, int] = (2, 30)
    reorder: bool = True
    interleave: float = 0.3
    withhold_reads: bool = False
    withhold_writes: bool = False


@dataclass(eq=False)
class _Access:
    id: int
    address: int
    attributes: dict[str, int]
    due: int = 0  # cycle from which it may be answered
    beats: list[tuple[int, int]] = field(default_factory=list)  # data and strobes of a write
    content: bytes | None = None  # of a read, once it was sampled
    done: int = 0  # beats of a read that were answered
    stored: bool = False


class MemoryAgent:
    """Subordinate on ``m_axi``; one coroutine drives all five channels.

    Parameters
    ----------
    dut:
        Simulated top module.
    config:
        The engine's configuration.
    memory:
        What is read and written.
    random:
        Source of every choice.
    faults:
        Which lines fail, shared with the scoreboard.
    coverage:
        Where situations are counted.
    pressure:
        Back-pressure of the channels.

    Attributes
    ----------
    answering:
        How requests are answered; may change at any time.
    requests:
        Every request since the start: ``"read"`` or ``"write"``, address, attributes.
    reads, writes:
        What is in flight, oldest first.
    """

    def __init__(self, dut, config: EngineConfig, memory: SparseMemory, random: Random,
                 faults: Faults, coverage: Coverage, pressure: BackPressure) -> None:
        self._dut = dut
        self._config = config
        self._memory = memory
        self._random = random
        self._faults = faults
        self._coverage = coverage
        self._pressure = pressure
        self._pauses = {channel: pressure.pauses(f"m_axi.{channel}")
                        for channel in ("aw", "w", "b", "ar", "r")}
        self._pins = {name: getattr(dut, f"m_axi_{name}") for name in (
            *(channel + member for channel in ("aw", "ar") for member in (
                "valid", "ready", "id", "addr", "len", "size", "burst", "lock", *_ATTRIBUTES)),
            "wvalid", "wready", "wdata", "wstrb", "wlast", "bvalid", "bready", "bid", "bresp",
            "rvalid", "rready", "rid", "rdata", "rresp", "rlast")}
        self.answering = Answering()
        self.requests: list[tuple[str, int, dict[str, int]]] = []
        self._cycle = 0
        self._clear()
        cocotb.start_soon(self._run())

    def _clear(self) -> None:
        self.reads: list[_Access] = []
        self.writes: list[_Access] = []
        self._addresses: deque[_Access] = deque()  # writes whose data are to come
        self._data: list[tuple[int, int]] = []  # beats of the line that is coming
        self._lines: deque[list[tuple[int, int]]] = deque()  # whole lines without an address
        self._reading: Counter[int] = Counter()
        self._writing: Counter[int] = Counter()
        self._offered_read: _Access | None = None
        self._offered_write: _Access | None = None
        self._ready: dict[str, bool] = {}
        for name in ("awready", "wready", "bvalid", "arready", "rvalid"):
            self._pins[name].value = 0

    def _value(self, name: str) -> int:
        return int(self._pins[name].value)

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.clk)
        while True:
            await edge
            self._cycle += 1
            if self._dut.rst.value:
                self._lose()
                self._clear()
                continue
            # Answers first: a line is free for others in the cycle of its last answer.
            self._finish_answers()
            self._accept()
            self._offer_read()
            self._offer_write()
            for channel in ("aw", "w", "ar"):
                ready = not next(self._pauses[channel])
                if ready != self._ready.get(channel):
                    self._ready[channel] = ready
                    self._pins[f"{channel}ready"].value = ready

    # -- requests ----------------------------------------------------------------------------

    def _accept(self) -> None:
        if self._transferred("ar"):
            read = self._request("ar")
            if self._writing[read.address]:
                raise MemoryProtocolError(f"line {read.address:#x} is read while it is written")
            self._reading[read.address] += 1
            self.reads.append(read)
            if self._random.random() < 0.5:
                self._sample(read)
        if self._transferred("aw"):
            write = self._request("aw")
            if self._writing[write.address] or self._reading[write.address]:
                access = "read" if self._reading[write.address] else "written"
                raise MemoryProtocolError(
                    f"line {write.address:#x} is written while it is {access}")
            self._writing[write.address] += 1
            self._addresses.append(write)
        if self._transferred("w"):
            self._data.append((self._value("wdata"), self._value("wstrb")))
            last = len(self._data) == self._config.beats_per_line
            if self._value("wlast") != last:
                raise MemoryProtocolError(f"WLAST is wrong at beat {len(self._data)}")
            if last:
                self._lines.append(self._data)
                self._data = []
        while self._lines and self._addresses:
            write = self._addresses.popleft()
            write.beats = self._lines.popleft()
            write.due = self._cycle + self._random.randint(*self.answering.latency)
            self.writes.append(write)
            if self._random.random() < 0.5:
                self._store(write)

    def _transferred(self, channel: str) -> bool:
        if not self._pins[f"{channel}valid"].value:
            return False
        ready = self._ready.get(channel, False)
        self._pressure.felt(f"m_axi.{channel}", stalled=not ready)
        return ready

    def _request(self, channel: str) -> _Access:
        config = self._config
        address = self._value(f"{channel}addr")
        shape = tuple(self._value(channel + member) for member in ("len", "size", "burst", "lock"))
        whole = config.beats_per_line - 1, (config.data_bits // 8 - 1).bit_length(), 1, 0
        if shape != whole or address % LINE_BYTES:
            raise MemoryProtocolError(f"{channel} asks for {address:#x} with length, size, burst, "
                                      f"lock {shape}; whole lines are {whole}")
        attributes = {name: self._value(channel + name) for name in _ATTRIBUTES}
        self.requests.append(("read" if channel == "ar" else "write", address, attributes))
        return _Access(self._value(f"{channel}id"), address, attributes,
                       self._cycle + self._random.randint(*self.answering.latency))

    # -- storage -----------------------------------------------------------------------------

    def _sample(self, read: _Access) -> None:
        if read.content is None:
            read.content = self._memory.read(read.address, LINE_BYTES)

    def _store(self, write: _Access, parts: Sequence[bool] | None = None) -> None:
        """Store a line, or some beats of it; nothing if it fails."""
        if write.stored or self._faults.of_write(write.address):
            return
        write.stored = True
        size = self._config.data_bits // 8
        for number, (data, strobes) in enumerate(write.beats):
            if parts is not None and not parts[number]:
                continue
            content = data.to_bytes(size, "little")
            place = write.address + number * size
            old = self._memory.read(place, size)
            self._memory.write(place, bytes(
                new if strobes >> lane & 1 else kept
                for lane, (new, kept) in enumerate(zip(content, old, strict=True))))

    def _lose(self) -> None:
        """At a reset, any beat that had come may be stored or lost."""
        partial = [self._addresses[0]] if self._addresses and self._data else []
        for write in partial:
            write.beats = self._data
        for write in self.writes + partial:
            self._store(write, [self._random.random() < 0.5 for _ in write.beats])

    # -- answers -----------------------------------------------------------------------------

    def _finish_answers(self) -> None:
        read = self._offered_read
        if read is not None and self._value("rready"):
            self._offered_read = None
            self._pins["rvalid"].value = 0
            read.done += 1
            if read.done == self._config.beats_per_line:
                self.reads.remove(read)
                self._reading[read.address] -= 1
        write = self._offered_write
        if write is not None and self._value("bready"):
            self._offered_write = None
            self._pins["bvalid"].value = 0
            self.writes.remove(write)
            self._writing[write.address] -= 1

    def _choose(self, waiting: Sequence[_Access]) -> _Access | None:
        """Choose an access that may be answered now: the oldest of its ID."""
        if not self.answering.reorder:
            waiting = waiting[:1]
        seen: set[int] = set()
        due = []
        for access in waiting:
            if access.id not in seen and access.due <= self._cycle:
                due.append(access)
            seen.add(access.id)
        return self._random.choice(due) if due else None

    def _offer_read(self) -> None:
        pause = next(self._pauses["r"])
        if self._offered_read is not None:
            return
        begun = [read for read in self.reads if read.done]
        read = None
        if begun and self._random.random() >= self.answering.interleave:
            read = self._random.choice(begun)
        elif not self.answering.withhold_reads:
            read = self._choose(self.reads)
        if read is None:
            return
        self._pressure.felt("m_axi.r", stalled=pause)
        if pause:
            return
        if begun and read not in begun:
            self._coverage.hit_if("order/DRAM interleaves read data")
        if read is not self.reads[0] and not read.done:
            self._coverage.hit("order/DRAM answers reads out of order")
        self._sample(read)
        assert read.content is not None
        size = self._config.data_bits // 8
        responses = self._faults.reads.get(read.address)
        response = responses[read.done] if responses else Response.OKAY
        data = read.content[read.done * size:(read.done + 1) * size]
        if response.error:  # what an error carries must not reach anybody
            data = self._random.randbytes(size)
        self._drive("r", id=read.id, data=int.from_bytes(data, "little"), resp=response,
                    last=read.done == self._config.beats_per_line - 1)
        self._offered_read = read

    def _offer_write(self) -> None:
        pause = next(self._pauses["b"])
        if self._offered_write is not None or self.answering.withhold_writes:
            return
        write = self._choose(self.writes)
        if write is None:
            return
        self._pressure.felt("m_axi.b", stalled=pause)
        if pause:
            return
        if write is not self.writes[0]:
            self._coverage.hit("order/DRAM answers writes out of order")
        self._store(write)
        self._drive("b", id=write.id,
                    resp=self._faults.writes.get(write.address, Response.OKAY))
        self._offered_write = write

    def _drive(self, channel: str, **members: int) -> None:
        for name, value in members.items():
            self._pins[channel + name].value = int(value)
        self._pins[f"{channel}valid"].value = 1
