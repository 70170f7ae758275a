# amaranth: UnusedElaboratable=no
"""GHASH: every NIST GCM vector without plaintext, and items in any order at full rate."""

import functools
import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.cipher import Direction, create_cipher
from casemate.aes.key_schedule import KeyExpander
from casemate.config import CipherConfig
from casemate.modes.gf128 import Multiplier
from casemate.modes.ghash import Ghash
from casemate_sim.component import NativeComponent
from casemate_sim.vectors import nist_file, read_vectors


class GcmBench(wiring.Component):
    """What GCM without plaintext needs: a cipher, its key expansion, a hash of up to 16 blocks.

    The result of a block with tag 1 is the hash's subkey.
    """

    def __init__(self, aes_bits):
        self.expander = KeyExpander(aes_bits=aes_bits, tag=0)
        self.cipher = create_cipher(CipherConfig(pipelined=False), aes_bits=aes_bits,
                                    direction=Direction.ENCRYPT, keys=1, tag=1)
        self.hash = Ghash(lanes=1, blocks=16, keys=1, entries=1, stages=1, tag=0, digit_bits=16)
        super().__init__({
            "key": In(self.expander.i.signature.flip()),
            "block": In(self.cipher.i.signature.flip()), "result": Out(self.cipher.o.signature),
            "row": In(self.hash.i.signature.flip()), "hashed": Out(self.hash.o.signature),
            "loaded": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.expander, m.submodules.cipher = expander, cipher = self.expander, self.cipher
        m.submodules.hash = hashing = self.hash
        for outer, inner in ((self.key, expander.i), (self.block, cipher.i),
                             (self.row, hashing.i)):
            wiring.connect(m, wiring.flipped(outer), inner)
        wiring.connect(m, cipher.o, wiring.flipped(self.result))
        wiring.connect(m, hashing.o, wiring.flipped(self.hashed))
        m.d.comb += [
            cipher.round_key.valid.eq(expander.o.valid),
            cipher.round_key.round.eq(expander.o.payload.round),
            cipher.round_key.value.eq(expander.o.payload.value),
            hashing.subkey.valid.eq(cipher.o.valid & cipher.o.payload.tag),
            hashing.subkey.payload.value.eq(cipher.o.payload.block),
            self.loaded.eq(hashing.loaded),
        ]
        return m


class Gcm:
    """Drives the bench through SP 800-38D algorithms 1 (H), 4 (J0) and 12 (the tag)."""

    def __init__(self, aes_bits):
        self.bench = GcmBench(aes_bits)
        self.native = NativeComponent(self.bench)
        self.rounds = {128: 10, 256: 14}[aes_bits]

    def key(self, key):
        self.native.step({"key_valid": 1, "key_key": int.from_bytes(key, "little")})
        self.native.step({}, self.rounds + 1)
        self.encrypt(bytes(16), subkey=1)
        assert not self.native.step({})["loaded"]
        assert self.native.step({}, self.bench.hash.load_cycles - 1)["loaded"]

    def encrypt(self, block, *, subkey=0):
        assert self.native.step({"block_valid": 1, "block_tag": subkey, "block_block":
                                 int.from_bytes(block, "little")})["block_ready"]
        output = self.native.step({}, self.bench.cipher.latency)
        assert output["result_valid"]
        return output["result_block"].to_bytes(16, "little")

    def hash(self, message):
        assert len(message) % 16 == 0
        first = 16 - len(message) // 16  # zero blocks in front are left out
        for row in range(first, 16):
            at = 16 * (row - first)
            self.native.step({"row_valid": 1, "row_row": row, "row_first": row == first,
                              "row_last": row == 15,
                              "row_data": int.from_bytes(message[at:at + 16], "little")})
        output = self.native.step({}, self.bench.hash.latency)
        assert output["hashed_valid"]
        return output["hashed_hash"].to_bytes(16, "little")

    def tag(self, iv, authenticated):
        if len(iv) == 12:
            counter = iv + b"\0\0\0\1"
        else:
            counter = self.hash(iv + bytes(-len(iv) % 16) + (8 * len(iv)).to_bytes(16))
        hashed = self.hash(authenticated + bytes(-len(authenticated) % 16)
                           + (8 * len(authenticated)).to_bytes(8) + bytes(8))
        pad = self.encrypt(counter)
        return bytes(a ^ b for a, b in zip(hashed, pad, strict=True))


@pytest.mark.parametrize("bits", [128, 256])
def test_every_nist_vector_of_gcm_without_plaintext_comes_out_right(
        bits, record_property, capsys):
    gcm = Gcm(bits)
    counts = {"right": 0, "wrong on purpose": 0, "hashed IV": 0, "with plaintext": 0}
    key = None
    for name in (f"gcmEncryptExtIV{bits}", f"gcmDecrypt{bits}"):
        for vector in read_vectors(nist_file(f"GCM/{name}.rsp")):
            if vector.section["PTlen"] != "0":
                counts["with plaintext"] += 1
                continue
            if vector.data("Key") != key:
                key = vector.data("Key")
                gcm.key(key)
            wanted = vector.data("Tag")
            seen = gcm.tag(vector.data("IV"), vector.data("AAD"))[:len(wanted)]
            fails = "FAIL" in vector.values
            assert (seen == wanted) is not fails, (name, vector)
            counts["wrong on purpose" if fails else "right"] += 1
            counts["hashed IV"] += vector.section["IVlen"] != "96"
    run = counts["right"] + counts["wrong on purpose"]
    assert (run, counts["hashed IV"], counts["with plaintext"]) == (3150, 2100, 12600)
    with capsys.disabled():
        print(f"\nNIST AES-{bits} GCM: all {run} vectors without plaintext run, of them "
              f"{counts['wrong on purpose']} with a wrong tag (seen), {counts['hashed IV']} with "
              f"an IV that is hashed; {counts['with plaintext']} with plaintext are no GMAC")
    record_property("vectors", run)


def times(a, b):
    """Multiply blocks: SP 800-38D algorithm 1, big-endian numbers as the standard prints them."""
    total, v = 0, b
    for bit in reversed(range(128)):
        if a >> bit & 1:
            total ^= v
        v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    return total


def ghash(subkey, message):
    y, h = 0, int.from_bytes(subkey)
    for at in range(0, len(message), 16):
        y = times(y ^ int.from_bytes(message[at:at + 16]), h)
    return y.to_bytes(16)


KEYS, ENTRIES = 3, 4
SUFFIXES = (bytes(6) + b"\x02" + bytes(9), bytes(range(16)))
SHAPES = {
    # name: lanes, blocks, stages, suffixes, bits per digit
    "1lane-1stage": (1, 4, 1, SUFFIXES, 8),
    "2lanes-2stages": (2, 8, 2, (), 1),
    "4lanes-3stages": (4, 4, 3, SUFFIXES[:1], 16),
}


@functools.cache
def built(name):
    lanes, blocks, stages, suffixes, digit_bits = SHAPES[name]
    component = Ghash(lanes=lanes, blocks=blocks, keys=KEYS, entries=ENTRIES, stages=stages,
                      tag=8, suffixes=suffixes, digit_bits=digit_bits)
    return component, NativeComponent(component)


class Schedule:
    """A stimulus with exact timing, and the hash that must come out in each cycle."""

    def __init__(self, name, rng):
        self.component, self.native = built(name)
        self.lanes, self.blocks, _, self.suffixes, _ = SHAPES[name]
        self.rows = self.blocks // self.lanes
        self.rng = rng
        self.subkeys = [rng.randbytes(16) for _ in range(KEYS)]
        self.stimuli, self.expected = [], {}

    def load(self, key):
        for cycle in range(self.component.load_cycles):
            self.stimuli.append({"subkey_valid": cycle == 0, "subkey_key": key,
                                 "subkey_value": int.from_bytes(self.subkeys[key], "little")})

    def items(self, number, keys):
        """Rows of items of all entries at full rate, mixed, each item's rows in any order."""
        waiting = {}
        tag = 0
        while number or waiting:
            if (number and len(waiting) < ENTRIES and self.rng.random() < 0.5) or not waiting:
                entry = self.rng.choice([e for e in range(ENTRIES) if e not in waiting])
                key, message = self.rng.choice(keys), self.rng.randbytes(16 * self.blocks)
                waiting[entry] = (key, message, self.rng.sample(range(self.rows), self.rows))
                number -= 1
            entry = self.rng.choice(list(waiting))
            key, message, order = waiting[entry]
            row, part = order.pop(), 16 * self.lanes
            first, last = len(order) == self.rows - 1, not order
            suffix = self.rng.randrange(len(self.suffixes)) if self.suffixes else 0
            tag = (tag + 1) % 256
            cycle = len(self.stimuli)
            self.stimuli.append({
                "i_valid": 1, "i_row": row, "i_key": key, "i_entry": entry, "i_first": first,
                "i_last": last, "i_suffix": suffix, "i_tag": tag,
                "i_data": int.from_bytes(message[row * part:][:part], "little")})
            if last:
                ending = self.suffixes[suffix] if self.suffixes else b""
                self.expected[cycle + self.component.latency] = (
                    ghash(self.subkeys[key], message + ending), entry, tag)
                del waiting[entry]

    def check(self):
        self.stimuli += [{}] * 8
        outputs = self.native.run(self.stimuli)
        for cycle, output in enumerate(outputs):
            seen = ((output["o_hash"].to_bytes(16, "little"), output["o_entry"], output["o_tag"])
                    if output["o_valid"] else None)
            assert seen == self.expected.get(cycle), cycle
        return outputs


@pytest.mark.parametrize("name", SHAPES)
def test_mixed_items_in_any_order_at_full_rate(name):
    seed = 38
    schedule = Schedule(name, random.Random(seed))
    print(f"seed {seed}")
    for key in range(KEYS):
        schedule.load(key)
    schedule.items(200, range(KEYS))
    schedule.check()


@pytest.mark.parametrize("name", SHAPES)
def test_a_key_is_loaded_on_time_and_delays_no_other_key(name):
    schedule = Schedule(name, random.Random(39))
    for key in range(KEYS):
        schedule.load(key)
    start = len(schedule.stimuli)
    schedule.items(120, [0, 2])
    load = schedule.component.load_cycles
    schedule.stimuli += [{}] * (start + load + 2 - len(schedule.stimuli))
    schedule.subkeys[1] = schedule.rng.randbytes(16)
    schedule.stimuli[start] = schedule.stimuli[start] | {
        "subkey_valid": 1, "subkey_key": 1,
        "subkey_value": int.from_bytes(schedule.subkeys[1], "little")}
    first_use = len(schedule.stimuli)
    schedule.items(5, [1])
    outputs = schedule.check()
    loaded = [output["loaded"] for output in outputs]
    assert loaded[start] == 0b111
    assert loaded[start + 1:start + load] == [0b101] * (load - 1)
    assert loaded[start + load] == 0b111
    assert first_use >= start + load
    ready = [output["subkey_ready"] for output in outputs[start:start + load + 1]]
    assert ready == [1, *[0] * (load - 1), 1]


@pytest.mark.parametrize("name", SHAPES)
def test_latency_and_throughput_are_those_of_the_class(name):
    lanes, blocks, stages, suffixes, digit_bits = SHAPES[name]
    component, _ = built(name)
    assert component.latency == stages + 2
    assert component.interval == blocks // lanes
    products = blocks - 1 + (len(suffixes) + 1 if suffixes else 0)
    assert component.load_cycles == products * (128 // digit_bits + 1) + 2


def test_impossible_parameters_are_refused():
    good = {"lanes": 2, "blocks": 4, "keys": 1, "entries": 1, "stages": 1, "tag": 0}
    for change, message in (({"blocks": 6}, "blocks must be 2 times a power of two, not 6"),
                            ({"blocks": 1}, "blocks must be 2 times a power of two, not 1"),
                            ({"digit_bits": 3}, "digit_bits must be 1, 2, 4, 8 or 16, not 3")):
        with pytest.raises(ValueError, match=message):
            Ghash(**good | change)
    with pytest.raises(ValueError, match="stages must be"):
        Multiplier(stages=0, tag=0)
