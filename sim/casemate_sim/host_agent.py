"""The host's side of a system test: legal bursts over cocotbext-axi's channels, and a monitor.

``AxiMaster`` of cocotbext-axi makes its own bursts, all strobes set, INCR unless told otherwise;
tests use it too. Here a test says what the bursts are.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cocotb
from casemate.config import DOMAIN_BITS, EngineConfig
from cocotb.triggers import Event, RisingEdge
from cocotbext.axi import AxiBus
from cocotbext.axi.axi_channels import AxiARSource, AxiAWSource, AxiBSink, AxiRSink, AxiWSource

from casemate_sim.back_pressure import BackPressure
from casemate_sim.bursts import Burst, Kind
from casemate_sim.coverage import Coverage
from casemate_sim.faults import Response
from casemate_sim.scoreboard import Scoreboard

__all__ = ["HostAgent", "HostMonitor", "Transaction"]


@dataclass(eq=False)
class Transaction:
    """A burst under way.

    Attributes
    ----------
    burst:
        What was asked for.
    responses:
        BRESP, or RRESP of each beat so far.
    beats:
        Data of each beat of a read so far, as on the bus.
    done:
        Set with the last response.
    """

    burst: Burst
    responses: list[Response] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    done: Event = field(default_factory=Event)

    async def wait(self) -> Transaction:
        """Wait for the last response; return the transaction."""
        await self.done.wait()
        return self

    @property
    def data(self) -> bytes:
        """The bytes that a read asked for, beat after beat."""
        return b"".join(
            value.to_bytes(self.burst.bus_bytes, "little")[beat.low:beat.high]
            for beat, value in zip(self.burst.beats, self.beats, strict=False))


class HostAgent:
    """Manager on ``s_axi``.

    Parameters
    ----------
    dut:
        Simulated top module.

    Attributes
    ----------
    aw, w, b, ar, r:
        The channels, for their pause generators.
    """

    def __init__(self, dut) -> None:
        bus: Any = AxiBus.from_prefix(dut, "s_axi")
        self.aw = AxiAWSource(bus.write.aw, dut.clk, dut.rst)
        self.w = AxiWSource(bus.write.w, dut.clk, dut.rst)
        self.b = AxiBSink(bus.write.b, dut.clk, dut.rst)
        self.ar = AxiARSource(bus.read.ar, dut.clk, dut.rst)
        self.r = AxiRSink(bus.read.r, dut.clk, dut.rst)
        self._writes: dict[int, deque[Transaction]] = defaultdict(deque)
        self._reads: dict[int, deque[Transaction]] = defaultdict(deque)
        cocotb.start_soon(self._collect_writes())
        cocotb.start_soon(self._collect_reads())

    def forget(self) -> None:
        """At a reset: drop what is queued and in flight; nobody may wait for it any more."""
        for channel in (self.aw, self.w, self.b, self.ar, self.r):
            channel.clear()
        self._writes.clear()
        self._reads.clear()

    def read(self, burst: Burst) -> Transaction:
        """Queue a read; it is under way until ``done`` is set."""
        transaction = Transaction(burst)
        self._reads[burst.id].append(transaction)
        self.ar.send_nowait(self._address(self.ar, "ar", burst))
        return transaction

    def write(self, burst: Burst, beats: Sequence[tuple[int, int]]) -> Transaction:
        """Queue a write; `beats` are data and strobes as on the bus."""
        transaction = self.announce(burst)
        self.supply(beats)
        return transaction

    def announce(self, burst: Burst) -> Transaction:
        """Queue the address of a write; its data follow by :meth:`supply`, in the same order."""
        transaction = Transaction(burst)
        self._writes[burst.id].append(transaction)
        self.aw.send_nowait(self._address(self.aw, "aw", burst))
        return transaction

    def supply(self, beats: Sequence[tuple[int, int]], *, more: bool = False) -> None:
        """Queue the data of one burst, or a part of them if `more` follow."""
        for number, (data, strobes) in enumerate(beats):
            self.w.send_nowait(self.w._transaction_obj(
                wdata=data, wstrb=strobes, wlast=int(not more and number == len(beats) - 1)))

    @staticmethod
    def _address(channel, prefix: str, burst: Burst):
        user = burst.domain | (burst.claim << DOMAIN_BITS if burst.write else 0)
        values = {
            "id": burst.id, "addr": burst.address, "len": burst.length - 1, "size": burst.size,
            "burst": int(burst.kind), "lock": int(burst.exclusive), "cache": burst.cache,
            "prot": burst.prot, "qos": burst.qos, "user": user}
        return channel._transaction_obj(
            **{prefix + name: value for name, value in values.items()})

    async def _collect_writes(self) -> None:
        while True:
            item = await self.b.recv()
            transaction = self._writes[int(item.bid)].popleft()
            transaction.responses.append(Response(int(item.bresp)))
            transaction.done.set()

    async def _collect_reads(self) -> None:
        while True:
            item = await self.r.recv()
            transaction = self._reads[int(item.rid)][0]
            transaction.beats.append(int(item.rdata))
            transaction.responses.append(Response(int(item.rresp)))
            if int(item.rlast):
                self._reads[int(item.rid)].popleft()
                transaction.done.set()


class HostMonitor:
    """Tells a scoreboard every handshake on ``s_axi``, whoever drives it.

    Parameters
    ----------
    dut, config:
        Simulated top module and its configuration.
    scoreboard:
        Who is told.
    coverage:
        Where cycles are counted.
    pressure:
        Is told what the channels of answers feel.
    patience:
        Cycles without any handshake, while something is in flight, after which the engine has hung.

    Attributes
    ----------
    cycle:
        Cycles since the start.
    """

    def __init__(self, dut, config: EngineConfig, scoreboard: Scoreboard, coverage: Coverage,
                 pressure: BackPressure, *, patience: int = 3000) -> None:
        self._dut = dut
        self._config = config
        self._scoreboard = scoreboard
        self._coverage = coverage
        self._pressure = pressure
        self._patience = patience
        self._pins = {name.removeprefix("s_axi_"): getattr(dut, name)
                      for name in dir(dut) if name.startswith("s_axi_")}
        self.cycle = 0
        cocotb.start_soon(self._run())

    def _value(self, name: str) -> int:
        return int(self._pins[name].value)

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.clk)
        pins = self._pins
        handshakes = [(channel, pins[f"{channel}valid"], pins[f"{channel}ready"])
                      for channel in ("b", "r", "aw", "ar", "w")]
        quiet = 0
        while True:
            await edge
            self.cycle += 1
            if self._dut.rst.value:
                continue
            self._coverage.add("cycles")
            quiet += 1
            for channel, valid, ready_pin in handshakes:
                if not valid.value:
                    continue
                ready = bool(ready_pin.value)
                if ready or channel in ("b", "r"):
                    self._pressure.felt(f"s_axi.{channel}", stalled=not ready)
                if ready:
                    quiet = 0
                    getattr(self, f"_see_{channel}")()
            if quiet > self._patience and self._scoreboard.pending:
                raise AssertionError(f"no handshake in {quiet} cycles; waiting for "
                                     f"{self._scoreboard.pending[:4]}")

    def _see_aw(self) -> None:
        self._scoreboard.address(self.cycle, self._burst("aw"))

    def _see_ar(self) -> None:
        self._scoreboard.address(self.cycle, self._burst("ar"))

    def _see_w(self) -> None:
        self._scoreboard.write_data(self.cycle, self._value("wdata"), self._value("wstrb"))

    def _see_b(self) -> None:
        self._scoreboard.write_response(self._value("bid"), self._value("bresp"))

    def _see_r(self) -> None:
        self._scoreboard.read_data(self._value("rid"), self._value("rdata"),
                                   self._value("rresp"), self._value("rlast"))

    def _burst(self, channel: str) -> Burst:
        names = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos", "user")
        value = {name: self._value(channel + name) for name in names}
        return Burst(
            write=channel == "aw", address=value["addr"], length=value["len"] + 1,
            size=value["size"], kind=Kind(value["burst"]), bus_bytes=self._config.data_bits // 8,
            id=value["id"], domain=value["user"] & (1 << DOMAIN_BITS) - 1,
            claim=bool(value["user"] >> DOMAIN_BITS), exclusive=bool(value["lock"]),
            cache=value["cache"], prot=value["prot"], qos=value["qos"])
