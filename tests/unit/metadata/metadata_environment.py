"""Data path and DRAM around the metadata unit, in Python, with a reference of every leaf."""

import functools
import random
from collections import Counter, deque

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, connect, flipped
from casemate.aes.key_schedule import KeyExpander
from casemate.config import CipherConfig, TreeConfig, preset
from casemate.metadata.interface import Failure, Outcome
from casemate.metadata.unit import MetadataUnit
from casemate_sim.component import NativeComponent
from casemate_sim.model.formats import Leaf, Node
from casemate_sim.model.tags import metadata_mac

KEY = bytes(range(16))
ITERATIVE = CipherConfig(pipelined=False)
DOMAINS = (3, 9, 0xFFF)
SMALL = preset("tiny").replace(tree=TreeConfig(
    cache_sets=4, cache_ways=2, walks=2, write_backs=1, pad_cipher=ITERATIVE))
CONFIGURATIONS = {
    # 1,024 lines, 256 leaves
    "two_levels": SMALL,
    "one_set": SMALL.replace(root_counters=8, read_entries=8, tree=TreeConfig(
        cache_sets=1, cache_ways=2, walks=1, write_backs=1, pad_cipher=ITERATIVE)),
    "deep": SMALL.replace(root_counters=8, read_entries=8, write_entries=8, tree=TreeConfig(
        cache_sets=2, cache_ways=4, walks=3, write_backs=2)),
    "wide": SMALL.replace(root_counters=8, data_bits=512, tree=TreeConfig(
        cache_sets=4, cache_ways=2, walks=2, write_backs=2)),
    "narrow_counters": SMALL.replace(counter_bits=3),
}


class Bench(wiring.Component):
    """The unit with an expansion of K4."""

    def __init__(self, config):
        self.unit = MetadataUnit(config)
        self.expander = KeyExpander(aes_bits=config.aes_bits, tag=1)
        ports = {name: member for name, member in self.unit.signature.members.items()
                 if name != "round_key"}
        key = stream.Signature(data.StructLayout({"key": config.aes_bits, "tag": 1}))
        super().__init__(ports | {"key": In(key)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit, m.submodules.expander = unit, expander = self.unit, self.expander
        connect(m, flipped(self.key), expander.i)
        for name, member in self.unit.signature.members.items():
            if name == "round_key":
                continue
            if member.is_signature:
                inner = getattr(unit, name)
                if member.flow is In:
                    connect(m, flipped(getattr(self, name)), inner)
                else:
                    connect(m, inner, flipped(getattr(self, name)))
            elif member.flow is In:
                m.d.comb += getattr(unit, name).eq(getattr(self, name))
            else:
                m.d.comb += getattr(self, name).eq(getattr(unit, name))
        port, out = unit.round_key, expander.o.payload
        m.d.comb += [port.valid.eq(expander.o.valid), port.round.eq(out.round),
                     port.value.eq(out.value)]
        return m


@functools.cache
def built(name):
    return NativeComponent(Bench(CONFIGURATIONS[name]))


class Dram:
    """Lines of metadata, fetched and stored out of order; counts the stores of each address."""

    def __init__(self, config, rng, latency):
        self.config, self.rng, self.latency = config, rng, latency
        self.content, self.stores = {}, Counter()
        self.fetched = 0
        self.reading, self.rows = [], deque()  # (due, entry, address); rows being returned
        self.addresses, self.lines = deque(), deque()  # announced stores; their rows
        self.partial = b""
        self.storing = []  # (due, entry, response)
        self.busy = set()  # addresses with a store on its way
        self.on_read = self.on_write = lambda address, content: content
        self.read_response = self.write_response = lambda address: 0

    def read(self, address):
        return self.content.get(address, bytes(64))

    def fetch(self, cycle, entry, address):
        assert address not in self.busy, f"{address:#x} is fetched while it is stored"
        self.fetched += 1
        self.reading.append((cycle + self.latency(), entry, address))

    def tick(self, cycle):
        """Move what is due; return a row to offer and a response to give."""
        due = [each for each in self.reading if each[0] <= cycle]
        if due and len(self.rows) < 8:
            chosen = self.rng.choice(due)
            self.reading.remove(chosen)
            _, entry, address = chosen
            content = self.on_read(address, self.read(address))
            size, response = self.config.row_bytes, self.read_response(address)
            for row in range(self.config.rows_per_line):
                self.rows.append({
                    "entry": entry, "row": row, "response": response if row == 0 else 0,
                    "data": int.from_bytes(content[row * size:(row + 1) * size], "little")})
        while self.addresses and self.lines:
            entry, address = self.addresses.popleft()
            owner, content = self.lines.popleft()
            assert owner == entry, "rows come in another order than their addresses"
            response = self.write_response(address)
            if not response:
                content = self.on_write(address, content)
                if content is not None:
                    self.content[address] = content
            self.stores[address] += 1
            self.storing.append((cycle + self.latency(), entry, response, address))
        for each in self.storing:
            if each[0] <= cycle:
                self.storing.remove(each)
                self.busy.discard(each[3])
                return each
        return None

    def drain(self, entry, row, content):
        assert row * self.config.row_bytes == len(self.partial), "a row is missing"
        self.partial += content
        if len(self.partial) == 64:
            self.lines.append((entry, self.partial))
            self.partial = b""


class Environment:
    """Runs the unit; checks each answer against what the leaves must hold."""

    def __init__(self, name, seed, *, latency=(2, 30), stall=0.2):
        self.config, self.native = CONFIGURATIONS[name], built(name)
        self.native.restart()
        self.rng = random.Random(seed)
        self.cycle, self.stall = 0, stall
        self.dram = Dram(self.config, self.rng, lambda: self.rng.randint(*latency))
        self.half = 1 << (self.config.entry_id_bits - 1)
        self.versions, self.tags, self.owners = {}, {}, {}  # by line, by line, by leaf
        self.hints = {}  # by ID: what was said of a leaf that was not verified yet
        self.outstanding, self.open = {}, {}  # by ID: (access, cycle); by write entry: line
        self.to_access, self.to_close = deque(), deque()
        self.answers, self.failures = [], []
        self.responses = set()  # of DRAM's errors, as they were answered
        self.outcomes = Counter()
        self.offer = None
        self.reclaiming = range(0)  # granules that lose their owner at some time
        self.inputs = {"failure_ready": 1}
        # What lies on the wires of whatever is not valid.
        noise = random.Random(seed + 1)
        self.noise = [{
            "data_path_stored_entry": noise.randrange(self.config.node_entries),
            "data_path_stored_response": noise.randrange(4),
            "data_path_row_entry": noise.randrange(self.config.node_entries),
            "data_path_row_row": noise.randrange(self.config.rows_per_line),
            "data_path_access_id": noise.randrange(2 * self.half),
            "data_path_close_entry": noise.randrange(self.config.write_entries),
            "data_path_close_store": noise.randrange(2),
        } for _ in range(61)]
        self.expect_failures = False
        self.locked = False
        self.statistics = Counter()
        self.earlier = Counter()  # how often an address was stored before the first cycle
        self._start()

    def age(self):
        """Let memory and root be those of a long life: any versions, tags, owners and counters."""
        rng, config, bases = self.rng, self.config, self.bases()
        sizes = [config.leaves, *config.level_sizes]

        def count(bits):
            """Return a count of less than `bits` bits; every other one is about to carry far."""
            if rng.random() < 0.5:
                return rng.randrange(1, 1 << bits - 1)
            return max(1, (1 << rng.randint(1, bits - 1)) - 1 - rng.randrange(3))

        def seal(level, index, content):
            address = bases[level] + 64 * index
            mac = metadata_mac(KEY, 2 + level, self.earlier[address], index, content[:56])
            self.dram.content[address] = content[:56] + mac.to_bytes(8, "little")

        for level, base in enumerate(bases):
            for index in range(sizes[level]):
                self.earlier[base + 64 * index] = count(config.counter_bits)
        for leaf in range(sizes[0]):
            lines = range(4 * leaf, 4 * leaf + 4)
            self.owners[leaf] = rng.choice(DOMAINS)
            for line in lines:
                self.versions[line] = count(config.leaf.version_bits)
                self.tags[line] = rng.getrandbits(56)
            seal(0, leaf, Leaf(
                versions=tuple(self.versions[line] for line in lines),
                tags=tuple(self.tags[line] for line in lines), owner=self.owners[leaf],
                valid=(True,) * 4, mac=0).pack())
        for level in range(1, len(bases)):
            for index in range(sizes[level]):
                seal(level, index, Node(counters=tuple(
                    self.earlier[bases[level - 1] + 64 * child] if child < sizes[level - 1] else 0
                    for child in range(8 * index, 8 * index + 8)), mac=0).pack())
        for index in range(sizes[-1]):
            self.step(door_load=1, door_load_index=index,
                      door_load_value=self.earlier[bases[-1] + 64 * index])

    def _start(self):
        self.step(key_key=int.from_bytes(KEY, "little"), key_valid=1)
        for _ in range(4000):
            if self.step()["ready"]:
                return
        raise AssertionError("never ready")

    def lines_in_use(self, write):
        """Lines that a new access must avoid."""
        lines = set(self.open.values())
        for access, _ in self.outstanding.values():
            if access["access"] or write:
                lines.add(access["line"])
        return lines

    def access(self, entry, line, domain, *, write=False, claim=False):
        number = entry | (self.half if write else 0)
        assert number not in self.outstanding and not (write and entry in self.open)
        access = {"id": number, "access": int(write), "line": line, "domain": domain,
                  "claim": int(claim)}
        self.outstanding[number] = (access, self.cycle)
        self.to_access.append(access)
        return number

    def closable(self):
        """Entries of open writes whose close is not on its way."""
        return self.open.keys() - {close["entry"] for _, close in self.to_close}

    def close(self, entry, *, store=True):
        line = self.open[entry]
        version, tag = self.versions.get(line, 0) + 1, self.rng.getrandbits(56)
        self.to_close.append((line, {
            "entry": entry, "place": line % 4, "store": int(store), "version": version,
            "tag": tag}))

    def step(self, **more):
        dram, rng = self.dram, self.rng
        inputs = self.inputs | self.noise[self.cycle % len(self.noise)] | more
        inputs["locked"] = int(self.locked)
        stored = dram.tick(self.cycle)
        if stored:
            inputs |= {"data_path_stored": 1, "data_path_stored_entry": stored[1],
                       "data_path_stored_response": stored[2]}
        if self.offer is None and dram.rows and rng.random() >= self.stall:
            self.offer = dram.rows.popleft()
        if self.offer:
            inputs |= {f"data_path_row_{key}": value for key, value in self.offer.items()}
            inputs["data_path_row_valid"] = 1
        access = self.to_access[0] if self.to_access else None
        if access:
            inputs |= {f"data_path_access_{key}": value for key, value in access.items()}
            inputs["data_path_access_valid"] = 1
        close = self.to_close.popleft() if self.to_close else None
        if close:
            inputs |= {f"data_path_close_{key}": value for key, value in close[1].items()}
            inputs["data_path_close_valid"] = 1
        for name in ("fetch", "store", "drain"):
            inputs[f"data_path_{name}_ready"] = int(rng.random() >= self.stall)
        out = self.native.step(inputs)
        if self.offer and out["data_path_row_ready"]:
            self.offer = None
        if access and out["data_path_access_ready"]:
            self.to_access.popleft()
        if close:
            self._closed(*close)
        if out["data_path_fetch_valid"] and inputs["data_path_fetch_ready"]:
            dram.fetch(self.cycle, out["data_path_fetch_entry"], out["data_path_fetch_address"])
        if out["data_path_store_valid"] and inputs["data_path_store_ready"]:
            address = out["data_path_store_address"]
            assert address not in dram.busy, "two stores of one address"
            dram.busy.add(address)
            dram.addresses.append((out["data_path_store_entry"], address))
        if out["data_path_drain_valid"] and inputs["data_path_drain_ready"]:
            dram.drain(out["data_path_drain_entry"], out["data_path_drain_row"],
                       out["data_path_drain_data"].to_bytes(self.config.row_bytes, "little"))
        for name in ("access", "hit", "evicted"):
            self.statistics[name] += out[f"statistics_{name}"]
        if out["failure_valid"]:
            self._failed(out)
        if out["data_path_answer_valid"]:
            self._answer(out)
        for number in range(self.config.read_entries):
            if out["data_path_confirm"] >> number & 1:
                self._confirm(number)
        self.cycle += 1
        return out

    def _failed(self, out):
        failure = (Failure(out["failure_failure"]), out["failure_level"],
                   out["failure_address"], bool(out["failure_fatal"]))
        assert self.expect_failures, f"false alarm: {failure} in cycle {self.cycle}"
        self.failures.append(failure)
        if failure[3]:
            self.locked = True

    def _closed(self, line, close):
        del self.open[close["entry"]]
        if close["store"]:
            self.versions[line], self.tags[line] = close["version"], close["tag"]

    def _confirm(self, number):
        hint = self.hints.pop(number)
        self.outcomes["confirmed"] += 1
        self._answer(hint | {"data_path_answer_hint": 0})

    def _answer(self, out):
        number = out["data_path_answer_id"]
        if out["data_path_answer_hint"]:
            assert number not in self.hints and not self.outstanding[number][0]["access"]
            assert Outcome(out["data_path_answer_outcome"]) is Outcome.GRANTED
            assert out["data_path_answer_line_valid"]
            self.hints[number] = out
            return
        if out["data_path_answer_hinted"]:
            del self.hints[number]
            self.outcomes["taken back"] += 1
            assert Outcome(out["data_path_answer_outcome"]) is not Outcome.GRANTED
        assert number not in self.hints
        access, _ = self.outstanding.pop(number)
        outcome = Outcome(out["data_path_answer_outcome"])
        self.outcomes[outcome] += 1
        line, leaf = access["line"], access["line"] // 4
        owner = self.owners.get(leaf, 0)
        self.answers.append((self.cycle, access, outcome))
        if outcome in (Outcome.FAILED, Outcome.BUS_ERROR):
            assert self.expect_failures, f"{access} was answered {outcome}"
            if outcome is Outcome.BUS_ERROR:
                self.responses.add(out["data_path_answer_response"])
            return
        if leaf in self.reclaiming and outcome is Outcome.DENIED:
            return
        granted = owner == access["domain"] or (
            access["access"] and access["claim"] and owner == 0)
        version = self.versions.get(line, 0)
        spent = access["access"] and version == (1 << self.config.leaf.version_bits) - 1
        expected = (Outcome.DENIED if not granted else
                    Outcome.EXHAUSTED if spent else Outcome.GRANTED)
        assert outcome == expected, f"{access}: {outcome} instead of {expected}, owner {owner}"
        if outcome is Outcome.GRANTED:
            assert out["data_path_answer_version"] == version, f"{access}: version"
            assert out["data_path_answer_line_valid"] == (line in self.tags), f"{access}: valid"
            if line in self.tags:
                assert out["data_path_answer_tag"] == self.tags[line], f"{access}: tag"
            if access["access"]:
                self.owners[leaf] = access["domain"]
                self.open[number - self.half] = line

    # -- the end -----------------------------------------------------------------------------

    def drain_accesses(self, cycles=20_000, *, close=True):
        for _ in range(cycles):
            if close:
                for entry in sorted(self.closable()):
                    self.close(entry)
            if not self.outstanding and not self.open and not self.to_close:
                return
            self.step()
        raise AssertionError(f"not answered: {self.outstanding}, open {self.open}")

    def flush(self, cycles=100_000, *, invalidate=False):
        self.step(**{"invalidate" if invalidate else "flush": 1})
        for _ in range(cycles):
            out = self.step()
            if out["idle"] and not out["busy"]:
                return
        raise AssertionError("the flush does not end")

    def reclaim(self, first, count, *, traffic=0):
        """Take granules back; until it is done a domain may or may not be refused in there."""
        self.reclaiming = range(first, first + count)
        out = self.step(reclaim_valid=1, reclaim_first=first, reclaim_count=count)
        assert out["reclaim_ready"]
        begin = self.cycle
        self.traffic(traffic, claims=0)
        for _ in range(100_000):
            if self.step()["reclaim_ready"]:
                break
            for entry in sorted(self.closable()):
                self.close(entry)
        else:
            raise AssertionError("the reclaim does not end")
        for leaf in self.reclaiming:
            self.owners.pop(leaf, None)
            for line in range(4 * leaf, 4 * leaf + 4):
                assert line not in self.open.values(), "a write is open in a reclaimed granule"
                self.tags.pop(line, None)
        self.reclaiming = range(0)
        return self.cycle - begin

    def bases(self):
        return [region.base for region in self.config.regions[1:]]

    def audit(self):
        """After a flush: leaves hold what they must, every MAC is valid under its parent.

        A counter is the number of times that its child was stored.
        """
        bases = self.bases()
        sizes = [self.config.leaves, *self.config.level_sizes]
        stores, dram = self.dram.stores + self.earlier, self.dram
        for level, base in enumerate(bases):
            for index in range(sizes[level]):
                address = base + 64 * index
                count = stores[address]
                content = dram.read(address)
                if not count:
                    assert content == bytes(64)
                    continue
                mac = metadata_mac(KEY, 2 + level, count, index, content[:56])
                assert mac == int.from_bytes(content[56:], "little"), f"{level}, {index}: MAC"
                if level:
                    node = Node.unpack(content)
                    for place, counter in enumerate(node.counters):
                        child = 8 * index + place
                        if child < sizes[level - 1]:
                            assert counter == stores[bases[level - 1] + 64 * child], (
                                f"counter of {child} in level {level - 1}")
                        else:
                            assert counter == 0
        for leaf in range(self.config.leaves):
            lines = range(4 * leaf, 4 * leaf + 4)
            content = dram.read(bases[0] + 64 * leaf)
            held = Leaf.unpack(content)
            assert held.owner == self.owners.get(leaf, 0)
            assert held.versions == tuple(self.versions.get(line, 0) for line in lines)
            assert held.valid == tuple(line in self.tags for line in lines)
            for line in lines:
                if line in self.tags:
                    assert held.tags[line % 4] == self.tags[line]

    def traffic(self, cycles, *, rate=0.3, hot=0.5, granules=None, writes=0.5, claims=0.9):
        """Random accesses."""
        rng, config = self.rng, self.config
        granules = granules or config.leaves
        hot_leaves = [rng.randrange(granules) for _ in range(4)]
        for _ in range(cycles):
            if rng.random() < rate and len(self.to_access) < 3:
                write = rng.random() < writes
                count = config.write_entries if write else config.read_entries
                entry = rng.randrange(count)
                number = entry | (self.half if write else 0)
                leaf = rng.choice(hot_leaves) if rng.random() < hot else rng.randrange(granules)
                line = 4 * leaf + rng.randrange(4)
                pending = {each["entry"] for _, each in self.to_close}
                if (number not in self.outstanding and line not in self.lines_in_use(write)
                        and not (write and (entry in self.open or entry in pending))):
                    self.access(entry, line, rng.choice(DOMAINS if leaf % 5 == 0 else
                                                        DOMAINS[leaf % 3:leaf % 3 + 1]),
                                write=write, claim=rng.random() < claims)
            for entry in sorted(self.closable()):
                if rng.random() < 0.1:
                    self.close(entry, store=rng.random() < 0.95)
            self.step()
