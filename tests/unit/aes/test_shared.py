"""One core for several users: each gets its own results under its own keys, and its turn."""

import functools
import random

import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In
from casemate.aes.key_schedule import KeyExpander
from casemate.aes.shared import SharedCipher
from casemate.aes.signature import CipherPort
from casemate.config import CipherConfig, SBox
from casemate_sim.component import NativeComponent
from Crypto.Cipher import AES

USERS = {"rows": CipherPort(2, 0), "tweaks": CipherPort(1, 7),
         "pads": CipherPort(3, data.StructLayout({"entry": 4, "subkey": 1}))}
TAG_BITS = {"rows": 0, "tweaks": 7, "pads": 5}
CORES = {
    "iterative": CipherConfig(pipelined=False, sbox=SBox.BLOCK_RAM),
    "pipelined": CipherConfig(),
    "deep": CipherConfig(registers_per_round=2, sbox=SBox.BLOCK_RAM),
}
KEYS = [(user, key) for user, port in USERS.items() for key in range(port.keys)]


class Bench(wiring.Component):
    """The core and an expansion of its keys, which are numbered as in ``KEYS``."""

    def __init__(self, config):
        self.shared = SharedCipher(config, aes_bits=128, users=USERS)
        super().__init__({
            "key": In(stream.Signature(data.StructLayout({"key": 128, "tag": range(len(KEYS))}))),
            **{f"{user}_{name}": In(port.members[name].signature)
               for user, port in USERS.items() for name in "io"},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.shared = shared = self.shared
        m.submodules.expander = expander = KeyExpander(aes_bits=128, tag=range(len(KEYS)))
        wiring.connect(m, wiring.flipped(self.key), expander.i)
        for user in USERS:
            port = getattr(shared, user)
            wiring.connect(m, wiring.flipped(getattr(self, f"{user}_i")), port.i)
            wiring.connect(m, port.o, wiring.flipped(getattr(self, f"{user}_o")))
        out = expander.o.payload
        for number, (user, key) in enumerate(KEYS):
            write = getattr(shared, user).round_key
            with m.If(expander.o.valid & (out.tag == number)):
                m.d.comb += [write.valid.eq(1), write.key.eq(key), write.round.eq(out.round),
                             write.value.eq(out.value)]
        return m


@functools.cache
def built(name):
    bench = Bench(CORES[name])
    return NativeComponent(bench, optimise="-O0"), bench.shared.latency


@pytest.fixture(params=CORES)
def core(request):
    return request.param


@pytest.fixture
def shared(core, seed):
    """The core with keys of all users, and these keys."""
    (native, _), rng, keys = built(core), random.Random(seed), {}
    native.restart()
    for number, name in enumerate(KEYS):
        keys[name] = rng.randbytes(16)
        stimulus = {"key_valid": 1, "key_tag": number,
                    "key_key": int.from_bytes(keys[name], "little")}
        while not native.step(stimulus)["key_ready"]:
            pass
    for _ in range(20):
        native.step({})
    return native, rng, keys


def run(native, rng, keys, cycles, wanted):
    """Let users ask, as `wanted` says in each cycle; return who was served, in order."""
    offered, expected, served = {}, {user: [] for user in USERS}, []
    for _ in range(cycles):
        for user in USERS:
            if user not in offered and wanted(user):
                offered[user] = (rng.randbytes(16), rng.randrange(USERS[user].keys),
                                 rng.getrandbits(TAG_BITS[user]) if TAG_BITS[user] else 0)
        stimulus = {}
        for user, (block, key, tag) in offered.items():
            stimulus |= {f"{user}_i_valid": 1, f"{user}_i_key": key,
                         f"{user}_i_block": int.from_bytes(block, "little")}
            if user == "tweaks":
                stimulus["tweaks_i_tag"] = tag
            elif user == "pads":
                stimulus |= {"pads_i_tag_entry": tag & 15, "pads_i_tag_subkey": tag >> 4}
        seen = native.step(stimulus)
        for user in USERS:
            if user in offered and seen[f"{user}_i_ready"]:
                block, key, tag = offered.pop(user)
                result = AES.new(keys[user, key], AES.MODE_ECB).encrypt(block)
                expected[user].append((result, tag))
                served.append(user)
            if seen[f"{user}_o_valid"]:
                result, tag = expected[user].pop(0)
                assert seen[f"{user}_o_block"].to_bytes(16, "little") == result
                if user == "tweaks":
                    assert seen["tweaks_o_tag"] == tag
                elif user == "pads":
                    assert seen["pads_o_tag_entry"] | seen["pads_o_tag_subkey"] << 4 == tag
    return served


def test_each_user_gets_its_own_blocks_under_its_own_keys(shared):
    native, rng, keys = shared
    served = run(native, rng, keys, 6000, lambda user: rng.random() < 0.02)
    assert set(served) == set(USERS) and len(served) > 150


@pytest.mark.parametrize("user", USERS)
def test_whoever_is_alone_waits_no_longer_than_the_class_says(core, shared, user):
    native, *_ = shared
    assert native.step({f"{user}_i_valid": 1})[f"{user}_i_ready"]
    _, latency = built(core)
    seen = [native.step({})[f"{user}_o_valid"] for _ in range(2 * latency)]
    assert seen.index(1) + 1 == latency and sum(seen) == 1


def test_users_who_all_want_the_core_take_turns(core, shared):
    native, rng, keys = shared
    served = run(native, rng, keys, 1000, lambda user: True)
    if CORES[core].pipelined:
        assert len(served) == 1000  # one in every cycle
    else:
        assert len(served) > 40
    assert all(set(served[at:at + 3]) == set(USERS) for at in range(len(served) - 3))
