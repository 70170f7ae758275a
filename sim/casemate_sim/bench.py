"""An engine with a key manager on a bench: host, DRAM, fuses, entropy, registers.

Everything around the engine is Python, one cycle at a time, so that a test or a bench can look at
every pin and change every byte of DRAM. The engine is Verilated.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from casemate.config import (
    LINE_BYTES,
    CipherConfig,
    EngineConfig,
    FuseConfig,
    KeyManagerConfig,
    TreeConfig,
    preset,
)
from casemate.top import Casemate

from casemate_sim import driver
from casemate_sim.build import HARDWARE, digest_of, source_files
from casemate_sim.component import NativeComponent
from casemate_sim.fuses.macro import FuseMacro

__all__ = ["OKAY", "SLVERR", "Bench", "Simulated", "small_fused_config",
           "small_managed_config"]

OKAY, SLVERR = 0, 2
"""Values of RRESP and BRESP."""

_PATIENCE = 20_000


def small_managed_config() -> EngineConfig:
    """Return a small engine with a key manager: two slots, 64 domains, a cache of four leaves."""
    return preset("tiny").replace(
        domain_slots=2, keys=KeyManagerConfig(domains=64),
        tree=TreeConfig(cache_sets=2, cache_ways=2, walks=2, write_backs=1,
                        pad_cipher=CipherConfig(pipelined=False)))


def small_fused_config() -> EngineConfig:
    """Return the small engine with fuses, which are checked again after 1024 cycles at most."""
    return small_managed_config().replace(
        keys=KeyManagerConfig(domains=64, fuses=FuseConfig(check_bits=10)))


def _simulated(config: EngineConfig) -> NativeComponent:
    from casemate_sim.exported import unused_hardware

    source = digest_of(config.digest, files=source_files(HARDWARE))
    with unused_hardware():  # if its Verilog is there already
        return NativeComponent(Casemate(config), source=source)


class Simulated(Protocol):
    """A simulation of the engine: :class:`NativeComponent`, or one that shows more."""

    def restart(self) -> None:
        """Begin again, from reset."""

    def step(self, stimulus: Mapping[str, int], cycles: int = 1) -> dict[str, int]:
        """Run some cycles with the same inputs; return the outputs of the last."""
        ...


class Bench:
    """Answers of the bus come in ``results``, by the number of the request.

    Parameters
    ----------
    config:
        The engine's configuration, with ``keys``; with ``keys.fuses`` the bench has a fuse macro
        and a source of entropy.
    sim:
        The simulated engine; by default it is built.
    seed:
        Of the entropy.

    Attributes
    ----------
    cycle:
        Cycles since reset.
    memory:
        DRAM: content of each line by address; it outlives a reset only if told so.
    latency:
        Cycles from the address of a read to its first beat, and from data to response of a write.
    fuses:
        The fuse macro; keeps its content through a reset.
    drawn:
        Words of entropy that were taken since reset, with the cycle of each.
    """

    def __init__(self, config: EngineConfig, sim: Simulated | None = None, *,
                 seed: int = 0) -> None:
        assert config.keys is not None
        self.config = config
        self.sim = sim or _simulated(config)
        self.size = config.data_bits // 8
        self.has_fuses = config.keys.fuses is not None
        self.fuses = FuseMacro()
        self._random = Random(seed)
        self.word: Callable[[], int] = lambda: self._random.getrandbits(32)
        """Where the next word of entropy comes from."""
        self.restart()

    def restart(self, latency: int = 10, *, keep_memory: bool = False) -> None:
        """Reset the engine; nothing is in flight."""
        self.sim.restart()
        self.cycle, self.latency = 0, latency
        if not keep_memory:
            self.memory: dict[int, bytes] = {}
        self.fuses.power_off()
        self.drawn: list[tuple[int, int]] = []
        self.last_sensed = 0
        self._offered = self.word()
        self.queues: dict[str, deque[tuple[int, dict[str, int]]]] = {
            "ar": deque(), "aw": deque(), "w": deque()}
        self._open_reads: dict[int, deque[list[Any]]] = defaultdict(deque)
        self._open_writes: dict[int, deque[int]] = defaultdict(deque)
        self.results: dict[int, tuple[int, bytes]] = {}
        self.started: dict[int, int] = {}
        self._issued = 0
        self._beats: deque[tuple[int, dict[str, int]]] = deque()
        self._responses: deque[tuple[int, int]] = deque()
        self._addresses: deque[tuple[int, int]] = deque()
        self._data: deque[list[int | None]] = deque()
        self._lite: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.host_takes = True

    # -- what the host and software do -------------------------------------------------------

    def read(self, domain: int, line: int, id_: int = 0) -> int:
        """Ask for a line; return the request's number."""
        self._issued += 1
        self.queues["ar"].append((self._issued, {
            "s_axi_arvalid": 1, "s_axi_arid": id_, "s_axi_aruser": domain,
            "s_axi_araddr": self.config.data_base + line * LINE_BYTES, **self._shape("ar")}))
        return self._issued

    def write(self, domain: int, line: int, data: bytes, *, claim: bool = True,
              id_: int = 0) -> int:
        """Write a line; return the request's number."""
        self._issued += 1
        self.queues["aw"].append((self._issued, {
            "s_axi_awvalid": 1, "s_axi_awid": id_, "s_axi_awuser": domain | claim << 12,
            "s_axi_awaddr": self.config.data_base + line * LINE_BYTES, **self._shape("aw")}))
        for at in range(0, LINE_BYTES, self.size):
            self.queues["w"].append((self._issued, {
                "s_axi_wvalid": 1, "s_axi_wdata": int.from_bytes(data[at:at + self.size], "little"),
                "s_axi_wstrb": (1 << self.size) - 1,
                "s_axi_wlast": int(at + self.size == LINE_BYTES)}))
        return self._issued

    def _shape(self, prefix: str) -> dict[str, int]:
        return {f"s_axi_{prefix}len": LINE_BYTES // self.size - 1,
                f"s_axi_{prefix}size": (self.size - 1).bit_length(), f"s_axi_{prefix}burst": 1}

    def done(self, number: int, patience: int = _PATIENCE) -> tuple[int, bytes]:
        """Run until a request is answered; return its response, and a read's data.

        The response is the worst of all beats. Beats with an error are zero, which is checked.
        """
        for _ in range(patience):
            if number in self.results:
                return self.results.pop(number)
            self.step()
        raise AssertionError(f"request {number} is not answered after {patience} cycles")

    def read32(self, offset: int) -> int:
        """Read a register, as a transport of the driver."""
        return self._access({"s_axil_arvalid": 1, "s_axil_araddr": offset}, "r")

    def write32(self, offset: int, value: int) -> None:
        """Write a register, as a transport of the driver."""
        self._access({"s_axil_awvalid": 1, "s_axil_awaddr": offset, "s_axil_wvalid": 1,
                      "s_axil_wdata": value, "s_axil_wstrb": 15}, "b")

    def _access(self, request: dict[str, int], answer: str) -> int:
        self._lite = dict(request) | {"s_axil_rready": 1, "s_axil_bready": 1}
        for _ in range(1000):
            seen = self.step()
            for channel in ("ar", "aw", "w"):
                if seen[f"s_axil_{channel}ready"]:
                    self._lite.pop(f"s_axil_{channel}valid", None)
            if seen[f"s_axil_{answer}valid"]:
                self._lite = {}
                if seen[f"s_axil_{answer}resp"] != OKAY:
                    raise driver.DriverError(f"error response to {request}")
                return seen["s_axil_rdata"]
        raise AssertionError(f"no answer to {request}")

    def boot(self, root: bytes, nonce: bytes) -> driver.Casemate:
        """Without fuses: feed root key and nonce; return the driver."""
        self.held = {"root_key": int.from_bytes(root, "little"), "root_key_valid": 1}
        words = [nonce[at:at + 4] for at in range(0, 16, 4)]
        while words or self.held:
            given = {"entropy": int.from_bytes(words[0], "little"),
                     "entropy_valid": 1} if words else {}
            seen = self.step(given)
            if words and seen["entropy_ready"]:
                words.pop(0)
            if seen["root_key_ready"]:
                self.held = {}
        return driver.Casemate(self, self.config)

    def power_cycle(self, image: Sequence[int] | None = None) -> None:
        """With fuses: reset the engine, perhaps with other fuses in it; DRAM keeps its content."""
        if image is not None:
            self.fuses = FuseMacro(image)
        self.restart(self.latency, keep_memory=True)

    # -- one cycle ---------------------------------------------------------------------------

    def step(self, given: Mapping[str, int] | None = None) -> dict[str, int]:
        """Run a cycle with further inputs; return all outputs."""
        pins = dict(given or {}) | self._lite | self.held
        pins |= {"s_axi_rready": int(self.host_takes), "s_axi_bready": int(self.host_takes)}
        for queue in self.queues.values():
            if queue:
                pins |= queue[0][1]
        pins |= self._dram()
        if self.has_fuses:
            pins = {"entropy": self._offered, "entropy_valid": 1} | self.fuses.pins | pins
        seen = self.sim.step(pins)
        self._observe_dram(pins, seen)
        if self.has_fuses:
            self._observe_anchor(pins, seen)
        self._observe_host(seen)
        self.cycle += 1
        return seen

    def _observe_anchor(self, pins: Mapping[str, int], seen: Mapping[str, int]) -> None:
        if pins["entropy_valid"] and seen["entropy_ready"]:
            self.drawn.append((self.cycle, pins["entropy"]))
            self._offered = self.word()
        if seen["otp_read"]:
            self.last_sensed = self.cycle
        self.fuses.step(seen)

    def _observe_host(self, seen: Mapping[str, int]) -> None:
        for channel, queue in self.queues.items():
            if queue and seen[f"s_axi_{channel}ready"]:
                number, sent = queue.popleft()
                self.started.setdefault(number, self.cycle)
                if channel == "ar":
                    self._open_reads[sent["s_axi_arid"]].append([number, b"", OKAY])
                if channel == "aw":
                    self._open_writes[sent["s_axi_awid"]].append(number)
        if seen["s_axi_rvalid"] and self.host_takes:
            if seen["s_axi_rresp"] != OKAY and seen["s_axi_rdata"]:
                raise AssertionError(f"data beside an error response in cycle {self.cycle}")
            entry = self._open_reads[seen["s_axi_rid"]][0]
            entry[1] += seen["s_axi_rdata"].to_bytes(self.size, "little")
            entry[2] = max(entry[2], seen["s_axi_rresp"])
            if seen["s_axi_rlast"]:
                self._open_reads[seen["s_axi_rid"]].popleft()
                self.results[entry[0]] = entry[2], entry[1]
        if seen["s_axi_bvalid"] and self.host_takes:
            number = self._open_writes[seen["s_axi_bid"]].popleft()
            self.results[number] = seen["s_axi_bresp"], b""

    def _dram(self) -> dict[str, int]:
        given = {"m_axi_arready": 1, "m_axi_awready": 1, "m_axi_wready": 1}
        if self._beats and self._beats[0][0] <= self.cycle:
            given |= self._beats[0][1] | {"m_axi_rvalid": 1}
        if self._responses and self._responses[0][0] <= self.cycle:
            given |= {"m_axi_bvalid": 1, "m_axi_bid": self._responses[0][1]}
        return given

    def _observe_dram(self, given: Mapping[str, int], seen: Mapping[str, int]) -> None:
        if given.get("m_axi_rvalid") and seen["m_axi_rready"]:
            self._beats.popleft()
        if given.get("m_axi_bvalid") and seen["m_axi_bready"]:
            self._responses.popleft()
        if seen["m_axi_arvalid"]:
            line = self.memory.get(seen["m_axi_araddr"], bytes(LINE_BYTES))
            for at in range(0, LINE_BYTES, self.size):
                self._beats.append((self.cycle + self.latency, {
                    "m_axi_rid": seen["m_axi_arid"],
                    "m_axi_rlast": int(at + self.size == LINE_BYTES),
                    "m_axi_rdata": int.from_bytes(line[at:at + self.size], "little")}))
        if seen["m_axi_awvalid"]:
            self._addresses.append((seen["m_axi_awaddr"], seen["m_axi_awid"]))
        if seen["m_axi_wvalid"]:
            strobe = seen["m_axi_wstrb"]
            data = seen["m_axi_wdata"].to_bytes(self.size, "little")
            self._data.append([data[i] if strobe >> i & 1 else None for i in range(self.size)])
        if self._addresses and len(self._data) * self.size >= LINE_BYTES:
            address, id_ = self._addresses.popleft()
            old = self.memory.get(address, bytes(LINE_BYTES))
            new = [byte for _ in range(LINE_BYTES // self.size) for byte in self._data.popleft()]
            self.memory[address] = bytes(
                before if byte is None else byte for byte, before in zip(new, old, strict=True))
            self._responses.append((self.cycle + self.latency, id_))
