"""Registers, alerts, log and locks of the exported engine, while its DRAM is attacked."""

import random

import pytest
from casemate.alert.layouts import LogKind, Policy
from casemate.config import preset
from casemate_sim.adversary import Hook, Operation, Scene, attacked, run_now
from casemate_sim.adversary.dram import flipped
from casemate_sim.adversary.native import DOMAIN, NativeAdapter

CONFIG = attacked(preset("tiny"))
OTHER = 77


@pytest.fixture(scope="module")
def shared():
    adapter = NativeAdapter(CONFIG)
    yield adapter
    adapter.close()


@pytest.fixture
def adapter(shared, seed):
    run_now(shared.start("full", seed))
    return shared


def write(adapter, *lines, domain=DOMAIN, **options):
    data = {line: random.Random(line).randbytes(64) for line in lines}
    responses = run_now(adapter.perform(
        [Operation(line, content) for line, content in data.items()], domain=domain, **options))
    return [response.error for response in responses]


def read(adapter, line, domain=DOMAIN):
    """Return the line's data, None for an error (whose data are zero)."""
    response, = run_now(adapter.perform([Operation(line)], domain=domain))
    assert not response.error or response.data == bytes(64)
    return None if response.error else response.data


def content(line):
    return random.Random(line).randbytes(64)


def spoil(adapter, address):
    run_now(adapter.sweep(empty=True))
    adapter.write_line(address, flipped(adapter.read_line(address), 3))


def second_domain(adapter):
    adapter.set_domain(1, OTHER, "full", random.Random(1))


def test_registers_name_the_engine_and_its_state(adapter):
    assert adapter.read_register("id")["magic"] == 0x43534D54
    assert adapter.read_register("tree_config")["levels"] == CONFIG.levels
    assert adapter.read_register("digest")["digest"] == int(CONFIG.digest[:8], 16)
    status = adapter.read_register("status")
    assert {name for name, value in status.items() if value} == {"idle", "ready"}
    assert adapter.error_log() == []


def test_an_access_error_is_logged_and_locks_nothing(adapter):
    assert write(adapter, 8) == [False]
    assert read(adapter, 9) == bytes(64)  # owned, never written
    assert read(adapter, 100) is None  # nobody's
    assert write(adapter, 104, claim=False) == [True]
    second_domain(adapter)
    assert read(adapter, 8, OTHER) is None
    assert write(adapter, 8, domain=OTHER) == [True]
    assert read(adapter, 8) == content(8)
    log = adapter.error_log()
    assert [entry["kind"] for entry in log] == [LogKind.ACCESS.value] * 4
    assert [(entry["address"], entry["domain"], entry["slot"], entry["write"]) for entry in log] \
        == [(6400, DOMAIN, 0, 0), (6656, DOMAIN, 0, 1), (512, OTHER, 1, 0), (512, OTHER, 1, 1)]
    assert not adapter.alarm().any
    assert adapter.read_register("interrupt_state")["access_error"] == 1


@pytest.mark.parametrize("policy", Policy)
def test_a_bad_line_locks_by_policy(adapter, policy):
    adapter.write_register("policy", failure=policy.value)
    second_domain(adapter)
    assert write(adapter, 0, 4, 64) == [False] * 3
    assert write(adapter, 128, domain=OTHER) == [False]
    spoil(adapter, 0)
    assert read(adapter, 0) is None
    log = adapter.error_log()
    assert [(each["kind"], each["address"], each["domain"], each["slot"], each["write"])
            for each in log] == [(LogKind.LINE.value, 0, DOMAIN, 0, 0)]
    alarm = adapter.alarm()
    assert alarm.integrity and not alarm.fatal
    assert alarm.locked == (policy is not Policy.REPORT_ONLY)
    mine = content(4) if policy is Policy.REPORT_ONLY else None
    other = None if policy is Policy.LOCK_ENGINE else content(128)
    assert read(adapter, 4) == mine
    assert read(adapter, 128, OTHER) == other
    locked = adapter.read_register("locked_slots_low")["slots"]
    assert locked == {Policy.LOCK_ENGINE: 3, Policy.LOCK_DOMAIN: 1, Policy.REPORT_ONLY: 0}[policy]
    assert adapter.read_register("interrupt_state")["integrity_error"] == 1
    if policy is not Policy.REPORT_ONLY:
        assert write(adapter, 4) == [True]


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("level", range(CONFIG.levels))
def test_a_bad_leaf_or_node_locks_the_engine_or_nothing(adapter, policy, level):
    adapter.write_register("policy", failure=policy.value, lock=1)
    adapter.write_register("policy", failure=Policy.REPORT_ONLY.value)  # too late
    scene = Scene.draw(random.Random(level), CONFIG)
    assert write(adapter, scene.target, scene.stranger) == [False] * 2
    address = scene.address(level, scene.target)
    spoil(adapter, address)
    assert read(adapter, scene.target) is None
    log = adapter.error_log()
    assert [(each["kind"], each["level"], each["address"]) for each in log
            if each["kind"] == LogKind.NODE.value] == [(LogKind.NODE.value, level, address)]
    alarm = adapter.alarm()
    assert alarm.integrity
    assert alarm.locked == (policy is not Policy.REPORT_ONLY)
    shares = scene.address(level, scene.stranger) == address
    fine = policy is Policy.REPORT_ONLY and not shares
    assert read(adapter, scene.stranger) == (content(scene.stranger) if fine else None)


def test_reset_ends_a_lock_and_forgets_everything(adapter):
    assert write(adapter, 0) == [False]
    spoil(adapter, 0)
    assert read(adapter, 0) is None
    assert adapter.alarm().locked
    run_now(adapter.reboot(5))
    assert not adapter.alarm().any
    assert read(adapter, 0) is None  # nobody's again
    assert write(adapter, 0) == [False]
    assert read(adapter, 0) == content(0)
    assert not adapter.alarm().any


def test_statistics_count_what_passed(adapter, seed):
    class Counter(Hook):
        def __init__(self):
            self.counts = dict.fromkeys(
                ("lines_read", "lines_written", "nodes_fetched", "nodes_written"), 0)

        def on_write(self, dram, write):
            self.counts["lines_written" if write.address < CONFIG.regions[0].end
                        else "nodes_written"] += 1
            return write

        def on_read(self, dram, address):
            self.counts["lines_read" if address < CONFIG.regions[0].end
                        else "nodes_fetched"] += 1
            return address

    rng = random.Random(seed)
    for _ in range(3):
        hook = Counter()
        adapter.set_hook(hook)
        adapter.write_register("statistics", snapshot=1, clear=1)
        lines = [rng.randrange(256) for _ in range(60)]
        assert write(adapter, *lines) == [False] * len(set(lines))
        for line in lines[:20]:
            assert read(adapter, line) == content(line)
        run_now(adapter.sweep(empty=True))
        adapter.write_register("statistics", snapshot=1)
        values = {name: adapter.read_register(f"{name}_low")["count"] for name in (
            *tuple(hook.counts), "cache_accesses", "cache_hits", "evictions")}
        assert {name: values[name] for name in hook.counts} == hook.counts
        assert values["cache_accesses"] == len(set(lines)) + 20
        assert 0 < values["cache_hits"] < values["cache_accesses"]
        assert 0 < values["evictions"] <= values["nodes_written"]


def test_a_flush_interrupts_at_its_end_and_leaves_all_in_dram(adapter):
    adapter.write_register("interrupt_enable", sweep_done=1)
    assert write(adapter, *range(0, 64, 4)) == [False] * 16
    run_now(adapter.sweep(empty=False))
    assert adapter.read_register("interrupt_state")["sweep_done"] == 1
    assert adapter.pins()["irq"]
    adapter.write_register("interrupt_state", sweep_done=1)
    assert not adapter.pins()["irq"]
    assert all(any(adapter.read_line(CONFIG.regions[1].base + 64 * leaf)) for leaf in range(16))
