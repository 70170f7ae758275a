"""The life of domains, with the ciphers played by Python."""

import random

import pytest
from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In
from casemate.key_manager.kdf import KdfSignature
from casemate.key_manager.layouts import KeyState
from manager_bench import CONFIG, DOMAINS, ManagerBench

SLOTS = CONFIG.domain_slots


@pytest.fixture(scope="module")
def built():
    return {bits: ManagerBench(CONFIG.replace(aes_bits=bits)) for bits in (128, 256)}


@pytest.fixture(params=[128, 256])
def bench(built, request):
    built[request.param].restart()
    return built[request.param]


@pytest.fixture
def ready(bench):
    bench.boot()
    return bench


def test_the_boot_derives_the_engines_key_and_takes_few_cycles(bench):
    cycles = bench.boot()
    assert bench.key("node", 0) == bench.engine_key()
    assert cycles < (260 if bench.config.aes_bits == 128 else 420)
    assert not any(rounds for (port, _), rounds in bench.keys.items() if port != "node")


def test_each_boot_has_other_keys(bench):
    seen = set()
    for nonce in (bytes(16), b"\1" + bytes(15), bytes(15) + b"\1"):
        bench.restart()
        bench.boot(nonce=nonce)
        assert bench.command("CREATE", 5)[0] == "DONE"
        slot, _ = bench.access(5)
        assert bench.holds(slot, 5, 0)
        seen |= {bench.key("data", slot), bench.key("tag", slot), bench.key("node", 0)}
    assert len(seen) == 9


def test_before_the_boot_nothing_is_done_and_accesses_wait(bench):
    assert bench.command("CREATE", 5)[0] == "BOOTING"
    bench.inputs |= {"read_domain": 5, "read_valid": 1}
    for _ in range(100):
        assert bench.step()["read_wait"]
    assert bench.step()["state"] == KeyState.BOOTING.value


def test_a_domain_gets_its_keys_with_its_first_access_and_a_hit_does_not_wait(ready):
    created, shown, _ = ready.command("CREATE", 5, (1, 0))
    result, out, _ = ready.command("QUERY", 5)
    assert created == "DONE" and all(
        shown[name] == out[name] for name in out if name.startswith("outcome_entry"))
    assert (result, out["outcome_entry_created"], out["outcome_entry_encrypt"],
            out["outcome_entry_authenticate"], out["outcome_resident"],
            out["outcome_entry_generation"]) == ("DONE", 1, 1, 0, 0, 0)
    slot, waited = ready.access(5)
    assert ready.holds(slot, 5, 0)
    assert 0 < waited <= 400
    for channel in ("read", "write"):
        assert ready.access(5, channel) == (slot, 0)
    assert ready.command("QUERY", 5)[1]["outcome_resident"] == 1


@pytest.mark.parametrize("channel", ["read", "write"])
def test_unknown_domains_are_refused_each_time(ready, channel):
    for domain in (7, 7, DOMAINS + 1, 4095):
        slot, waited = ready.access(domain, channel)
        assert slot is None
        assert 0 < waited < 10
    ready.command("CREATE", 7)
    assert ready.access(7, channel)[0] is not None


def test_commands_that_make_no_sense_change_nothing(ready):
    assert ready.command("QUERY", 9)[0] == "UNKNOWN"
    assert ready.command("REKEY", 9)[0] == "UNKNOWN"
    assert ready.command("DESTROY", 9)[0] == "UNKNOWN"
    assert ready.command("CREATE", DOMAINS)[0] == "REFUSED"
    assert ready.command("CREATE", 0, (1, 1))[0] == "REFUSED"
    assert ready.command("CREATE", 0, (1, 0))[0] == "DONE"
    assert ready.command("CREATE", 9)[0] == "DONE"
    assert ready.command("CREATE", 9, (0, 0))[0] == "EXISTS"
    out = ready.command("QUERY", 9)[1]
    assert (out["outcome_entry_encrypt"], out["outcome_entry_authenticate"]) == (1, 1)


def test_rekeying_waits_for_what_is_in_flight_and_holds_new_bursts(ready):
    ready.command("CREATE", 5)
    slot, _ = ready.access(5)
    ready.inputs |= {"in_use": 1 << slot, "command_command": 1, "command_domain": 5,
                     "command_valid": 1}
    for _ in range(300):
        assert not ready.step()["command_ready"]
    assert ready.holds(slot, 5, 0)
    ready.inputs |= {"read_domain": 5, "read_valid": 1}
    assert ready.step()["read_wait"]
    ready.inputs |= {"in_use": 0}
    assert ready.until(lambda out: out["command_ready"]) < 60
    ready.inputs |= {"command_valid": 0}
    assert ready.erased(slot)
    again, _ = ready.access(5)
    assert ready.holds(again, 5, 1)
    assert ready.command("QUERY", 5)[1]["outcome_entry_generation"] == 1


def test_a_destroyed_domain_is_erased_at_once_and_its_keys_never_come_back(ready):
    ready.command("CREATE", 5)
    slot, _ = ready.access(5)
    ready.inputs |= {"in_use": 1 << slot}
    result, _, cycles = ready.command("DESTROY", 5)
    assert result == "DONE"
    assert cycles <= 100
    assert ready.erased(slot)
    # What is in flight is dropped, and the slot is nobody's until it has drained.
    assert ready.step()["lock"] == 1 << slot
    assert ready.access(5)[0] is None
    for domain in range(10, 10 + SLOTS):
        ready.command("CREATE", domain)
        assert ready.access(domain)[0] != slot
    ready.inputs |= {"in_use": 0}
    ready.step()
    assert ready.step()["lock"] == 0
    assert ready.command("CREATE", 5)[0] == "DONE"
    again, _ = ready.access(5)
    assert ready.holds(again, 5, 1)


@pytest.mark.parametrize("moment", [*range(0, 60, 3), *range(60, 300, 20)])
def test_a_destruction_interrupts_a_miss_at_any_moment(built, moment):
    bench = built[128]
    bench.restart()
    bench.boot()
    for domain in (5, 6):
        bench.command("CREATE", domain)
    slot, _ = bench.access(5)
    bench.inputs |= {"write_domain": 6, "write_valid": 1}
    for _ in range(moment):
        bench.step()
    result, _, cycles = bench.command("DESTROY", 5)
    assert (result, bench.erased(slot)) == ("DONE", True)
    assert cycles <= 100
    other, _ = bench.access(6, "write")
    assert bench.holds(other, 6, 0)
    # The missing domain itself may be the one that is destroyed.
    bench.command("CREATE", 7)
    bench.inputs |= {"write_domain": 7, "write_valid": 1}
    for _ in range(moment):
        bench.step()
    assert bench.command("DESTROY", 7)[0] == "DONE"
    bench.access(7, "write")
    for index in range(SLOTS):
        held = bench.keys["data", index]
        assert index == other or not any(held.values())


def test_a_locked_slot_is_erased_and_stays_with_its_domain(ready):
    ready.command("CREATE", 5)
    slot, _ = ready.access(5)
    ready.inputs |= {"locked": 1 << slot}
    ready.until(lambda out: out["idle"])
    assert ready.erased(slot)
    assert ready.access(5) == (slot, 0)  # the data path refuses it
    assert ready.command("REKEY", 5)[0] == "LOCKED"
    for domain in range(10, 10 + 2 * SLOTS):
        ready.command("CREATE", domain)
        assert ready.access(domain)[0] not in (slot, None)
    assert ready.erased(slot)
    ready.inputs |= {"locked": (1 << SLOTS) - 1}
    ready.until(lambda out: out["idle"])
    assert all(ready.erased(each) for each in range(SLOTS))
    ready.command("CREATE", 30)
    assert ready.access(30)[0] is None  # no slot is left


@pytest.mark.parametrize("cause", ["tamper", "lock_all"])
@pytest.mark.parametrize("moment", [0, 3, 20, 100, 200, 350, 500])
def test_all_keys_go_when_the_case_is_opened_or_the_engine_locked(bench, cause, moment):
    bench.inputs |= {"root_key": 5, "root_key_valid": 1, "entropy": 1, "entropy_valid": 1}
    for _ in range(moment):
        out = bench.step()
    if moment and out["state"] == KeyState.READY.value:
        bench.command("CREATE", 5)
        bench.access(5)
    bench.inputs |= {cause: 1}
    bench.step()
    bench.inputs |= {cause: 0}
    assert bench.step()["state"] == KeyState.ERASED.value
    assert bench.alerts == (cause == "tamper")
    bench.until(lambda out: out["idle"])
    assert all(bench.erased(slot) for slot in range(SLOTS))
    assert not any(bench.keys["node", 0].values())
    assert bench.command("CREATE", 6)[0] == "LOCKED"
    assert bench.access(5)[1] == 0  # not held up: the data path refuses it, or there is no slot
    out = bench.step()
    assert not out["root_key_ready"]
    assert out["lock"] == (1 << SLOTS) - 1


class Slots:
    """Which slot each domain has, and when it was last used."""

    def __init__(self):
        self.domains, self.uses, self.now = [None] * SLOTS, [0] * SLOTS, 0

    def place(self, domain, in_use):
        if domain in self.domains:
            slot = self.domains.index(domain)
        else:
            idle = [s for s in range(SLOTS) if not in_use >> s & 1]
            empty = [s for s in idle if self.domains[s] is None]
            slot = min(empty or idle, key=lambda s: self.uses[s])
        self.domains[slot] = domain
        self.now += 1
        self.uses[slot] = self.now
        return slot


def test_random_traffic_finds_the_keys_that_a_model_expects(built, seed):
    bench, rng = built[128], random.Random(seed)
    bench.restart()
    bench.boot(rng.randbytes(32), rng.randbytes(16))
    generations, live, slots = {}, {}, Slots()
    counts = dict.fromkeys(("hit", "miss", "refused", "destroyed", "rekeyed"), 0)
    for _ in range(1500):
        domain = rng.randrange(1, 9)
        action = rng.random()
        if action < 0.9:
            bench.inputs |= {"in_use": 0}
            # One slot at most stays idle in the worst case.
            in_use = rng.choice((0, 0, rng.getrandbits(SLOTS) & ~(1 << rng.randrange(SLOTS))))
            resident = domain in slots.domains
            if not resident:
                bench.inputs |= {"in_use": in_use}
            slot, waited = bench.access(domain, rng.choice(("read", "write")))
            if domain not in live:
                assert slot is None
                counts["refused"] += 1
                continue
            expected = slots.place(domain, in_use)
            assert (waited == 0) == resident
            if resident:
                assert slot == expected
            else:
                slots.domains[expected] = None if slot != expected else domain
                assert slot == expected
            assert bench.holds(slot, domain, generations[domain])
            counts["hit" if resident else "miss"] += 1
            continue
        bench.inputs |= {"in_use": 0}
        if domain not in live:
            assert bench.command("CREATE", domain)[0] == "DONE"
            generations.setdefault(domain, 0)
            live[domain] = True
            continue
        command = rng.choice(("DESTROY", "REKEY"))
        assert bench.command(command, domain)[0] == "DONE"
        generations[domain] += 1
        if domain in slots.domains:
            slots.domains[slots.domains.index(domain)] = None
        if command == "DESTROY":
            del live[domain]
        counts["destroyed" if command == "DESTROY" else "rekeyed"] += 1
    assert all(count > 20 for count in counts.values()), counts


def full(bench):
    """A domain in every slot; return the slots in the order of their last use."""
    slots = []
    for domain in range(1, SLOTS + 1):
        bench.command("CREATE", domain)
        slots.append(bench.access(domain)[0])
    bench.command("CREATE", 20)
    return slots


def test_when_all_slots_are_in_use_the_one_used_least_recently_is_drained(ready):
    slots = full(ready)
    ready.inputs |= {"in_use": (1 << SLOTS) - 1, "read_domain": 20, "read_valid": 1}
    for _ in range(100):
        assert ready.step()["read_wait"]
    # Its domain is held up, the others are not.
    for domain in range(1, SLOTS + 1):
        ready.inputs |= {"write_domain": domain, "write_valid": 1}
        assert ready.step()["write_wait"] == (domain == 1)
    ready.inputs |= {"write_valid": 0, "in_use": (1 << SLOTS) - 1 & ~(1 << slots[0])}
    assert ready.until(lambda out: not out["read_wait"]) <= 400
    assert ready.holds(slots[0], 20, 0)


def test_a_slot_that_becomes_idle_first_is_taken_instead(ready):
    slots = full(ready)
    ready.inputs |= {"in_use": (1 << SLOTS) - 1, "read_domain": 20, "read_valid": 1}
    for _ in range(50):
        ready.step()
    ready.inputs |= {"in_use": (1 << SLOTS) - 1 & ~(1 << slots[2])}
    ready.until(lambda out: not out["read_wait"])
    assert ready.holds(slots[2], 20, 0)
    ready.inputs |= {"read_valid": 0}
    assert ready.access(1, "write") == (slots[0], 0)  # it has its slot again


class SameKey(wiring.Component):
    """A derivation that always gives one key."""

    def __init__(self):
        super().__init__({
            "root_key": In(stream.Signature(256)), "nonce": In(stream.Signature(128)),
            "user": In(KdfSignature(CONFIG.aes_bits))})

    def elaborate(self, platform):
        m = Module()
        user, held = self.user, Signal()
        m.d.comb += [
            self.root_key.ready.eq(1), self.nonce.ready.eq(1), user.ready.eq(1),
            user.idle.eq(~held), user.request.ready.eq(~held), user.key.valid.eq(held),
            user.key.payload.eq(0x1234567890ABCDEF << 64)]
        m.d.sync += held.eq(Mux(held, ~user.key.ready, user.request.valid))
        return m


def test_equal_keys_for_data_and_tweaks_are_refused_with_an_alert():
    bench = ManagerBench(kdf=SameKey())
    bench.boot()
    bench.command("CREATE", 5)
    bench.inputs |= {"read_domain": 5, "read_valid": 1}
    bench.until(lambda out: out["alert"], 300)
    assert not any(bench.keys["tweak", slot] for slot in range(SLOTS))  # it was never loaded
    bench.until(lambda out: out["idle"])
    assert bench.alerts == 1
    assert bench.step()["state"] == KeyState.ERASED.value
    assert all(bench.erased(slot) for slot in range(SLOTS))


def test_a_generation_is_never_used_twice(ready):
    # As many generations as 32 bits have cannot be tried: what is counted must be seen to grow.
    ready.command("CREATE", 5)
    keys = set()
    for generation in range(1, 20):
        command = ("REKEY", "DESTROY")[generation % 3 == 0]
        assert ready.command(command, 5)[0] == "DONE"
        if command == "DESTROY":
            ready.command("CREATE", 5)
        assert ready.command("QUERY", 5)[1]["outcome_entry_generation"] == generation
        slot, _ = ready.access(5)
        assert ready.holds(slot, 5, generation)
        keys.add(ready.key("data", slot))
    assert len(keys) == 19
