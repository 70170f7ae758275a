"""Every rule goes red when it is broken, and only that rule; legal traffic stays green."""

import random

import pytest
from amaranth import ClockDomain, Module
from amaranth.back import rtlil
from amaranth.sim import Simulator
from casemate.axi.rules import Role, Rules
from casemate.axi.signature import Burst, Signature

BUS = Signature(data_bits=32, address_bits=32, id_bits=2, user_bits=3)
OUTSTANDING = 4

IDLE = {}


def channel(prefix, **fields):
    return {prefix + name: value for name, value in fields.items()}


def address(prefix, *, ready=1, burst=Burst.INCR, **fields):
    fields = {"valid": 1, "ready": ready, "id": 1, "addr": 0x40, "len": 0, "size": 2, "cache": 2,
              "burst": getattr(burst, "value", burst)} | fields
    return channel(prefix, **fields)


def aw(**fields):
    return address("aw", **fields)


def ar(**fields):
    return address("ar", **fields)


def w(**fields):
    return channel("w", **({"valid": 1, "ready": 1, "strb": 0xF, "last": 1, "data": 7} | fields))


def b(**fields):
    return channel("b", **({"valid": 1, "ready": 1, "id": 1} | fields))


def r(**fields):
    return channel("r", **({"valid": 1, "ready": 1, "id": 1, "last": 1, "data": 9} | fields))


def run(cycles, *, bus=BUS, reset=(), **options):
    """Run the rules over cycles, each a dict of bus members; return whether `idle` is high then."""
    rules = Rules(bus, **{"name": "bus", "outstanding": OUTSTANDING} | options)
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.rules = rules
    idle = []

    async def testbench(ctx):
        for number, cycle in enumerate(cycles):
            for name in bus.members:
                ctx.set(getattr(rules.bus, name), cycle.get(name, 0))
            ctx.set(domain.rst, number in reset)
            await ctx.tick()
        idle.append(bool(ctx.get(rules.idle)))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return idle[0]


# For each rule a legal stimulus and an illegal one that differs from it as little as possible.
CASES = {}


def case(rule, legal, illegal, variant=""):
    CASES[f"{rule}{variant and ' ' + variant}"] = (rule, legal, illegal)


for kind, send in (("aw", aw), ("ar", ar)):
    up = kind.upper()
    case(f"AXI4_ERRM_{up}VALID_RESET", [IDLE, send()], [send()])
    stalled = send(ready=0)
    case(f"AXI4_ERRM_{up}VALID_STABLE", [IDLE, stalled, send()], [IDLE, stalled, IDLE])
    for field, value in (("id", 2), ("addr", 0x44), ("len", 1), ("size", 1), ("burst", 0),
                         ("lock", 1), ("cache", 3), ("prot", 1), ("qos", 1), ("user", 1)):
        case(f"AXI4_ERRM_{up}{field.upper()}_STABLE", [IDLE, stalled, stalled, send()],
             [IDLE, stalled, send(**{field: value})])
    case(f"AXI4_ERRM_{up}BURST", [IDLE, send(burst=2, len=1)], [IDLE, send(burst=3, len=1)])
    case(f"AXI4_ERRM_{up}SIZE", [IDLE, send(size=2)], [IDLE, send(size=3)])
    case(f"AXI4_ERRM_{up}LEN_FIXED", [IDLE, send(burst=Burst.FIXED, len=15)],
         [IDLE, send(burst=Burst.FIXED, len=16)])
    for length, wrong in ((1, 0), (3, 2), (7, 8), (15, 31)):
        case(f"AXI4_ERRM_{up}LEN_WRAP", [IDLE, send(burst=Burst.WRAP, len=length)],
             [IDLE, send(burst=Burst.WRAP, len=wrong)], str(wrong))
    case(f"AXI4_ERRM_{up}ADDR_WRAP_ALIGN", [IDLE, send(burst=Burst.WRAP, len=1, addr=0x44)],
         [IDLE, send(burst=Burst.WRAP, len=1, addr=0x46)])
    case(f"AXI4_ERRM_{up}ADDR_BOUNDARY", [IDLE, send(len=3, addr=0xFF3)],
         [IDLE, send(len=3, addr=0xFF4)])
    case(f"AXI4_ERRM_{up}ADDR_BOUNDARY", [IDLE, send(len=1, size=0, addr=0xFFE)],
         [IDLE, send(len=1, size=0, addr=0xFFF)], "by one byte")
    case(f"AXI4_ERRM_{up}ADDR_BOUNDARY", [IDLE, send(len=255, addr=0xC00)],
         [IDLE, send(len=255, addr=0xC04)], "longest")
    case(f"AXI4_ERRM_{up}CACHE", [IDLE, send(cache=0b1110)], [IDLE, send(cache=0b1100)])
    case(f"AXI4_ERRM_{up}LEN_LOCK", [IDLE, send(lock=1, len=15, addr=0)],
         [IDLE, send(lock=1, len=31, size=0, addr=0)])
    case("AXI4_ERRM_EXCL_LEN", [IDLE, send(lock=1, len=3)], [IDLE, send(lock=1, len=2)], kind)
    case("AXI4_ERRM_EXCL_ALIGN", [IDLE, send(lock=1, len=1, addr=0x48)],
         [IDLE, send(lock=1, len=1, addr=0x44)], kind)
    case(f"AXI4_AUX_{up}_OUTSTANDING", [IDLE] + [send(id=i % 4) for i in range(OUTSTANDING)],
         [IDLE] + [send(id=i % 4) for i in range(OUTSTANDING + 1)])

case("AXI4_ERRM_WVALID_RESET", [IDLE, w()], [w()])
case("AXI4_ERRM_WVALID_STABLE", [IDLE, w(ready=0), w()], [IDLE, w(ready=0), IDLE])
for field, value in (("data", 8), ("strb", 7), ("last", 0)):
    case(f"AXI4_ERRM_W{field.upper()}_STABLE", [IDLE, w(ready=0), w(ready=0), w()],
         [IDLE, w(ready=0), w(**{field: value})])
case("AXI4_ERRM_WDATA_NUM", [IDLE, aw(len=1), w(last=0), w()], [IDLE, aw(len=1), w()], "early")
case("AXI4_ERRM_WDATA_NUM", [IDLE, aw(), w()], [IDLE, aw(), w(last=0)], "late")
case("AXI4_ERRM_WDATA_NUM", [IDLE, aw() | w()], [IDLE, aw() | w(last=0)], "with the address")
case("AXI4_ERRM_WDATA_NUM", [IDLE, aw(), aw(len=1), w(), w(last=0), w()],
     [IDLE, aw(), aw(len=1), w(), w()], "second burst")
case("AXI4_ERRM_WDATA_NUM", [IDLE, w(last=0), w(), aw(len=1)], [IDLE, w(last=0), w(), aw()],
     "whole burst ahead")
case("AXI4_ERRM_WDATA_NUM", [IDLE, w(), w(last=0), w(), aw(id=2), aw(len=1)],
     [IDLE, w(), w(last=0), w(), aw(id=2), aw(id=3)], "second burst ahead")
case("AXI4_ERRM_WDATA_NUM", [IDLE, w(last=0), aw(len=1)], [IDLE, w(last=0), aw()],
     "part of a burst ahead")
case("AXI4_ERRM_WDATA_NUM", [IDLE] + 255 * [w(last=0)] + [w()], [IDLE] + 256 * [w(last=0)],
     "256 beats")
case("AXI4_AUX_WDATA_AHEAD", [IDLE] + OUTSTANDING * [w()], [IDLE] + (OUTSTANDING + 1) * [w()])
for variant, fields, legal, illegal in (
        ("narrow", {"size": 1, "addr": 0x42}, [0xC], [0xE]),
        ("unaligned", {"addr": 0x43}, [0x8], [0x4]),
        ("second beat", {"size": 0, "addr": 0x41, "len": 1}, [0x2, 0x4], [0x2, 0x2]),
        ("aligned after the first", {"size": 1, "addr": 0x41, "len": 1}, [0x2, 0xC], [0x2, 0x2]),
        ("wrap", {"size": 0, "addr": 0x43, "len": 1, "burst": Burst.WRAP}, [0x8, 0x4],
         [0x8, 0x1]),
        ("fixed", {"size": 0, "addr": 0x41, "len": 1, "burst": Burst.FIXED}, [0x2, 0x2],
         [0x2, 0x4])):
    def beats(strobes):
        return [w(strb=strobe, last=int(i == len(strobes) - 1))
                for i, strobe in enumerate(strobes)]

    case("AXI4_ERRM_WSTRB", [IDLE, aw(**fields), *beats(legal)],
         [IDLE, aw(**fields), *beats(illegal)], variant)
case("AXI4_ERRM_WSTRB", [IDLE, aw(ready=0, size=0) | w(strb=1), aw(size=0)],
     [IDLE, aw(ready=0, size=0) | w(strb=2), aw(size=0)], "address not yet accepted")

written = [IDLE, aw(), w()]
case("AXI4_ERRS_BVALID_RESET", [*written, b()], [b()])
case("AXI4_ERRS_BVALID_STABLE", [*written, b(ready=0), b()], [*written, b(ready=0), IDLE])
case("AXI4_ERRS_BID_STABLE", [*written, aw(id=2), w(), b(ready=0), b()],
     [*written, aw(id=2), w(), b(ready=0), b(id=2)])
case("AXI4_ERRS_BRESP_STABLE", [*written, b(ready=0, resp=2), b(resp=2)],
     [*written, b(ready=0, resp=2), b(resp=3)])
case("AXI4_ERRS_BRESP_AW", [IDLE, aw() | w(), b()], [IDLE, aw(ready=0) | w(), aw(ready=0) | b()])
case("AXI4_ERRS_BRESP_AW", [*written, b(), aw(), w(), b()], [*written, b(), b()], "answered twice")
case("AXI4_ERRS_BRESP_AW", [*written, aw(id=2), b()], [*written, aw(id=2), b(id=3)], "other ID")
case("AXI4_ERRS_BRESP_WLAST", [IDLE, aw(len=1), w(last=0), w(), b()],
     [IDLE, aw(len=1), w(last=0), b()])
case("AXI4_ERRS_BRESP_WLAST", [IDLE, aw(), aw(id=2), w(), b()],
     [IDLE, aw(), aw(id=2), w(), b(id=2)], "data of another ID")
case("AXI4_ERRS_BRESP_WLAST", [IDLE, aw(), w(), b()], [IDLE, aw(), w() | b()], "same cycle")
case("AXI4_ERRS_BRESP_EXOKAY", [IDLE, aw(lock=1), w(), b(resp=1)], [*written, b(resp=1)])
case("AXI4_ERRS_BRESP_EXOKAY", [*written, aw(lock=1), w(), b(), b(resp=1)],
     [*written, aw(lock=1), w(), b(resp=1)], "another of its ID")

asked = [IDLE, ar()]
case("AXI4_ERRS_RVALID_RESET", [*asked, r()], [r()])
case("AXI4_ERRS_RVALID_STABLE", [*asked, r(ready=0), r()], [*asked, r(ready=0), IDLE])
for field, value in (("id", 2), ("data", 8), ("resp", 2), ("last", 0)):
    two = [*asked, ar(id=2)]
    case(f"AXI4_ERRS_R{field.upper()}_STABLE", [*two, r(ready=0), r()],
         [*two, r(ready=0), r(**{field: value})])
case("AXI4_ERRS_RID", [*asked, r()], [*asked, r(id=2)])
case("AXI4_ERRS_RID", [*asked, r(), ar(), r()], [*asked, r(), r()], "answered twice")
case("AXI4_ERRS_RID", [*asked, r()], [IDLE, ar() | r()], "same cycle")
case("AXI4_ERRS_RID", [*asked, r()], [IDLE, ar(ready=0), ar(ready=0) | r()], "not accepted")
case("AXI4_ERRS_RDATA_NUM", [IDLE, ar(len=1), r(last=0), r()], [IDLE, ar(len=1), r()], "early")
case("AXI4_ERRS_RDATA_NUM", [*asked, r()], [*asked, r(last=0)], "late")
case("AXI4_ERRS_RDATA_NUM", [*asked, ar(len=1), r(), r(last=0), r()],
     [*asked, ar(len=1), r(last=0), r(), r()], "bursts of one ID out of order")
case("AXI4_ERRS_RDATA_NUM", [IDLE, ar(len=1), ar(id=2, len=1), r(last=0), r(id=2, last=0), r(),
                             r(id=2)],
     [IDLE, ar(len=1), ar(id=2, len=1), r(last=0), r(id=2)], "interleaved")
case("AXI4_ERRS_RRESP_EXOKAY", [IDLE, ar(lock=1), r(resp=1)], [*asked, r(resp=1)])


def test_the_legal_neighbour_of_every_broken_rule_passes():
    cycles, reset = [], set()
    for _, legal, _ in CASES.values():
        reset.add(len(cycles))
        cycles += [IDLE, *legal]
    run(cycles, reset=reset)


@pytest.mark.parametrize(("rule", "illegal"), [(rule, illegal) for rule, _, illegal
                                               in CASES.values()], ids=CASES)
def test_a_broken_rule_is_named(rule, illegal):
    with pytest.raises(AssertionError, match=rf"^Assertion violated: bus: {rule} \("):
        run(illegal)


def test_an_exclusive_access_has_at_most_128_bytes():
    wide = Signature(data_bits=128, address_bits=32, id_bits=2)
    run([IDLE, ar(lock=1, len=7, size=4, addr=0x80)], bus=wide)
    with pytest.raises(AssertionError, match="AXI4_ERRM_EXCL_MAX"):
        run([IDLE, ar(lock=1, len=15, size=4, addr=0x100)], bus=wide)


def test_reset_forgets_what_is_outstanding_and_checks_nothing_while_it_lasts():
    before = [IDLE, aw(len=1), w(last=0) | ar(len=1), ar(ready=0) | r(last=0),
              ar(ready=0) | aw(ready=0, id=3)]
    cut_off = [b(id=3) | r(id=3) | w(strb=0)]
    assert not run(before)
    assert run([*before, *cut_off, IDLE], reset={5})
    # As after power-up: a beat of the burst cut off would be too many now.
    after = [aw() | ar(), w() | r(), b()]
    assert run([*before, *cut_off, IDLE, *after], reset={5})
    with pytest.raises(AssertionError, match="AXI4_ERRS_RID"):
        run([*before, *cut_off, IDLE, r()], reset={5})
    with pytest.raises(AssertionError, match="AXI4_ERRM_ARVALID_RESET"):
        run([*before, *cut_off, ar()], reset={5})


def test_idle_means_that_nothing_is_outstanding():
    assert run([IDLE])
    assert not run([IDLE, ar(ready=0)])
    assert run([IDLE, ar(), r()])
    assert not run([IDLE, aw(), w()])
    assert not run([IDLE, w()])
    assert not run([IDLE, w(last=0)])
    assert run([IDLE, aw(), w(), b()])


def test_a_side_can_be_left_alone():
    wrong = {"manager": [IDLE, ar(len=2, burst=Burst.WRAP)], "subordinate": [IDLE, b()]}
    for side, stimulus in wrong.items():
        with pytest.raises(AssertionError):
            run(stimulus)
        run(stimulus, **{side: Role.IGNORE})
        other = {"manager": "subordinate", "subordinate": "manager"}[side]
        with pytest.raises(AssertionError):
            run(stimulus, **{other: Role.IGNORE})


@pytest.mark.parametrize(("kind", "send"), [("AW", aw), ("AR", ar)])
def test_bursts_of_one_id_can_be_bounded(kind, send):
    run([IDLE, send(id=0), send(id=1), send(id=1), send(id=2)], same_id=2)
    run([IDLE, aw() | ar(), aw() | ar(), w() | r(), b(), aw() | ar()], same_id=2)
    with pytest.raises(AssertionError, match=f"AXI4_AUX_{kind}_SAME_ID"):
        run([IDLE, send(id=1), send(id=2), send(id=1), send(id=1)], same_id=2)


def test_a_rule_can_be_left_out():
    run([IDLE, aw(), w(), b(resp=1)], without={"ERRS_BRESP_EXOKAY"})
    with pytest.raises(AssertionError, match="AXI4_ERRS_BRESP_AW"):
        run([IDLE, b(resp=1)], without={"ERRS_BRESP_EXOKAY"})


def test_a_role_says_what_becomes_of_a_rule():
    def count(**roles):
        text = rtlil.convert(Rules(BUS, **roles), ports=[])
        return tuple(text.count(f'FLAVOR "{kind}"') for kind in ("assert", "assume"))

    total, _ = count()
    manager, _ = count(subordinate=Role.IGNORE)
    subordinate, _ = count(manager=Role.IGNORE)
    assert total == manager + subordinate and manager > subordinate > 10
    assert count(manager=Role.ASSUME) == (subordinate, manager)
    assert count(subordinate=Role.ASSUME) == (manager, subordinate)


@pytest.mark.parametrize("variant", range(3))
def test_legal_traffic_stays_green(variant, seed):
    """Random bursts of every kind, interleaved, data ahead of addresses, any back-pressure."""
    cycles = list(legal_traffic(random.Random(f"{seed} {variant}"), bursts=80))
    assert run(cycles, outstanding=16)
    # The same traffic with one thing wrong is caught, wherever that is.
    beats = [i for i, cycle in enumerate(cycles) if cycle.get("rvalid")
             and not cycles[i - 1].get("rvalid")]
    index = beats[len(beats) // 2]
    cycles[index] = cycles[index] | {"rlast": 1 - cycles[index]["rlast"]}
    with pytest.raises(AssertionError, match="AXI4_ERRS_RDATA_NUM"):
        run(cycles, outstanding=16)


def random_burst(rng, prefix):
    size = rng.randrange(3)
    burst = rng.choice(list(Burst))
    length = {Burst.FIXED: rng.randrange(16), Burst.WRAP: rng.choice((1, 3, 7, 15)),
              Burst.INCR: rng.choice((0, 0, 3, 7, rng.randrange(40)))}[burst]
    start = rng.randrange(1 << 20)
    if burst is Burst.WRAP:
        start &= -1 << size
    elif burst is Burst.INCR:
        start = start & ~0xFFF | rng.randrange(0x1000 - (length << size))
        start = min(start, (start | 0xFFF) + 1 - ((length + 1) << size))
    lock = 0
    if rng.random() < 0.2:
        lock, burst, length = 1, Burst.INCR, rng.choice((0, 1, 3, 7, 15))
        start &= -((length + 1) << size)
    return address(prefix, id=rng.randrange(4), addr=start, len=length, size=size, burst=burst,
                   lock=lock, cache=rng.choice((0, 1, 2, 3, 7, 15)), prot=rng.randrange(8),
                   user=rng.randrange(8))


def legal_strobes(rng, burst):
    """Yield strobes of a write burst, lane by lane (ARM IHI 0022, A3.4.1 and A3.4.3)."""
    start, number = burst["awaddr"], 1 << burst["awsize"]
    beats, kind = burst["awlen"] + 1, Burst(burst["awburst"])
    container = number * beats
    low = start
    for _ in range(beats):
        lanes = range(low % 4, (low - low % number + number - 1) % 4 + 1)
        yield sum(rng.randrange(2) << lane for lane in lanes)
        if kind is not Burst.FIXED:
            low = low - low % number + number
        if kind is Burst.WRAP and low % container == 0:
            low -= container


def legal_traffic(rng, bursts):
    """Yield the cycles of two well-behaved sides of a bus."""
    pace = {name: rng.choice((0.3, 0.7, 1.0)) for name in ("aw", "w", "b", "ar", "r")}
    queues = {"aw": [], "w": [], "ar": []}
    for _ in range(bursts):
        burst = random_burst(rng, "aw")
        queues["aw"].append(burst)
        strobes = list(legal_strobes(rng, burst))
        queues["w"] += [w(strb=strobe, data=rng.randrange(1 << 32),
                          last=int(i == len(strobes) - 1)) for i, strobe in enumerate(strobes)]
        queues["ar"].append(random_burst(rng, "ar"))
    waiting = {}  # what is on a channel now
    # Writes whose address was accepted, number of those whose data were, of those with both.
    addressed, whole, matched = [], 0, 0
    unanswered = {name: [] for name in range(4)}  # locks of complete writes
    reads = {name: [] for name in range(4)}
    completed = sent = read_count = 0
    yield IDLE
    while True:
        in_flight = sent - completed
        for name, queue in queues.items():
            room = {"aw": in_flight < 12, "w": whole - sent < 8, "ar": read_count < 12}[name]
            if name not in waiting and queue and room and rng.random() < pace[name]:
                waiting[name] = queue.pop(0)
                sent += name == "aw"
                read_count += name == "ar"
        ids = [name for name, locks in unanswered.items() if locks]
        if "b" not in waiting and ids and rng.random() < pace["b"]:
            chosen = rng.choice(ids)
            lock = unanswered[chosen][0]
            waiting["b"] = b(id=chosen, resp=rng.choice((0, 1, 2, 3) if lock else (0, 2, 3)))
        ids = [name for name, open_reads in reads.items() if open_reads]
        if "r" not in waiting and ids and rng.random() < pace["r"]:
            chosen = rng.choice(ids)
            left, lock = reads[chosen][0]
            waiting["r"] = r(id=chosen, last=int(left == 0), data=rng.randrange(1 << 32),
                             resp=rng.choice((0, 1, 2, 3) if lock else (0, 2, 3)))
        cycle = {}
        for name, fields in waiting.items():
            cycle |= fields | {name + "ready": int(rng.random() < 0.7)}
        yield cycle
        for name in [name for name in waiting if cycle[name + "ready"]]:
            fields = waiting.pop(name)
            if name == "aw":
                addressed.append((fields["awid"], fields["awlock"]))
            elif name == "w":
                whole += fields["wlast"]
            elif name == "b":
                unanswered[fields["bid"]].pop(0)
                completed += 1
            elif name == "ar":
                reads[fields["arid"]].append([fields["arlen"], fields["arlock"]])
            elif fields["rlast"]:
                reads[fields["rid"]].pop(0)
                read_count -= 1
            else:
                reads[fields["rid"]][0][0] -= 1
        while matched < min(whole, len(addressed)):
            identifier, lock = addressed[matched]
            unanswered[identifier].append(lock)
            matched += 1
        if completed == bursts and not read_count and not queues["ar"] and not waiting:
            break
    yield IDLE
