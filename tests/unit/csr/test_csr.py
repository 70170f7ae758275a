"""The engine's registers over AXI4-Lite, as a driver uses them."""

import random

import pytest
from amaranth.sim import Simulator
from casemate.alert.layouts import LogKind, Policy
from casemate.axi import Response
from casemate.config import TreeConfig, preset
from casemate.csr.csr import Csr, Sweep
from casemate.csr.description import Access
from casemate.csr.registers import INTERRUPTS, LOG_DEPTH
from casemate_sim.lite_agent import LiteManager
from casemate_sim.registers import RegisterMap

CONFIG = preset("tiny").replace(tree=TreeConfig(cache_sets=16, cache_ways=2), address_bits=40)
REGISTERS = RegisterMap(CONFIG)


class Driver:
    """Registers by name."""

    def __init__(self, dut, ctx, seed=None):
        self._bus = LiteManager(dut.axil, ctx, seed)

    async def read(self, name):
        value, response = await self._bus.read(REGISTERS.offset(name))
        assert response == Response.OKAY.value
        return REGISTERS.unpack(name, value)

    async def write(self, name, **fields):
        value = REGISTERS.pack(name, **fields)
        assert await self._bus.write(REGISTERS.offset(name), value) == Response.OKAY.value


def run(scenario, seed=None):
    dut = Csr(CONFIG)

    async def bench(ctx):
        await scenario(dut, ctx, Driver(dut, ctx, seed))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


async def pulse(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def put(dut, ctx, **fields):
    ctx.set(dut.log.payload, {"kind": LogKind.LINE, **fields})
    await pulse(ctx, dut.log.valid)


@pytest.mark.parametrize("seed", [None, 5])
def test_every_register_reads_its_reset_value_and_all_else_is_refused(seed):
    async def scenario(dut, ctx, driver):
        offsets = {register.offset: register for register in REGISTERS.values()}
        for offset in range(0, 1 << REGISTERS.block.address_bits, 4):
            if offset not in offsets and offset > 0x100 and offset % 64:
                continue
            value, response = await driver._bus.read(offset)
            register = offsets.get(offset)
            assert (value, response) == ((register.reset, Response.OKAY.value) if register
                                         else (0, Response.SLVERR.value))
            expected = Response.OKAY if register else Response.SLVERR
            fixed = register is None or all(
                f.access in (Access.CONSTANT, Access.READ, Access.WINDOW)
                for f in register.fields)
            if fixed:
                assert await driver._bus.write(offset, 0xFFFFFFFF) == expected.value
                assert (await driver._bus.read(offset))[0] == value

    run(scenario, seed)


def test_status_and_locked_slots_show_what_is():
    async def scenario(dut, ctx, driver):
        for name in ("idle", "ready", "engine_locked", "alert_integrity", "alert_fatal"):
            ctx.set(getattr(dut, name), 1)
            status = await driver.read("status")
            assert {key for key, value in status.items() if value} == {name}
            ctx.set(getattr(dut, name), 0)
        ctx.set(dut.locked_slots, 2)
        assert (await driver.read("status"))["slot_locked"] == 1
        assert (await driver.read("locked_slots_low"))["slots"] == 2
        assert (await driver.read("locked_slots_high"))["slots"] == 0

    run(scenario)


def test_the_policy_changes_until_it_is_locked():
    async def scenario(dut, ctx, driver):
        assert ctx.get(dut.policy) == Policy.LOCK_ENGINE
        for policy in (Policy.REPORT_ONLY, Policy.LOCK_DOMAIN):
            await driver.write("policy", failure=policy.value)
            assert ctx.get(dut.policy) == policy
        await driver.write("policy", failure=3)
        assert ctx.get(dut.policy) == Policy.LOCK_ENGINE
        await driver.write("policy", failure=Policy.LOCK_DOMAIN.value, lock=1)
        assert ctx.get(dut.policy) == Policy.LOCK_DOMAIN
        await driver.write("policy", failure=Policy.REPORT_ONLY.value)
        assert ctx.get(dut.policy) == Policy.LOCK_DOMAIN
        assert await driver.read("policy") == {"failure": 1, "lock": 1}

    run(scenario)


@pytest.mark.parametrize(("fields", "sweep"), [
    ({"flush": 1}, Sweep.FLUSH), ({"invalidate": 1}, Sweep.INVALIDATE),
    ({"flush": 1, "invalidate": 1}, Sweep.INVALIDATE)])
def test_a_sweep_is_asked_for_once_and_its_end_interrupts(fields, sweep):
    async def scenario(dut, ctx, driver):
        await driver.write("interrupt_enable", sweep_done=1)
        await driver.write("command", **fields)
        assert ctx.get(dut.sweep.valid) and ctx.get(dut.sweep.payload) == sweep
        await ctx.tick().repeat(3)
        assert ctx.get(dut.sweep.valid)
        assert (await driver.read("command"))["flush"] == 1
        ctx.set(dut.sweep.ready, 1)
        await ctx.tick()
        ctx.set(dut.sweep.ready, 0)
        ctx.set(dut.sweeping, 1)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.sweep.valid)
        for ignored in ("flush", "invalidate"):
            await driver.write("command", **{ignored: 1})
        assert (await driver.read("status"))["sweeping"] == 1
        assert not ctx.get(dut.irq)
        assert (await driver.read("interrupt_state"))["sweep_done"] == 0
        ctx.set(dut.sweeping, 0)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.irq)
        assert await driver.read("command") == {"flush": 0, "invalidate": 0}
        assert not ctx.get(dut.sweep.valid)

    run(scenario)


def test_every_interrupt_needs_its_enable_bit_and_clears_alone():
    async def scenario(dut, ctx, driver):
        for name in ("integrity_error", "access_error", "bus_error", "fatal_error"):
            await pulse(ctx, getattr(dut, name))
            await ctx.tick().repeat(2)
            assert not ctx.get(dut.irq)
            await driver.write("interrupt_enable", **{name: 1})
            await ctx.tick().repeat(2)
            assert ctx.get(dut.irq)
            state = await driver.read("interrupt_state")
            assert {key for key, value in state.items() if value} == {name}
            await driver.write("interrupt_state", **{
                other: 1 for other, _ in INTERRUPTS if other != name})
            assert (await driver.read("interrupt_state"))[name] == 1
            await driver.write("interrupt_state", **{name: 1})
            await ctx.tick().repeat(2)
            assert not ctx.get(dut.irq)
            await driver.write("interrupt_enable")

    run(scenario)


LEAVES = CONFIG.leaves


@pytest.mark.parametrize(("first", "count", "sent"), [
    (3, 7, (3, 7)), (0, LEAVES, (0, LEAVES)), (5, 2 * LEAVES, (5, LEAVES)),
    (5, 1 << 32, (5, LEAVES)), (5, (1 << 64) - 1, (5, LEAVES)), (LEAVES - 1, 0, (LEAVES - 1, 0)),
    (LEAVES, 7, (0, 0)), (1 << 32 | 9, 7, (9, 0)), (1 << 63, 1, (0, 0))])
def test_a_range_is_reclaimed_once_and_cut_at_the_end_of_the_window(first, count, sent):
    async def scenario(dut, ctx, driver):
        for name, value in (("first", first), ("count", count)):
            await driver.write(f"reclaim_{name}_low", **{name: value & 0xFFFF_FFFF})
            await driver.write(f"reclaim_{name}_high", **{name: value >> 32})
        await driver.write("interrupt_enable", reclaim_done=1)
        assert not ctx.get(dut.reclaim.valid)
        await driver.write("reclaim", start=1)
        await ctx.tick().repeat(3)
        payload = ctx.get(dut.reclaim.payload)
        assert ctx.get(dut.reclaim.valid) and (payload.first, payload.count) == sent
        assert (await driver.read("reclaim"))["start"] == 1
        ctx.set(dut.reclaim.ready, 1)
        await ctx.tick()
        ctx.set(dut.reclaim.ready, 0)
        ctx.set(dut.reclaiming, 1)
        await ctx.tick().repeat(3)
        await driver.write("reclaim", start=1)  # ignored
        assert not ctx.get(dut.reclaim.valid) and not ctx.get(dut.irq)
        ctx.set(dut.reclaiming, 0)
        ctx.set(dut.reclaim_failed, 1)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.irq)
        assert {name for name, value in (await driver.read("interrupt_state")).items()
                if value} == {"reclaim_done"}
        assert await driver.read("reclaim") == {"start": 0, "failed": 1}
        assert not ctx.get(dut.reclaim.valid)

    run(scenario)


@pytest.mark.parametrize("seed", [None, 3])
def test_the_log_is_a_queue_that_keeps_its_oldest_entries(seed):
    async def scenario(dut, ctx, driver):
        rng = random.Random(seed or 0)
        assert (await driver.read("error_entry"))["kind"] == LogKind.NONE.value
        entries = [{"kind": LogKind(rng.randrange(1, 7)), "level": rng.randrange(2),
                    "slot": rng.randrange(2), "domain": rng.randrange(4096),
                    "write": rng.randrange(2), "address": rng.getrandbits(40)}
                   for _ in range(LOG_DEPTH + 3)]
        for entry in entries:
            await put(dut, ctx, **entry)
        await ctx.tick().repeat(3)
        assert await driver.read("error_count") == {"count": LOG_DEPTH, "lost": 1}
        assert (await driver.read("interrupt_state"))["log_overflow"] == 1
        await driver.write("error_count", lost=1)
        for left, entry in reversed(list(enumerate(reversed(entries[:LOG_DEPTH])))):
            taken = await driver.read("error_entry")
            assert taken == {**{key: entry[key] for key in taken}, "kind": entry["kind"].value}
            low = (await driver.read("error_address_low"))["address"]
            high = (await driver.read("error_address_high"))["address"]
            assert high << 32 | low == entry["address"]
            assert await driver.read("error_count") == {"count": left, "lost": 0}
        assert set((await driver.read("error_entry")).values()) == {0}
        await pulse(ctx, dut.log_lost)
        assert await driver.read("error_count") == {"count": 0, "lost": 1}

    run(scenario, seed)


def test_counters_count_their_own_events():
    async def scenario(dut, ctx, driver):
        rng = random.Random(7)
        counts = dict.fromkeys(REGISTERS.statistics, 0)
        for _ in range(500):
            events = {name: int(rng.random() < 0.3 + 0.1 * index)
                      for index, name in enumerate(counts)}
            ctx.set(dut.events, events)
            for name, value in events.items():
                counts[name] += value
            await ctx.tick()
        ctx.set(dut.events, dict.fromkeys(counts, 0))
        await ctx.tick().repeat(20)
        await driver.write("statistics", snapshot=1, clear=1)
        for name, count in counts.items():  # the first read waits for the snapshot
            assert (await driver.read(f"{name}_low"))["count"] == count
            assert (await driver.read(f"{name}_high"))["count"] == 0
        await driver.write("statistics", snapshot=1)
        for name in counts:
            assert (await driver.read(f"{name}_low"))["count"] == 0

    run(scenario)
