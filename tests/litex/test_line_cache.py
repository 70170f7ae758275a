"""The cache in front of the engine, in migen's simulator."""

from __future__ import annotations

from random import Random

import pytest

pytestmark = pytest.mark.verify  # needs LiteX

SIZE, BASE, DOMAIN, CACHE = 1 << 16, 1 << 20, 5, 256


class Memory:
    """An AXI4 memory at the cache's manager: one burst of each kind at a time, ready now and then.

    Attributes
    ----------
    content:
        Bytes by address; 0 where nothing was written.
    bursts:
        What was asked for: kind, address, length, size, burst, user.
    failing:
        Addresses of lines whose bursts are refused.
    """

    def __init__(self, axi, random: Random):
        self.axi, self.random = axi, random
        self.content: dict[int, int] = {}
        self.bursts: list[tuple] = []
        self.failing: set[int] = set()

    def _pause(self):
        while self.random.random() < 0.4:
            yield

    def _transfer(self, signal, other):
        """Raise `signal` and wait for `other`; it is low again afterwards."""
        yield from self._pause()
        yield signal.eq(1)
        yield
        while not (yield other):
            yield
        yield signal.eq(0)

    def _address(self, channel, kind):
        while not (yield channel.valid):
            yield
        begin, length, size = (yield channel.addr), (yield channel.len), (yield channel.size)
        self.bursts.append((kind, begin, length, size, (yield channel.burst), (yield channel.user)))
        yield from self._transfer(channel.ready, channel.valid)
        return begin, [begin + (beat << size) for beat in range(length + 1)], size

    def writes(self):
        axi, width = self.axi, self.axi.data_width // 8
        while True:
            begin, beats, size = yield from self._address(axi.aw, "w")
            for number, address in enumerate(beats):
                yield from self._pause()
                yield axi.w.ready.eq(1)
                yield
                while not (yield axi.w.valid):
                    yield
                data, strobes = (yield axi.w.data), (yield axi.w.strb)
                assert (yield axi.w.last) == (number == len(beats) - 1)
                yield axi.w.ready.eq(0)
                for lane in range(width):
                    if strobes >> lane & 1:
                        where = address // width * width + lane
                        assert address <= where < address + (1 << size), "a lane beside the beat"
                        self.content[where] = data >> 8 * lane & 0xFF
                yield
            yield axi.b.resp.eq(2 if begin // 64 * 64 in self.failing else 0)
            yield from self._transfer(axi.b.valid, axi.b.ready)
            yield

    def reads(self):
        axi, width = self.axi, self.axi.data_width // 8
        while True:
            begin, beats, _ = yield from self._address(axi.ar, "r")
            for number, address in enumerate(beats):
                first = address // width * width
                yield axi.r.data.eq(int.from_bytes(
                    [self.content.get(first + lane, 0) for lane in range(width)], "little"))
                # An error of any beat counts.
                bad = begin // 64 * 64 in self.failing and number == min(1, len(beats) - 1)
                yield axi.r.resp.eq(2 if bad else 0)
                yield axi.r.last.eq(number == len(beats) - 1)
                yield from self._transfer(axi.r.valid, axi.r.ready)
            yield

    def word(self, address: int) -> int:
        """Return four bytes."""
        return int.from_bytes([self.content.get(BASE + address + byte, 0) for byte in range(4)],
                              "little")


def access(bus, address: int, data: int | None = None, select: int = 15):
    """Read or write a word; return what was read, whether it failed, and the cycles."""
    yield bus.adr.eq(address // 4)
    yield bus.we.eq(data is not None)
    yield bus.dat_w.eq(data or 0)
    yield bus.sel.eq(select)
    yield bus.cyc.eq(1)
    yield bus.stb.eq(1)
    yield
    cycles = 1
    while not ((yield bus.ack) or (yield bus.err)):
        cycles += 1
        assert cycles < 1000, "no answer"
        yield
    result = (yield bus.dat_r), bool((yield bus.err)), cycles
    assert (yield bus.ack) != (yield bus.err)
    yield bus.cyc.eq(0)
    yield bus.stb.eq(0)
    yield
    return result


def _axi(width):
    from casemate_sim.litex.engine import USER_BITS
    from litex.soc.interconnect.axi import AXIInterface

    return AXIInterface(data_width=width, address_width=40, id_width=4, aw_user_width=USER_BITS,
                        ar_user_width=USER_BITS)


@pytest.fixture(params=[64, 128, 512])
def bench(request, seed):
    from casemate_sim.litex.line_cache import LineCache

    axi = _axi(request.param)
    cache = LineCache(axi, base=BASE, size=SIZE, domain=DOMAIN, cache_bytes=CACHE)
    return cache, Memory(axi, Random(seed)), Random(seed + 1)


def simulate(cache, memory, stimulus):
    from migen import passive, run_simulation

    run_simulation(cache, [stimulus, passive(memory.writes)(), passive(memory.reads)()])


def test_every_access_sees_what_was_written_before(bench):
    cache, memory, random = bench
    # Lines of the same place, of neighbours, and the last of the window.
    lines = [0, 64, CACHE, 2 * CACHE, 7 * CACHE + 64, SIZE - 64]
    apart = 3 * CACHE + 128  # of the direct window
    expected: dict[int, int] = {}

    def stimulus():
        for _ in range(400):
            bus, line = random.choice([(cache.cached, random.choice(lines))] * 4
                                      + [(cache.direct, apart)])
            address = line + 4 * random.randrange(16)
            # Of the address on the bus the bits above the window do not count.
            where = address | random.choice([0, 0x4000_0000])
            old = expected.get(address, 0)
            if random.random() < 0.5:
                data, select = random.getrandbits(32), random.getrandbits(4)
                assert not (yield from access(bus, where, data, select))[1]
                mask = sum(0xFF << 8 * byte for byte in range(4) if select >> byte & 1)
                expected[address] = old & ~mask | data & mask
            else:
                assert (yield from access(bus, where))[:2] == (old, False), hex(address)
        for line in range(0, CACHE, 64):  # other lines press all of them out
            yield from access(cache.cached, 9 * CACHE + line)

    simulate(cache, memory, stimulus())
    assert {address: memory.word(address) for address in expected} == expected
    width = memory.axi.data_width // 8
    kinds = set()
    for kind, address, length, size, burst, user in memory.bursts:
        kinds.add((kind, (length + 1) << size))
        assert BASE <= address < BASE + SIZE
        assert burst == 1
        assert user == DOMAIN | (kind == "w") << 12
        if (length + 1) << size == 64:
            assert address % 64 == 0
            assert 1 << size == width
        else:
            assert (length, size) == (0, 2)
            assert address // 64 == (BASE + apart) // 64
    assert kinds == {("r", 64), ("w", 64), ("r", 4), ("w", 4)}


def test_a_hit_takes_two_cycles_and_what_was_not_changed_is_not_written_back(bench):
    cache, memory, _ = bench

    def stimulus():
        yield from access(cache.cached, 0)
        assert (yield from access(cache.cached, 60))[2] == 2
        assert (yield from access(cache.cached, 60, 7))[2] == 2
        yield from access(cache.cached, CACHE)
        yield from access(cache.cached, 0)

    simulate(cache, memory, stimulus())
    assert [burst[:2] for burst in memory.bursts] == [
        ("r", BASE), ("w", BASE), ("r", BASE + CACHE), ("r", BASE)]
    assert memory.word(60) == 7


def test_errors_past_the_cache_concern_their_access_only(bench):
    cache, memory, _ = bench
    memory.failing.add(BASE + 64)

    def stimulus():
        assert (yield from access(cache.direct, 68))[1]
        assert (yield from access(cache.direct, 64, 7))[1]
        assert not (yield from access(cache.direct, 0, 7))[1]
        assert (yield from access(cache.direct, 0))[:2] == (7, False)
        assert (yield from access(cache.cached, 0))[:2] == (7, False)
        assert not (yield cache.failed)

    simulate(cache, memory, stimulus())


@pytest.mark.parametrize("writing", [False, True])
def test_from_the_first_error_on_the_cached_window_fails(bench, writing):
    cache, memory, _ = bench

    def stimulus():
        yield from access(cache.cached, 128)
        if writing:  # the line that is pressed out is refused
            yield from access(cache.cached, 64, 1)
        memory.failing.add(BASE + 64)
        assert (yield from access(cache.cached, 64 + CACHE if writing else 64))[1]
        assert (yield cache.failed)
        for address in (64, 128, 0):
            assert (yield from access(cache.cached, address))[1]
            assert (yield from access(cache.cached, address, 1))[1]
        assert not (yield from access(cache.direct, 128))[1]

    simulate(cache, memory, stimulus())


def test_an_access_that_is_given_up_does_no_harm(bench):
    cache, memory, _ = bench

    def stimulus():
        for address in (0, CACHE, 2 * CACHE, 64):
            yield from access(cache.cached, address, address + 1)
        yield cache.cached.adr.eq(0)
        yield cache.cached.we.eq(0)
        yield cache.cached.cyc.eq(1)
        yield cache.cached.stb.eq(1)
        for _ in range(4):  # its line is on its way
            yield
        for address in (64, 0, CACHE, 2 * CACHE):
            assert (yield from access(cache.cached, address))[:2] == (address + 1, False)

    simulate(cache, memory, stimulus())


def test_a_reset_forgets_the_lines(bench):
    from migen import ResetInserter

    cache, memory, _ = bench
    held = ResetInserter()(cache)

    def stimulus():
        yield from access(cache.cached, 0, 7)
        yield held.reset.eq(1)
        yield
        yield held.reset.eq(0)
        assert (yield from access(cache.cached, 0))[:2] == (0, False)

    simulate(held, memory, stimulus())
    assert [burst[:2] for burst in memory.bursts] == [("r", BASE), ("r", BASE)]


@pytest.mark.parametrize("cache_bytes", [64, 96, SIZE])
def test_a_size_that_is_not_possible_is_refused(cache_bytes):
    from casemate_sim.litex.line_cache import LineCache

    with pytest.raises(ValueError, match="cache_bytes must be a power of two from 128 to 32768"):
        LineCache(_axi(128), base=BASE, size=SIZE, domain=DOMAIN, cache_bytes=cache_bytes)
