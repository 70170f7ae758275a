"""Every NIST vector of AES-ECB through the constructions of the ciphers, cycle by cycle.

A few constructions cover every choice; all combinations are the campaign marked ``verify``.
"""

import functools
import itertools
import random

import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.cipher import Direction, create_cipher
from casemate.aes.key_schedule import KeyExpander
from casemate.config import CipherConfig, SBox
from casemate_sim.component import NativeComponent
from casemate_sim.vectors import nist_file, read_vectors
from Crypto.Cipher import AES

KEYS = 4
ROUNDS = {128: 10, 256: 14}
VARIANTS = {
    f"{kind}-{sbox.value}-{rounds}rounds-{registers}registers":
        CipherConfig(pipelined=kind == "pipelined", sbox=sbox, rounds_per_stage=rounds,
                     registers_per_round=registers)
    for kind, sbox, (rounds, registers) in itertools.product(
        ("pipelined", "iterative"), SBox, ((1, 1), (2, 1), (1, 2)))
    if not (sbox is SBox.BLOCK_RAM and rounds == 2) and not (kind == "iterative" and registers == 2)
} | {f"ring-{sbox.value}-{units}units": CipherConfig(pipelined=False, units=units, sbox=sbox)
     for sbox, units in itertools.product((SBox.TABLE, SBox.LOGIC), (2, 3, 4, 5))}
QUICK = {
    ("pipelined-table-1rounds-1registers", 128),
    ("pipelined-block_ram-1rounds-2registers", 128),
    ("iterative-table-1rounds-1registers", 128),
    ("iterative-block_ram-1rounds-1registers", 256),
    ("iterative-logic-2rounds-1registers", 256),
    ("ring-table-3units", 128),
}
SIDES = {"encrypt": Direction.ENCRYPT, "decrypt": Direction.DECRYPT}


class Bench(wiring.Component):
    """Key expansion and a cipher of each direction.

    With ``feedback`` an encrypted or decrypted block enters again in the cycle in which it comes
    out, under the key that the low bits of its tag name.
    """

    def __init__(self, config, aes_bits):
        self.expander = KeyExpander(aes_bits=aes_bits, tag=range(KEYS))
        self.ciphers = {
            name: create_cipher(config, aes_bits=aes_bits, direction=direction, keys=KEYS, tag=16)
            for name, direction in SIDES.items()
        }
        i = data.StructLayout({"block": 128, "key": range(KEYS), "tag": 16})
        o = data.StructLayout({"block": 128, "tag": 16})
        super().__init__({
            "key": In(stream.Signature(data.StructLayout({"key": aes_bits, "tag": range(KEYS)}))),
            "feedback": In(1),
        } | {f"{name}_i": In(stream.Signature(i)) for name in SIDES}
          | {f"{name}_o": Out(stream.Signature(o, always_ready=True)) for name in SIDES})

    def elaborate(self, platform):
        m = Module()
        m.submodules.expander = expander = self.expander
        wiring.connect(m, wiring.flipped(self.key), expander.i)
        for name, cipher in self.ciphers.items():
            m.submodules[name] = cipher
            wiring.connect(m, cipher.o, wiring.flipped(getattr(self, f"{name}_o")))
            i = getattr(self, f"{name}_i")
            m.d.comb += i.ready.eq(cipher.i.ready)
            with m.If(self.feedback):
                m.d.comb += [
                    cipher.i.valid.eq(cipher.o.valid),
                    cipher.i.payload.block.eq(cipher.o.payload.block),
                    cipher.i.payload.key.eq(cipher.o.payload.tag),
                    cipher.i.payload.tag.eq(cipher.o.payload.tag),
                ]
            with m.Else():
                m.d.comb += [cipher.i.valid.eq(i.valid), cipher.i.payload.eq(i.payload)]
            m.d.comb += [
                cipher.round_key.valid.eq(expander.o.valid),
                cipher.round_key.key.eq(expander.o.payload.tag),
                cipher.round_key.round.eq(expander.o.payload.round),
                cipher.round_key.value.eq(expander.o.payload.value),
            ]
        return m


class Driver:
    """Builds a stimulus with exact timing, and says what must come out in which cycle."""

    def __init__(self, config, aes_bits):
        self.bench = Bench(config, aes_bits)
        self.native = NativeComponent(self.bench)
        self.aes_bits = aes_bits
        self.slots = itertools.cycle(range(KEYS))
        # In a ring, only multiples of the interval are sure to find it ready.
        self.step = self.bench.ciphers["encrypt"].interval if config.units > 1 else 1
        self.clear()

    def clear(self):
        self.stimuli, self.expected, self.accepted, self.names = [], {}, [], {}

    def load(self, key, slot):
        """Expand a key: one cycle for the transfer, one for each round key, then its storage."""
        self.accepted.append((len(self.stimuli), "key"))
        self.stimuli.append({"key_valid": 1, "key_key": key, "key_tag": slot})
        stored = max(cipher.key_latency for cipher in self.bench.ciphers.values())
        self.stimuli += [{}] * (ROUNDS[self.aes_bits] + stored)

    def block(self, side, slot, block, result, name):
        """Send a block, then wait until the next may be sent."""
        cycle = len(self.stimuli)
        tag = len(self.expected) & 0xFFFF
        self.accepted.append((cycle, f"{side}_i"))
        self.stimuli.append({f"{side}_i_valid": 1, f"{side}_i_block": block,
                             f"{side}_i_key": slot, f"{side}_i_tag": tag})
        cipher = self.bench.ciphers[side]
        self.expected[side, cycle + cipher.latency] = (result, tag)
        self.names[side, cycle + cipher.latency] = name
        self.stimuli += [{}] * (cipher.interval - 1)

    def vector(self, side, key, blocks, name):
        slot = next(self.slots)
        self.load(key, slot)
        for block, result in blocks:
            self.block(side, slot, block, result, name)

    def check(self):
        """Run, and compare every cycle: what comes out, when, and that everything was accepted."""
        self.stimuli += [{}] * 40
        outputs = self.native.run(self.stimuli)
        for cycle, port in self.accepted:
            assert outputs[cycle][f"{port}_ready"], f"{port} is not ready in cycle {cycle}"
        for cycle, output in enumerate(outputs):
            for side in SIDES:
                wanted = self.expected.get((side, cycle))
                seen = ((output[f"{side}_o_block"], output[f"{side}_o_tag"])
                        if output[f"{side}_o_valid"] else None)
                assert seen == wanted, (
                    f"{side}, cycle {cycle}, {self.names.get((side, cycle))}: got {seen}")
        self.clear()


def blocks_of(data):
    return [int.from_bytes(data[at:at + 16], "little") for at in range(0, len(data), 16)]


@functools.cache
def driver_of(name, bits):
    return Driver(VARIANTS[name], bits)


@pytest.fixture(params=[
    pytest.param((name, bits), id=f"{name}-aes{bits}",
                 marks=[] if (name, bits) in QUICK else pytest.mark.verify)
    for name in VARIANTS for bits in ROUNDS])
def driver(request):
    return driver_of(*request.param)


def test_every_nist_ecb_vector_comes_out_right_and_on_time(driver, record_property, capsys):
    counts = {}
    for kind in ("GFSbox", "KeySbox", "VarKey", "VarTxt", "MMT"):
        vectors = read_vectors(nist_file(f"ECB/ECB{kind}{driver.aes_bits}.rsp"))
        assert vectors
        for vector in vectors:
            side, = (name.lower() for name in vector.section)
            plain, cipher = (blocks_of(vector.data(name)) for name in ("PLAINTEXT", "CIPHERTEXT"))
            pairs = zip(plain, cipher, strict=True)
            if side == "decrypt":
                pairs = zip(cipher, plain, strict=True)
            driver.vector(side, vector.number("KEY"), pairs, f"{kind} {vector.values['COUNT']}")
            counts[kind, side] = counts.get((kind, side), 0) + 1
    driver.check()
    with capsys.disabled():
        print(f"\nNIST AES-{driver.aes_bits} ECB: {sum(counts.values())} vectors, none skipped")
    record_property("vectors", sum(counts.values()))


def test_the_examples_of_fips_197_come_out_in_both_directions(driver):
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    key = bytes(range(driver.aes_bits // 8))
    cipher = bytes.fromhex({128: "69c4e0d86a7b0430d8cdb78070b4c55a",
                            256: "8ea2b7ca516745bfeafc49904b496089"}[driver.aes_bits])
    (a,), (b,) = blocks_of(plain), blocks_of(cipher)
    number = int.from_bytes(key, "little")
    driver.vector("encrypt", number, [(a, b)], "FIPS 197 C")
    driver.vector("decrypt", number, [(b, a)], "FIPS 197 C")
    driver.check()


def test_blocks_of_different_keys_follow_each_other_at_full_rate(driver):
    seed = 197
    print(f"seed {seed}")
    rng = random.Random(seed)
    oracles = []
    for slot in range(KEYS):
        key = rng.randbytes(driver.aes_bits // 8)
        oracles.append(AES.new(key, AES.MODE_ECB))
        driver.load(int.from_bytes(key, "little"), slot)
    for _ in range(300):
        slot, side = rng.randrange(KEYS), rng.choice(list(SIDES))
        block = rng.randbytes(16)
        result = getattr(oracles[slot], side)(block)
        driver.block(side, slot, *blocks_of(block), *blocks_of(result), f"seed {seed}")
        if rng.random() < 0.2:
            driver.stimuli += [{}] * (driver.step * rng.randrange(5))
    driver.check()


def test_a_block_that_waits_all_the_time_gets_in_at_the_promised_rate(driver):
    key, block, cycles = 5, 7, 240
    driver.load(key, 0)
    start = len(driver.stimuli)
    outputs = driver.native.run(
        driver.stimuli + [{"encrypt_i_valid": 1, "encrypt_i_block": block}] * cycles + [{}] * 40)
    driver.clear()
    cipher = driver.bench.ciphers["encrypt"]
    taken = [cycle for cycle in range(start, start + cycles) if outputs[cycle]["encrypt_i_ready"]]
    given = [cycle for cycle, output in enumerate(outputs) if output["encrypt_o_valid"]]
    assert given == [cycle + cipher.latency for cycle in taken]
    assert len(taken) >= cycles // cipher.interval
    result = AES.new(key.to_bytes(driver.aes_bits // 8, "little"), AES.MODE_ECB).encrypt(
        block.to_bytes(16, "little"))
    assert {outputs[cycle]["encrypt_o_block"] for cycle in given} == set(blocks_of(result))


@pytest.mark.parametrize(("name", "bits"), [
    ("iterative-table-1rounds-1registers", 128), ("iterative-block_ram-1rounds-1registers", 256),
    *(pytest.param("pipelined-table-1rounds-1registers", bits, marks=pytest.mark.verify)
      for bits in ROUNDS)])
def test_the_monte_carlo_procedure_of_nist_agrees_with_the_library(
        name, bits, record_property, capsys):
    """AESAVS section 6.4.1: 100 turns of 1000 blocks, each the result of the one before.

    Both directions run at once, natively; after each turn the key is changed by the last results.
    NIST's own files of this procedure are in none of the packages that we use, so the first key and
    block are drawn, and every turn must end as pycryptodome's does.
    """
    driver = driver_of(name, bits)
    native, latency = driver.native, driver.bench.ciphers["encrypt"].latency
    seed = 641
    print(f"seed {seed}")
    rng = random.Random(seed)
    state = {side: [rng.randbytes(bits // 8), rng.randbytes(16)] for side in SIDES}
    for turn in range(100):
        first = {}
        for slot, (side, (key, block)) in enumerate(state.items()):
            native.step({"key_valid": 1, "key_key": int.from_bytes(key, "little"),
                         "key_tag": slot})
            native.step({}, ROUNDS[bits] + 1)
            first |= {f"{side}_i_valid": 1, f"{side}_i_block": int.from_bytes(block, "little"),
                      f"{side}_i_key": slot, f"{side}_i_tag": slot}
        native.step(first)
        before = native.step({"feedback": 1}, 999 * latency)
        native.step({"feedback": 1}, latency - 1)
        last = native.step({})
        for side, (key, block) in state.items():
            results = [output[f"{side}_o_block"].to_bytes(16, "little")
                       for output in (before, last)]
            assert last[f"{side}_o_valid"], (turn, side)
            oracle = getattr(AES.new(key, AES.MODE_ECB), side)
            for _ in range(1000):
                block = oracle(block)
            assert results[1] == block, (turn, side)
            change = b"".join(results)[-len(key):]
            state[side] = [bytes(a ^ b for a, b in zip(key, change, strict=True)), block]
    with capsys.disabled():
        print(f"\nNIST AES-{bits} ECB Monte Carlo: 2 chains of 100 x 1000 blocks")
    record_property("vectors", 200)
