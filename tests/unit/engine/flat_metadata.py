"""A stand-in for the keeper of the metadata: all leaves in a dictionary, never in DRAM.

It answers after a random delay in random order, often with a hint before, refuses what breaks the
rules of ``MetadataSignature``, and sends leaves and nodes of no meaning over the bus to DRAM.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from casemate.config import LINE_BYTES
from casemate.metadata.interface import Access, Outcome


@dataclass
class Leaf:
    """What is known of a line, and who owns its granule."""

    version: int = 0
    tag: int = 0
    valid: bool = False
    open: int | None = None  # the write entry that holds it


@dataclass
class Wanted:
    """An access on its way to its answer."""

    cycle: int
    id: int
    access: Access
    line: int
    domain: int
    claim: bool
    hinted: bool = False


@dataclass
class Settings:
    """What may happen, and how often; `steady`: every answer comes after exactly `delay` cycles."""

    delay: int = 12
    steady: bool = False
    ready: float = 0.6
    nodes: float = 0.05
    failed: frozenset[int] = frozenset()  # lines whose leaf does not verify
    bus_error: frozenset[int] = frozenset()
    start: dict[int, int] = field(default_factory=dict)  # versions from which lines begin


class FlatMetadata:
    def __init__(self, config, rng, settings, memory):
        self.config, self.rng, self.settings, self.memory = config, rng, settings, memory
        self.leaves = defaultdict(Leaf)
        for line, version in settings.start.items():
            self.leaves[line].version = version
        self.owners = defaultdict(lambda: [(0, 0)])  # of each granule: cycle and domain, in order
        self.writes = defaultdict(list)  # of each line: outcomes of the writes, in order
        self.outcomes = Counter()
        self.denied = Counter()
        self.waiting, self.open = [], {}
        self.fetches, self.stores = {}, {}
        self.fetch_queue, self.store_queue, self.drain_rows = [], [], []
        self.expected_rows = defaultdict(list)
        self.nodes = Counter()
        self.last = {}
        self.stopped = False
        self.highest = (1 << config.leaf.version_bits) - 1

    @property
    def idle(self):
        return not (self.waiting or self.open or self.fetches or self.stores)

    def owner(self, line):
        return self.owners[line // self.config.leaf.lines][-1][1]

    def owners_between(self, line, first, last):
        """Return every domain that owned the line's granule at some time from first to last."""
        history = self.owners[line // self.config.leaf.lines]
        before = [domain for cycle, domain in history if cycle <= first]
        return {before[-1]} | {domain for cycle, domain in history if first < cycle <= last}

    # -- one cycle ---------------------------------------------------------------------------

    def drive(self, cycle):
        rng, settings = self.rng, self.settings
        steady = settings.steady
        out = {"tree_access_ready": not self.stopped and (steady or rng.random() < settings.ready),
               "tree_row_ready": rng.random() < 0.7}
        due = [wanted for wanted in self.waiting if wanted.cycle <= cycle]
        unsure = [wanted for wanted in self.waiting
                  if wanted.access is Access.READ and not wanted.hinted]
        if unsure and not steady and rng.random() < 0.3:
            out |= self.hint(rng.choice(unsure))
        elif due and (steady or rng.random() < 0.8):
            out |= self.answer(due[0] if steady else rng.choice(due), cycle)
        self.start_nodes()
        if self.fetch_queue:
            entry, address = self.fetch_queue[0]
            out |= {"tree_fetch_valid": 1, "tree_fetch_entry": entry,
                    "tree_fetch_address": address}
        if self.store_queue:
            entry, address = self.store_queue[0]
            out |= {"tree_store_valid": 1, "tree_store_entry": entry,
                    "tree_store_address": address}
        if self.drain_rows and (self.last.get("tree_drain_valid") or rng.random() < 0.8):
            entry, row, data = self.drain_rows[0]
            out |= {"tree_drain_valid": 1, "tree_drain_entry": entry, "tree_drain_row": row,
                    "tree_drain_data": data}
        self.last = out
        return out

    def observe(self, cycle, given, seen):
        if seen["tree_close_valid"]:
            self.close(seen)
        if seen["tree_access_valid"] and given["tree_access_ready"]:
            self.accept(cycle, seen)
        if given.get("tree_fetch_valid") and seen["tree_fetch_ready"]:
            self.fetch_queue.pop(0)
        if given.get("tree_store_valid") and seen["tree_store_ready"]:
            self.store_queue.pop(0)
        if given.get("tree_drain_valid") and seen["tree_drain_ready"]:
            self.drain_rows.pop(0)
        if seen["tree_row_valid"] and given["tree_row_ready"]:
            entry = seen["tree_row_entry"]
            expected = self.expected_rows[entry].pop(0)
            row = (seen["tree_row_row"], seen["tree_row_response"], seen["tree_row_data"])
            assert row == expected, (entry, row, expected)
            if not self.expected_rows[entry]:
                del self.fetches[entry]
                self.nodes["fetched"] += 1
        if seen["tree_stored"]:
            entry = seen["tree_stored_entry"]
            address, data = self.stores.pop(entry)
            assert seen["tree_stored_response"] == 0
            assert self.memory.read(address) == data, f"node {address:#x}"
            self.nodes["stored"] += 1

    # -- accesses ----------------------------------------------------------------------------

    def accept(self, cycle, seen):
        delay = self.settings.delay
        due = cycle + (delay if self.settings.steady else self.rng.randint(1, delay))
        wanted = Wanted(due, seen["tree_access_id"], Access(seen["tree_access_access"]),
                        seen["tree_access_line"], seen["tree_access_domain"],
                        bool(seen["tree_access_claim"]))
        assert all(other.id != wanted.id for other in self.waiting), f"two of ID {wanted.id}"
        assert self.leaves[wanted.line].open is None, f"line {wanted.line:#x} is open"
        same = [other for other in self.waiting if other.line == wanted.line]
        if wanted.access is Access.WRITE:
            assert not same, f"a write of line {wanted.line:#x} overtakes {same}"
            assert wanted.id >> (self.config.entry_id_bits - 1)
        else:
            assert all(other.access is Access.READ for other in same)
        self.waiting.append(wanted)

    def decide(self, wanted):
        write = wanted.access is Access.WRITE
        owner, leaf = self.owner(wanted.line), self.leaves[wanted.line]
        if wanted.line in self.settings.failed:
            return Outcome.FAILED
        if wanted.line in self.settings.bus_error:
            return Outcome.BUS_ERROR
        if owner != wanted.domain and not (write and owner == 0 and wanted.claim):
            return Outcome.DENIED
        if write and leaf.version == self.highest:
            return Outcome.EXHAUSTED
        return Outcome.GRANTED

    def hint(self, wanted):
        """Say what an unverified leaf says; of one that is not what it should be, anything."""
        outcome, leaf, rng = self.decide(wanted), self.leaves[wanted.line], self.rng
        sound = outcome is Outcome.GRANTED
        if outcome is Outcome.DENIED or (sound and not leaf.valid):
            return {}
        wanted.hinted = True
        return {"tree_answer_valid": 1, "tree_answer_id": wanted.id, "tree_answer_hint": 1,
                "tree_answer_outcome": Outcome.GRANTED.value, "tree_answer_line_valid": 1,
                "tree_answer_version": leaf.version if sound else rng.getrandbits(52),
                "tree_answer_tag": leaf.tag if sound else rng.getrandbits(56)}

    def answer(self, wanted, cycle):
        self.waiting.remove(wanted)
        outcome, leaf, rng = self.decide(wanted), self.leaves[wanted.line], self.rng
        write = wanted.access is Access.WRITE
        self.outcomes[outcome] += 1
        if outcome is Outcome.DENIED:
            self.denied[wanted.domain, wanted.line, write] += 1
        if write:
            self.writes[wanted.line].append((outcome, wanted.domain, wanted.claim))
        if wanted.hinted and outcome is Outcome.GRANTED:
            return {"tree_confirm": 1 << wanted.id}
        out = {"tree_answer_valid": 1, "tree_answer_id": wanted.id,
               "tree_answer_hinted": wanted.hinted,
               "tree_answer_outcome": outcome.value, "tree_answer_response": 3}
        if outcome is not Outcome.GRANTED:
            return out | {"tree_answer_version": rng.getrandbits(52),
                          "tree_answer_tag": rng.getrandbits(56),
                          "tree_answer_line_valid": rng.getrandbits(1)}
        if write:
            entry = wanted.id & ((1 << (self.config.entry_id_bits - 1)) - 1)
            assert entry not in self.open
            self.open[entry] = wanted.line
            leaf.open = entry
            if self.owner(wanted.line) == 0:
                granule = wanted.line // self.config.leaf.lines
                self.owners[granule].append((cycle, wanted.domain))
        tag = leaf.tag if leaf.valid else rng.getrandbits(56)
        return out | {"tree_answer_version": leaf.version, "tree_answer_tag": tag,
                      "tree_answer_line_valid": leaf.valid}

    def close(self, seen):
        line = self.open.pop(seen["tree_close_entry"])
        leaf = self.leaves[line]
        leaf.open = None
        if seen["tree_close_store"]:
            assert seen["tree_close_place"] == line % self.config.leaf.lines
            assert seen["tree_close_version"] == leaf.version + 1
            leaf.version += 1
            leaf.tag, leaf.valid = seen["tree_close_tag"], True

    # -- leaves and nodes of no meaning ------------------------------------------------------

    def start_nodes(self):
        """Begin to fetch or store a node now and then, each in an entry of its own."""
        config, rng = self.config, self.rng
        entry = rng.randrange(config.node_entries)
        if entry in self.fetches or entry in self.stores or rng.random() >= self.settings.nodes:
            return
        leaves = config.regions[1]
        rows, size = config.rows_per_line, config.row_bytes
        busy = {address for address, _ in [*self.fetches.values(), *self.stores.values()]}
        address = leaves.base + LINE_BYTES * rng.randrange(leaves.size // LINE_BYTES)
        if address in busy:
            return
        if rng.random() < 0.5:
            data = self.memory.read(address)
            self.fetches[entry] = (address, data)
            self.expected_rows[entry] = [
                (row, 0, int.from_bytes(data[row * size:][:size], "little"))
                for row in range(rows)]
            self.fetch_queue.append((entry, address))
        else:
            data = rng.randbytes(LINE_BYTES)
            self.stores[entry] = (address, data)
            self.store_queue.append((entry, address))
            self.drain_rows += [
                (entry, row, int.from_bytes(data[row * size:][:size], "little"))
                for row in range(rows)]
