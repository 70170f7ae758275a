"""The whole engine with its key manager, Verilated: host, DRAM, registers, one cycle at a time."""

from collections import defaultdict, deque

from casemate.config import LINE_BYTES, CipherConfig, KeyManagerConfig, TreeConfig, preset
from casemate.top import Casemate
from casemate_sim import driver
from casemate_sim.component import NativeComponent

ITERATIVE = CipherConfig(pipelined=False)
CONFIG = preset("tiny").replace(
    domain_slots=2, keys=KeyManagerConfig(domains=64),
    tree=TreeConfig(cache_sets=2, cache_ways=2, walks=2, write_backs=1, pad_cipher=ITERATIVE))
OKAY, SLVERR = 0, 2


class EngineBench:
    """Answers come in ``reads`` and ``writes``, by the number of the request."""

    def __init__(self, config=CONFIG, sim=None):
        self.config = config
        self.sim = sim or NativeComponent(Casemate(config), optimise="-O0")
        self.size = config.data_bits // 8
        self.restart()

    def restart(self, latency=10):
        self.sim.restart()
        self.cycle, self.latency = 0, latency
        self.memory = {}
        self.queues = {"ar": deque(), "aw": deque(), "w": deque()}
        self.open_reads, self.open_writes = defaultdict(deque), defaultdict(deque)
        self.results, self.started, self.issued = {}, {}, 0
        self.beats, self.responses = deque(), deque()
        self.addresses, self.data = deque(), deque()
        self.lite, self.held = {}, {}
        self.host_takes = True

    # -- what the host and software do -------------------------------------------------------

    def read(self, domain, line, id_=0):
        """Ask for a line; return the request's number."""
        self.issued += 1
        self.queues["ar"].append((self.issued, {
            "s_axi_arvalid": 1, "s_axi_arid": id_, "s_axi_araddr": line * LINE_BYTES,
            "s_axi_aruser": domain, **self._shape("ar")}))
        return self.issued

    def write(self, domain, line, data, *, claim=True, id_=0):
        """Write a line; return the request's number."""
        self.issued += 1
        self.queues["aw"].append((self.issued, {
            "s_axi_awvalid": 1, "s_axi_awid": id_, "s_axi_awaddr": line * LINE_BYTES,
            "s_axi_awuser": domain | claim << 12, **self._shape("aw")}))
        for at in range(0, LINE_BYTES, self.size):
            self.queues["w"].append((self.issued, {
                "s_axi_wvalid": 1, "s_axi_wdata": int.from_bytes(data[at:at + self.size], "little"),
                "s_axi_wstrb": (1 << self.size) - 1,
                "s_axi_wlast": at + self.size == LINE_BYTES}))
        return self.issued

    def _shape(self, prefix):
        return {f"s_axi_{prefix}len": LINE_BYTES // self.size - 1,
                f"s_axi_{prefix}size": (self.size - 1).bit_length(), f"s_axi_{prefix}burst": 1}

    def done(self, number, patience=20_000):
        """Run until a request is answered; return its response, and a read's data."""
        for _ in range(patience):
            if number in self.results:
                return self.results.pop(number)
            self.step()
        raise AssertionError(f"request {number} is not answered after {patience} cycles")

    def read32(self, offset):
        """As a transport of the driver."""
        return self._lite({"s_axil_arvalid": 1, "s_axil_araddr": offset}, "r")

    def write32(self, offset, value):
        self._lite({"s_axil_awvalid": 1, "s_axil_awaddr": offset, "s_axil_wvalid": 1,
                    "s_axil_wdata": value, "s_axil_wstrb": 15}, "b")

    def _lite(self, request, answer):
        self.lite = dict(request) | {"s_axil_rready": 1, "s_axil_bready": 1}
        for _ in range(1000):
            seen = self.step()
            for channel in ("ar", "aw", "w"):
                if seen[f"s_axil_{channel}ready"]:
                    self.lite.pop(f"s_axil_{channel}valid", None)
            if seen[f"s_axil_{answer}valid"]:
                self.lite = {}
                if seen[f"s_axil_{answer}resp"] != OKAY:
                    raise driver.DriverError(f"error response to {request}")
                return seen["s_axil_rdata"]
        raise AssertionError(f"no answer to {request}")

    def boot(self, root, nonce):
        """Feed root key and nonce; return the driver, when accesses are possible."""
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

    # -- one cycle ---------------------------------------------------------------------------

    def step(self, given=None):
        given = dict(given or {}) | self.lite | self.held
        given |= {"s_axi_rready": self.host_takes, "s_axi_bready": self.host_takes}
        for queue in self.queues.values():
            if queue:
                given |= queue[0][1]
        given |= self._dram()
        seen = self.sim.step(given)
        self._observe_dram(given, seen)
        for channel, queue in self.queues.items():
            if queue and seen[f"s_axi_{channel}ready"]:
                number, sent = queue.popleft()
                self.started.setdefault(number, self.cycle)
                if channel == "ar":
                    self.open_reads[sent["s_axi_arid"]].append([number, b"", OKAY])
                if channel == "aw":
                    self.open_writes[sent["s_axi_awid"]].append(number)
        if seen["s_axi_rvalid"] and self.host_takes:
            entry = self.open_reads[seen["s_axi_rid"]][0]
            entry[1] += seen["s_axi_rdata"].to_bytes(self.size, "little")
            entry[2] = max(entry[2], seen["s_axi_rresp"])
            if seen["s_axi_rlast"]:
                self.open_reads[seen["s_axi_rid"]].popleft()
                self.results[entry[0]] = entry[2], entry[1]
        if seen["s_axi_bvalid"] and self.host_takes:
            number = self.open_writes[seen["s_axi_bid"]].popleft()
            self.results[number] = seen["s_axi_bresp"], b""
        self.cycle += 1
        return seen

    def _dram(self):
        given = {"m_axi_arready": 1, "m_axi_awready": 1, "m_axi_wready": 1}
        if self.beats and self.beats[0][0] <= self.cycle:
            given |= self.beats[0][1] | {"m_axi_rvalid": 1}
        if self.responses and self.responses[0][0] <= self.cycle:
            given |= {"m_axi_bvalid": 1, "m_axi_bid": self.responses[0][1]}
        return given

    def _observe_dram(self, given, seen):
        if given.get("m_axi_rvalid") and seen["m_axi_rready"]:
            self.beats.popleft()
        if given.get("m_axi_bvalid") and seen["m_axi_bready"]:
            self.responses.popleft()
        if seen["m_axi_arvalid"]:
            line = self.memory.get(seen["m_axi_araddr"], bytes(LINE_BYTES))
            for at in range(0, LINE_BYTES, self.size):
                self.beats.append((self.cycle + self.latency, {
                    "m_axi_rid": seen["m_axi_arid"], "m_axi_rlast": at + self.size == LINE_BYTES,
                    "m_axi_rdata": int.from_bytes(line[at:at + self.size], "little")}))
        if seen["m_axi_awvalid"]:
            self.addresses.append((seen["m_axi_awaddr"], seen["m_axi_awid"]))
        if seen["m_axi_wvalid"]:
            strobe = seen["m_axi_wstrb"]
            data = seen["m_axi_wdata"].to_bytes(self.size, "little")
            self.data.append([data[i] if strobe >> i & 1 else None for i in range(self.size)])
        if self.addresses and len(self.data) * self.size >= LINE_BYTES:
            address, id_ = self.addresses.popleft()
            old = self.memory.get(address, bytes(LINE_BYTES))
            new = [byte for _ in range(LINE_BYTES // self.size) for byte in self.data.popleft()]
            self.memory[address] = bytes(
                before if byte is None else byte for byte, before in zip(new, old, strict=True))
            self.responses.append((self.cycle + self.latency, id_))
