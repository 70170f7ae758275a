# amaranth: UnusedElaboratable=no
"""Health tests against a straightforward model of the standard; the sources of noise."""

from random import Random

import pytest
from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out
from casemate.entropy.cutoffs import adaptive_cutoff, repetition_cutoff
from casemate.entropy.health import HealthTests
from casemate.entropy.rings import RingOscillators, SeededSource
from casemate_sim.component import NativeComponent


def test_cutoffs_are_those_of_the_standard():
    assert repetition_cutoff(1) == 31 and repetition_cutoff(16) == 3
    assert repetition_cutoff(0.5, alpha=20) == 41
    # SP 800-90B, 4.4.2: 1 + CRITBINOM(W, 2^-H, 1 - alpha).
    assert adaptive_cutoff(1, 512) == 325
    assert adaptive_cutoff(8, 512) == 16


@pytest.mark.parametrize("call", [lambda: repetition_cutoff(0), lambda: adaptive_cutoff(-1, 512)])
def test_a_source_without_entropy_has_no_cutoff(call):
    with pytest.raises(ValueError, match="more than 0 bits per sample"):
        call()


class Model:
    """The two tests as the standard prints them, a sample at a time."""

    def __init__(self, entropy, window):
        self.cutoffs = repetition_cutoff(entropy), adaptive_cutoff(entropy, window)
        self.window = window
        self.samples = []

    def fails(self, word):
        self.samples.append(word)
        repeated = 0
        for other in reversed(self.samples):
            if other != word:
                break
            repeated += 1
        begin = (len(self.samples) - 1) // self.window * self.window
        window = self.samples[begin:]
        return repeated >= self.cutoffs[0] or window.count(window[0]) >= self.cutoffs[1]


@pytest.fixture(scope="module")
def tests():
    return NativeComponent(HealthTests(entropy=2, window=64, startup=100))


def run(component, words):
    """Return what passes, and the number of the word after which the alert came."""
    component.restart()
    results = component.run([{"i_valid": 1, "i": word, "o_ready": 1} for word in words]
                            + [{"o_ready": 1}] * 2)
    passed = [result["o"] for result in results if result["o_valid"]]
    alerts = [at for at, result in enumerate(results) if result["alert"]]
    return passed, alerts[0] - 1 if alerts else None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.6, 0.7, 0.95])
def test_the_same_word_fails_as_in_the_model(tests, share, seed):
    random = Random(f"{seed} {share}")
    failures = 0
    for _ in range(12):
        words = [5 if random.random() < share else random.getrandbits(32) for _ in range(600)]
        model = Model(2, 64)
        fails = next((at for at, word in enumerate(words) if model.fails(word)), None)
        passed, alert = run(tests, words)
        assert alert == fails
        assert passed == words[100:fails]
        failures += fails is not None
    assert failures == {0.0: 0, 0.95: 12}.get(share, failures)


def test_a_stuck_source_stops_after_the_cutoff(tests):
    good = [number * 0x9E37_79B9 & 0xFFFF_FFFF for number in range(120)]
    passed, alert = run(tests, [*good, *[7] * 40, *good])
    assert passed == [*good[100:], *[7] * 15]
    assert alert == 120 + 16 - 1


def test_nothing_passes_before_the_start_up_test(tests):
    words = [number * 0x9E37_79B9 & 0xFFFF_FFFF for number in range(103)]
    assert run(tests, words) == (words[100:], None)


def test_a_word_waits_and_later_ones_are_lost(tests):
    tests.restart()
    words = [number * 0x9E37_79B9 & 0xFFFF_FFFF for number in range(110)]
    results = tests.run([{"i_valid": 1, "i": word} for word in words])
    assert {result["o"] for result in results[101:]} == {words[100]}
    assert results[-1]["o_valid"] and not results[-1]["alert"]


def test_the_default_is_the_standard_start_up():
    component = NativeComponent(HealthTests())
    words = [number * 0x9E37_79B9 & 0xFFFF_FFFF for number in range(1030)]
    assert run(component, words)[0] == words[1024:]


class Source(wiring.Component):
    """The seeded source behind the tests, as a simulation has it."""

    def __init__(self, seed):
        self._seed = seed
        super().__init__({"o": Out(stream.Signature(32)), "alert": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.source = source = SeededSource(self._seed)
        m.submodules.tests = tests = HealthTests(startup=64)
        wiring.connect(m, source.o, tests.i)
        wiring.connect(m, wiring.flipped(self.o), tests.o)
        m.d.comb += self.alert.eq(tests.alert)
        return m


def test_the_seeded_source_is_healthy_and_repeats():
    component = NativeComponent(Source(7))
    words = [result["o"] for result in component.run([{"o_ready": 1}] * 4000)
             if result["o_valid"]]
    assert len(set(words)) == len(words) > 3900
    component.restart()
    assert words == [result["o"] for result in component.run([{"o_ready": 1}] * 4000)
                     if result["o_valid"]]


def test_rings_are_look_up_tables_that_synthesis_keeps():
    text = rtlil.convert(RingOscillators(rings=4, stages=3))
    assert text.count("cell \\LUT4") == 3 + 5 + 7 + 3
    assert text.count("attribute \\keep 1") >= 18


@pytest.mark.parametrize("call", [
    lambda: RingOscillators(stages=4), lambda: RingOscillators(rings=0),
    lambda: SeededSource(0), lambda: HealthTests(window=1)])
def test_wrong_parameters(call):
    with pytest.raises(ValueError, match="not possible"):
        call()
