"""Locks, alerts, events and log entries of every failure under every policy."""

import random

import pytest
from amaranth.sim import Simulator
from casemate.alert.alert import Alert
from casemate.alert.layouts import LogKind, Policy
from casemate.config import KeyManagerConfig, TreeConfig, preset
from casemate.engine.reports import ReportKind
from casemate.metadata.interface import Failure

CONFIG = preset("tiny").replace(tree=TreeConfig(), domain_slots=4, data_base=1 << 20)
ALL = 0b1111
PULSES = ("access_error", "integrity_error", "bus_error", "fatal_error")
REPORTS = {ReportKind.ACCESS: "access_error", ReportKind.LINE: "integrity_error",
           ReportKind.EXHAUSTED: "fatal_error"}
FAILURES = {Failure.MAC: "integrity_error", Failure.BUS_ERROR: "bus_error",
            Failure.EXHAUSTED: "fatal_error"}
LOGGED = {ReportKind.ACCESS: LogKind.ACCESS, ReportKind.LINE: LogKind.LINE,
          ReportKind.EXHAUSTED: LogKind.VERSION, Failure.MAC: LogKind.NODE,
          Failure.BUS_ERROR: LogKind.BUS, Failure.EXHAUSTED: LogKind.COUNTER}


def run(scenario, config=CONFIG):
    dut = Alert(config)

    async def bench(ctx):
        await scenario(dut, ctx)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


async def tell(ctx, source, **payload):
    ctx.set(source.payload, payload)
    ctx.set(source.valid, 1)
    await ctx.tick()
    ctx.set(source.valid, 0)


def state(dut, ctx):
    return (ctx.get(dut.lock), ctx.get(dut.lock_all), ctx.get(dut.alert_integrity),
            ctx.get(dut.alert_fatal))


def expected_lock(policy, kind, slot):
    if kind is ReportKind.LINE and policy is Policy.LOCK_DOMAIN:
        return 1 << slot, 0
    if kind in (ReportKind.LINE, Failure.MAC) and policy is not Policy.REPORT_ONLY:
        return ALL, 1
    return 0, 0


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("kind", ReportKind)
def test_reports_lock_by_policy_in_the_next_cycle(policy, kind):
    async def scenario(dut, ctx):
        ctx.set(dut.policy, policy)
        assert state(dut, ctx) == (0, 0, 0, 0)
        await tell(ctx, dut.report, kind=kind, slot=2, domain=9, line=5, write=1)
        expected = (*expected_lock(policy, kind, 2), kind is ReportKind.LINE,
                    kind is ReportKind.EXHAUSTED)
        assert state(dut, ctx) == expected
        assert [name for name in PULSES if ctx.get(getattr(dut, name))] == [REPORTS[kind]]
        for _ in range(5):
            await ctx.tick()
            assert state(dut, ctx) == expected
            assert not any(ctx.get(getattr(dut, name)) for name in PULSES)
        assert ctx.get(dut.log.valid)
        entry = ctx.get(dut.log.payload)
        assert (entry.kind, entry.level, entry.slot, entry.domain, entry.write, entry.address) == (
            LOGGED[kind], 0, 2, 9, 1, CONFIG.data_base + 5 * 64)

    run(scenario)


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("fatal", [0, 1])
@pytest.mark.parametrize("kind", Failure)
def test_failures_of_the_tree_lock_the_engine(policy, fatal, kind):
    async def scenario(dut, ctx):
        ctx.set(dut.policy, policy)
        await tell(ctx, dut.failure, failure=kind, level=1, address=0x110040, fatal=fatal)
        lock = (ALL, 1) if fatal else expected_lock(policy, kind, 0)
        assert state(dut, ctx) == (*lock, kind is Failure.MAC,
                                   fatal or kind is Failure.EXHAUSTED)
        assert {name for name in PULSES if ctx.get(getattr(dut, name))} == (
            {FAILURES[kind]} | ({"fatal_error"} if fatal else set()))
        await ctx.tick().repeat(4)
        entry = ctx.get(dut.log.payload)
        assert ctx.get(dut.log.valid)
        assert (entry.kind, entry.level, entry.slot, entry.domain, entry.write, entry.address) == (
            LOGGED[kind], 1, 0, 0, 0, 0x110040)

    run(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_random_failures_of_both_sources(seed):
    print(f"seed {seed}")

    async def scenario(dut, ctx):
        rng = random.Random(seed)
        waiting = {"report": [], "failure": []}
        given = taken = lost = 0
        lock = lock_all = integrity = fatal = 0
        stalled = None
        policy = rng.choice(list(Policy))
        pressure = rng.random()
        for cycle in range(600):
            if cycle == 300:
                policy = rng.choice(list(Policy))
            ctx.set(dut.policy, policy)
            busy = cycle < 560 and rng.random() < 0.5
            report = {"kind": rng.choice(list(ReportKind)), "slot": rng.randrange(4),
                      "domain": rng.randrange(4096), "line": rng.randrange(CONFIG.lines),
                      "write": rng.randrange(2)}
            failure = {"failure": rng.choice(list(Failure)), "level": rng.randrange(2),
                       "address": rng.getrandbits(40), "fatal": int(rng.random() < 0.05)}
            tells = {"report": busy and rng.random() < 0.5, "failure": busy and rng.random() < 0.3}
            # Locks are watched from nothing again and again: here only that none is missed.
            ctx.set(dut.report.payload, report)
            ctx.set(dut.report.valid, tells["report"])
            ctx.set(dut.failure.payload, failure)
            ctx.set(dut.failure.valid, tells["failure"])
            ready = cycle > 560 or rng.random() < pressure
            ctx.set(dut.log.ready, ready)
            if tells["report"]:
                given += 1
                waiting["report"].append((
                    LOGGED[report["kind"]], 0, report["slot"], report["domain"], report["write"],
                    CONFIG.data_base + 64 * report["line"]))
                slots, everything = expected_lock(policy, report["kind"], report["slot"])
                lock, lock_all = lock | slots, lock_all | everything
                integrity |= report["kind"] is ReportKind.LINE
                fatal |= report["kind"] is ReportKind.EXHAUSTED
            if tells["failure"]:
                given += 1
                waiting["failure"].append((LOGGED[failure["failure"]], failure["level"], 0, 0, 0,
                                           failure["address"]))
                slots, everything = expected_lock(policy, failure["failure"], 0)
                if failure["fatal"]:
                    slots, everything = ALL, 1
                lock, lock_all = lock | slots, lock_all | everything
                integrity |= failure["failure"] is Failure.MAC
                fatal |= failure["failure"] is Failure.EXHAUSTED or failure["fatal"]
            _, _, valid, payload, missing = await ctx.tick().sample(
                dut.log.valid, dut.log.payload, dut.log_lost)
            lost += missing
            assert state(dut, ctx) == (lock, lock_all, integrity, fatal)
            entry = (payload.kind, payload.level, payload.slot, payload.domain, payload.write,
                     payload.address)
            assert stalled is None or (valid and entry == stalled)
            stalled = entry if valid and not ready else None
            if valid and ready:
                taken += 1
                queue = waiting["report" if entry[0] in (LogKind.ACCESS, LogKind.LINE,
                                                         LogKind.VERSION) else "failure"]
                # Entries of one source come in order; some may be missing.
                del queue[:queue.index(entry) + 1]
        assert taken <= given and (taken == given or lost)
        assert taken + 2 * lost >= given

    run(scenario)


MANAGED = CONFIG.replace(keys=KeyManagerConfig(domains=16))
ORDER = (Policy.LOCK_ENGINE, Policy.LOCK_DOMAIN, Policy.REPORT_ONLY)  # the strictest first


@pytest.mark.parametrize("of_engine", Policy)
@pytest.mark.parametrize("of_domain", Policy)
def test_a_line_counts_under_the_stricter_policy_of_engine_and_domain(of_engine, of_domain):
    async def scenario(dut, ctx):
        ctx.set(dut.policy, of_engine)
        for slot in range(4):
            # Those of the others do not matter.
            ctx.set(dut.policies[slot], of_domain if slot == 2 else ORDER[slot % 3])
        ctx.set(dut.resident, 0b1111)
        await tell(ctx, dut.report, kind=ReportKind.LINE, slot=2)
        strictest = min(of_engine, of_domain, key=ORDER.index)
        assert state(dut, ctx)[:2] == expected_lock(strictest, ReportKind.LINE, 2)

    run(scenario, MANAGED)


@pytest.mark.parametrize("resident", [0, 0b0100, 0b1011])
@pytest.mark.parametrize("of_engine", Policy)
@pytest.mark.parametrize("of_domain", Policy)
def test_a_node_locks_unless_engine_and_all_domains_in_slots_only_report(
        of_engine, of_domain, resident):
    async def scenario(dut, ctx):
        ctx.set(dut.policy, of_engine)
        for slot in range(4):
            ctx.set(dut.policies[slot], of_domain if slot == 2 else Policy.REPORT_ONLY)
        ctx.set(dut.resident, resident)
        await tell(ctx, dut.failure, failure=Failure.MAC)
        locks = of_engine is not Policy.REPORT_ONLY or (
            resident == 0b0100 and of_domain is not Policy.REPORT_ONLY)
        assert state(dut, ctx)[:2] == ((ALL, 1) if locks else (0, 0))

    run(scenario, MANAGED)
