"""The scoreboard sees what it is there to see, and accepts every legal result."""

import pytest
from casemate.config import LINE_BYTES, preset
from casemate_sim.bursts import Burst, Kind
from casemate_sim.coverage import Coverage
from casemate_sim.faults import Response
from casemate_sim.model import Image
from casemate_sim.scoreboard import Scoreboard, ScoreboardError

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
