"""The fuse controller: checks the fuses after reset, hands the root key over, takes commands."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..entropy.words import ENTROPY_BITS
from .codes import Debug, Flag, LifeCycle, Status
from .commands import command_states
from .digest import MESSAGE_BITS, Digest
from .otp import OtpSignature
from .port import OtpPort
from .registers import (
    AREAS,
    Area,
    Registers,
    Result,
    Step,
    Task,
    command_layout,
    configuration_layout,
    identity_layout,
    one_of,
)
from .sensing import sensing_states
from .timer import RandomTimer

__all__ = ["FuseController"]


class FuseController(wiring.Component):
    """Owns the fuse macro; everything is closed until every check has passed.

    From reset to ``ready`` and the root key: 34 words, each 3 cycles and the macro's time for a
    read, and three digests of 71 cycles; 367 cycles with ``OtpArray``. A register that should hold
    a codeword and does not, a word with two wrong bits, a digest that does not match, a macro that
    answers unasked or never: the alarm, in which every output is safe until reset. A mark in which
    power was lost is programmed again instead of a start; everything is closed until reset.

    Parameters
    ----------
    check_bits:
        The public partitions are checked again after 1 to ``2 ** check_bits`` cycles, while the
        root key is in use.
    patience_bits:
        See ``OtpPort``.

    Members
    -------
    otp: Out(OtpSignature())
        Pins of the macro.
    entropy: In(stream.Signature(32))
        One word after reset, and eight while the root key is provisioned; always tested ones.
    command: In(stream.Signature(command_layout())), result: Out(stream.Signature(Result))
        Software's commands, see ``Command``; each has one result, and waits for the one before. A
        command waits until the checks are done and the root key is taken. After ``MOVE`` and
        ``PROVISION`` everything is closed until reset, and every command refused.
    tamper: In(1)
        Erases the registers at once, then the secret in the fuses; ends in the alarm.
    root_key: Out(stream.Signature(256))
        Once after reset, in the states ``PROVISIONED`` and ``PRODUCTION`` only; byte i is bits 8i
        to 8i+7; zero without ``valid``.
    ready: Out(1)
        All checks have passed; falls for good with an alarm, and after ``MOVE`` and ``PROVISION``.
    alert: Out(1)
        Level, until reset.
    erase: Out(1)
        Level, until reset: whoever holds a key that came from here must erase it.
    debug: Out(1)
        A debugger may get in: no secret is in the fuses or in a register.
    life_cycle: Out(LifeCycle)
        ``SCRAP`` while not ``ready``.
    identity: Out(identity_layout()), configuration: Out(configuration_layout())
        Zero while not ``ready``, and in a partition that is not locked.
    corrected: Out(1)
        Pulse: a bit was corrected.
    """

    otp: wiring.PureInterface
    entropy: stream.Interface
    command: stream.Interface
    result: stream.Interface
    root_key: stream.Interface

    def __init__(self, *, check_bits: int = 16, patience_bits: int = 16):
        self.registers = Registers()
        self._patience_bits = patience_bits
        self.port, self.digest = self._parts()
        self._check_bits = check_bits
        super().__init__({
            "otp": Out(OtpSignature()), "entropy": In(stream.Signature(ENTROPY_BITS)),
            "command": In(stream.Signature(command_layout())),
            "result": Out(stream.Signature(Result)), "tamper": In(1),
            "root_key": Out(stream.Signature(MESSAGE_BITS)), "ready": Out(1), "alert": Out(1),
            "erase": Out(1), "debug": Out(1), "life_cycle": Out(LifeCycle, init=LifeCycle.SCRAP),
            "identity": Out(identity_layout()), "configuration": Out(configuration_layout()),
            "corrected": Out(1),
        })

    def _parts(self) -> tuple[OtpPort, Digest]:
        """Create port and digest; a test has its own."""
        return OtpPort(patience_bits=self._patience_bits), Digest()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        r, port, digest = self.registers, self.port, self.digest
        m.submodules.port = port
        m.submodules.digest = digest
        m.submodules.timer = timer = RandomTimer(self._check_bits)
        connect(m, port.otp, flipped(self.otp))
        drawing = stream.Signature(32).flip().create(path=("drawing",))
        m.d.comb += [
            drawing.valid.eq(self.entropy.valid), drawing.payload.eq(self.entropy.payload),
            timer.entropy.valid.eq(self.entropy.valid & (r.step == Step.RUN)),
            timer.entropy.payload.eq(self.entropy.payload),
            self.entropy.ready.eq(drawing.ready | (timer.entropy.ready & (r.step == Step.RUN))),
            digest.message.eq(r.block), self.corrected.eq(port.valid & port.response.corrected),
        ]
        for area, partition in AREAS.items():
            with m.If(r.area == area):
                m.d.comb += digest.number.eq(partition.number)
        with m.If(self.result.ready):
            m.d.sync += self.result.valid.eq(0)

        with m.Switch(r.step):
            with m.Case(Step.START):
                with m.If(self.otp.ready):
                    r.go(m, Step.BEGIN)
            sensing_states(m, r, port, digest)
            with m.Case(Step.RUN):
                self._run(m, timer)
            command_states(m, r, port, digest, drawing, self.result)
            with m.Case(Step.SPENT):
                self._refuse(m)
            with m.Default():
                self._refuse(m)
                r.go(m, Step.ALARM)
        self._watch(m)
        self._outputs(m)
        return m

    def _run(self, m: Module, timer: RandomTimer) -> None:
        """Wait for the key to be taken, then for commands and for the time to check."""
        r = self.registers
        m.d.comb += timer.run.eq(r.keyed)
        idle = r.offer != Flag.YES
        # What was taken is zeroed again and again, should the first time have failed.
        with m.If((r.shares == 0) & (idle | self.root_key.ready)):
            r.fill(m, 0)
        with m.If(idle & r.keyed & timer.due):
            m.d.comb += timer.taken.eq(1)
            m.d.sync += [r.task.eq(Task.CHECK), r.area.eq(Area.IDENTITY)]
            r.go(m, Step.BEGIN)
        with m.Elif(idle & ~self.result.valid):
            m.d.comb += self.command.ready.eq(1)
            m.d.sync += r.command.eq(self.command.payload)
            with m.If(self.command.valid):
                r.go(m, Step.JUDGE)
        with m.If(r.running != Flag.YES):
            r.go(m, Step.ALARM)

    def _refuse(self, m: Module) -> None:
        """Hold nothing, and answer every command."""
        self.registers.wipe(m)
        m.d.comb += self.digest.clear.eq(1)
        with m.If(~self.result.valid):
            m.d.comb += self.command.ready.eq(1)
            m.d.sync += [self.result.valid.eq(self.command.valid),
                         self.result.payload.eq(Result.REFUSED)]

    def _watch(self, m: Module) -> None:
        """Raise the alarm for what must never be; erase when ``tamper`` says so."""
        r, port = self.registers, self.port
        awaited = one_of(r.step, Step.WAIT, Step.STORED, Step.ERASED)
        wrong = Signal()
        m.d.comb += wrong.eq(port.fault | port.valid & ~awaited & r.untampered)
        for register in (r.area, r.task, r.life, r.torn, r.walk, r.running, r.offer, r.tampered,
                         *r.status.values(), *r.free.values()):
            with m.If(~one_of(register, *register.shape())):
                m.d.comb += wrong.eq(1)
        with m.If(wrong):
            r.go(m, Step.ALARM)
        with m.Elif(~r.untampered & ~one_of(r.step, Step.ERASE, Step.ERASED, Step.ALARM)):
            r.go(m, Step.ERASE)
        with m.If(self.tamper & r.untampered):
            r.wipe(m)
            m.d.comb += self.digest.clear.eq(1)
            m.d.sync += [r.tampered.eq(Flag.YES), r.place.eq(0)]
            r.go(m, Step.ERASE)

    def _outputs(self, m: Module) -> None:
        """Show what the registers allow; everything else is zero or safe."""
        r = self.registers
        key, key_valid = self.root_key.payload, self.root_key.valid
        offered = Signal()
        returned = (r.life == LifeCycle.RETURN) & (
            r.configuration[64:96] == Debug.RETURNED.value)
        m.d.comb += [
            self.ready.eq((r.running == Flag.YES) & r.untampered & (r.task != Task.FINISH)
                          & ~one_of(r.step, Step.ALARM, Step.SPENT)),
            offered.eq((r.step == Step.RUN) & (r.offer == Flag.YES) & self.ready & r.keyed
                       & (r.status[Area.SECRET] == Status.LOCKED) & r.block.any()),
            key_valid.eq(offered), key.eq(Mux(offered, r.block, 0)),
            self.alert.eq((r.step == Step.ALARM) | ~r.untampered),
            self.erase.eq(self.alert | (r.step == Step.SPENT)),
            self.life_cycle.eq(LifeCycle.SCRAP),
        ]
        with m.If(self.ready):
            m.d.comb += [
                self.life_cycle.eq(r.life), self.identity.eq(r.identity),
                self.configuration.eq(r.configuration),
                self.debug.eq(r.absent & ((r.life == LifeCycle.TEST) | returned)),
            ]
