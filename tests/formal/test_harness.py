"""The harness of proofs finds what is wrong, says where, and does not pass on nothing."""

import re
from pathlib import Path

import pytest
from amaranth import Elaboratable, Module, Mux, Signal
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate_sim import formal
from casemate_sim.formal import ProofError, assert_formal
from casemate_sim.toolchain import ToolError


class Counter(wiring.Component):
    """Counts to `last`, then starts again; `stop` holds it."""

    stop: In(1)
    value: Out(4)

    def __init__(self, last):
        self.last = last
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        with m.If(~self.stop):
            m.d.sync += self.value.eq(Mux(self.value == self.last, 0, self.value + 1))
        return m


class NeverTwelve(Elaboratable):
    """The counter never shows 12; it may show 9."""

    def __init__(self, last, *, stop=None):
        self.counter = Counter(last)
        self.stop = stop

    def elaborate(self, platform):
        assert platform == "formal"
        m = Module()
        m.submodules.counter = self.counter
        m.d.comb += [
            self.counter.stop.eq(AnySeq(1) if self.stop is None else self.stop),
            Assert(self.counter.value != 12),  # the line that the message must name
            Cover(self.counter.value == 9),
        ]
        return m


LINE = next(number for number, text in enumerate(Path(__file__).read_text().splitlines(), 1)
            if "# the line that" in text)


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


ENGINES = [("bmc", "smtbmc yices"), ("bmc", "smtbmc z3"), ("bmc", "abc bmc3"),
           ("prove", "abc pdr")]


@pytest.mark.parametrize(("mode", "engine"), ENGINES)
def test_what_is_true_is_proven(mode, engine):
    proof = assert_formal(NeverTwelve(9), mode=mode, depth=15, engine=engine)
    assert (proof.folder / "logfile.txt").is_file()


@pytest.mark.parametrize(("mode", "engine"), ENGINES)
def test_a_seeded_bug_is_found_with_its_line_and_a_waveform(mode, engine):
    with pytest.raises(ProofError) as caught:
        assert_formal(NeverTwelve(13), mode=mode, depth=15, engine=engine)
    message = str(caught.value)
    assert "assertion fails" in message
    assert f"at {__file__}:{LINE}, in cycle 12" in message
    path, = re.findall(r"waveform: (\S+)", message)
    assert path.startswith("build/formal/NeverTwelve-")
    assert "$enddefinitions" in Path(path).read_text()


def test_a_bug_behind_the_depth_is_found_by_an_unbounded_proof_only():
    assert_formal(NeverTwelve(13), depth=12)
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(NeverTwelve(13), mode="prove")


def test_a_cover_is_reached_with_a_trace():
    proof = assert_formal(NeverTwelve(9), mode="cover", depth=15)
    assert [path.suffix for path in proof.traces] == [".vcd"]
    assert proof.traces[0].is_file()


def test_a_cover_that_cannot_be_reached_is_an_error():
    with pytest.raises(ProofError, match=rf"cover not reached\s+at {__file__}:\d+"):
        assert_formal(NeverTwelve(8), mode="cover", depth=15)


def test_induction_that_is_too_weak_is_an_error():
    # From the unreachable state 10 an induction of depth 1 reaches 12.
    with pytest.raises(ProofError, match=r"not proven; induction(.|\s)*waveform: build"):
        assert_formal(NeverTwelve(9), mode="prove", depth=1, engine="smtbmc yices")


def test_a_proof_that_takes_too_long_is_given_up():
    class Factors(Elaboratable):
        """No two numbers above 1 multiply to a certain prime: hard for a solver."""

        def elaborate(self, platform):
            m = Module()
            a, b = AnySeq(31), AnySeq(31)
            m.d.comb += Assert((a < 2) | (b < 2) | (a * b != 0x1FFFFFFFFFFFFFFF))
            return m

    with pytest.raises(ProofError, match=r"not decided in \d+ s"):
        assert_formal(Factors(), depth=1, timeout=3)


def test_inputs_of_a_component_are_free():
    class Moves(Counter):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += Assert(self.value != 3)
            return m

    with pytest.raises(ProofError, match="in cycle 3"):
        assert_formal(Moves(9))


def test_a_held_counter_reaches_nothing():
    # Only what drives `stop` differs from the seeded bug.
    assert_formal(NeverTwelve(13, stop=Signal(init=1)), mode="prove")


@pytest.mark.parametrize("mode", ["bmc", "cover"])
def test_a_specification_that_states_nothing_is_refused(mode):
    with pytest.raises(ValueError, match=r"Counter has no (Assert|Cover): nothing to prove"):
        assert_formal(Counter(9), mode=mode)


def test_an_unknown_engine_is_reported():
    with pytest.raises(ToolError, match="nonsense"):
        assert_formal(NeverTwelve(9), engine="nonsense")


def test_a_missing_program_is_named(monkeypatch):
    monkeypatch.setattr(formal.sysconfig, "get_path", lambda name: "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match="yowasp-sby was not found"):
        assert_formal(NeverTwelve(9))
