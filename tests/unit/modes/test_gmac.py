"""GMAC of lines and nodes against the golden model, to the cycle."""

import functools
import random

import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.key_schedule import KeyExpander
from casemate.config import CipherConfig, SBox
from casemate.modes.gmac import Gmac
from casemate_sim.component import NativeComponent
from casemate_sim.model.tags import KIND_LEAF, KIND_LINE, line_tag, metadata_mac

KEYS, ENTRIES = 4, 32
ROUNDS = {128: 10, 256: 14}
ITERATIVE = CipherConfig(pipelined=False)
BENCHES = {
    # name: cipher, AES bits, lanes, stages
    "1lane-iterative-aes128": (ITERATIVE, 128, 1, 1),
    "2lanes-iterative-aes256": (ITERATIVE, 256, 2, 3),
    "4lanes-pipelined-aes128": (CipherConfig(), 128, 4, 2),
    "2lanes-pipelined-aes128": (CipherConfig(sbox=SBox.BLOCK_RAM, registers_per_round=2),
                                128, 2, 3),
    "1lane-iterative-serial-aes128": (ITERATIVE, 128, 1, 0),
}
ALL = [pytest.param(name, marks=pytest.mark.verify if name.startswith("2lanes-pipe") else [])
       for name in BENCHES]


class Bench(wiring.Component):
    """The unit and an expansion of its keys."""

    def __init__(self, config, aes_bits, lanes, stages):
        self.expander = KeyExpander(aes_bits=aes_bits, tag=range(KEYS))
        self.gmac = Gmac(config, aes_bits=aes_bits, lanes=lanes, keys=KEYS, entries=ENTRIES,
                         stages=stages, tag=8)
        super().__init__({
            "key": In(stream.Signature(data.StructLayout({"key": aes_bits, "tag": range(KEYS)}))),
            "request": In(self.gmac.request.signature.flip()),
            "row": In(self.gmac.row.signature.flip()),
            "o": Out(self.gmac.o.signature), "loaded": Out(KEYS),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.expander, m.submodules.gmac = expander, gmac = self.expander, self.gmac
        for outer, inner in ((self.key, expander.i), (self.request, gmac.request),
                             (self.row, gmac.row)):
            wiring.connect(m, wiring.flipped(outer), inner)
        wiring.connect(m, gmac.o, wiring.flipped(self.o))
        port = gmac.round_key
        m.d.comb += [
            self.loaded.eq(gmac.loaded), port.valid.eq(expander.o.valid),
            port.key.eq(expander.o.payload.tag), port.round.eq(expander.o.payload.round),
            port.value.eq(expander.o.payload.value),
        ]
        return m


@functools.cache
def built(name):
    bench = Bench(*BENCHES[name])
    return bench.gmac, NativeComponent(bench)


class Item:
    """A line or a node of random content, what its MAC must be, and how it enters."""

    def __init__(self, rng, keys):
        self.key = rng.randrange(KEYS)
        self.counter = rng.choice([0, 1, rng.getrandbits(52), (1 << 52) - 1])
        self.index = rng.choice([0, rng.getrandbits(40), (1 << 40) - 1])
        self.content, self.tag = rng.randbytes(64), rng.randrange(256)
        self.node = rng.random() < 0.5
        self.kind = rng.randrange(KIND_LEAF, 16) if self.node else KIND_LINE
        if self.node:
            self.bits = 64
            self.mac = metadata_mac(keys[self.key], self.kind, self.counter, self.index,
                                    self.content[:56])
        else:
            self.bits = 56
            self.mac = line_tag(keys[self.key], self.index, self.counter, self.content)

    def request(self, entry):
        return {"request_valid": 1, "request_entry": entry, "request_key": self.key,
                "request_kind": self.kind, "request_counter": self.counter,
                "request_index": self.index}

    def rows(self, entry, lanes, order=None):
        """Return the stimuli of its rows."""
        size, count = 16 * lanes, 4 // lanes
        order = order or list(range(count))
        return [{
            "row_valid": 1, "row_row": row, "row_key": self.key, "row_entry": entry,
            "row_node": self.node, "row_first": place == 0, "row_last": place == count - 1,
            "row_tag": self.tag,
            "row_data": int.from_bytes(self.content[row * size:][:size], "little"),
        } for place, row in enumerate(order)]


class Driver:
    """One cycle at a time, with what the unit answered in it."""

    def __init__(self, name, seed):
        print(f"seed {seed}")
        self.gmac, self.native = built(name)
        _, self.aes_bits, self.lanes, _ = BENCHES[name]
        self.rng = random.Random(seed)
        self.keys = [None] * KEYS
        for key in range(KEYS):
            self.load(key)

    def load(self, key):
        self.keys[key] = self.rng.randbytes(self.aes_bits // 8)
        assert self.native.step({"key_valid": 1, "key_tag": key, "key_key":
                                 int.from_bytes(self.keys[key], "little")})["key_ready"]
        self.native.step({})  # the first round key
        waiting = [{}] * (ROUNDS[self.aes_bits] + self.gmac.load_cycles)
        loaded = [output["loaded"] >> key & 1 for output in self.native.run(waiting)]
        assert loaded == [0] * (len(waiting) - 1) + [1]

    def item(self):
        return Item(self.rng, self.keys)

    def spaced(self, rows):
        """Put so many idle cycles between rows that none has to wait."""
        idle = [{}] * (self.gmac.row_interval - 1)
        return [stimulus for row in rows for stimulus in (row, *idle)][:-len(idle) or None]

    def send(self, rows):
        """Send rows; each must be taken at once."""
        for stimulus in self.spaced(rows):
            assert self.native.step(stimulus)["row_ready"] or not stimulus

    @staticmethod
    def matches(output, item, entry):
        assert output["o_valid"]
        seen = output["o_mac"] & (1 << item.bits) - 1
        assert (seen, output["o_entry"], output["o_tag"]) == (item.mac, entry, item.tag)


@pytest.mark.parametrize("name", ALL)
def test_a_mac_whose_pad_is_there_comes_on_time(name):
    driver = Driver(name, 38)
    for _ in range(50):
        item, entry = driver.item(), driver.rng.randrange(ENTRIES)
        assert driver.native.step(item.request(entry))["request_ready"]
        assert not driver.native.step({}, driver.gmac.pad_latency)["o_valid"]
        driver.send(item.rows(entry, driver.lanes))
        assert not driver.native.step({}, driver.gmac.latency - 1)["o_valid"]
        driver.matches(driver.native.step({}), item, entry)
        assert not driver.native.step({})["o_valid"]


@pytest.mark.parametrize("name", ALL)
def test_a_mac_that_waits_for_its_pad_comes_on_time(name):
    driver = Driver(name, 39)
    for _ in range(50):
        item, entry = driver.item(), driver.rng.randrange(ENTRIES)
        driver.send(item.rows(entry, driver.lanes))
        assert not driver.native.step({}, driver.gmac.latency + 3)["o_valid"]
        assert driver.native.step(item.request(entry))["request_ready"]
        assert not driver.native.step({}, driver.gmac.pad_latency - 1)["o_valid"]
        driver.matches(driver.native.step({}), item, entry)
        assert not driver.native.step({})["o_valid"]


@pytest.mark.parametrize("name", ALL)
def test_pad_and_hash_may_meet_in_any_cycle(name):
    """The request is moved against the rows, cycle by cycle, through the moment of coincidence."""
    driver = Driver(name, 40)
    for distance in range(-driver.gmac.pad_latency - 6, driver.gmac.latency + 6):
        item = driver.item()
        rows = driver.spaced(item.rows(5, driver.lanes))
        stimuli = [{} for _ in range(80 + 2 * len(rows))]
        for cycle, row in enumerate(rows):
            stimuli[30 + cycle].update(row)
        asked, last = 30 + distance, 30 + len(rows) - 1
        stimuli[asked].update(item.request(5))
        out = [(cycle, output) for cycle, output in enumerate(driver.native.run(stimuli))
               if output["o_valid"]]
        assert len(out) == 1, distance
        cycle, output = out[0]
        driver.matches(output, item, 5)
        assert cycle == max(asked + driver.gmac.pad_latency, last + driver.gmac.latency), distance


@pytest.mark.parametrize("name", ALL)
def test_items_of_all_keys_in_any_order_all_come_out_once(name):
    """Requests and rows at random, rows of several items mixed, entries used again at once."""
    driver = Driver(name, 41)
    rng, rows, parallel = driver.rng, 4 // driver.lanes, driver.gmac.row_interval == 1
    open_items, requests, pieces = {}, [], {}
    started = finished = late = 0
    taken = driver.gmac.interval
    wanted = 600
    for cycle in range(60 * wanted * driver.gmac.row_interval):
        # In turns, the requests go ahead of the rows and lag behind them.
        ahead = cycle // (200 * driver.gmac.row_interval) % 2
        asking = 0.9 if ahead else 0.2 / taken * rows
        moving = min(0.8, 0.6 * taken / driver.gmac.pad_interval) if ahead else 0.8
        free = [entry for entry in range(ENTRIES) if entry not in open_items]
        if free and started < wanted and rng.random() < 0.7:
            entry, item = rng.choice(free), driver.item()
            open_items[entry] = item
            requests.append(entry)
            pieces[entry] = item.rows(
                entry, driver.lanes, rng.sample(range(rows), rows) if parallel else None)
            started += 1
        stimulus, request, piece = {}, None, None
        if requests and rng.random() < asking:
            request = rng.choice(requests)
            stimulus |= open_items[request].request(request)
        if pieces and rng.random() < moving:
            piece = rng.choice(list(pieces))
            stimulus |= pieces[piece][0]
        output = driver.native.step(stimulus)
        if request is not None and output["request_ready"]:
            requests.remove(request)
            late += request not in pieces
        if piece is not None and output["row_ready"]:
            pieces[piece].pop(0)
            if not pieces[piece]:
                del pieces[piece]
        if output["o_valid"]:
            entry = output["o_entry"]
            assert entry not in pieces and entry not in requests
            driver.matches(output, open_items.pop(entry), entry)
            finished += 1
            if finished == wanted:
                break
    assert finished == wanted
    assert wanted // 20 < late < wanted - wanted // 20
    assert not driver.native.step({}, 60)["o_valid"]


@pytest.mark.parametrize("name", ALL)
def test_rows_are_taken_in_every_cycle(name):
    """Lines back to back: the pads are asked for as fast as the cipher can, the rows follow."""
    driver = Driver(name, 42)
    rows = driver.gmac.interval
    period = max(rows, driver.gmac.pad_interval)
    assert driver.gmac.row_interval > 1 or rows == 4 // driver.lanes
    per_entry, count = driver.gmac.pad_latency + rows + driver.gmac.latency, 100
    assert per_entry <= ENTRIES * period, "too few entries for the full rate"
    items = [driver.item() for _ in range(count)]
    stimuli = [{} for _ in range(count * period + per_entry + 10)]
    expected = {}
    for number, item in enumerate(items):
        start = number * period
        stimuli[start].update(item.request(number % ENTRIES))
        sent = driver.spaced(item.rows(number % ENTRIES, driver.lanes))
        for cycle, row in enumerate(sent):
            stimuli[start + driver.gmac.pad_latency + cycle].update(row)
        end = start + driver.gmac.pad_latency + len(sent) - 1 + driver.gmac.latency
        expected[end] = (item, number % ENTRIES)
    for cycle, (stimulus, output) in enumerate(zip(stimuli, driver.native.run(stimuli),
                                                   strict=True)):
        assert output["row_ready"] or "row_valid" not in stimulus, cycle
        assert output["request_ready"] or "request_valid" not in stimulus, cycle
        assert output["o_valid"] == (cycle in expected), cycle
        if cycle in expected:
            driver.matches(output, *expected[cycle])


def test_late_macs_are_let_out_between_lines_of_one_row():
    """Four lanes: items finish in every cycle; those that wait for a pad must not starve."""
    driver = Driver("4lanes-pipelined-aes128", 43)
    items = {entry: driver.item() for entry in range(ENTRIES)}
    late = ENTRIES - 1
    row, = items[late].rows(late, 4)
    assert driver.native.step(row)["row_ready"]
    for entry in range(late):
        driver.native.step(items[entry].request(entry))
    driver.native.step({}, driver.gmac.pad_latency)
    driver.native.step(items[late].request(late))
    driver.native.step({}, driver.gmac.pad_latency - driver.gmac.latency - 2)
    seen, entry = {}, 0
    for _ in range(ENTRIES + 20):
        output = driver.native.step(items[entry].rows(entry, 4)[0] if entry < late else {})
        entry += entry < late and output["row_ready"]
        if output["o_valid"]:
            driver.matches(output, items[output["o_entry"]], output["o_entry"])
            seen[output["o_entry"]] = True
    assert set(seen) == set(range(ENTRIES))
    assert list(seen)[-1] != late  # it came out before the last of those that followed it


@pytest.mark.parametrize("name", ALL)
def test_a_key_may_be_replaced_while_others_are_used(name):
    driver = Driver(name, 44)
    for turn in range(6):
        driver.load(turn % KEYS)  # also asserts that `loaded` falls and rises on time
        for entry in range(ENTRIES):
            item = driver.item()
            assert driver.native.step(item.request(entry))["request_ready"]
            driver.native.step({}, driver.gmac.pad_latency)
            driver.send(item.rows(entry, driver.lanes))
            driver.matches(driver.native.step({}, driver.gmac.latency), item, entry)


@pytest.mark.parametrize("name", ALL)
def test_latency_and_throughput_are_those_of_the_class(name):
    config, aes_bits, lanes, stages = BENCHES[name]
    gmac, _ = built(name)
    rounds = ROUNDS[aes_bits]
    cipher = rounds * config.registers_per_round if config.pipelined else rounds + 1
    row = 1 if stages else 16 * lanes + 1
    assert gmac.row_interval == row
    registered = stages == 3
    assert gmac.latency == (stages + 2 + registered if stages else 16 * (lanes + 1) + 1)
    assert gmac.interval == 4 // lanes * row + (0 if stages else 16)
    assert gmac.pad_latency == cipher + 1 + registered
    assert gmac.pad_interval == (1 if config.pipelined else cipher)
    assert gmac.load_cycles == cipher + 1 + ((4 + 2) * (128 // 8 + 1) + 2 if stages else 1)
