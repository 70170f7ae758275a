"""Random traffic of four modes through the core, and what must come of it."""

import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass

import numpy as np
from casemate.config import LINE_BYTES
from casemate.engine.reports import ReportKind
from casemate_sim.model.crypto import xts_decrypt, xts_encrypt
from casemate_sim.model.tags import line_tag
from core_bench import CONFIGURATIONS, built
from dram import Dram, Memory
from flat_metadata import FlatMetadata, Settings
from line_model import OKAY, SLVERR, WHOLE, ZEROS, Line, State, Write

PLAIN, XTS, INTEGRITY, FULL, STRANGER = 1, 2, 3, 4, 9
AUTHENTICATED = (INTEGRITY, FULL)
STABLE = {  # of each channel: its payload must stay until it is taken
    "memory_ar": ("id", "addr"), "memory_aw": ("id", "addr"), "memory_w": ("data", "strb", "last"),
    "host_r": ("id", "data", "resp", "last"), "host_b": ("id", "resp"),
    "tree_access_": ("id", "access", "line", "domain", "claim"),
    "report_": ("kind", "slot", "domain", "line", "write"),
}


@dataclass
class Read:
    domain: int
    id: int
    chunks: list  # [line, first beat's offset, beats]
    cycle: int = 0
    firsts: tuple = ()
    data: bytes = b""
    responses: tuple = ()
    before_lock: bool = False  # the lock came when it was in flight


@dataclass
class Burst:
    domain: int
    id: int
    write: Write
    line: int
    beats: deque
    refused: bool
    before_lock: bool = False  # the lock came when it was in flight


class Environment:
    """One core and what is around it.

    Parameters
    ----------
    name:
        Name of the configuration in ``core_bench``.
    seed:
        Seed of every choice.
    lines:
        The lines that authenticated domains share.
    latency:
        Of DRAM, if nothing is to be random on the buses.
    """

    def __init__(self, name, seed, *, lines=range(24), settings=None, latency=None,
                 read_errors=(), write_errors=()):
        self.config, self.sim = CONFIGURATIONS[name], built(name)
        self.sim.restart()
        self.rng = rng = random.Random(f"{name} {seed}")
        self.memory = Memory(f"{name} {seed}")
        self.metadata = FlatMetadata(self.config, rng, settings or Settings(), self.memory)
        self.dram = Dram(self.config, rng, self.memory, latency=latency,
                         read_errors=read_errors, write_errors=write_errors)
        self.cycle, self.lock, self.smooth = 0, 0, latency is not None
        self.beat_bytes = self.config.data_bits // 8
        modes = (PLAIN, XTS, INTEGRITY, FULL) if self.config.domain_slots >= 4 else AUTHENTICATED
        self.slots = {domain: slot for slot, domain in enumerate(modes)}
        self.keys = {domain: [rng.randbytes(self.config.aes_bits // 8) for _ in range(3)]
                     for domain in modes}
        self.pools = {domain: range(512 + 64 * domain, 520 + 64 * domain)
                      for domain in modes if domain < INTEGRITY}
        self.pools |= dict.fromkeys(AUTHENTICATED, lines) | {STRANGER: lines}
        self.lines = {}
        self.queues = {"ar": deque(), "aw": deque(), "w": deque()}
        self.new_keys = deque()
        self.reads, self.bursts = defaultdict(deque), defaultdict(deque)
        self.offered, self.held = {}, {}
        self.counts, self.expected_reports = Counter(), Counter()
        self.reports = []
        self.gaps = 0.3
        self.load()

    def locked(self, domain):
        return bool(self.lock >> self.slots[domain] & 1)

    def line(self, number):
        if number not in self.lines:
            owner = next((domain for domain in (PLAIN, XTS)
                          if number in self.pools.get(domain, ())), None)
            if owner is None:
                self.lines[number] = Line(
                    State(valid=False), authenticated=True,
                    outcomes=self.metadata.writes[number],
                    read_error=self.dram.read_errors.get(number, 0),
                    write_error=self.dram.write_errors.get(number, 0))
            else:
                content = self.memory.read(number * LINE_BYTES)
                self.lines[number] = Line(
                    State(self.decrypt(owner, number, 0, content)), authenticated=False)
        return self.lines[number]

    # -- cryptography ------------------------------------------------------------------------

    def load(self):
        for domain, slot in self.slots.items():
            self.sim.step({"slot_valid": 1, "slot_slot": slot, "slot_enable": 1,
                           "slot_domain": domain, "slot_encrypt": domain in (XTS, FULL),
                           "slot_authenticate": domain in AUTHENTICATED})
            for name, key in enumerate(self.keys[domain]):
                given = {"key_valid": 1, "key_slot": slot, "key_name": name,
                         "key_key": int.from_bytes(key, "little")}
                while not self.sim.step(given)["key_ready"]:
                    pass
        while not self.sim.step({})["idle"]:
            pass

    def _xts(self, function, domain, number, version, content):
        if domain not in (XTS, FULL):
            return content
        data_key, tweak_key, _ = self.keys[domain]
        tweak = (number | version << 64).to_bytes(16, "little")
        arrays = [np.frombuffer(value, np.uint8).reshape(1, -1) for value in (tweak, content)]
        return function(data_key, tweak_key, *arrays).tobytes()

    def decrypt(self, domain, number, version, content):
        return self._xts(xts_decrypt, domain, number, version, content)

    def encrypt(self, domain, number, version, content):
        return self._xts(xts_encrypt, domain, number, version, content)

    # -- what the host asks ------------------------------------------------------------------

    def read(self, domain, number, *, offset=0, beats=None, id_=None):
        """Read from one line, or from a line's start over several."""
        per_line = self.config.beats_per_line
        beats = per_line if beats is None else beats
        chunks, left = [], beats
        while left:
            count = min(left, per_line - offset // self.beat_bytes)
            chunks.append([number + len(chunks), offset, count])
            left, offset = left - count, 0
        id_ = self.rng.randrange(1 << self.config.id_bits) if id_ is None else id_
        read = Read(domain, id_, chunks)
        self.queues["ar"].append(({
            "host_arvalid": 1, "host_arid": id_, "host_arlen": beats - 1, "host_arburst": 1,
            "host_araddr": chunks[0][0] * LINE_BYTES + chunks[0][1], "host_aruser": domain,
            "host_arsize": (self.beat_bytes - 1).bit_length()}, read))

    def write(self, domain, number, data, mask=WHOLE, *, claim=False, id_=None):
        """Write a line."""
        size = self.beat_bytes
        id_ = self.rng.randrange(1 << self.config.id_bits) if id_ is None else id_
        beats = deque(
            {"host_wvalid": 1, "host_wdata": int.from_bytes(data[at:at + size], "little"),
             "host_wstrb": mask >> at & (1 << size) - 1, "host_wlast": at + size == LINE_BYTES}
            for at in range(0, LINE_BYTES, size))
        refused = domain not in self.slots
        burst = Burst(domain, id_, Write(domain, claim, mask, data), number, beats, refused)
        if not refused:
            self.line(number).add(burst.write)
        given = {"host_awvalid": 1, "host_awid": id_, "host_awlen": len(beats) - 1,
                 "host_awburst": 1, "host_awaddr": number * LINE_BYTES,
                 "host_awuser": claim << 12 | domain, "host_awsize": (size - 1).bit_length()}
        self.queues["aw"].append((given, burst))
        self.queues["w"] += [(beat, burst) for beat in beats]

    def request(self):
        """Ask for something at random."""
        rng = self.rng
        domain = rng.choice([*self.slots, *AUTHENTICATED, *([STRANGER] * (rng.random() < 0.2))])
        number = rng.choice(self.pools[domain])
        if rng.random() < 0.5:
            per_line = self.config.beats_per_line
            beats = rng.choice((1, 1, 2, per_line, 3 * per_line))
            offset = self.beat_bytes * rng.randrange(per_line)
            if number - self.pools[domain][0] > len(self.pools[domain]) - 5:
                beats, offset = 1, 0
            self.read(domain, number, offset=offset, beats=beats)
        else:
            mask = rng.choice((WHOLE, WHOLE, rng.getrandbits(64), rng.getrandbits(64),
                               0xFF << rng.randrange(57), 0 if rng.random() < 0.3 else WHOLE))
            self.write(domain, number, rng.randbytes(LINE_BYTES), mask,
                       claim=rng.random() < 0.5)

    def tamper(self):
        """Flip a bit of an authenticated line that nothing is on its way to."""
        number = self.rng.choice(self.pools[FULL])
        line = self.line(number)
        read = any(number in (chunk[0] for chunk in read.chunks)
                   for queue in [*self.reads.values(), [entry[1] for entry in self.queues["ar"]]]
                   for read in queue)
        if line.busy or read or not line.states[-1].valid or line.states[-1].broken:
            return
        line.tamper()
        self.memory.flip(number * LINE_BYTES, self.rng.randrange(512))
        self.counts["tampered"] += 1

    # -- one cycle ---------------------------------------------------------------------------

    def step(self):
        rng, cycle = self.rng, self.cycle
        given = {"lock": self.lock, "report_ready": 1,
                 "host_rready": self.smooth or rng.random() < 0.8,
                 "host_bready": self.smooth or rng.random() < 0.8}
        for channel, queue in self.queues.items():
            if queue and (channel in self.offered or self.smooth or rng.random() > self.gaps):
                self.offered[channel] = queue[0]
                given |= queue[0][0]
        if self.new_keys:
            given |= self.new_keys[0]
        given |= self.dram.drive(cycle) | self.metadata.drive(cycle)
        seen = self.sim.step(given)
        self.dram.observe(cycle, given, seen)
        self.metadata.observe(cycle, given, seen)
        self.check_stability(given, seen)
        if self.new_keys and seen["key_ready"]:
            self.new_keys.popleft()
        for channel, queue in self.queues.items():
            if channel in self.offered and seen[f"host_{channel}ready"]:
                _, what = queue.popleft()
                del self.offered[channel]
                getattr(self, f"accepted_{channel}")(what)
        if seen["host_rvalid"] and given["host_rready"]:
            self.returned(seen)
        if seen["host_bvalid"] and given["host_bready"]:
            self.answered(seen)
        if seen["report_valid"]:
            self.reports.append((ReportKind(seen["report_kind"]), seen["report_domain"],
                                 seen["report_line"], bool(seen["report_write"])))
            assert self.slots[seen["report_domain"]] == seen["report_slot"]
        self.cycle += 1
        return seen

    def check_stability(self, given, seen):
        for channel, fields in STABLE.items():
            valid, ready = f"{channel}valid", f"{channel}ready"
            payload = [seen[channel + name] for name in fields]
            if channel in self.held:
                assert seen[valid] and payload == self.held[channel], channel
                del self.held[channel]
            if seen[valid] and not given[ready]:
                self.held[channel] = payload

    def accepted_ar(self, read):
        read.cycle = self.cycle
        if read.domain in self.slots:
            read.firsts = tuple(self.line(number).first() for number, *_ in read.chunks)
        self.reads[read.id].append(read)

    def accepted_aw(self, burst):
        self.bursts[burst.id].append(burst)

    def accepted_w(self, burst):
        burst.beats.popleft()
        burst.write.taken = not burst.beats

    def returned(self, seen):
        read = self.reads[seen["host_rid"]][0]
        if read.before_lock:
            # The beat that was offered when the lock came stays, but not those behind it.
            nothing = (seen["host_rresp"], seen["host_rdata"]) == (SLVERR, 0)
            self.counts["beats behind the lock", nothing] += 1
            if seen["host_rlast"]:
                self.reads[read.id].popleft()
            return
        read.data += seen["host_rdata"].to_bytes(self.beat_bytes, "little")
        read.responses += (seen["host_rresp"],)
        beats = sum(count for *_, count in read.chunks)
        assert seen["host_rlast"] == (len(read.responses) == beats)
        if seen["host_rlast"]:
            self.reads[read.id].popleft()
            at = 0
            for index, (number, offset, count) in enumerate(read.chunks):
                data = read.data[at * self.beat_bytes:(at + count) * self.beat_bytes]
                self.check_read(read, index, number, offset, data, read.responses[at:at + count])
                at += count

    def check_read(self, read, index, number, offset, data, responses):
        self.counts["chunks"] += 1
        if read.domain not in self.slots or self.locked(read.domain):
            allowed = {(SLVERR, ZEROS[:len(data)])}
        else:
            line = self.line(number)
            allowed = {(response, content[offset:offset + len(data)])
                       for state in line.candidates(read.firsts[index])
                       for response, content in self.expected(read, number, line, state)}
        assert len(set(responses)) == 1, responses
        assert (responses[0], data) in allowed, (
            f"cycle {self.cycle}: domain {read.domain}, line {number:#x}, {responses}, "
            f"{data.hex()}, allowed {[(code, text.hex()) for code, text in allowed]}")
        self.counts["read", responses[0], any(data)] += 1

    def expected(self, read, number, line, state):
        settings = self.metadata.settings
        if not line.authenticated:
            return [(OKAY, state.data)]
        if number in settings.failed:
            return [(SLVERR, ZEROS)]
        if number in settings.bus_error:
            return [(3, ZEROS)]
        owners = self.metadata.owners_between(number, read.cycle, self.cycle)
        results = [(SLVERR, ZEROS)] if owners - {read.domain} else []
        if read.domain in owners:
            results.append(
                (OKAY, ZEROS) if not state.valid else
                (line.read_error, ZEROS) if line.read_error else
                (SLVERR, ZEROS) if state.broken else (OKAY, state.data))
        return results

    def answered(self, seen):
        burst = self.bursts[seen["host_bid"]].popleft()
        assert burst.write.taken
        burst.write.answered = True
        response = seen["host_bresp"]
        if burst.refused or self.locked(burst.domain):
            assert response == SLVERR or burst.before_lock
        elif not burst.write.mask:
            assert response == OKAY
        else:
            line = self.line(burst.line)
            line.evaluate(line.writes.index(burst.write) + 1)
            assert response == burst.write.response, (
                f"cycle {self.cycle}: domain {burst.domain}, line {burst.line:#x}: "
                f"{response}, not {burst.write.response}")
        self.counts["write", response] += 1

    def set_lock(self, domain):
        """Lock a domain's slot while its requests are in flight."""
        self.lock |= 1 << self.slots[domain]
        for queue in [*self.reads.values(), *self.bursts.values()]:
            for what in queue:
                what.before_lock |= what.domain == domain
        for channel in ("ar", "aw"):
            for _, what in self.queues[channel]:
                what.before_lock |= what.domain == domain

    def erase_keys(self, domain):
        self.new_keys += [{"key_valid": 1, "key_slot": self.slots[domain], "key_name": name}
                          for name in range(3)]

    # -- whole runs --------------------------------------------------------------------------

    @property
    def outstanding(self):
        return (sum(map(len, self.queues.values())) + sum(map(len, self.reads.values()))
                + sum(map(len, self.bursts.values())))

    def traffic(self, cycles, *, tampering=0.0, load=8):
        for _ in range(cycles):
            if self.outstanding < load:
                self.request()
            if self.rng.random() < tampering:
                self.tamper()
            self.step()

    def drain(self, cycles=5000):
        """Wait until nothing is in flight."""
        nodes, self.metadata.settings.nodes = self.metadata.settings.nodes, 0
        for _ in range(cycles):
            idle = self.step()["idle"]
            if idle and not self.outstanding and self.metadata.idle and self.dram.idle:
                self.metadata.settings.nodes = nodes
                return
        raise AssertionError(f"cycle {self.cycle}: still at work: {self.outstanding}, "
                             f"{self.metadata.waiting}, {self.metadata.open}")

    def audit(self):
        """Compare DRAM and leaves with what must have been stored."""
        for number, line in self.lines.items():
            line.evaluate(len(line.writes))
            state, stored = line.states[-1], self.memory.read(number * LINE_BYTES)
            if not line.authenticated:
                domain = PLAIN if number in self.pools[PLAIN] else XTS
                assert stored == self.encrypt(domain, number, 0, state.data), f"line {number:#x}"
                continue
            leaf = self.metadata.leaves[number]
            assert leaf.valid == state.valid, f"line {number:#x}"
            if state.valid and not state.broken:
                domain = self.metadata.owner(number)
                assert stored == self.encrypt(domain, number, leaf.version, state.data)
                assert leaf.tag == line_tag(self.keys[domain][2], number, leaf.version, stored)
        denied = Counter((domain, number, write) for kind, domain, number, write in self.reports
                         if kind is ReportKind.ACCESS)
        assert denied == self.metadata.denied
