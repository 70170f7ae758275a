"""The bridge from Wishbone lines to AXI4 bursts, in migen's simulator."""

from __future__ import annotations

from random import Random

import pytest

pytestmark = pytest.mark.verify  # needs LiteX

SIZE, BASE, DOMAIN = 1 << 16, 1 << 20, 5


class Memory:
    """An AXI4 memory at the bridge's manager: one burst at a time, ready now and then."""

    def __init__(self, axi, random: Random):
        self.axi, self.random = axi, random
        self.lines: dict[int, int] = {}
        self.bursts: list[tuple] = []
        self.failing: set[int] = set()

    def _pause(self):
        while self.random.random() < 0.4:
            yield

    def _take(self, channel):
        """Be ready in one cycle in which the channel is valid."""
        yield from self._pause()
        yield channel.ready.eq(1)
        yield
        while not (yield channel.valid):
            yield
        yield channel.ready.eq(0)

    def _address(self, channel, kind):
        address = yield channel.addr
        self.bursts.append((kind, address, (yield channel.len), (yield channel.size),
                            (yield channel.burst), (yield channel.user)))
        return address

    def writes(self):
        axi = self.axi
        while True:
            while not (yield axi.aw.valid):
                yield
            address = yield from self._address(axi.aw, "w")
            yield from self._take(axi.aw)
            value = self.lines.get(address, 0)
            for beat in range(64 // (axi.data_width // 8)):
                yield from self._pause()
                yield axi.w.ready.eq(1)
                yield
                while not (yield axi.w.valid):
                    yield
                data, strobes = (yield axi.w.data), (yield axi.w.strb)
                assert (yield axi.w.last) == (beat == 64 // (axi.data_width // 8) - 1)
                yield axi.w.ready.eq(0)
                for byte in range(axi.data_width // 8):
                    if strobes >> byte & 1:
                        at = 8 * (beat * axi.data_width // 8 + byte)
                        value = value & ~(0xFF << at) | (data >> 8 * byte & 0xFF) << at
                yield
            self.lines[address] = value
            yield axi.b.resp.eq(2 if address in self.failing else 0)
            yield axi.b.valid.eq(1)
            yield
            while not (yield axi.b.ready):
                yield
            yield axi.b.valid.eq(0)
            yield

    def reads(self):
        axi = self.axi
        while True:
            while not (yield axi.ar.valid):
                yield
            address = yield from self._address(axi.ar, "r")
            yield from self._take(axi.ar)
            beats = 64 // (axi.data_width // 8)
            for beat in range(beats):
                yield from self._pause()
                yield axi.r.data.eq(
                    self.lines.get(address, 0) >> beat * axi.data_width & (1 << axi.data_width) - 1)
                # An error of any beat counts.
                yield axi.r.resp.eq(2 if address in self.failing and beat == 1 else 0)
                yield axi.r.last.eq(beat == beats - 1)
                yield axi.r.valid.eq(1)
                yield
                while not (yield axi.r.ready):
                    yield
                yield axi.r.valid.eq(0)
            yield


def access(bus, line: int, data: int | None = None, select: int = (1 << 64) - 1):
    """Read or write a line; return the data and whether it failed."""
    yield bus.adr.eq(line)
    yield bus.we.eq(data is not None)
    yield bus.dat_w.eq(data or 0)
    yield bus.sel.eq(select)
    yield bus.cyc.eq(1)
    yield bus.stb.eq(1)
    yield
    for _ in range(500):
        if (yield bus.ack) or (yield bus.err):
            break
        yield
    else:
        raise AssertionError("no answer")
    result = (yield bus.dat_r), bool((yield bus.err))
    assert (yield bus.ack) != (yield bus.err)
    yield bus.cyc.eq(0)
    yield bus.stb.eq(0)
    yield
    return result


@pytest.fixture(params=[64, 128, 256])
def bench(request, seed):
    from casemate_sim.litex.engine import USER_BITS
    from casemate_sim.litex.lines import LineBridge
    from litex.soc.interconnect.axi import AXIInterface

    axi = AXIInterface(data_width=request.param, address_width=40, id_width=4,
                       aw_user_width=USER_BITS, ar_user_width=USER_BITS)
    bridge = LineBridge(axi, base=BASE, size=SIZE, domain=DOMAIN)
    return bridge, Memory(axi, Random(seed)), Random(seed + 1)


def simulate(bridge, memory, stimulus):
    from migen import passive, run_simulation

    run_simulation(bridge, [stimulus, passive(memory.writes)(), passive(memory.reads)()])


def test_lines_and_parts_of_lines_arrive(bench):
    bridge, memory, random = bench
    expected: dict[int, int] = {}

    def stimulus():
        for _ in range(40):
            # Of the address on the bus the bits above the window do not count.
            line = random.choice([0, 1, 2, SIZE // 64 - 1])
            where = line | random.choice([0, 0x4000_0000 // 64])
            if random.random() < 0.5:
                data, select = random.getrandbits(512), random.getrandbits(64)
                assert not (yield from access(bridge.bus, where, data, select))[1]
                mask = sum(0xFF << 8 * byte for byte in range(64) if select >> byte & 1)
                expected[line] = expected.get(line, 0) & ~mask | data & mask
            else:
                assert (yield from access(bridge.bus, where)) == (expected.get(line, 0), False)

    simulate(bridge, memory, stimulus())
    assert len(memory.bursts) == 40
    width = memory.axi.data_width // 8
    for kind, address, length, size, burst, user in memory.bursts:
        assert address % 64 == 0
        assert BASE <= address < BASE + SIZE
        assert (length + 1) * width == 64
        assert 1 << size == width
        assert burst == 1
        assert user == DOMAIN | (kind == "w") << 12


def test_errors_become_err_and_concern_their_access_only(bench):
    bridge, memory, _ = bench
    memory.failing.add(BASE + 64)

    def stimulus():
        assert (yield from access(bridge.bus, 1))[1]
        assert (yield from access(bridge.bus, 0)) == (0, False)
        assert (yield from access(bridge.bus, 1, 7))[1]
        assert not (yield from access(bridge.bus, 0, 7))[1]
        assert (yield from access(bridge.bus, 0)) == (7, False)

    simulate(bridge, memory, stimulus())
