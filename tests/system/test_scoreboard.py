"""The scoreboard sees what it is there to see, and accepts every legal result."""

from random import Random

import numpy as np
import pytest
from casemate.config import LINE_BYTES, LeafShape, TreeConfig, preset
from casemate_sim.bursts import Burst, Kind
from casemate_sim.coverage import Coverage
from casemate_sim.faults import Response
from casemate_sim.model import AccessError, GoldenEngine, Image, IntegrityError, seal_image
from casemate_sim.scoreboard import Scoreboard, ScoreboardError
from hypothesis import given, settings
from hypothesis import strategies as st

CONFIG = preset("tiny")
PLAIN, XTS = 1, 2
OLD, NEW, NEWER = bytes(64), bytes(range(64)), bytes(range(100, 164))
OKAY, EXOKAY, SLVERR, DECERR = Response


class Bench:
    """A scoreboard, and a DRAM that the test writes itself."""

    def __init__(self):
        self.dram = Image([(0, OLD)])
        self.scoreboard = Scoreboard(CONFIG, Image([(0, OLD)]), self.dram.read, Coverage(CONFIG))
        self.scoreboard.set_domain(0, PLAIN, encrypt=False)
        self.scoreboard.set_domain(1, XTS, encrypt=True, keys={"K1": bytes(16), "K2": b"k" * 16})

    def burst(self, *, write, domain=PLAIN, **members):
        return Burst(**{"write": write, "address": 0, "length": 4, "size": 4, "bus_bytes": 16,
                        "domain": domain} | members)

    def announce(self, cycle, **members):
        self.scoreboard.address(cycle, self.burst(**members))

    def supply(self, cycle, content, strobes=0xffff):
        for at in range(0, len(content), 16):
            self.scoreboard.write_data(
                cycle, int.from_bytes(content[at:at + 16], "little"), strobes)

    def write(self, cycle, content, **members):
        self.announce(cycle, write=True, **members)
        self.supply(cycle, content)

    def returns(self, content, identifier=0, response=OKAY, last=True):
        for at in range(0, len(content), 16):
            self.scoreboard.read_data(
                identifier, int.from_bytes(content[at:at + 16], "little"), response,
                int(last and at == len(content) - 16))


@pytest.fixture
def bench():
    return Bench()


def test_read_returns_what_was_written_before(bench):
    bench.write(1, NEW)
    bench.announce(2, write=False)
    bench.returns(NEW)


def test_read_behind_a_write_must_not_return_older_data(bench):
    bench.write(1, NEW)
    bench.announce(1, write=False)
    with pytest.raises(ScoreboardError, match=r"^data 0{32} instead of 00010203"):
        bench.returns(OLD)


@pytest.mark.parametrize("content", [OLD, NEW, NEWER])
def test_read_may_see_any_write_that_comes_meanwhile(bench, content):
    bench.announce(1, write=False)
    bench.write(2, NEW)
    bench.write(3, NEWER, id=1)
    bench.returns(content)


def test_read_of_a_line_is_not_torn(bench):
    bench.announce(1, write=False)
    bench.write(2, NEW)
    with pytest.raises(ScoreboardError, match="beat 2"):
        bench.returns(NEW[:32] + OLD[32:])


def test_reads_of_two_lines_are_independent(bench):
    bench.announce(1, write=False, length=8)
    bench.write(2, NEW)
    bench.returns(NEW + bytes(64))


def test_response_must_be_the_models(bench):
    bench.announce(1, write=False)
    with pytest.raises(ScoreboardError, match="response EXOKAY instead of OKAY"):
        bench.returns(OLD, response=EXOKAY)


def test_last_marks_the_last_beat(bench):
    bench.announce(1, write=False)
    with pytest.raises(ScoreboardError, match="RLAST is 0"):
        bench.returns(OLD, last=False)
    bench.announce(1, write=False, id=1, length=8)
    with pytest.raises(ScoreboardError, match="RLAST is 1"):
        bench.returns(OLD, identifier=1)


def test_answers_without_a_question(bench):
    with pytest.raises(ScoreboardError, match="ID 3, which has no read"):
        bench.returns(OLD, identifier=3)
    with pytest.raises(ScoreboardError, match="ID 2, which has no write"):
        bench.scoreboard.write_response(2, OKAY)


def test_write_is_answered_after_its_data_and_when_it_is_in_dram(bench):
    bench.announce(1, write=True)
    with pytest.raises(ScoreboardError, match="write response before beat 0"):
        bench.scoreboard.write_response(0, OKAY)
    bench = Bench()
    bench.write(1, NEW)
    with pytest.raises(ScoreboardError, match="DRAM does not hold line 0x0"):
        bench.scoreboard.write_response(0, OKAY)


def test_answered_write_may_have_been_overwritten(bench):
    bench.write(1, NEW)
    bench.write(2, NEWER, id=1)
    bench.dram.write(0, NEWER)
    bench.scoreboard.write_response(0, OKAY)
    bench.scoreboard.write_response(1, OKAY)
    bench.scoreboard.finish(bench.dram)


@pytest.mark.parametrize("members", [
    {"domain": 9}, {"kind": Kind.FIXED}, {"address": CONFIG.data_bytes}])
def test_refused_access_has_no_data(bench, members):
    bench.announce(1, write=False, **members)
    with pytest.raises(ScoreboardError, match="response OKAY instead of SLVERR"):
        bench.returns(OLD)
    bench.announce(1, write=False, id=1, **members)
    with pytest.raises(ScoreboardError, match="beside an error"):
        bench.returns(NEW, identifier=1, response=SLVERR)
    bench.write(2, NEW, **members)
    bench.scoreboard.write_response(0, SLVERR)
    assert bench.scoreboard.reference.image.read(0, 64) == OLD


def test_faults_of_the_dram_reach_the_burst_and_the_line_stays(bench):
    bench.scoreboard.faults.reads[0] = [OKAY, SLVERR, OKAY, DECERR]
    bench.scoreboard.faults.writes[LINE_BYTES] = DECERR
    bench.announce(1, write=False, length=1)
    bench.returns(OLD[:16])
    bench.announce(1, write=False, length=1, address=16)
    bench.returns(bytes(16), response=SLVERR)
    # A partial write in xts is filled, and the fill fails; in plain it is not.
    bench.write(2, NEW[:16], length=1, domain=XTS)
    bench.scoreboard.write_response(0, SLVERR)
    bench.write(2, NEW[:16], length=1)
    bench.dram.write(0, NEW[:16])
    bench.scoreboard.write_response(0, OKAY)
    bench.write(3, NEW, address=LINE_BYTES, domain=XTS)
    with pytest.raises(ScoreboardError, match=r"OKAY instead of \['DECERR'\]"):
        bench.scoreboard.write_response(0, OKAY)


def test_dram_is_compared_to_the_last_byte_even_where_nobody_wrote(bench):
    bench.write(1, NEW, domain=XTS)
    bench.dram.write(0, bench.scoreboard.reference.image.read(0, 64))
    bench.scoreboard.write_response(0, OKAY)
    bench.scoreboard.finish(bench.dram)
    bench.dram.write(0x5003, b"!")
    with pytest.raises(ScoreboardError, match="DRAM holds 0x21 instead of 0x00 at 0x5003"):
        bench.scoreboard.finish(bench.dram)


def test_unanswered_bursts_are_an_error(bench):
    bench.announce(1, write=False)
    with pytest.raises(ScoreboardError, match="1 bursts were not answered"):
        bench.scoreboard.finish(bench.dram)


@pytest.mark.parametrize("content", [OLD, NEW, OLD[:16] + NEW[16:48] + OLD[48:]])
def test_reset_leaves_old_or_new_blocks(bench, content):
    bench.write(1, NEW)
    bench.dram.write(0, content)
    bench.scoreboard.reset()
    bench.scoreboard.recover()
    assert bench.scoreboard.reference.image.read(0, 64) == content
    bench.announce(2, write=False)
    bench.returns(bytes(64), response=SLVERR)  # the slots are gone


def test_reset_brings_back_nothing_that_was_answered(bench):
    bench.write(1, NEW)
    bench.dram.write(0, NEW)
    bench.scoreboard.write_response(0, OKAY)
    bench.write(2, NEWER)
    bench.dram.write(0, OLD)
    bench.scoreboard.reset()
    with pytest.raises(ScoreboardError, match="after reset, 0x0 holds"):
        bench.scoreboard.recover()


# -- domains that authenticate -------------------------------------------------------------------

PROTECTED = CONFIG.replace(tree=TreeConfig(cache_sets=1, cache_ways=2), domain_slots=4,
                           root_counters=8)
FULL, INTEGRITY = 3, 4
LEAVES = PROTECTED.regions[1].base
KEYS = {name: name.encode() * 8 for name in ("K1", "K2", "K3", "K4")}


class ProtectedBench(Bench):
    """A scoreboard, and an engine without faults that keeps leaves back until it is flushed."""

    def __init__(self, config=PROTECTED):
        self.dram = Image([(0, OLD)])
        self.engine = GoldenEngine(config, self.dram, lazy=True)
        self.scoreboard = Scoreboard(config, Image([(0, OLD)]), self.dram.read, Coverage(config))
        self.load()

    def load(self):
        for slot, (domain, encrypt, authenticate) in enumerate((
                (PLAIN, False, False), (XTS, True, False), (FULL, True, True),
                (INTEGRITY, False, True))):
            modes = {"encrypt": encrypt, "authenticate": authenticate}
            self.engine.set_slot(slot, domain=domain, **modes)
            for name, key in KEYS.items():
                self.engine.load_key(slot, name, key)
            self.scoreboard.set_domain(slot, domain, **modes, keys=KEYS)

    def store(self, cycle, content, *, domain=FULL, address=0, claim=False, response=OKAY,
              identifier=0):
        """Write as the engine does, and answer."""
        self.write(cycle, content, domain=domain, address=address, claim=claim, id=identifier,
                   length=len(content) // 16)
        if response is OKAY:
            self.engine.write(domain, address, content, claim=claim)
        self.scoreboard.write_response(identifier, response)

    def ask(self, cycle, *, domain=FULL, address=0, identifier=0, length=4):
        self.announce(cycle, write=False, domain=domain, address=address, id=identifier,
                      length=length)

    def refused(self, identifier=0, beats=4):
        self.returns(bytes(16 * beats), identifier, SLVERR)

    def finish(self, **options):
        self.engine.flush()
        self.scoreboard.finish(self.dram, self.engine.root, **options)


@pytest.fixture
def protected():
    return ProtectedBench()


@pytest.mark.parametrize("domain", [FULL, INTEGRITY])
def test_owner_reads_what_it_wrote_and_zeros_elsewhere(protected, domain):
    protected.store(1, NEW, domain=domain, claim=True)
    for address, content in ((0, NEW), (64, bytes(64))):
        protected.ask(2, domain=domain, address=address)
        protected.returns(content)
    protected.ask(3, domain=domain)
    with pytest.raises(ScoreboardError, match=r"^data 6465.* instead of 0001"):
        protected.returns(NEWER)


def test_granule_of_nobody_or_another_is_refused(protected):
    for _ in range(2):
        protected.ask(1)
        protected.refused()
        protected.store(1, NEW, response=SLVERR)
        protected.store(2, NEW, domain=INTEGRITY, claim=True)
    protected.ask(3)
    with pytest.raises(ScoreboardError, match="response OKAY instead of SLVERR"):
        protected.returns(bytes(64))
    protected.write(4, NEWER, domain=FULL, claim=True, id=1)
    with pytest.raises(ScoreboardError, match=r"response OKAY instead of \['SLVERR'\]"):
        protected.scoreboard.write_response(1, OKAY)


def test_owner_is_not_refused(protected):
    protected.store(1, NEW, claim=True)
    protected.ask(2, address=64)
    with pytest.raises(ScoreboardError, match="response SLVERR instead of OKAY"):
        protected.refused()
    protected.write(3, NEW, domain=FULL, id=1)
    with pytest.raises(ScoreboardError, match=r"response SLVERR instead of \['OKAY'\]"):
        protected.scoreboard.write_response(1, SLVERR)


def test_line_is_verified_as_a_whole(protected):
    protected.scoreboard.attacked = True
    protected.store(1, NEW, claim=True)
    protected.ask(2)
    protected.returns(NEW[:16], last=False)
    with pytest.raises(ScoreboardError, match="response SLVERR instead of OKAY"):
        protected.returns(bytes(16), response=SLVERR, last=False)
    protected.ask(2, identifier=1)
    protected.returns(bytes(16), identifier=1, response=SLVERR, last=False)
    with pytest.raises(ScoreboardError, match="response OKAY instead of SLVERR"):
        protected.returns(NEW[16:32], identifier=1, last=False)


def test_who_is_attacked_may_be_refused_and_not_deceived(protected):
    protected.store(1, NEW, claim=True)
    protected.scoreboard.attacked = True
    protected.ask(2)
    protected.refused()
    protected.store(3, NEWER, response=SLVERR)
    for content in (NEW, NEWER):  # a refused write may have been done
        protected.ask(4)
        protected.returns(content)
    protected.store(5, NEWER)
    protected.ask(6)
    with pytest.raises(ScoreboardError, match=r"^data 00010203"):
        protected.returns(NEW)


def test_protected_line_is_in_dram_when_its_write_is_answered(protected):
    protected.store(1, NEW, claim=True)
    protected.write(2, NEWER, domain=FULL)
    with pytest.raises(ScoreboardError, match="DRAM does not hold line 0x0 as it was written"):
        protected.scoreboard.write_response(0, OKAY)


@pytest.mark.parametrize("winner", [FULL, INTEGRITY])
def test_one_of_two_that_claim_at_a_time_gets_the_granule(protected, winner):
    loser = FULL + INTEGRITY - winner
    protected.write(1, NEW, domain=FULL, claim=True, id=FULL)
    protected.write(1, NEWER, domain=INTEGRITY, claim=True, id=INTEGRITY, address=64)
    protected.ask(1, domain=winner, identifier=1, address=128)
    content, address = (NEW, 0) if winner == FULL else (NEWER, 64)
    protected.engine.write(winner, address, content, claim=True)
    protected.scoreboard.write_response(winner, OKAY)
    with pytest.raises(ScoreboardError, match="response OKAY instead of"):
        protected.scoreboard.write_response(loser, OKAY)
    protected.refused(1)  # it may have come before
    protected.ask(2, domain=winner, address=address)
    protected.returns(content)
    protected.ask(2, domain=loser)
    protected.refused()


def test_both_that_claim_at_a_time_are_answered(protected):
    protected.write(1, NEW, domain=FULL, claim=True, id=FULL)
    protected.write(1, NEWER, domain=INTEGRITY, claim=True, id=INTEGRITY)
    protected.engine.write(INTEGRITY, 0, NEWER, claim=True)
    protected.scoreboard.write_response(FULL, SLVERR)
    protected.scoreboard.write_response(INTEGRITY, OKAY)
    protected.ask(2, domain=INTEGRITY)
    protected.returns(NEWER)
    protected.finish()


def test_whoever_does_not_authenticate_spoils_a_protected_line(protected):
    protected.store(1, NEW, claim=True)
    protected.store(2, NEWER, domain=PLAIN)
    protected.ask(3)
    with pytest.raises(ScoreboardError, match="response OKAY instead of SLVERR"):
        protected.returns(NEWER)
    protected.refused()
    protected.write(4, NEW[:16], domain=FULL, length=1)
    protected.scoreboard.write_response(0, SLVERR)
    protected.store(5, NEW)
    protected.ask(6)
    protected.returns(NEW)
    protected.ask(7, domain=PLAIN)  # ciphertext that nobody predicts
    protected.returns(protected.dram.read(0, 64))
    protected.finish()


def test_reclaimed_granule_is_nobodys_and_empty(protected):
    protected.store(1, NEW, claim=True)
    protected.engine.reclaim(0, 256)
    protected.scoreboard.reclaim(0, 256)
    protected.ask(2)
    protected.refused()
    protected.store(3, NEW, domain=INTEGRITY, claim=True, address=64)
    protected.ask(4, domain=INTEGRITY)
    protected.returns(bytes(64))
    protected.finish()


def test_read_during_a_reclaim_may_be_refused(protected):
    protected.store(1, NEW, claim=True)
    for identifier in (0, 1):
        protected.ask(2, identifier=identifier)
    protected.engine.reclaim(0, 256)
    protected.scoreboard.reclaim(0, 256)
    protected.refused(0)
    protected.returns(NEW, 1)


def test_error_of_the_dram_spoils_the_whole_protected_line(protected):
    protected.store(1, NEW, claim=True)
    protected.scoreboard.faults.reads[0] = [OKAY, SLVERR, OKAY, OKAY]
    protected.scoreboard.faults.writes[64] = DECERR
    protected.ask(2, length=1)
    with pytest.raises(ScoreboardError, match="response OKAY instead of SLVERR"):
        protected.returns(NEW[:16])
    protected.refused(beats=1)
    protected.write(3, NEWER[:16], domain=FULL, length=1)
    protected.scoreboard.write_response(0, SLVERR)
    protected.write(3, NEWER, domain=FULL, address=64)
    protected.scoreboard.write_response(0, DECERR)
    protected.store(3, NEWER)
    protected.ask(4, address=64, identifier=2)
    protected.returns(bytes(64), 2)
    protected.finish()


def test_error_of_a_leafs_dram_may_refuse_anything(protected):
    protected.store(1, NEW, claim=True)
    protected.scoreboard.faults.reads[LEAVES] = [SLVERR] * 4
    protected.ask(2, address=64)
    protected.refused()


def test_line_of_a_spent_version_may_be_refused():
    config = PROTECTED.replace(leaf=LeafShape(version_bits=2))
    bench = ProtectedBench(config)
    for cycle in range(3):
        bench.store(cycle, NEW, claim=True)
    bench.store(4, NEWER, response=SLVERR)
    bench.ask(5)
    bench.returns(NEW)
    bench.finish()


def test_sealed_lines_are_adopted(protected):
    lines = np.array([0, 5], np.uint64)
    data = np.frombuffer(NEW + NEWER, np.uint8).reshape(2, 64)
    seal_image(PROTECTED, KEYS, FULL, lines, data, image=protected.dram,
               root=protected.engine.root)
    protected.scoreboard.adopt(FULL, lines, data)
    protected.ask(1, address=5 * 64)
    protected.returns(NEWER)
    protected.store(2, NEWER)
    protected.finish()


@pytest.mark.parametrize(("address", "message"), [
    (0, "line 0x0 of domain 3 in DRAM does not match its tag under version 1"),
    (LEAVES, "the MAC of level 0 number 0 in DRAM does not match"),
    (PROTECTED.regions[2].base, "the MAC of level 1 number 0 in DRAM does not match"),
    (PROTECTED.regions[3].base, "the MAC of level 2 number 0 in DRAM does not match"),
    (0x5003, "DRAM holds 0x01 instead of 0x00 at 0x5003")])
@pytest.mark.parametrize("with_root", [True, False])
def test_dram_after_a_flush_is_verified(protected, address, message, with_root):
    protected.store(1, NEW, claim=True)
    protected.engine.flush()
    root = protected.engine.root if with_root else None
    protected.scoreboard.finish(protected.dram, root)
    protected.dram.write(address, bytes([protected.dram.read(address, 1)[0] ^ 1]))
    if not with_root and address == PROTECTED.regions[3].base:
        message = "granule 0 belongs to domain 0 in DRAM, not"  # its node is as if never written
    with pytest.raises(ScoreboardError, match=message):
        protected.scoreboard.finish(protected.dram, root)


@pytest.mark.parametrize("with_root", [True, False])
def test_leaves_must_hold_what_was_written(protected, with_root):
    protected.store(1, NEW, claim=True)
    protected.engine.flush()
    other = ProtectedBench()
    for content, message in (
            (NEWER, "reads as 6465"),
            (None, "granule 0 belongs to domain 0 in DRAM, not" if with_root else
             "the MAC of level 0 number 0 in DRAM does not match")):
        other.engine = GoldenEngine(PROTECTED, other.dram, lazy=True)
        other.load()
        if content:
            other.engine.write(FULL, 0, content, claim=True)
            other.engine.flush()
        else:
            other.dram.write(LEAVES, bytes(64))
        root = other.engine.root if with_root else None
        with pytest.raises(ScoreboardError, match=message):
            protected.scoreboard.finish(other.dram, root)
    protected.scoreboard.finish(other.dram, flushed=False)


def test_reset_empties_the_root(protected):
    protected.store(1, NEW, claim=True)
    protected.write(2, NEWER, domain=FULL)
    protected.scoreboard.reset()
    protected.dram.write(0, NEWER[:16])
    protected.scoreboard.recover()
    protected.engine = GoldenEngine(PROTECTED, protected.dram, lazy=True)
    protected.load()
    protected.ask(3)
    protected.refused()
    protected.ask(3, domain=PLAIN)
    protected.returns(protected.dram.read(0, 64))
    protected.store(4, NEW, address=64, claim=True)
    protected.finish()


# -- an engine that does things in every legal order ---------------------------------------------


class Simulated:
    """Takes accesses, does each at a time of its choice, and answers later still."""

    def __init__(self, random):
        self.random = random
        self.bench = ProtectedBench()
        self.cycle = 0
        self.waiting = []  # not done, in the order of acceptance
        self.done = []
        self.identifier = 0

    def accept(self):
        random = self.random
        domain = random.choice((FULL, FULL, INTEGRITY, PLAIN, XTS))
        line, offset = random.randrange(6), random.choice((0, 0, 16, 48))
        length = random.choice((4, 4, 8)) if not offset else 1
        self.identifier += 1
        access = {"write": random.random() < 0.6, "domain": domain, "id": self.identifier,
                  "address": 64 * line + offset, "length": length}
        if access["write"]:
            content, strobes = random.randbytes(16 * length), random.choice((0xffff, 0xffff, 0x70))
            claim = random.random() < 0.5
            self.bench.announce(self.cycle, claim=claim, **access)
            self.bench.supply(self.cycle, content, strobes)
            access |= {"content": content, "claim": claim,
                       "strobes": [bool(strobes >> at & 1) for at in range(16)] * length}
        else:
            self.bench.announce(self.cycle, **access)
        size = min(length, 4) * 16
        access["parts"] = [slice(at, at + size) for at in range(0, 16 * length, size)]
        access["responses"] = []
        access["data"] = b""
        self.waiting.append(access)

    @staticmethod
    def lines(access):
        first = access["address"] // 64
        return set(range(first, first + len(access["parts"])))

    def do(self, access):
        """Do an access when no older write of its lines waits."""
        for other in self.waiting[:self.waiting.index(access)]:
            if other["write"] and self.lines(other) & self.lines(access):
                return
        self.waiting.remove(access)
        self.done.append(access)
        for part in access["parts"]:
            response, data = OKAY, bytes(part.stop - part.start)
            try:
                data = self.do_line(access, part) or data
            except (AccessError, IntegrityError):
                response = SLVERR
            access["responses"].append(response)
            access["data"] += data

    def do_line(self, access, part):
        engine, domain = self.bench.engine, access["domain"]
        address = access["address"] + part.start
        if not access["write"]:
            return engine.read(domain, address, part.stop - part.start)
        return engine.write(domain, address, access["content"][part], access["strobes"][part],
                            claim=access["claim"])

    def answer(self, access):
        self.done.remove(access)
        if access["write"]:
            self.bench.scoreboard.write_response(access["id"], max(access["responses"]))
            return
        for part, response in zip(access["parts"], access["responses"], strict=True):
            self.bench.returns(access["data"][part], access["id"], response,
                               part is access["parts"][-1])

    def reclaim(self):
        granule = self.random.randrange(2)
        self.bench.engine.reclaim(256 * granule, 256)
        self.bench.scoreboard.reclaim(256 * granule, 256)

    def step(self, busy):
        self.cycle += 1
        roll = self.random.random()
        if roll < 0.02:
            self.reclaim()
        elif roll < busy:
            self.accept()
        elif roll < busy + 0.3 and self.waiting:
            self.do(self.random.choice(self.waiting))
        elif self.done:
            self.answer(self.random.choice(self.done))

    def run(self, steps, busy):
        for _ in range(steps):
            self.step(busy)
        while self.waiting or self.done:
            self.step(0)
        self.bench.finish()


@settings(deadline=None, max_examples=60)
@given(st.integers(0), st.sampled_from([0.1, 0.3, 0.4]))
def test_no_legal_order_is_an_error(number, busy):
    Simulated(Random(number)).run(120, busy)


class OwnerIgnored(Simulated):
    """Answers zeros, and no error, to who may not read."""

    def do_line(self, access, part):
        try:
            return super().do_line(access, part)
        except AccessError:
            return None


class WriteLost(Simulated):
    """Forgets some writes."""

    def do_line(self, access, part):
        if access["write"] and self.random.random() < 0.1:
            return None
        return super().do_line(access, part)


class WrongBit(Simulated):
    """Returns a wrong bit now and then."""

    def do_line(self, access, part):
        data = super().do_line(access, part)
        if data and self.random.random() < 0.5:
            return bytes([data[0] ^ 1]) + data[1:]
        return data


class ClaimIgnored(Simulated):
    """Gives a granule of nobody to who did not claim it."""

    def do_line(self, access, part):
        return super().do_line(access | {"claim": True}, part)


class ValidKept(Simulated):
    """Reclaims nothing, so that the next owner is refused."""

    def reclaim(self):
        self.bench.scoreboard.reclaim(0, 256)


@pytest.mark.parametrize("wrong", [OwnerIgnored, WriteLost, WrongBit, ClaimIgnored, ValidKept])
def test_a_wrong_engine_is_found(wrong, seed):
    found = 0
    for number in range(20):
        try:
            wrong(Random(f"{seed} {number}")).run(200, 0.3)
        except ScoreboardError:
            found += 1
    assert found >= 12, f"{found} of 20, seed {seed}"
