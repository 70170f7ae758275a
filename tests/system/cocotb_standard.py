"""cocotbext-axi's own manager and memory on both sides: bus models that are not ours."""

import cocotb
from cocotbext.axi import AxiBurstType, AxiResp
from common import CONFIG, SCALE, SIZE, domains, harness

PAIRS = [("ram", "mixed"), ("agent", "always")]
"""Half of the combinations, each value once: what `make test` plays."""


@cocotb.test(timeout_time=4000 * SCALE, timeout_unit="us")
@cocotb.parametrize((("dram", "profile"), PAIRS if SCALE == 1 else [
    *PAIRS, ("ram", "always"), ("agent", "mixed")]))
async def axi_master(dut, dram, profile):
    h = await harness(dut, f"master {dram} {profile}", host="master", dram=dram, profile=profile)
    ids = 2**CONFIG.id_bits
    apertures = [(h.base + number * h.size // 4, number) for number in range(4)]

    async def work(base, number):
        """Write and read back in an aperture of its own: the test knows what comes."""
        domain = domains()[number % len(domains())]
        written = {}
        for _ in range(3 * SCALE):
            length = h.random.randrange(1, 300)
            address = base + h.random.randrange(h.size // 4 - length)
            size = h.random.choice((SIZE, SIZE, h.random.randint(0, SIZE)))
            data = h.random.randbytes(length)
            answer = await h.master.write(
                address, data, awid=h.random.randrange(ids), size=size, user=domain)
            assert answer.resp == AxiResp.OKAY
            written.update(zip(range(address, address + length), data, strict=True))
            found = await h.master.read(address, length, arid=h.random.randrange(ids),
                                        size=h.random.choice((SIZE, size)), user=domain)
            assert found.resp == AxiResp.OKAY and found.data == data
        low, high = min(written), max(written) + 1
        found = await h.master.read(low, high - low, user=domain, burst=AxiBurstType.INCR)
        for address, value in written.items():
            assert found.data[address - low] == value, hex(address)

    for task in [cocotb.start_soon(work(*aperture)) for aperture in apertures]:
        await task
    await h.finish()
