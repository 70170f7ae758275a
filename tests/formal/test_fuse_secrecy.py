# amaranth: UnusedElaboratable=no
"""With the fuses in the design: nothing that can be observed depends on the secret in them.

Two engines (``two_engines``) have fuses with different secrets. What is shown is that everything
that can be seen is equal in both for all time: AXI4 and AXI4-Lite, interrupt, alerts,
``debug_enable``, all ``ready`` and ``valid``, the pins of the fuse macro but for the words of the
secret, and when which round key is written where, and for whom it was derived.

The proof is an induction over one cycle: every register is equal to its twin, but for those that
``DIFFER`` names, and for these while ``Secrecy`` says so. The keys themselves need no exception:
Yosys finds that nothing that is observed depends on them, and removes them.

Taken as equal, because it is meant to be seen, or happens once in 2^64 devices:

- whether a secret is there, erased, or damaged, and whether its digest fits;
- whether a word of it that was programmed holds what it should;
- when the macro answers: how long programming takes must not depend on the data;
- what the health tests of the entropy find, and the word that seeds the timer of the checks;
- whether the root key is zero, and whether K2 equals K1.

The digest ends when it likes: that its time depends on no word is shown by itself.
"""

import pytest
from amaranth import Module, Signal
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable
from casemate.fuse.codes import Status
from casemate.fuse.controller import FuseController
from casemate.fuse.digest import Digest
from casemate.fuse.map import SECRET
from casemate.fuse.registers import Area, Step, Task, one_of
from casemate_sim.formal import ProofError, assert_formal
from two_engines import TwoEngines

DIFFER = {
    r"anchor\.fuses\.block": "may_block",
    r"anchor\.fuses\.(stored|blank|erased|intact)": "may_found",
    r"anchor\.fuses\.word": "may_word",
    r"anchor\.fuses\.port\.held": "may_held",
    r"anchor\.fuses\.port\.raw": "may_raw",
    r"anchor\.fuses\.port\.failed": None,
}
"""Registers that may differ, and the signal of ``Secrecy`` that says when; None: always."""


class Alike(TwoEngines):
    """Nothing that can be seen differs."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        for name, differs in self.differences():
            m.d.comb += Assert(~differs, name)
        one, other = (engine.trust_anchor.fuses for engine in (self.first, self.second))
        r, s = one.registers, other.registers
        fits, would_fit = (
            c.registers.intact & (c.registers.stored != 0)
            & (c.registers.stored == c.digest.digest) for c in (one, other))
        self.reading = r.area == Area.SECRET
        m.d.comb += [
            Assume(~(self.reading & (r.step == Step.COMPARE)) | (
                (fits == would_fit) & (r.blank == s.blank) & (r.erased == s.erased))),
        ]
        return m


class Secrecy(Alike):
    """What the induction needs besides: where the secret may be, and when."""

    def __init__(self):
        self.may = {name: Signal(name=f"may_{name}", attrs={"keep": 1}) for name in (
            "block", "found", "word", "held", "raw")}
        super().__init__(may_differ=self.may)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        c, reading = self.first.trust_anchor.fuses, self.reading
        r, port, step = c.registers, c.port, c.registers.step
        locked = r.status[Area.SECRET] == Status.LOCKED
        steps = port.step.shape()
        busy = ~one_of(port.step, steps.IDLE, steps.FAULT)
        secret = c.otp.address >= SECRET.base
        # Answers that nobody looks at: the controller erases, or has raised the alarm.
        ignored = one_of(step, Step.ERASE, Step.ERASED, Step.ALARM)
        for name, when in {
                "block": (reading & ~((step == Step.NEXT) & ~locked)
                          | (r.area == Area.LIFE_CYCLE_AGAIN) & locked
                          | (step == Step.BEGIN) & (r.task == Task.CHECK)
                          | one_of(step, Step.ERASE, Step.ALARM)),
                "found": reading | (step == Step.BEGIN) | ignored,
                "word": (reading & (r.task == Task.PROVISION) & (r.target >= SECRET.base)
                         & ~one_of(step, Step.DRAW, Step.ERASED)),
                "held": secret,
                "raw": port.valid & (reading | ignored)}.items():
            m.d.comb += self.may[name].eq(when)
        other = self.second.trust_anchor.fuses
        m.d.comb += [
            # Only words that are public reach the digest of a public partition.
            Assert(~c.digest.of_secret | reading),
            Assert(~c.digest.start | (c.digest.number == SECRET.number)
                   | (c.digest.message == other.digest.message)),
            # The macro is asked for a word of the secret only while the controller expects it.
            Assert(~secret | (busy & (reading | ignored))),
            Assert(~busy | ignored | one_of(step, Step.WAIT, Step.STORED)),
            Assert(~port.valid | ~busy),
            Assert((r.area != Area.CONFIGURATION) | (step != Step.READ) | (r.place < 8)),
            # What the controller does while ``area`` is the secret's.
            Assert(~reading | one_of(r.task, Task.BOOT, Task.PROVISION)),
            Assert((r.task != Task.PROVISION) | reading),
            Assert(~reading | ~one_of(step, Step.RUN, Step.JUDGE, Step.SHARED, Step.COMMIT,
                                      Step.START)),
            Assert((step != Step.DRAW) | (r.task == Task.PROVISION)),
            Assert(~one_of(step, Step.STORE, Step.STORED, Step.SEAL)
                   | ~one_of(r.task, Task.BOOT, Task.CHECK)),
            Assert((step != Step.SHARED) | (r.status[Area.SECRET] == Status.OPEN)),
        ]
        return m


class Digests(Elaboratable):
    """Two digests of different words."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.first, m.submodules.second = first, second = Digest(), Digest()
        for name in ("start", "number", "clear"):
            m.d.comb += getattr(first, name).eq(AnySeq(len(getattr(first, name))))
            m.d.comb += getattr(second, name).eq(getattr(first, name))
        m.d.comb += [
            first.message.eq(AnySeq(256)), second.message.eq(AnySeq(256)),
            Assert(first.busy == second.busy), Assert(first.done == second.done),
        ]
        return m


@pytest.mark.verify
def test_no_secret_of_the_fuses_is_seen_on_any_pin_register_or_handshake():
    assert_formal(Secrecy(), mode="prove", name="fuse-secrecy", timeout=1800, twins=DIFFER)


@pytest.mark.verify
def test_the_induction_sees_a_register_that_differs():
    differ = {name: when for name, when in DIFFER.items() if "held" not in name}
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(Secrecy(), mode="prove", name="fuse-secrecy-held", timeout=900, twins=differ)


def test_the_time_of_a_digest_does_not_depend_on_the_words():
    assert_formal(Digests(), mode="prove", name="digest-time")


class Early(FuseController):
    """Reads the secret first, so that a leak of it is found soon."""

    def __init__(self, **options):
        super().__init__(**options)
        self.registers.area = Signal(Area, name="area", init=Area.SECRET)


class Shown(Early):
    """The registers of the identity show what was read last."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.identity.as_value().eq(self.registers.block[-192:])
        return m


class Alarmed(Early):
    """A bit of the key is on the alert."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.alert.eq((self.registers.step == Step.ALARM) | self.registers.block[-7])
        return m


class Slow(Early):
    """A word that is odd takes a cycle longer."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        waited = Signal()
        m.d.sync += waited.eq(0)
        with m.If((self.registers.step == Step.READ) & self.registers.block[-32] & ~waited):
            m.d.comb += self.port.request.valid.eq(0)
            m.d.sync += [waited.eq(1), self.registers.step.eq(Step.READ)]
        return m


@pytest.mark.verify
@pytest.mark.parametrize("leak", [Shown, Alarmed, Slow])
def test_a_leak_would_be_found(leak):
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(Alike(leak), depth=16, engine="abc bmc3", name=f"leak-{leak.__name__}",
                      timeout=900, rows_as_registers=True)
