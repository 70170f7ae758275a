"""What `simulation_speed` runs inside cocotb: cocotbext-axi on both sides of the engine."""

import json
import os
import random
import time
from pathlib import Path

import cocotb
from casemate_sim.tenant import DOMAIN
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiBus, AxiMaster, AxiRam

WINDOW = 64 << 10
PERIOD_NS = 10


@cocotb.test()
async def measure(dut):
    """Read and write random lines, 16 in flight, and write the speed to a file."""
    lines = int(os.environ["CASEMATE_LINES"])
    rng = random.Random(1)
    dut.rst.value = 1
    for name in ("key_valid", "slot_valid"):
        getattr(dut, name).value = 0
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    master = AxiMaster(AxiBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=WINDOW)
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    for index in range(2):
        dut.key_slot.value, dut.key_name.value = 0, index
        dut.key_key.value = rng.getrandbits(128)
        dut.key_valid.value = 1
        await RisingEdge(dut.clk)
        while not dut.key_ready.value:
            await RisingEdge(dut.clk)
        dut.key_valid.value = 0
    dut.slot_slot.value, dut.slot_enable.value, dut.slot_domain.value = 0, 1, DOMAIN
    dut.slot_encrypt.value, dut.slot_authenticate.value = 1, 0
    dut.slot_valid.value = 1
    await RisingEdge(dut.clk)
    dut.slot_valid.value = 0
    await ClockCycles(dut.clk, 20)

    async def worker(first: int, count: int) -> None:
        """Write each line of its own, then read it back."""
        for index in range(count):
            address = (first + index) % (WINDOW // 64) * 64
            data = rng.randbytes(64)
            await master.write(address, data, user=DOMAIN)
            result = await master.read(address, 64, user=DOMAIN)
            assert bytes(result.data) == data, f"line {address // 64:#x} reads {result.data.hex()}"

    started, begun = time.process_time(), get_sim_time("ns")
    tasks = [cocotb.start_soon(worker(64 * index, lines // 16)) for index in range(16)]
    for task in tasks:
        await task
    seconds = time.process_time() - started
    cycles = (get_sim_time("ns") - begun) / PERIOD_NS
    assert ram.read(0, 64) != bytes(64), "nothing reached the memory"
    Path(os.environ["CASEMATE_RESULT"]).write_text(
        json.dumps({"cycles": cycles, "seconds": seconds}))
