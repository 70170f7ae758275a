"""One GMAC for three users: each gets what is its own, and none waits for ever."""

import functools
import random

import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.key_schedule import KeyExpander
from casemate.engine.shared_gmac import SharedGmac
from casemate_sim.component import NativeComponent
from casemate_sim.model.tags import KIND_LEAF, KIND_LINE, line_tag, metadata_mac
from core_bench import CONFIGURATIONS

CONFIG = CONFIGURATIONS["shared"]
USERS = ("check", "seal", "node")
SLOTS = CONFIG.domain_slots
ROWS = CONFIG.rows_per_line


class Bench(wiring.Component):
    """The unit and an expansion of its keys; key ``SLOTS`` is K4."""

    def __init__(self):
        self.unit = SharedGmac(CONFIG)
        super().__init__({
            "key": In(stream.Signature(data.StructLayout({"key": 128, "tag": range(SLOTS + 1)}))),
            "loaded": Out(SLOTS), "node_loaded": Out(1), "crowded": Out(1),
            **{user: In(getattr(self.unit, user).signature.flip()) for user in USERS},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self.unit
        m.submodules.expander = expander = KeyExpander(aes_bits=128, tag=range(SLOTS + 1))
        wiring.connect(m, wiring.flipped(self.key), expander.i)
        for user in USERS:
            wiring.connect(m, wiring.flipped(getattr(self, user)), getattr(unit, user))
        out = expander.o.payload
        for port, own in ((unit.tag_key, out.tag != SLOTS), (unit.node_key, out.tag == SLOTS)):
            m.d.comb += [port.valid.eq(expander.o.valid & own), port.round.eq(out.round),
                         port.value.eq(out.value)]
        m.d.comb += [unit.tag_key.key.eq(out.tag), self.loaded.eq(unit.loaded),
                     self.node_loaded.eq(unit.node_loaded), self.crowded.eq(unit.crowded)]
        return m


@functools.cache
def built():
    return NativeComponent(Bench())


@pytest.fixture
def unit():
    native = built()
    native.restart()
    return native


def row(user, place, entry=0, content=bytes(64), key=0):
    """Return the stimulus of a row."""
    first = place * CONFIG.row_bytes
    return {
        f"{user}_row_valid": 1, f"{user}_row_entry": entry, f"{user}_row_row": place,
        f"{user}_row_first": place == 0, f"{user}_row_last": place == ROWS - 1,
        f"{user}_row_node": user == "node", f"{user}_row_key": key,
        f"{user}_row_data": int.from_bytes(content[first:first + CONFIG.row_bytes], "little"),
    }


def test_each_user_gets_the_mac_of_its_own_item(unit, seed):
    """The same number of an entry, key and counter for all three, at the same time."""
    rng = random.Random(seed)
    keys = [rng.randbytes(16) for _ in range(SLOTS + 1)]
    for number, key in enumerate(keys):
        unit.step({"key_valid": 1, "key_tag": number, "key_key": int.from_bytes(key, "little")})
        while not unit.step({})["key_ready"]:
            pass
    while True:
        output = unit.step({})
        if output["loaded"] == (1 << SLOTS) - 1 and output["node_loaded"]:
            break
    for turn in range(30):
        slot, entry = rng.randrange(SLOTS), rng.randrange(2)
        counter, index = rng.getrandbits(52), rng.getrandbits(40)
        contents = {user: rng.randbytes(64) for user in USERS}
        expected = {user: line_tag(keys[slot], index, counter, contents[user])
                    for user in ("check", "seal")}
        expected["node"] = metadata_mac(keys[SLOTS], KIND_LEAF, counter, index,
                                        contents["node"][:56])
        asking = {user: {
            f"{user}_request_valid": 1, f"{user}_request_entry": entry,
            f"{user}_request_key": 0 if user == "node" else slot,
            f"{user}_request_kind": KIND_LEAF if user == "node" else KIND_LINE,
            f"{user}_request_counter": counter, f"{user}_request_index": index}
            for user in USERS}
        rows = {user: [row(user, place, entry, contents[user], 0 if user == "node" else slot)
                       for place in range(ROWS)] for user in USERS}
        made = {}
        for _ in range(200):
            stimulus = {}
            for user in USERS:
                stimulus |= asking.get(user, {})
                stimulus |= rows[user][0] if rows[user] else {}
            output = unit.step(stimulus)
            for user in USERS:
                if user in asking and output[f"{user}_request_ready"]:
                    del asking[user]
                if rows[user] and output[f"{user}_row_ready"]:
                    rows[user].pop(0)
                if output[f"{user}_o_valid"]:
                    assert user not in made
                    assert output[f"{user}_o_entry"] == entry
                    bits = 64 if user == "node" else 56
                    made[user] = output[f"{user}_o_mac"] & (1 << bits) - 1
        assert made == expected, turn


@pytest.mark.parametrize("user", ["check", "node"])
def test_a_row_that_waits_for_one_to_be_sealed_says_so(unit, user):
    """The engine then sends no further line, until the row got through."""
    assert not unit.step({})["crowded"]
    waiting = row(user, 0)
    for place in range(ROWS):
        output = unit.step(row("seal", place) | waiting)
        assert output["seal_row_ready"]
        assert not output[f"{user}_row_ready"]
        assert output["crowded"] == (place > 0)
    output = unit.step(waiting)
    assert output["crowded"]
    assert output[f"{user}_row_ready"]
    assert not unit.step({})["crowded"]


def test_pads_are_made_in_turn(unit):
    """Three that always want one get as many."""
    stimulus = {f"{user}_request_valid": 1 for user in USERS}
    got = []
    for _ in range(300):
        output = unit.step(stimulus)
        ready = [user for user in USERS if output[f"{user}_request_ready"]]
        assert len(ready) <= 1
        got += ready
    assert len(got) > 30
    assert all(set(got[first:first + 3]) == set(USERS) for first in range(len(got) - 3))
