"""One rule of the contract each: what reaches the DRAM, and what the host is answered."""

import cocotb
from casemate.config import LINE_BYTES
from casemate_sim.bursts import Kind, random_burst, random_strobes
from casemate_sim.faults import Response
from casemate_sim.memory_agent import Answering
from common import (
    BEATS,
    BUS_BYTES,
    CONFIG,
    PLAIN,
    SIZE,
    UNKNOWN,
    XTS,
    data_for,
    domains,
    harness,
    line,
    read,
    until,
    within,
    write,
)

OKAY, EXOKAY, SLVERR, DECERR = Response
LIMIT = {"timeout_time": 400, "timeout_unit": "us"}


def accesses(h):
    """What the DRAM was asked for, and how often: kind and line's number."""
    return [(kind, (address - h.base) // LINE_BYTES) for kind, address, _ in h.agent.requests]


@cocotb.test(**LIMIT)
async def full_line_write_does_not_read(dut):
    h = await harness(dut, "full line")
    for number, domain in ((3, XTS), (9, PLAIN)):
        await write(h, line(number, write=True, domain=domain))
    wrapped = within(5, LINE_BYTES // 2, write=True, length=max(2, BEATS),
                     size=min(SIZE, 5), kind=Kind.WRAP)
    await write(h, wrapped)
    assert accesses(h) == [("write", 3), ("write", 9), ("write", 5)]
    assert (await read(h, line(3, write=False))).responses == [OKAY] * BEATS
    await h.finish()


@cocotb.test(**LIMIT)
async def partial_write_reads_only_where_it_encrypts(dut):
    h = await harness(dut, "partial")
    await write(h, within(4, 5, write=True, length=3, size=0))
    assert accesses(h) == [("read", 4), ("write", 4)]
    await write(h, within(6, 5, write=True, length=3, size=0, domain=PLAIN))
    assert accesses(h)[2:] == [("write", 6)]
    # Every byte but one.
    whole = line(7, write=True)
    strobes = [beat.mask for beat in whole.beats]
    strobes[-1] &= ~(1 << BUS_BYTES - 1)
    await write(h, whole, strobes)
    assert accesses(h)[3:] == [("read", 7), ("write", 7)]
    await h.finish()


@cocotb.test(**LIMIT)
async def write_without_strobes_stores_nothing(dut):
    h = await harness(dut, "no strobes")
    for domain in (XTS, PLAIN):
        burst = line(2, write=True, domain=domain, lines=2)
        assert (await write(h, burst, [0] * burst.length)).responses == [OKAY]
    assert accesses(h) == []
    # Only the chunk with strobes is stored.
    burst = line(10, write=True, lines=2)
    await write(h, burst, [0] * BEATS + [beat.mask for beat in burst.beats[BEATS:]])
    assert accesses(h) == [("write", 11)]
    await h.finish()


@cocotb.test(**LIMIT)
async def refused_accesses_answer_slverr_and_zeros(dut):
    h = await harness(dut, "refused")
    window = CONFIG.regions[0]
    lines = (window.end - CONFIG.data_base) // LINE_BYTES
    refused = [{"number": 1, "kind": Kind.FIXED, "length": 4, "size": SIZE, "offset": 0},
               {"number": 1, "kind": Kind.FIXED, "length": 1, "size": 0, "offset": 3},
               {"number": lines, "length": BEATS * 2, "size": SIZE, "offset": 0},
               {"number": lines + 63, "length": 2, "size": SIZE, "offset": 0, "kind": Kind.WRAP},
               {"number": 1, "domain": UNKNOWN, "length": BEATS * 3, "size": SIZE, "offset": 0},
               {"number": 1, "domain": 0, "length": 1, "size": 0, "offset": 9}]
    # The window again, where only the highest bit of the address differs.
    refused.append({"number": (1 << CONFIG.address_bits - 1) // LINE_BYTES, "length": BEATS,
                    "size": SIZE, "offset": 0})
    if window.base:
        refused.append({"number": -1, "length": BEATS, "size": SIZE, "offset": 0})
    for members in refused:
        number, offset = members.pop("number"), members.pop("offset")
        reading = within(number, offset, write=False, id=1, **members)
        answer = await read(h, reading)
        assert answer.responses == [SLVERR] * reading.length and not any(answer.beats)
        answer = await write(h, within(number, offset, write=True, id=1, **members))
        assert answer.responses == [SLVERR]
    # The slot of a domain that wants to be verified, in either mode, is no slot at all.
    for mode in ("plain", "xts"):
        await h.load_domain(0, PLAIN, mode, authenticate=True)
        answer = await read(h, line(1, write=False, domain=PLAIN))
        assert answer.responses == [SLVERR] * BEATS and not any(answer.beats)
        assert (await write(h, line(1, write=True, domain=PLAIN))).responses == [SLVERR]
    assert accesses(h) == []
    # Refused and allowed bursts of one ID keep their order.
    pending = []
    for number in range(12):
        domain = XTS if number % 3 else UNKNOWN
        pending.append(h.host.read(line(number, write=False, id=1, domain=domain)))
        burst = line(20 + number, write=True, id=1, domain=domain)
        pending.append(h.host.write(burst, data_for(h, burst)))
    for transaction in pending:
        await transaction.wait()
        wanted = OKAY if transaction.burst.domain == XTS else SLVERR
        assert set(transaction.responses) == {wanted}
    await h.finish()


@cocotb.test(**LIMIT)
async def exclusive_access_is_never_exokay(dut):
    h = await harness(dut, "exclusive")
    for number in range(4):
        address = h.base + number * LINE_BYTES
        h.scoreboard.faults.reads[address] = [EXOKAY] * BEATS
        h.scoreboard.faults.writes[address] = EXOKAY
    for number, domain in ((0, XTS), (1, PLAIN), (40, XTS)):
        for exclusive in (True, False):
            for size in (0, SIZE):
                members = {"size": size, "domain": domain, "exclusive": exclusive}
                assert (await read(h, within(number, 0, write=False, **members))
                        ).responses == [OKAY]
                assert (await write(h, within(number, 0, write=True, **members))
                        ).responses == [OKAY]
    assert (await write(h, line(2, write=True, exclusive=True))).responses == [OKAY]
    await h.finish()


@cocotb.test(**LIMIT)
async def error_reaches_its_transaction_and_no_other(dut):
    h = await harness(dut, "errors")
    faults = h.scoreboard.faults
    for number in range(0, 32, 4):
        address = h.base + number * LINE_BYTES
        error = SLVERR if number % 8 else DECERR
        faults.reads[address] = [error] * BEATS
        faults.writes[address] = error
    for number in range(1, 32, 8):  # read errors only: fills and reads fail, full lines do not
        faults.reads[h.base + number * LINE_BYTES] = [DECERR] * BEATS
    pending = []
    for _ in range(3):
        order = list(range(34))
        h.random.shuffle(order)
        for number in order:
            identifier, domain = h.random.randrange(4), h.random.choice(domains())
            pending.append(h.host.read(line(number, write=False, id=identifier, domain=domain)))
            burst = (line(number, write=True, id=identifier, domain=domain)
                     if h.random.random() < 0.5 else
                     within(number, 8, write=True, length=4, id=identifier, domain=domain))
            pending.append(h.host.write(burst, data_for(h, burst)))
    for transaction in pending:
        await transaction.wait()
        burst = transaction.burst
        address = burst.chunks[0].line_address
        if burst.write:
            fills = burst.length < BEATS or burst.size < SIZE
            fails = faults.of_write(address) or (
                fills and burst.domain != PLAIN and faults.of_row(address, range(BEATS)))
        else:
            fails = faults.of_row(address, range(BEATS))
            assert not fails or not any(transaction.beats)
        assert set(transaction.responses) == {fails or OKAY}, burst
    # A burst of several lines, one of which fails.
    answer = await read(h, line(3, write=False, lines=3, domain=PLAIN))
    assert answer.responses == [OKAY] * BEATS + [DECERR if 4 % 8 == 0 else SLVERR] * BEATS \
        + [OKAY] * BEATS
    assert (await write(h, line(3, write=True, lines=3))).responses != [OKAY]
    await h.finish()


@cocotb.test(**LIMIT)
async def error_on_some_beats_spoils_no_others(dut):
    h = await harness(dut, "beats")
    for number in range(16):
        responses = [h.random.choice((OKAY, EXOKAY, SLVERR, DECERR)) for _ in range(BEATS)]
        h.scoreboard.faults.reads[h.base + number * LINE_BYTES] = responses
    for number in range(16):
        for domain in (XTS, PLAIN):
            answer = await read(h, line(number, write=False, domain=domain))
            assert EXOKAY not in answer.responses
            await write(h, within(number, 1, write=True, domain=domain, length=2))
    await h.finish()


@cocotb.test(**LIMIT)
async def dram_that_withholds_answers_sees_every_entry(dut):
    h = await harness(dut, "withheld")
    h.agent.answering = Answering(withhold_reads=True, withhold_writes=True)
    reads, writes = CONFIG.read_entries, CONFIG.write_entries
    pending = []
    for number in range(reads + 8):
        pending.append(h.host.read(line(number, write=False, id=number % 3)))
    for number in range(max(writes, CONFIG.write_bursts) + 8):
        burst = line(200 + number, write=True, id=number % 3,
                     domain=PLAIN if number % 2 else XTS)
        pending.append(h.host.write(burst, data_for(h, burst)))
    await until(h, lambda: len(h.agent.reads) == reads, f"{reads} lines being read")
    await until(h, lambda: len(h.agent.writes) == writes, f"{writes} lines being written")
    await h.cycles(50)
    assert len(h.agent.reads) == reads and len(h.agent.writes) == writes
    h.coverage.hit("full/read table")
    h.coverage.hit("full/write table")
    assert dut.s_axi_awvalid.value and not dut.s_axi_awready.value
    h.coverage.hit("full/write bursts")
    assert not any(transaction.responses for transaction in pending)
    assert not dut.idle.value
    h.agent.answering.withhold_writes = False
    await until(h, lambda: not h.agent.writes, "writes pass reads", 4000)
    assert len(h.agent.reads) == reads
    h.agent.answering.withhold_reads = False
    await h.finish()


@cocotb.test(**LIMIT)
async def order_holds_within_an_id_and_only_there(dut):
    h = await harness(dut, "order")
    finished = []

    async def note(transaction):
        finished.append(await transaction.wait())

    overtaken = set()
    for _ in range(8):
        h.agent.answering = Answering(latency=(0, 0), withhold_reads=True, withhold_writes=True)
        count = min(CONFIG.read_entries, CONFIG.write_entries)
        for number in range(count):
            burst = line(64 + number, write=True, id=number % 2)
            for transaction in (h.host.read(line(number, write=False, id=number % 2)),
                                h.host.write(burst, data_for(h, burst))):
                cocotb.start_soon(note(transaction))
        await until(h, lambda n=count: len(h.agent.reads) == len(h.agent.writes) == n,
                    "all in flight")
        h.agent.answering = Answering(latency=(0, 0))
        await h.drain()
        await h.cycles(10)
        for is_write in (True, False):
            addresses = [t.burst.address for t in finished if t.burst.write == is_write]
            ids = [address // LINE_BYTES % 2 for address in addresses]
            assert len(ids) == count
            for identifier in (0, 1):
                own = [address for address, other in zip(addresses, ids, strict=True)
                       if other == identifier]
                assert own == sorted(own)
            if addresses != sorted(addresses):
                overtaken.add(is_write)
        finished.clear()
    assert overtaken == {True, False}
    await h.finish()


@cocotb.test(**LIMIT)
async def same_line_waits(dut):
    h = await harness(dut, "hazards")
    for domain in (XTS, PLAIN):
        h.agent.requests.clear()
        first, second = line(5, write=True, domain=domain), line(5, write=True, domain=domain,
                                                                 id=1)
        h.agent.answering = Answering(withhold_writes=True)
        h.host.write(first, data_for(h, first))
        await until(h, lambda: len(h.agent.writes) == 1, "first write")
        h.host.write(second, data_for(h, second))
        await h.cycles(2 * BEATS + 10)
        reading = h.host.read(line(5, write=False, domain=domain, id=2))
        await read(h, line(6, write=False, domain=domain, id=3))  # another line passes
        await h.cycles(100)
        assert accesses(h) == [("write", 5), ("read", 6)]
        h.agent.answering = Answering(withhold_reads=True)
        # The read saw both writes come: it waits for the second.
        await until(h, lambda: len(h.agent.reads) == 1, "read behind both writes")
        assert accesses(h)[2:] == [("write", 5), ("read", 5)]
        third = line(5, write=True, domain=domain, id=3)
        writing = h.host.write(third, data_for(h, third))
        await h.cycles(100)
        assert len(h.agent.requests) == 4
        h.agent.answering = Answering()
        await reading.wait()
        await writing.wait()
        assert accesses(h)[4:] == [("write", 5)]
    await h.finish()


@cocotb.test(**LIMIT)
async def write_data_may_come_after_a_read_of_the_line(dut):
    h = await harness(dut, "late data")
    burst = line(8, write=True, id=1, lines=2)
    writing = h.host.announce(burst)
    before = await read(h, line(8, write=False, id=1))
    assert (await read(h, line(9, write=False))).responses == [OKAY] * BEATS
    beats = data_for(h, burst)
    h.host.supply(beats[:BEATS], more=True)
    await h.cycles(50)
    # The first line has its data and shows them; the second has not.
    after = await read(h, line(8, write=False, id=2))
    assert after.beats == [value for value, _ in beats[:BEATS]] != before.beats
    await read(h, line(9, write=False))
    h.host.supply(beats[BEATS:])
    await writing.wait()
    await h.finish()


@cocotb.test(**LIMIT)
async def attributes_pass_through(dut):
    h = await harness(dut, "attributes")
    for number in range(12):
        members = {"cache": h.random.choice((0, 1, 2, 3, 6, 7, 10, 11, 14, 15)),
                       "prot": h.random.randrange(8), "qos": h.random.randrange(16),
                       "domain": h.random.choice(domains()), "id": number % 4}
        burst = within(number, 0, write=True, length=3, claim=number % 2 == 0, **members)
        await write(h, burst)
        await read(h, line(number, write=False, **members))
        wanted = {name: members[name] for name in ("cache", "prot", "qos")}
        assert all(attributes == wanted for _, _, attributes in h.agent.requests)
        h.agent.requests.clear()
    await h.finish()


@cocotb.test(**LIMIT)
async def every_slot_has_its_own_keys(dut):
    h = await harness(dut, "slots")
    slots = CONFIG.domain_slots
    for slot in range(slots):
        await h.load_domain(slot, 0x100 + slot, "plain" if slot == 1 else "xts")
    pending = []
    for slot in range(slots):
        burst = line(slot, write=True, domain=0x100 + slot, id=slot % 4)
        pending.append(h.host.write(burst, data_for(h, burst)))
        burst = within(100 + slot, 3, write=True, domain=0x100 + slot, id=slot % 4)
        pending.append(h.host.write(burst, data_for(h, burst)))
    for transaction in pending:
        await transaction.wait()
    for slot in range(slots):
        for other in (slot, (slot + 1) % slots):
            pending.append(h.host.read(line(slot, write=False, domain=0x100 + other)))
    await h.drain()
    # A slot may go to another domain, and a domain get another key, while nothing is in flight.
    await h.load_domain(slots - 1, 0x200, "xts")
    assert set((await read(h, line(0, write=False, domain=0x100 + slots - 1))).responses) \
        == {SLVERR}
    before = await read(h, line(3, write=False, domain=0x200))
    await h.load_domain(slots - 1, 0x200, "xts")
    assert (await read(h, line(3, write=False, domain=0x200))).data != before.data
    await h.load_domain(slots - 1, 0x200, "plain", keys={})
    assert (await read(h, line(3, write=False, domain=0x200))).data \
        == h.memory.read(h.base + 3 * LINE_BYTES, LINE_BYTES)
    await h.finish()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reset_in_mid_flight(dut):
    h = await harness(dut, "reset", profile="random")
    for attempt in range(12):
        for _ in range(h.random.randrange(1, 25)):
            burst = random_burst(h.random, write=h.random.random() < 0.5, base=h.base,
                                 size_bytes=1024, bus_bytes=BUS_BYTES, longest=16,
                                 id=h.random.randrange(4), domain=h.random.choice(domains()))
            if burst.write:
                h.host.write(burst, data_for(h, burst, random_strobes(h.random, burst)))
            else:
                h.host.read(burst)
        if attempt == 3:
            await h.drain()
        else:
            await h.cycles(h.random.randrange(1, 300))
        await h.reset()
        assert dut.idle.value
        # Until slots are set again everything is refused, and nothing of before comes back.
        h.agent.requests.clear()
        for domain in (0, *domains()):
            assert set((await read(h, line(0, write=False, domain=domain))).responses) == {SLVERR}
            assert (await write(h, line(0, write=True, domain=domain))).responses == [SLVERR]
        assert h.agent.requests == []
        await h.load_domain(CONFIG.domain_slots - 1, XTS, "xts")
        await h.load_domain(0, PLAIN, "plain")
        if CONFIG.domain_slots > 2:
            await h.load_domain(1, domains()[2], "xts")
        for number in range(4):
            await write(h, line(number, write=True, domain=h.random.choice(domains())))
            await read(h, line(number, write=False, domain=h.random.choice(domains())))
    await h.finish()
