"""The engine with its key manager: boot, misses, commands by the driver, random traffic."""

import random
from dataclasses import replace

import numpy as np
import pytest
from casemate.alert.layouts import LogKind, Policy
from casemate.config import LINE_BYTES
from casemate.key_manager.layouts import KeyResult, KeyState
from casemate_sim.driver import Casemate, CommandError, DriverError
from casemate_sim.model.crypto import xts_decrypt
from casemate_sim.model.keys import derive_domain_keys
from engine_bench import CONFIG, OKAY, SLVERR, EngineBench

ROOT, NONCE = bytes(range(32)), bytes(range(50, 66))


@pytest.fixture(scope="module")
def built():
    return EngineBench()


@pytest.fixture
def bench(built):
    built.restart()
    return built


@pytest.fixture
def engine(bench):
    engine = bench.boot(ROOT, NONCE)
    engine.wait_for_boot()
    return engine


def test_accesses_are_possible_soon_after_reset(bench):
    # An access that comes first waits for the boot.
    number = bench.read(5, 0)
    engine = bench.boot(ROOT, NONCE)
    assert bench.done(number)[0] == SLVERR
    cycles = engine.wait_for_boot()
    assert cycles <= 3000
    print(f"boot: {cycles} cycles")


def test_lines_are_encrypted_under_the_derived_keys(bench, engine):
    engine.create(5, authenticate=False)
    data = bytes(range(64))
    assert bench.done(bench.write(5, 3, data)) == (OKAY, b"")
    keys = derive_domain_keys(ROOT, NONCE, 5, 0, CONFIG.aes_bits)
    stored = np.frombuffer(bench.memory[3 * LINE_BYTES], np.uint8).reshape(1, -1)
    tweak = np.frombuffer((3).to_bytes(16, "little"), np.uint8).reshape(1, -1)
    assert xts_decrypt(keys.K1, keys.K2, tweak, stored).tobytes() == data


def test_more_domains_than_slots_each_read_what_they_wrote(bench, engine):
    lines = {}
    for domain, mode in enumerate([(1, 1), (1, 0), (0, 1), (0, 0)] * 2, 1):
        engine.create(domain, encrypt=bool(mode[0]), authenticate=bool(mode[1]))
        lines[domain] = 8 * domain, bytes([domain]) * LINE_BYTES
    for domain, (line, data) in lines.items():
        assert bench.done(bench.write(domain, line, data))[0] == OKAY
    for domain, (line, data) in lines.items():
        assert bench.done(bench.read(domain, line)) == (OKAY, data)
    assert [engine.query(domain).resident for domain in lines] == [False] * 6 + [True] * 2


def test_a_hit_costs_no_cycle_and_a_miss_at_most_400(bench, engine):
    def cycles(domain):
        start = bench.cycle
        bench.done(bench.read(domain, 8 * domain))
        return bench.cycle - start

    for domain in (1, 2, 3):
        engine.create(domain)
        bench.done(bench.write(domain, 8 * domain, bytes(LINE_BYTES)))
    hit = [cycles(3), cycles(3)]
    assert hit[0] == hit[1]
    for domain in (1, 2, 3):
        miss = cycles(domain) - hit[0]
        assert 0 < miss <= 400
        print(f"slot miss: {miss} cycles")


def test_a_destroyed_domain_is_gone_and_another_of_its_id_reads_nothing(bench, engine):
    engine.set_policy(Policy.REPORT_ONLY)
    engine.create(5)
    assert bench.done(bench.write(5, 0, b"secret.." * 8))[0] == OKAY
    engine.destroy(5)
    assert bench.done(bench.read(5, 0)) == (SLVERR, bytes(LINE_BYTES))
    with pytest.raises(CommandError, match="query of domain 5: unknown"):
        engine.query(5)
    assert engine.create(5).generation == 1
    assert bench.done(bench.read(5, 0)) == (SLVERR, bytes(LINE_BYTES))
    assert [entry.kind for entry in engine.errors()] == [LogKind.LINE]
    assert bench.done(bench.write(5, 0, b"new....." * 8))[0] == OKAY
    assert bench.done(bench.read(5, 0)) == (OKAY, b"new....." * 8)


def test_a_domain_that_is_rekeyed_starts_anew(bench, engine):
    engine.create(5, authenticate=False)
    bench.done(bench.write(5, 0, b"before.." * 8))
    before = bench.memory[0]
    assert engine.rekey(5).generation == 1
    assert bench.done(bench.read(5, 0))[1] != b"before.." * 8
    bench.done(bench.write(5, 0, b"before.." * 8))
    assert bench.memory[0] != before


GRANULE = 4 * LINE_BYTES


def test_the_supervisor_takes_granules_back_and_their_owner_is_told(bench, engine):
    for domain in (5, 6):
        engine.create(domain)
    for granule, domain in enumerate((5, 5, 6, 5)):
        for line in range(4 * granule, 4 * granule + 4):
            assert bench.done(bench.write(domain, line, bytes([domain]) * LINE_BYTES))[0] == OKAY
    engine.write("interrupt_enable", reclaim_done=1)
    engine.reclaim(GRANULE, 2 * GRANULE)
    assert bench.step()["irq"]
    engine.write("interrupt_state", reclaim_done=1)
    owners = (5, None, None, 5)
    for line in range(16):
        owner = owners[line // 4]
        for domain in (5, 6):
            assert bench.done(bench.read(domain, line)) == (
                (OKAY, bytes([5]) * LINE_BYTES) if domain == owner else
                (SLVERR, bytes(LINE_BYTES)))
    assert {entry.kind for entry in engine.errors()} == {LogKind.ACCESS}
    # Nobody owns them: the next one that claims them finds zeros, and the versions went on.
    assert bench.done(bench.write(5, 8, b"new....." * 8, claim=False))[0] == SLVERR
    assert bench.done(bench.write(5, 8, b"new....." * 8))[0] == OKAY
    assert bench.done(bench.read(5, 8)) == (OKAY, b"new....." * 8)
    assert bench.done(bench.read(5, 9)) == (OKAY, bytes(LINE_BYTES))
    assert bench.done(bench.read(6, 8)) == (SLVERR, bytes(LINE_BYTES))


def test_a_range_beyond_the_memory_is_cut_and_half_a_granule_refused(bench, engine):
    last = CONFIG.lines - 4
    engine.create(5)
    for line in (0, last):
        assert bench.done(bench.write(5, line, bytes([7]) * LINE_BYTES))[0] == OKAY
    engine.reclaim(CONFIG.data_bytes, 4 * GRANULE)
    for line in (0, last):
        assert bench.done(bench.read(5, line)) == (OKAY, bytes([7]) * LINE_BYTES)
    engine.reclaim(last * LINE_BYTES, 1 << 40)
    assert bench.done(bench.read(5, 0)) == (OKAY, bytes([7]) * LINE_BYTES)
    assert bench.done(bench.read(5, last))[0] == SLVERR
    for address, length in ((64, GRANULE), (0, 64), (-GRANULE, GRANULE)):
        with pytest.raises(ValueError, match="no whole granules of 256 bytes"):
            engine.reclaim(address, length)


def test_a_granule_that_does_not_verify_is_not_taken_back(bench, engine):
    engine.set_policy(Policy.REPORT_ONLY)
    engine.create(5)
    for granule in (0, 1):
        bench.done(bench.write(5, 4 * granule, bytes([granule]) * LINE_BYTES))
    engine.invalidate()
    leaf = CONFIG.regions[1].base + LINE_BYTES
    intact, bench.memory[leaf] = bench.memory[leaf], bytes(LINE_BYTES)
    with pytest.raises(DriverError, match="not every granule from 0x0 on"):
        engine.reclaim(0, 2 * GRANULE)
    bench.memory[leaf] = intact
    assert bench.done(bench.read(5, 0))[0] == SLVERR
    assert bench.done(bench.read(5, 4)) == (OKAY, bytes([1]) * LINE_BYTES)
    engine.reclaim(GRANULE, GRANULE)
    assert bench.done(bench.read(5, 4))[0] == SLVERR


def test_an_engine_that_is_locked_takes_nothing_back(bench, engine):
    bench.step({"tamper": 1})
    with pytest.raises(DriverError, match="not every granule"):
        engine.reclaim(0, GRANULE)


def test_a_slot_that_fails_is_locked_for_its_domain_only(bench, engine):
    engine.set_policy(Policy.LOCK_DOMAIN)
    for domain in (5, 6):
        engine.create(domain)
        bench.done(bench.write(domain, 8 * domain, bytes([domain]) * LINE_BYTES))
    bench.memory[40 * LINE_BYTES] = bytes(LINE_BYTES)
    assert bench.done(bench.read(5, 40)) == (SLVERR, bytes(LINE_BYTES))
    assert bin(engine.locked_slots).count("1") == 1
    assert bench.done(bench.read(5, 40)) == (SLVERR, bytes(LINE_BYTES))
    assert bench.done(bench.read(6, 48)) == (OKAY, bytes([6]) * LINE_BYTES)
    engine.create(7)  # has to take the other slot
    assert bench.done(bench.write(7, 56, bytes([7]) * LINE_BYTES))[0] == OKAY
    assert bench.done(bench.read(6, 48)) == (OKAY, bytes([6]) * LINE_BYTES)
    assert engine.status["slot_locked"]


def tampered(bench, engine, policies):
    """Create domains with policies, let each write a line, change all of them in DRAM."""
    for domain, policy in policies.items():
        assert engine.create(domain, policy=policy).policy is policy
        assert bench.done(bench.write(domain, 8 * domain, bytes([domain]) * LINE_BYTES))[0] == OKAY
        bench.memory[8 * domain * LINE_BYTES] = bytes(LINE_BYTES)
    return lambda domain: bench.done(bench.read(domain, 8 * domain)) == (SLVERR, bytes(LINE_BYTES))


def test_a_domain_may_lock_more_than_the_engine(bench, engine):
    engine.set_policy(Policy.REPORT_ONLY)
    refused = tampered(bench, engine, {5: Policy.REPORT_ONLY, 6: Policy.LOCK_DOMAIN})
    assert refused(5) and not engine.locked_slots
    assert refused(6) and bin(engine.locked_slots).count("1") == 1
    assert not engine.status["engine_locked"]
    # The other one goes on; a third one, which locks the engine, has to take its slot.
    assert bench.done(bench.write(5, 41, bytes(LINE_BYTES)))[0] == OKAY
    refused = tampered(bench, engine, {7: Policy.LOCK_ENGINE})
    assert refused(7) and engine.status["engine_locked"]
    assert engine.key_state is KeyState.ERASED


def test_a_domain_may_not_lock_less_than_the_engine(bench, engine):
    engine.set_policy(Policy.LOCK_DOMAIN)
    refused = tampered(bench, engine, {5: Policy.REPORT_ONLY})
    assert refused(5) and engine.status["slot_locked"]


@pytest.mark.parametrize("policy", [Policy.REPORT_ONLY, Policy.LOCK_DOMAIN])
def test_a_leaf_that_fails_locks_the_engine_if_a_domain_in_a_slot_locks(bench, engine, policy):
    engine.set_policy(Policy.REPORT_ONLY)
    for domain in (5, 6):
        engine.create(domain, policy=policy if domain == 5 else Policy.REPORT_ONLY)
        bench.done(bench.write(domain, 8 * domain, bytes(LINE_BYTES)))
    engine.invalidate()
    bench.memory[CONFIG.regions[1].base + 12 * LINE_BYTES] = bytes(LINE_BYTES)
    assert bench.done(bench.read(6, 48)) == (SLVERR, bytes(LINE_BYTES))
    assert engine.status["engine_locked"] == (policy is Policy.LOCK_DOMAIN)


def test_a_policy_without_a_name_is_the_strictest_and_goes_with_its_domain(bench, engine):
    engine.write("domain", domain=5, encrypt=1, authenticate=1, policy=3)
    engine.write("domain_command", create=1)
    assert engine.query(5).policy is Policy.LOCK_ENGINE
    assert engine.rekey(5).policy is Policy.LOCK_ENGINE
    engine.destroy(5)
    assert engine.create(5).policy is Policy.REPORT_ONLY


@pytest.mark.parametrize("cause", ["tamper", "tag"])
def test_an_engine_that_is_locked_has_no_keys_any_more(bench, engine, cause):
    engine.create(5)
    bench.done(bench.write(5, 0, bytes(LINE_BYTES)))
    if cause == "tamper":
        bench.step({"tamper": 1})
        for _ in range(3):  # two flip-flops, and one that remembers
            bench.step()
    else:
        bench.memory[0] = b"\1" * LINE_BYTES
        assert bench.done(bench.read(5, 0)) == (SLVERR, bytes(LINE_BYTES))
    assert engine.key_state is KeyState.ERASED
    assert engine.status["engine_locked"]
    assert engine.status["alert_fatal"] == (cause == "tamper")
    with pytest.raises(CommandError) as error:
        engine.create(6)
    assert error.value.result is KeyResult.LOCKED
    for domain in (5, 6):
        assert bench.done(bench.read(domain, 0)) == (SLVERR, bytes(LINE_BYTES))
        assert bench.done(bench.write(domain, 0, bytes(LINE_BYTES)))[0] == SLVERR


def test_a_destruction_drops_what_is_in_flight_and_takes_at_most_100_cycles(bench, engine):
    engine.create(5)
    engine.create(6)
    for domain in (5, 6):
        for line in range(8):
            bench.done(bench.write(domain, 16 * domain + line, bytes([domain]) * LINE_BYTES))
    bench.latency = 60
    reads = {(domain, line): bench.read(domain, 16 * domain + line, id_=domain)
             for line in range(8) for domain in (5, 6)}
    for _ in range(30):
        bench.step()
    engine.destroy(5)
    for (domain, _), number in reads.items():
        response, data = bench.done(number)
        assert (response, data) in (
            {(OKAY, bytes([domain]) * LINE_BYTES), (SLVERR, bytes(LINE_BYTES))}
            if domain == 5 else {(OKAY, bytes([6]) * LINE_BYTES)})
    assert not list(engine.errors())
    assert engine.status["alert_integrity"] == 0


@pytest.mark.parametrize("moment", [None, 2, 40, 80, 150])
def test_a_destruction_takes_at_most_100_cycles_whatever_goes_on(bench, engine, moment):
    for domain in (5, 6, 7):
        engine.create(domain)
        bench.done(bench.write(domain, 8 * domain, bytes(LINE_BYTES)))
    if moment is not None:  # meanwhile the third domain misses
        bench.read(5, 40, id_=1)
        for _ in range(moment):
            bench.step()
    engine.write("domain", domain=7)
    start = bench.cycle
    engine.write("domain_command", destroy=1)
    while engine.read("domain_command")["destroy"]:
        pass
    print(f"destroy: {bench.cycle - start} cycles")
    assert bench.cycle - start <= 100
    with pytest.raises(CommandError, match="unknown"):
        engine.query(7)


def test_the_driver_knows_its_engine(bench, engine):
    assert engine.version.count(".") == 2
    with pytest.raises(DriverError, match="register digest"):
        Casemate(bench, CONFIG.replace(root_counters=32))
    before = engine.statistics(clear=True)["lines_written"]
    engine.create(5)
    bench.done(bench.write(5, 0, bytes(LINE_BYTES)))
    assert engine.statistics()["lines_written"] == 1
    assert before == 0
    engine.flush()
    engine.invalidate()
    assert bench.done(bench.read(5, 0)) == (OKAY, bytes(LINE_BYTES))
    engine.set_policy(Policy.LOCK_DOMAIN, lock=True)
    with pytest.raises(DriverError, match="policy is locked: lock_domain"):
        engine.set_policy(Policy.REPORT_ONLY)


class Traffic:
    """What live domains last wrote, and what is under way."""

    def __init__(self, bench, rng):
        self.bench, self.rng = bench, rng
        self.modes, self.lines = {}, {}
        self.pending = []  # number, domain, expected data of a read
        self.counts = dict.fromkeys(("read", "write", "refused", "destroyed", "rekeyed"), 0)

    def finish(self):
        for number, domain, expected in self.pending:
            response, data = self.bench.done(number)
            kind = "refused" if domain not in self.modes else "read" if expected else "write"
            self.counts[kind] += 1
            assert response == (SLVERR if kind == "refused" else OKAY)
            assert kind != "read" or data == expected
        self.pending = []

    def request(self):
        rng, domain = self.rng, self.rng.randrange(1, 7)
        line = 4 * domain + rng.randrange(4)
        if (domain, line) in self.lines and rng.random() < 0.5:
            number = self.bench.read(domain, line, id_=rng.randrange(4))
            self.pending.append((number, domain, self.lines[domain, line]))
            return
        self.finish()  # reads and writes have no order
        for _ in range(rng.randrange(1, 6)):
            domain = rng.randrange(1, 7)
            line, data = 4 * domain + rng.randrange(4), rng.randbytes(LINE_BYTES)
            self.pending.append((self.bench.write(domain, line, data), domain, None))
            if domain in self.modes:
                self.lines[domain, line] = data
        self.finish()

    def change(self, engine):
        self.finish()
        domain = self.rng.randrange(1, 6)
        if domain not in self.modes:
            self.modes[domain] = mode = self.rng.choice([(1, 1), (1, 0), (0, 1)])
            engine.create(domain, encrypt=bool(mode[0]), authenticate=bool(mode[1]))
        elif self.rng.random() < 0.5:
            engine.destroy(domain)
            del self.modes[domain]
            self.counts["destroyed"] += 1
        else:
            engine.rekey(domain)
            self.counts["rekeyed"] += 1
        self.lines = {key: data for key, data in self.lines.items() if key[0] != domain}


def test_random_traffic_of_many_domains_while_some_come_and_go(bench, engine, seed):
    engine.set_policy(Policy.REPORT_ONLY)
    traffic = Traffic(bench, random.Random(seed))
    for _ in range(8):
        traffic.change(engine)
    for _ in range(500):
        traffic.request()
        if traffic.rng.random() < 0.06:
            traffic.change(engine)
    traffic.finish()
    assert min(traffic.counts.values()) > 5, traffic.counts


def test_a_host_that_takes_nothing_does_not_stop_the_other_channel(bench, engine):
    for domain in (1, 2, 3):
        engine.create(domain)
        bench.done(bench.write(domain, 8 * domain, bytes([domain]) * LINE_BYTES))
    # Domains 2 and 3 have the slots. A read of 3 is not taken; a write of 1 takes 2's slot.
    number = bench.read(3, 24)
    bench.step()
    bench.host_takes = False
    writing = bench.write(1, 8, bytes(LINE_BYTES))
    for _ in range(1000):
        bench.step()
    assert writing in bench.started
    bench.host_takes = True
    assert bench.done(number) == (OKAY, bytes([3]) * LINE_BYTES)
    assert bench.done(writing)[0] == OKAY


@pytest.mark.verify
def test_an_erasure_right_after_the_boot_does_not_reach_the_engines_own_key():
    """With one GMAC, erasing a slot gives up what is being computed of any key."""
    tree = CONFIG.tree
    bench = EngineBench(CONFIG.replace(
        tree=replace(tree, multiplier_stages=1, shared_gmac=True)))
    engine = bench.boot(ROOT, NONCE)
    while True:
        try:
            engine.create(5)
        except CommandError:
            continue
        break
    number = bench.read(5, 40)  # gives it a slot, which is what a destruction erases
    for _ in range(20):
        bench.step()
    engine.destroy(5)
    assert bench.done(number)[0] == SLVERR
    engine.wait_for_boot()
    engine.create(6)
    data = bytes(range(64))
    assert bench.done(bench.write(6, 3, data))[0] == OKAY
    assert bench.done(bench.read(6, 3)) == (OKAY, data)
