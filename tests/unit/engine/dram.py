"""DRAM behind the core: random delays, beats of different IDs in any mixture, errors by address."""

import random

from casemate.config import LINE_BYTES


class Memory:
    """Lines by address; what was never written has random content."""

    def __init__(self, seed):
        self.seed, self.lines = seed, {}

    def read(self, address):
        address -= address % LINE_BYTES
        if address not in self.lines:
            self.lines[address] = random.Random(f"{self.seed} {address}").randbytes(LINE_BYTES)
        return self.lines[address]

    def write(self, address, data, strobes):
        old = self.read(address)
        self.lines[address] = bytes(
            new if strobes >> i & 1 else before
            for i, (new, before) in enumerate(zip(data, old, strict=True)))

    def flip(self, address, bit):
        line = bytearray(self.read(address))
        line[bit // 8] ^= 1 << bit % 8
        self.lines[address] = bytes(line)


class Dram:
    """With `latency` the first beat comes so many cycles after its address, and nothing waits."""

    def __init__(self, config, rng, memory, *, latency=None, read_errors=(), write_errors=()):
        self.config, self.rng, self.memory = config, rng, memory
        self.latency = latency
        self.read_errors, self.write_errors = dict(read_errors), dict(write_errors)
        self.reads, self.addresses, self.beats, self.responses = [], [], [], []
        self.r, self.b = None, None  # what is offered and not yet taken
        self.writes = 0
        self.stopped = False

    @property
    def idle(self):
        return not (self.reads or self.addresses or self.beats or self.responses)

    def chance(self, share):
        return self.latency is not None or self.rng.random() < share

    def due(self, cycle):
        return cycle + (self.latency if self.latency is not None else self.rng.randint(1, 30))

    def drive(self, cycle):
        out = {"memory_arready": not self.stopped and self.chance(0.7),
               "memory_awready": not self.stopped and self.chance(0.7),
               "memory_wready": not self.stopped and self.chance(0.8)}
        if self.r is None:
            firsts = {}
            for read in self.reads:
                firsts.setdefault(read["id"], read)
            ready = [read for read in firsts.values() if read["due"] <= cycle]
            if ready and self.chance(0.8):
                self.r = ready[0] if self.latency is not None else self.rng.choice(ready)
        if self.r is not None:
            read, size = self.r, self.config.data_bits // 8
            if "data" not in read:
                data = self.memory.read(read["address"])[read["beat"] * size:][:size]
                read["data"] = int.from_bytes(data, "little")
            last = read["beat"] == self.config.beats_per_line - 1
            line = read["address"] // LINE_BYTES
            wrong = last if line % 2 else read["beat"] == 0
            out |= {"memory_rvalid": 1, "memory_rid": read["id"], "memory_rdata": read["data"],
                    "memory_rresp": self.read_errors.get(line, 0) if wrong else
                    self.rng.choice((0, 0, 1)), "memory_rlast": last}
            out["memory_rresp"] = read.setdefault("response", out["memory_rresp"])
        if self.b is None:
            ready = [response for response in self.responses if response["due"] <= cycle]
            if ready and self.chance(0.8):
                self.b = self.rng.choice(ready)
        if self.b is not None:
            out |= {"memory_bvalid": 1, "memory_bid": self.b["id"],
                    "memory_bresp": self.b["response"]}
        return out

    def observe(self, cycle, given, seen):
        if seen["memory_arvalid"] and given["memory_arready"]:
            assert seen["memory_arlen"] == self.config.beats_per_line - 1
            assert seen["memory_araddr"] % LINE_BYTES == 0
            self.reads.append({"id": seen["memory_arid"], "address": seen["memory_araddr"],
                               "beat": 0, "due": self.due(cycle)})
        if self.r is not None and seen["memory_rready"]:
            read, self.r = self.r, None
            read["beat"] += 1
            del read["data"], read["response"]
            if read["beat"] == self.config.beats_per_line:
                self.reads.remove(read)
        if seen["memory_awvalid"] and given["memory_awready"]:
            assert seen["memory_awaddr"] % LINE_BYTES == 0
            self.addresses.append((seen["memory_awid"], seen["memory_awaddr"]))
        if seen["memory_wvalid"] and given["memory_wready"]:
            self.beats.append((seen["memory_wdata"], seen["memory_wstrb"], seen["memory_wlast"]))
        if self.b is not None and seen["memory_bready"]:
            self.responses.remove(self.b)
            self.b = None
        self.store(cycle)

    def store(self, cycle):
        n = self.config.beats_per_line
        if not self.addresses or len(self.beats) < n:
            return
        (id_, address), beats = self.addresses.pop(0), self.beats[:n]
        del self.beats[:n]
        size = self.config.data_bits // 8
        assert [last for *_, last in beats] == [0] * (n - 1) + [1]
        data = b"".join(value.to_bytes(size, "little") for value, *_ in beats)
        strobes = sum(strobe << size * i for i, (_, strobe, _) in enumerate(beats))
        assert not any(value for i, value in enumerate(data) if not strobes >> i & 1), data.hex()
        response = self.write_errors.get(address // LINE_BYTES, self.rng.choice((0, 0, 1)))
        if response < 2:
            self.memory.write(address, data, strobes)
        self.writes += 1
        self.responses.append({"id": id_, "response": response, "due": self.due(cycle)})
