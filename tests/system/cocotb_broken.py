"""Tests that must fail, each in its way, for ``test_build_cocotb``."""

import cocotb
from cocotb.triggers import RisingEdge
from common import data_for, harness, line


@cocotb.test()
async def wrong_expectation(dut):
    h = await harness(dut, "broken")
    burst = line(0, write=True)
    await h.host.write(burst, data_for(h, burst)).wait()
    h.memory.write(h.base, b"not what the engine wrote")
    await h.finish()


@cocotb.test()
async def protocol_violation(dut):
    h = await harness(dut, "violation", host="none")
    dut.s_axi_wvalid.value = 1
    await RisingEdge(dut.clk)
    dut.s_axi_wvalid.value = 0
    await h.cycles(3)


@cocotb.test()
async def behind_the_violation(dut):
    await harness(dut, "behind")
