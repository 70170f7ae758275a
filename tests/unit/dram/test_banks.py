"""Each timing rule between two commands, to the cycle, with the numbers of a made-up DRAM."""

from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from casemate_sim.dram.banks import Banks
from casemate_sim.dram.layouts import Geometry, timing_values
from casemate_sim.dram.timing import DramTiming

TIMING = DramTiming(
    clock_mhz=100, t_rcd=3, t_rp=4, t_ras=9, t_rc=15, t_rtp=2, t_wtp=6, t_rtw=3, t_wtr=5, t_rrd=2,
    t_faw=12, t_refi=0, t_rfc=20, read_latency=10)
GEOMETRY = Geometry(data_bits=128, address_bits=32, id_bits=4, banks=8)


class Driver:
    """Gives one command and counts the cycles until something is allowed."""

    def __init__(self, ctx, banks):
        self.ctx, self.banks = ctx, banks

    async def command(self, kind, bank, *, row=0, columns=0):
        """Give a command for one cycle; the next call happens in the following one."""
        port = self.banks.row if kind in ("activate", "precharge") else self.banks.column
        self.ctx.set(port.valid, 1)
        self.ctx.set(port.bank, bank)
        if kind in ("activate", "precharge"):
            self.ctx.set(port.activate, kind == "activate")
            self.ctx.set(port.row, row)
        else:
            self.ctx.set(port.write, kind == "write")
            self.ctx.set(port.columns, columns)
        await self.ctx.tick()
        self.ctx.set(port.valid, 0)

    async def cycles_until(self, name, bank=None):
        """Cycles from the command given last to the first cycle that allows `name`."""
        for cycles in range(1, 100):
            value = self.ctx.get(getattr(self.banks, name))
            if (value >> bank & 1 if bank is not None else value):
                return cycles
            await self.ctx.tick()
        raise AssertionError(f"{name} is never allowed")


def run(body, timing=TIMING):
    banks = Banks(GEOMETRY)

    async def testbench(ctx):
        ctx.set(banks.timing, timing_values(timing))
        await ctx.tick()
        await body(Driver(ctx, banks))

    simulator = Simulator(banks)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_a_column_command_waits_trcd_after_the_activate():
    async def body(driver):
        await driver.command("activate", 2)
        assert await driver.cycles_until("column_ready", 2) == TIMING.t_rcd
    run(body)


def test_a_precharge_waits_tras_after_the_activate():
    async def body(driver):
        await driver.command("activate", 2)
        assert await driver.cycles_until("precharge_ready", 2) == TIMING.t_ras
    run(body)


def test_an_activate_waits_trp_after_the_precharge():
    async def body(driver):
        await driver.command("activate", 2)
        await driver.ctx.tick().repeat(30)
        await driver.command("precharge", 2)
        assert await driver.cycles_until("activate_ready", 2) == TIMING.t_rp
    run(body)


def test_an_activate_waits_trc_after_the_last_activate_of_its_bank():
    async def body(driver):
        await driver.command("activate", 2)
        await driver.ctx.tick().repeat(TIMING.t_ras - 1)
        await driver.command("precharge", 2)  # t_ras after the activate
        assert await driver.cycles_until("activate_ready", 2) == TIMING.t_rc - TIMING.t_ras
    run(body)


def test_an_activate_of_another_bank_waits_trrd():
    async def body(driver):
        await driver.command("activate", 2)
        assert await driver.cycles_until("activate_ready", 3) == TIMING.t_rrd
    run(body)


def test_a_fifth_activate_waits_for_the_window_of_four():
    async def body(driver):
        for bank in range(4):
            await driver.command("activate", bank)
            await driver.ctx.tick()  # t_rrd = 2
        # The first activate was 8 cycles ago, seen from the cycle that comes now
        assert await driver.cycles_until("activate_ready", 5) == TIMING.t_faw - 8 + 1
    run(body)


@pytest.mark.parametrize("columns", [0, 3])
@pytest.mark.parametrize(("kind", "wait"), [("read", TIMING.t_rtp), ("write", TIMING.t_wtp)])
def test_a_precharge_waits_after_the_last_column_of_an_access(kind, wait, columns):
    async def body(driver):
        await driver.command("activate", 2)
        await driver.ctx.tick().repeat(30)
        await driver.command(kind, 2, columns=columns)
        assert await driver.cycles_until("precharge_ready", 2) == columns + wait
    run(body)


@pytest.mark.parametrize("columns", [0, 3])
@pytest.mark.parametrize(("kind", "following", "wait"), [
    ("read", "read_ready", 1), ("read", "write_ready", TIMING.t_rtw),
    ("write", "write_ready", 1), ("write", "read_ready", TIMING.t_wtr),
])
def test_the_data_bus_is_free_after_the_access_and_its_turnaround(kind, following, wait, columns):
    async def body(driver):
        await driver.command(kind, 2, columns=columns)
        assert await driver.cycles_until(following) == columns + wait
    run(body)


def test_activate_and_precharge_open_and_close_the_row_of_their_bank_only():
    async def body(driver):
        await driver.command("activate", 1, row=77)
        assert driver.ctx.get(driver.banks.open) == 0b10
        assert driver.ctx.get(driver.banks.open_row[1]) == 77
        await driver.command("precharge", 1)
        assert driver.ctx.get(driver.banks.open) == 0
    run(body)


def test_a_refresh_waits_for_every_bank_then_blocks_for_trp_and_trfc():
    timing = TIMING.replace(t_refi=60)

    async def body(driver):
        ctx, banks = driver.ctx, driver.banks
        # The clock of the refresh started 1 cycle ago; an activate just before it is due
        await ctx.tick().repeat(57)
        await driver.command("activate", 3)
        assert not ctx.get(banks.busy)
        waited = await driver.cycles_until("busy")
        assert waited == 2
        assert await driver.cycles_until("refreshing") == timing.t_ras - 1
        assert ctx.get(banks.open) == 0b1000
        await ctx.tick()
        assert ctx.get(banks.open) == 0
        blocked = 1
        while ctx.get(banks.busy):
            await ctx.tick()
            blocked += 1
        assert blocked == timing.t_rp + timing.t_rfc
    run(body, timing)


def test_refreshes_come_every_trefi():
    timing = TIMING.replace(t_refi=60)
    times = []

    async def body(driver):
        for cycle in range(400):
            if driver.ctx.get(driver.banks.refreshing):
                times.append(cycle)
            await driver.ctx.tick()
    run(body, timing)
    assert len(times) == 6
    assert {later - earlier for earlier, later in pairwise(times)} == {60}
