# amaranth: UnusedElaboratable=no
"""The fuse controller, proven for all time (``abc pdr``): life cycle, debugger, locked partitions.

The macro is free: it answers when it likes, other words are anything, and a bit that is to be
programmed may stay 0. One word, at an address that the prover picks, is followed through. Digests
are free too: what holds for every digest holds for the right one.
"""

import pytest
from amaranth import Const, Module, Mux, ResetSignal, Signal
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from casemate.fuse.codes import MARKS, Flag, LifeCycle, Status
from casemate.fuse.controller import FuseController
from casemate.fuse.digest import Digest
from casemate.fuse.map import LIFE_CYCLE, SECRET, WORDS
from casemate.fuse.otp import OtpSignature
from casemate.fuse.port import OtpPort, request_layout, response_layout
from casemate.fuse.registers import AREAS, Area, Command, Step, Task, one_of
from casemate.fuse.secded import WORD_BITS, Decoder, encode
from casemate_sim.formal import ProofError, assert_formal
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


class FreePort(wiring.Component):
    """Port and macro in one: answers when it likes, and as one word at ``address`` demands.

    That word stands for zero, is erased, or is something else; programming makes it something else
    or, with ones only, erases it; or does not work. All other words are anything.
    """

    def __init__(self):
        super().__init__({
            "request": In(stream.Signature(request_layout())), "valid": Out(1),
            "response": Out(response_layout()), "fault": Out(1), "otp": Out(OtpSignature()),
            "address": Out(range(WORDS)), "blank": Out(1), "erased": Out(1),
            "busy": Out(1), "reading": Out(range(WORDS))})

    def elaborate(self, platform):
        m = Module()
        request, response = self.request.payload, self.response
        busy, address, known = Signal(), Signal.like(request.address), Signal()
        was_blank, was_erased = AnyConst(1), AnyConst(1)
        blank, erased = Signal(), Signal()
        m.d.comb += [
            Assume(~(was_blank & was_erased)), self.address.eq(AnyConst(len(address))),
            self.blank.eq(Mux(known, blank, was_blank)),
            self.erased.eq(Mux(known, erased, was_erased)),
            self.request.ready.eq(~busy & AnySeq(1)), self.fault.eq(AnySeq(1)),
            self.valid.eq(busy & AnySeq(1)),
            Assume(~self.fault | ~self.valid), self.busy.eq(busy), self.reading.eq(address),
        ]
        with m.If(self.valid):
            m.d.comb += [
                response.eq(AnySeq(response.shape().size)),
                Assume(response.blank == (~response.bad & (response.data == 0))),
                Assume(~response.erased | response.bad),
                Assume((address != self.address) | ((response.blank == self.blank)
                                                    & (response.erased == self.erased))),
            ]
            m.d.sync += busy.eq(0)
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += [busy.eq(1), address.eq(request.address)]
            with m.If(request.write & (request.address == self.address) & AnySeq(1)):
                m.d.sync += [known.eq(1), blank.eq(0), erased.eq(AnySeq(1) & request.word.all())]
        return m


class WordSpec(Elaboratable):
    """The controller on a free port that follows one word."""

    def __init__(self, controller=Controller):
        class OnFreePort(controller):
            def _parts(self):
                return FreePort(), FreeDigest()

        self.controller = OnFreePort(check_bits=2)

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller = c = self.controller
        m.d.comb += [
            Assume(~ResetSignal()), c.otp.ready.eq(AnySeq(1)), c.entropy.valid.eq(AnySeq(1)),
            c.entropy.payload.eq(AnySeq(32)), c.command.valid.eq(AnySeq(1)),
            c.command.payload.eq(AnySeq(c.command.payload.shape().size)),
            c.result.ready.eq(AnySeq(1)), c.root_key.ready.eq(AnySeq(1)), c.tamper.eq(AnySeq(1)),
        ]
        self.state(m, c, c.port)
        return m

    def state(self, m, c, port):
        raise NotImplementedError


def sensing_of(r, area):
    """Return whether a partition is being read after reset: what it is, is being found out."""
    return (r.area == area) & (r.task == Task.BOOT) & one_of(
        r.step, Step.READ, Step.WAIT, Step.DIGEST, Step.HASH, Step.COMPARE)


def follows(c, port, area, part):
    """Return whether the port reads the word that the controller waits for."""
    r = c.registers
    waits = (r.step == Step.WAIT) & (r.area == area) & port.busy & r.untampered
    return ~waits | (port.reading == part.base + r.place)


class DebugSpec(WordSpec):
    """While a debugger may get in, no word of the secret holds anything.

    The other assertions are what makes this one inductive.
    """

    def state(self, m, c, port):
        r = c.registers
        gone = port.blank | port.erased
        passed = sensing_of(r, Area.SECRET) & (r.place > port.address - SECRET.base)
        m.d.comb += [
            Assume((port.address >= SECRET.base) & (port.address < SECRET.end)),
            Assert(~c.debug | gone),
            Assert(~(r.untampered & (r.free[Area.SECRET] == Flag.YES)) | gone),
            Assert(~(r.untampered & passed & r.blank) | port.blank),
            Assert(~(r.untampered & passed & r.erased) | port.erased),
            Assert(follows(c, port, Area.SECRET, SECRET)),
        ]


class LockSpec(WordSpec):
    """A partition with a digest in the fuses is not programmed; the secret may be erased.

    The other assertions are what makes this one inductive.
    """

    def __init__(self, area, controller=Controller):
        self.area = area
        super().__init__(controller)

    def state(self, m, c, port):
        r, area, part, request = c.registers, self.area, AREAS[self.area], port.request
        locked, began = Signal(), Signal()
        m.d.sync += began.eq(1)
        with m.If(~began):
            m.d.sync += locked.eq(~port.blank)
        erases = request.payload.word.all() if part is SECRET else Const(0)
        inside = (request.payload.address >= part.base) & (request.payload.address < part.end)
        place = port.address - part.base
        passed = r.untampered & sensing_of(r, area) & (r.place > place)
        m.d.comb += [
            Assume((port.address >= part.digest_base) & (port.address < part.end)),
            Assert(~(locked & request.valid & request.payload.write & inside) | erases),
            Assert(~locked | ~port.blank),
            Assert(follows(c, port, area, part)),
        ]
        if part is SECRET:
            m.d.comb += [
                Assert(~(locked & passed) | ~r.blank),
                Assert(~locked | (r.status[area] != Status.OPEN)),
                Assert(~locked | (r.task != Task.PROVISION)),
            ]
        else:
            half = Mux(r.place == place + 1, r.stored[32:], r.stored[:32])
            m.d.comb += [
                Assert(~(locked & passed) | (half != 0)),
                Assert(~locked | (r.free[area] != Flag.YES)),
                Assert(~locked | (r.status[area] != Status.DAMAGED)),
            ]


@pytest.mark.parametrize("create", [
    pytest.param(LifeCycleSpec, id="life cycle"),
    pytest.param(DebugSpec, id="debug", marks=pytest.mark.verify),
    pytest.param(lambda: LockSpec(Area.IDENTITY), id="identity", marks=pytest.mark.verify),
    pytest.param(lambda: LockSpec(Area.CONFIGURATION), id="configuration",
                 marks=pytest.mark.verify),
    pytest.param(lambda: LockSpec(Area.SECRET), id="secret", marks=pytest.mark.verify)])
def test_it_holds_for_ever(create):
    assert_formal(create(), mode="prove", name="fuse")


@pytest.mark.parametrize("number", range(len(MARKS)))
def test_a_mark_never_becomes_blank(number):
    assert_formal(MarkSpec(MARKS[number]), mode="prove", name=f"fuse-mark-{number}")


class EarlyDoor(Controller):
    """Opens for a debugger as soon as the marks say ``TEST``, whatever the secret is."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.debug.eq(self.registers.life == LifeCycle.TEST)
        return m


class BackDoor(Controller):
    """Takes a command to program a word straight to the port, and asks nobody."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        request, command = self.port.request, self.command
        with m.If(command.valid & (command.payload.kind == Command.PROGRAM)):
            m.d.comb += [
                request.valid.eq(1), request.payload.write.eq(1),
                request.payload.address.eq(command.payload.address),
                request.payload.word.eq(encode(command.payload.data)),
            ]
        return m


@pytest.mark.parametrize("create", [
    pytest.param(lambda: LifeCycleSpec(BackDoor), id="life cycle"),
    pytest.param(lambda: DebugSpec(EarlyDoor), id="debug", marks=pytest.mark.verify),
    pytest.param(lambda: LockSpec(Area.IDENTITY, BackDoor), id="identity",
                 marks=pytest.mark.verify),
    pytest.param(lambda: LockSpec(Area.SECRET, BackDoor), id="secret", marks=pytest.mark.verify)])
def test_a_broken_design_is_found(create):
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(create(), mode="prove", name="fuse-broken")
