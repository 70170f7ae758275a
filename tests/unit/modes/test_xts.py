"""Every whole-block XTS vector of NIST and the examples of IEEE 1619 through the RTL.

The hardware works on lines of four blocks. A shorter unit is the first blocks of a line: XTS has no
chaining between blocks, so what follows is of no importance. Tweaks are encrypted by the RTL too.
"""

import functools
import itertools
import random

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.cipher import Direction, create_cipher
from casemate.aes.key_schedule import KeyExpander
from casemate.config import CipherConfig, SBox
from casemate.modes.xts import XtsCipher
from casemate_sim.component import NativeComponent
from casemate_sim.model.crypto import xts_decrypt, xts_encrypt
from casemate_sim.vectors import nist_file, read_vectors

SLOTS, ENTRIES = 4, 8
ROUNDS = {128: 10, 256: 14}
SIDES = {"encrypt": Direction.ENCRYPT, "decrypt": Direction.DECRYPT}
PIPELINED, ITERATIVE, BOTH = CipherConfig(), CipherConfig(pipelined=False), tuple(SIDES)
BENCHES = {
    # name: cipher, AES bits, lanes, directions
    "1lane-aes128": (PIPELINED, 128, 1, BOTH),
    "1lane-aes256-iterative": (ITERATIVE, 256, 1, BOTH),
    "2lanes-aes128-decrypt": (PIPELINED, 128, 2, ("decrypt",)),
    "4lanes-aes128-iterative-encrypt": (ITERATIVE, 128, 4, ("encrypt",)),
    "1lane-aes256": (PIPELINED, 256, 1, BOTH),
    "1lane-aes128-iterative": (ITERATIVE, 128, 1, BOTH),
    "4lanes-aes128-encrypt": (PIPELINED, 128, 4, ("encrypt",)),
    "1lane-aes128-ecp5": (CipherConfig(registers_per_round=2, sbox=SBox.BLOCK_RAM), 128, 1, BOTH),
    "2lanes-aes128": (PIPELINED, 128, 2, BOTH),
    "4lanes-aes128": (PIPELINED, 128, 4, BOTH),
    "2lanes-aes256": (PIPELINED, 256, 2, BOTH),
    "4lanes-aes256": (PIPELINED, 256, 4, BOTH),
}
QUICK = {"1lane-aes128", "1lane-aes256-iterative", "2lanes-aes128-decrypt",
         "4lanes-aes128-iterative-encrypt"}


class Bench(wiring.Component):
    """XTS, an iterative tweak cipher, and the expansion of K1 (tag even) and K2 (odd)."""

    def __init__(self, config, aes_bits, lanes, sides):
        self.expander = KeyExpander(aes_bits=aes_bits, tag=range(2 * SLOTS))
        self.tweaks = create_cipher(
            CipherConfig(pipelined=False), aes_bits=aes_bits, direction=Direction.ENCRYPT,
            keys=SLOTS, tag=range(ENTRIES))
        self.sides = {
            name: XtsCipher(config, aes_bits=aes_bits, direction=SIDES[name], lanes=lanes,
                            keys=SLOTS, entries=ENTRIES, tag=12)
            for name in sides
        }
        super().__init__({
            "key": In(stream.Signature(
                data.StructLayout({"key": aes_bits, "tag": range(2 * SLOTS)}))),
            "tweak": In(self.tweaks.i.signature.flip()),
        } | {f"{name}_i": In(side.i.signature.flip()) for name, side in self.sides.items()}
          | {f"{name}_o": Out(side.o.signature) for name, side in self.sides.items()})

    def elaborate(self, platform):
        m = Module()
        m.submodules.expander = expander = self.expander
        m.submodules.tweaks = tweaks = self.tweaks
        wiring.connect(m, wiring.flipped(self.key), expander.i)
        wiring.connect(m, wiring.flipped(self.tweak), tweaks.i)
        round_keys = [(tweaks.round_key, 1)]
        for name, side in self.sides.items():
            m.submodules[name] = side
            wiring.connect(m, wiring.flipped(getattr(self, f"{name}_i")), side.i)
            wiring.connect(m, side.o, wiring.flipped(getattr(self, f"{name}_o")))
            round_keys.append((side.round_key, 0))
            m.d.comb += [side.tweak.valid.eq(tweaks.o.valid),
                         side.tweak.entry.eq(tweaks.o.payload.tag),
                         side.tweak.value.eq(tweaks.o.payload.block)]
        expanded = expander.o.payload
        for port, kind in round_keys:
            m.d.comb += [
                port.valid.eq(expander.o.valid & (expanded.tag[0] == kind)),
                port.key.eq(expanded.tag >> 1), port.round.eq(expanded.round),
                port.value.eq(expanded.value)]
        return m


class Driver:
    """Lines in, lines out, each row in exactly the cycle in which it must come."""

    def __init__(self, config, aes_bits, lanes, sides):
        self.bench = Bench(config, aes_bits, lanes, sides)
        self.native = NativeComponent(self.bench)
        self.config, self.sides = config, sides
        self.aes_bits, self.lanes, self.row_bytes = aes_bits, lanes, 16 * lanes
        self.entries, self.slots = itertools.cycle(range(ENTRIES)), itertools.cycle(range(SLOTS))
        self.clear()

    def clear(self):
        self.stimuli, self.accepted, self.expected = [], [], {}

    def at(self, cycle):
        while len(self.stimuli) <= cycle:
            self.stimuli.append({})
        return self.stimuli[cycle]

    def keys(self, slot, *keys):
        """Load K1 and K2 of a slot."""
        for kind, key in enumerate(keys):
            self.accepted.append((len(self.stimuli), "key"))
            self.at(len(self.stimuli)).update(
                key_valid=1, key_key=int.from_bytes(key, "little"), key_tag=2 * slot + kind)
            self.at(len(self.stimuli) + ROUNDS[self.aes_bits])

    def tweak(self, cycle, slot, entry, tweak):
        """Encrypt a tweak; return the first cycle in which its rows may enter."""
        self.accepted.append((cycle, "tweak"))
        self.at(cycle).update(tweak_valid=1, tweak_block=int.from_bytes(tweak, "little"),
                              tweak_key=slot, tweak_tag=entry)
        return cycle + self.bench.tweaks.latency + 1

    def line(self, cycle, side, slot, entry, line, result, name):
        """Send a line's rows; `result` may be shorter. Return the next cycle with room."""
        component = self.bench.sides[side]
        for row in range(64 // self.row_bytes):
            part = slice(row * self.row_bytes, (row + 1) * self.row_bytes)
            tag = cycle & 0xFFF
            self.accepted.append((cycle, f"{side}_i"))
            self.at(cycle).update({
                f"{side}_i_valid": 1, f"{side}_i_data": int.from_bytes(line[part], "little"),
                f"{side}_i_row": row, f"{side}_i_entry": entry, f"{side}_i_tag": tag,
                f"{side}_i_key": slot})
            self.expected[side, cycle + component.latency] = (row, entry, tag, result[part], name)
            cycle += component.interval
        return cycle

    def vector(self, key1, key2, tweak, plain, stored, name):
        """One unit under fresh keys, in all directions of the bench at once."""
        slot, entry = next(self.slots), next(self.entries)
        self.keys(slot, key1, key2)
        start = self.tweak(len(self.stimuli), slot, entry, tweak)
        both = {"encrypt": (plain, stored), "decrypt": (stored, plain)}
        for side in self.sides:
            given, result = both[side]
            self.line(start, side, slot, entry, given.ljust(64, b"\xa5"), result, name)

    def check(self):
        self.at(len(self.stimuli) + 64)
        outputs = self.native.run(self.stimuli)
        for cycle, port in self.accepted:
            ready = outputs[cycle].get(f"{port}_ready")
            assert ready, f"{port} is not ready in cycle {cycle}"
        for cycle, output in enumerate(outputs):
            for side in self.sides:
                wanted = self.expected.get((side, cycle))
                assert output[f"{side}_o_valid"] == (wanted is not None), (side, cycle, wanted)
                if wanted is None:
                    continue
                row, entry, tag, part, name = wanted
                assert (output[f"{side}_o_row"], output[f"{side}_o_entry"],
                        output[f"{side}_o_tag"]) == (row, entry, tag), (side, cycle, name)
                seen = output[f"{side}_o_data"].to_bytes(self.row_bytes, "little")
                assert seen[:len(part)] == part, (side, cycle, name, row)
        self.clear()


@functools.cache
def driver_of(name):
    return Driver(*BENCHES[name])


@pytest.fixture(params=[pytest.param(name, marks=[] if name in QUICK else pytest.mark.verify)
                        for name in BENCHES])
def driver(request):
    return driver_of(request.param)


@pytest.mark.parametrize("tweaks", ["tweak-128hexstr", "tweak-dataunitseqno"])
def test_every_whole_block_vector_of_nist_comes_out_right_and_on_time(
        driver, tweaks, record_property, capsys):
    run = stealing = 0
    for vector in read_vectors(nist_file(f"XTS/{tweaks}/XTSGenAES{driver.aes_bits}.rsp")):
        if int(vector.values["DataUnitLen"]) % 128:
            stealing += 1  # ciphertext stealing: no line has a partial block
            continue
        keys, plain, stored = (vector.data(name) for name in ("Key", "PT", "CT"))
        assert len(plain) == len(stored) <= 64, "a unit that is longer than a line"
        half = len(keys) // 2
        tweak = (vector.data("i") if "i" in vector.values
                 else int(vector.values["DataUnitSeqNumber"]).to_bytes(16, "little"))
        driver.vector(keys[:half], keys[half:], tweak, plain, stored, vector.values["COUNT"])
        run += 1
    driver.check()
    assert (run, stealing) == (600, 400)
    with capsys.disabled():
        print(f"\nNIST XTSGenAES{driver.aes_bits} {tweaks}: {run} vectors of whole blocks: "
              f"{' and '.join(driver.sides)}; {stealing} of ciphertext stealing are out of scope")
    record_property("vectors", run)


COUNTING = bytes(range(64))
IEEE_1619 = {
    # Annex B: key 1, key 2, data unit sequence number, plaintext, ciphertext.
    1: ("00" * 16, "00" * 16, 0, b"\0" * 32,
        "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e"),
    2: ("11" * 16, "22" * 16, 0x3333333333, b"\x44" * 32,
        "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"),
    3: ("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0", "22" * 16, 0x3333333333, b"\x44" * 32,
        "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89"),
    # Of the units of 512 bytes the first line.
    4: ("27182818284590452353602874713526", "31415926535897932384626433832795", 0, COUNTING,
        "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c"
        "c78cf7f5e543445f8333d8fa7f56000005279fa5d8b5e4ad40e736ddb4d35412"),
    10: ("2718281828459045235360287471352662497757247093699959574966967627",
         "3141592653589793238462643383279502884197169399375105820974944592", 0xFF, COUNTING,
         "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"
         "5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd"),
}


def test_the_examples_of_ieee_1619_come_out_in_both_directions(driver):
    run = 0
    for number, (key1, key2, sequence, plain, stored) in IEEE_1619.items():
        if len(key1) == driver.aes_bits // 4:
            driver.vector(bytes.fromhex(key1), bytes.fromhex(key2), sequence.to_bytes(16, "little"),
                          plain, bytes.fromhex(stored), f"IEEE 1619 vector {number}")
            run += 1
    driver.check()
    assert run == {128: 4, 256: 1}[driver.aes_bits]


def test_lines_of_all_slots_follow_each_other_at_full_rate(driver):
    """A row in every cycle (or interval) and direction, tweaks meanwhile, against the model."""
    seed = 1619
    rng = random.Random(seed)
    keys = [(rng.randbytes(driver.aes_bits // 8), rng.randbytes(driver.aes_bits // 8))
            for _ in range(SLOTS)]
    for slot, pair in enumerate(keys):
        driver.keys(slot, *pair)
    lines = []
    cycle = len(driver.stimuli)
    for number in range(ENTRIES):
        slot, tweak = rng.randrange(SLOTS), rng.randbytes(16)
        start = driver.tweak(cycle, slot, number, tweak)
        lines.append((slot, number, tweak))
        cycle += driver.bench.tweaks.interval
    oracles = {"encrypt": xts_encrypt, "decrypt": xts_decrypt}
    free = dict.fromkeys(driver.sides, max(start, cycle))
    for _ in range(100):
        for side in driver.sides:
            slot, entry, tweak = rng.choice(lines)
            line = rng.randbytes(64)
            result = oracles[side](*keys[slot], np.frombuffer(tweak, np.uint8).reshape(1, 16),
                                   np.frombuffer(line, np.uint8).reshape(1, 64)).tobytes()
            free[side] = driver.line(free[side], side, slot, entry, line, result, f"seed {seed}")
    driver.check()


def test_latency_and_throughput_are_those_of_the_class(driver):
    rounds, config = ROUNDS[driver.aes_bits], driver.config
    for side in driver.bench.sides.values():
        if config.pipelined:
            assert side.interval == 1
            assert side.latency == rounds * config.registers_per_round + 1
        else:
            assert (side.interval, side.latency) == (rounds + 1, rounds + 2)
