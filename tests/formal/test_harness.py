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


class Keeper(wiring.Component):
    """Keeps a secret, and counts; with `leak`, further if the secret is odd."""

    def __init__(self, *, leak):
        self.leak = leak
        self.kept = Signal(8)
        super().__init__({"secret": In(8), "count": Out(8)})

    def elaborate(self, platform):
        m = Module()
        more = self.kept[0] if self.leak else 0
        m.d.sync += [self.kept.eq(self.secret), self.count.eq(self.count + 1 + more)]
        return m


class TwoKeepers(Elaboratable):
    """What they count is equal; their secrets are equal while ``agree``."""

    def __init__(self, *, leak=False):
        self.keepers = [Keeper(leak=leak), Keeper(leak=leak)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.first, m.submodules.second = first, second = self.keepers
        differ = Signal(attrs={"keep": 1})
        m.d.sync += differ.eq(1)
        m.d.comb += [
            first.secret.eq(AnySeq(8)), second.secret.eq(AnySeq(8)),
            Assert(first.count == second.count),
            Assert(differ | (first.kept == second.kept)),
        ]
        return m


@pytest.mark.parametrize("when", [None, "differ"])
def test_registers_of_twins_are_equal_but_for_those_that_may_differ(when):
    assert_formal(TwoKeepers(), mode="prove", twins={"kept": when})


@pytest.mark.parametrize(("leak", "differ"), [(True, {"kept": None}), (False, {})])
def test_twins_that_differ_are_found(leak, differ):
    with pytest.raises(ProofError, match=r"at (first|second)"):
        assert_formal(TwoKeepers(leak=leak), mode="bmc", depth=4, twins=differ)


def test_an_induction_that_does_not_hold_is_found():
    # Reset is long over before the secret gets into the count.
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(TwoKeepers(leak=True), mode="prove", twins={"kept": None})


def test_a_register_that_no_twin_has_is_named():
    with pytest.raises(ValueError, match="no register is called nothing"):
        assert_formal(TwoKeepers(), twins={"kept": None, "nothing": None})


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
