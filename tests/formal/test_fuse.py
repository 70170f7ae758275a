# amaranth: UnusedElaboratable=no
"""The fuse controller, proven for all time (``abc pdr``): life cycle, debugger, locked partitions.

The macro is free: it answers when it likes, other words are anything, and a bit that is to be
programmed may stay 0. One word, at an address that the prover picks, is followed through. Digests
are free too: what holds for every digest holds for the right one.
"""

import pytest
from amaranth import Module, ResetSignal, Signal
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable
from amaranth.lib import wiring
from casemate.fuse.codes import MARKS, LifeCycle
from casemate.fuse.controller import FuseController
from casemate.fuse.digest import Digest
from casemate.fuse.map import CONFIGURATION, IDENTITY, LIFE_CYCLE, SECRET
from casemate.fuse.port import OtpPort
from casemate.fuse.secded import WORD_BITS, Decoder
from casemate_sim.formal import assert_formal
from casemate_sim.model.fuse_words import encode_word

ONES = (1 << WORD_BITS) - 1


class FreeDigest(wiring.Component):
    """Ends when it likes, with any digest."""

    def __init__(self):
        super().__init__(dict(Digest().signature.members.items()))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.busy.eq(AnySeq(1)), self.done.eq(AnySeq(1)), self.digest.eq(AnySeq(64))]
        return m


class Controller(FuseController):
    """The controller with a free digest."""

    def _parts(self):
        return OtpPort(patience_bits=3), FreeDigest()


class FuseSpec(Elaboratable):
    """The controller on a free macro; ``content`` is the word at ``address``."""

    def __init__(self, controller=Controller):
        self.controller = controller(check_bits=2)

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller = c = self.controller
        m.d.comb += [
            Assume(~ResetSignal()), c.otp.ready.eq(AnySeq(1)), c.otp.valid.eq(AnySeq(1)),
            c.otp.data.eq(AnySeq(WORD_BITS)), c.otp.busy.eq(AnySeq(1)), c.otp.done.eq(AnySeq(1)),
            c.otp.error.eq(AnySeq(1)), c.entropy.valid.eq(AnySeq(1)),
            c.entropy.payload.eq(AnySeq(32)), c.command.valid.eq(AnySeq(1)),
            c.command.payload.eq(AnySeq(c.command.payload.shape().size)),
            c.result.ready.eq(AnySeq(1)), c.root_key.ready.eq(AnySeq(1)), c.tamper.eq(AnySeq(1)),
        ]
        address = AnyConst(len(c.otp.address))
        content, programmed, writing = Signal(WORD_BITS), Signal(WORD_BITS), Signal()
        m.d.comb += content.eq(AnyConst(WORD_BITS) | programmed)
        m.d.sync += writing.eq((writing | c.otp.program) & ~c.otp.done)
        with m.If((c.otp.address == address) & (writing | c.otp.program)):
            m.d.sync += programmed.eq(programmed | (c.otp.program_data & AnySeq(WORD_BITS)))
        m.d.comb += Assume(~c.otp.valid | (c.otp.address != address) | (c.otp.data == content))
        self.state(m, c, address, content)
        return m

    def state(self, m, c, address, content):
        raise NotImplementedError


class LifeCycleSpec(FuseSpec):
    """The state of life stays what it was found to be; only marks behind it are programmed."""

    def state(self, m, c, address, content):
        r = c.registers
        seen, first = Signal(), Signal.like(r.life)
        with m.If(c.ready & ~seen):
            m.d.sync += [seen.eq(1), first.eq(r.life)]
        marks = c.otp.program & (c.otp.address < LIFE_CYCLE.end)
        m.d.comb += Assert(~seen | (r.life == first))
        for number, (mark, state) in enumerate(zip(MARKS, list(LifeCycle)[1:], strict=True)):
            later = list(LifeCycle)[number + 1:]
            beyond = 0
            for each in later:
                beyond = beyond | (r.life == each)
            here = marks & (c.otp.address == number)
            m.d.comb += Assert(~here | (~beyond & (c.otp.program_data == encode_word(mark))),
                               f"mark of {state.name}")


class MarkSpec(Elaboratable):
    """A word that holds a mark never reads as blank, whatever bits are added to it."""

    def __init__(self, mark):
        self.mark = mark

    def elaborate(self, platform):
        m = Module()
        m.submodules.before = before = Decoder()
        m.submodules.after = after = Decoder()
        clocked = Signal()
        m.d.sync += clocked.eq(1)
        m.d.comb += [
            before.word.eq(AnySeq(WORD_BITS)), after.word.eq(before.word | AnySeq(WORD_BITS)),
            Assert((before.data != self.mark) | ~after.blank),
        ]
        return m


class DebugSpec(FuseSpec):
    """While a debugger may get in, no word of the secret holds anything."""

    def state(self, m, c, address, content):
        weight = sum(content)
        secret = (address >= SECRET.base) & (address < SECRET.end)
        m.d.comb += Assert(~c.debug | ~secret | (weight <= 1) | (weight >= WORD_BITS - 1))


class LockSpec(FuseSpec):
    """A partition with a digest, as it is in the fuses, is not programmed; the secret is erased."""

    def state(self, m, c, address, content):
        m.submodules.decoder = decoder = Decoder()
        locked = Signal()
        began = Signal()
        m.d.comb += decoder.word.eq(content)
        m.d.sync += began.eq(1)
        with m.If(~began):
            m.d.sync += locked.eq(~decoder.blank)
        for part in (IDENTITY, CONFIGURATION, SECRET):
            digest = (address >= part.digest_base) & (address < part.end)
            inside = (c.otp.address >= part.base) & (c.otp.address < part.end)
            erases = (c.otp.program_data == ONES) if part is SECRET else 0
            m.d.comb += Assert(~(locked & digest & c.otp.program & inside) | erases)


@pytest.mark.parametrize("spec", [LifeCycleSpec, DebugSpec, LockSpec])
def test_it_holds_for_ever(spec):
    assert_formal(spec(), mode="prove", name=f"fuse-{spec.__name__}")


@pytest.mark.parametrize("number", range(len(MARKS)))
def test_a_mark_never_becomes_blank(number):
    assert_formal(MarkSpec(MARKS[number]), mode="prove", name=f"fuse-mark-{number}")
