"""States of the controller that change the fuses, and the one rule for what may be changed."""

from collections.abc import Callable

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from .codes import MARKS, Flag, LifeCycle, Status
from .digest import Digest
from .map import CONFIGURATION, IDENTITY, LIFE_CYCLE, PROVISIONED_MARK, SECRET
from .port import OtpPort
from .registers import AREAS, Area, Command, Registers, Result, Step, Task, one_of
from .secded import WORD_BITS, encode

__all__ = ["command_states", "may_erase", "may_program"]

_BEFORE = (LifeCycle.BLANK, LifeCycle.TEST, LifeCycle.PROVISIONED, LifeCycle.PRODUCTION)
_LAST_MARK = LIFE_CYCLE.words - 1


def _within(address: Value, begin: int, end: int) -> Value:
    return (address >= begin) & (address < end)


def _forward(r: Registers, mark: Value) -> Value:
    """Return whether a mark names a state that follows the present one."""
    result: Value = (mark == _LAST_MARK) & (r.life != LifeCycle.SCRAP)
    for number, state in enumerate(_BEFORE):
        result = result | ((mark == number) & (r.life == state))
    return result


def may_program(r: Registers) -> Value:
    """Return whether ``word`` may be programmed at ``target``: the last look before the pins.

    A partition's data only while it is open, in state ``TEST``; a digest only by the command that
    computed it; the secret only while it is being provisioned; a mark only if it is the next one,
    and that of ``PROVISIONED`` only behind a complete secret.
    """
    allowed: Value = Const(0)
    for area, partition in ((Area.IDENTITY, IDENTITY), (Area.CONFIGURATION, CONFIGURATION)):
        data = _within(r.target, partition.base, partition.digest_base)
        digest = _within(r.target, partition.digest_base, partition.end)
        allowed = allowed | (r.life == LifeCycle.TEST) & (
            data & (r.task == Task.COMMAND) & (r.status[area] == Status.OPEN)
            & (r.free[area] == Flag.YES)
            | digest & (r.task == Task.LOCK) & (r.area == area)
            & (r.status[area] == Status.DAMAGED))
    provisioning = (r.task == Task.PROVISION) & (r.life == LifeCycle.TEST)
    allowed = allowed | (provisioning & _within(r.target, SECRET.base, SECRET.end)
                         & (r.status[Area.SECRET] == Status.DAMAGED)
                         & (r.free[Area.SECRET] == Flag.NO))
    for number, mark in enumerate(MARKS):
        finishing = r.task == Task.FINISH
        how = ((provisioning | finishing) & (r.status[Area.SECRET] == Status.LOCKED)
               if number == PROVISIONED_MARK else (r.task == Task.COMMAND) | finishing)
        allowed = allowed | ((r.target == number) & (r.word == mark)
                             & _forward(r, Const(number)) & how)
    return allowed & (r.running == Flag.YES) & r.untampered


def may_erase(r: Registers) -> Value:
    """Return whether the secret may be erased: for ``tamper``, or before a debugger gets in."""
    closed = (r.running == Flag.NO) & r.retried & (r.free[Area.SECRET] == Flag.NO)
    return ~r.untampered | (closed & one_of(
        r.life, LifeCycle.TEST, LifeCycle.RETURN, LifeCycle.SCRAP))


def command_states(m: Module, r: Registers, port: OtpPort, digest: Digest,
                   entropy: stream.Interface, result: stream.Interface) -> None:
    """Write the states from ``JUDGE`` to ``ERASED``, inside a switch over ``r.step``."""

    def finish(what: Result, step: Step = Step.RUN) -> None:
        m.d.sync += [result.valid.eq(1), result.payload.eq(what), r.word.eq(0)]
        r.go(m, step)

    request = port.request
    with m.Case(Step.JUDGE):
        m.d.sync += r.command.eq(0)
        finish(Result.REFUSED)
        with m.If((r.running == Flag.YES) & (r.life == LifeCycle.TEST)):
            _judge_test(m, r, result)
        allowed = _forward(r, r.command.address) & (r.command.address != PROVISIONED_MARK)
        with m.If((r.command.kind == Command.MOVE) & (r.running == Flag.YES) & allowed):
            m.d.sync += [result.valid.eq(0), r.task.eq(Task.COMMAND),
                         r.target.eq(r.command.address)]
            with m.Switch(r.command.address):
                for number, mark in enumerate(MARKS):
                    with m.Case(number):
                        m.d.sync += r.word.eq(mark)
            r.go(m, Step.STORE)
    with m.Case(Step.SHARED):
        # A share that was lost would make a key that nobody asked for.
        finish(Result.DONE)
        m.d.sync += [r.shares.eq(r.shares + 1), r.command.eq(0)]
        with m.If((r.command.kind != Command.SHARE)
                  | (r.block.word_select(r.shares[:3], len(r.word)) != r.command.data)):
            r.go(m, Step.ALARM)
    with m.Case(Step.STORE):
        with m.If(may_program(r)):
            m.d.comb += [request.valid.eq(1), request.payload.write.eq(1),
                         request.payload.address.eq(r.target),
                         request.payload.word.eq(encode(r.word))]
            with m.If(request.ready):
                r.go(m, Step.STORED)
        with m.Else():
            r.go(m, Step.ALARM)
    with m.Case(Step.STORED):
        with m.If(port.valid):
            m.d.sync += r.word.eq(0)
            _stored(m, r, digest, finish)
            with m.If(port.response.failed):
                finish(Result.FAILED, Step.RUN)
                with m.If(one_of(r.task, Task.LOCK, Task.PROVISION)
                          | (r.target < LIFE_CYCLE.end)):
                    finish(Result.FAILED, Step.SPENT)
            with m.If(r.task == Task.FINISH):  # nobody waits for a result
                m.d.sync += result.valid.eq(0)
                r.go(m, Step.SPENT)
        with m.Elif(request.ready):
            r.go(m, Step.ALARM)
    with m.Case(Step.DRAW):
        m.d.comb += entropy.ready.eq(1)
        # A word that is drawn twice shifts the block twice: the key would be another one.
        with m.If((r.word != 0) | (r.target == SECRET.base + r.place)):
            r.go(m, Step.ALARM)
        with m.Elif(entropy.valid):
            drawn = r.block[:len(r.word)] ^ entropy.payload
            m.d.sync += [r.word.eq(drawn), r.target.eq(SECRET.base + r.place)]
            r.shift(m, drawn)
            r.go(m, Step.STORE)
    with m.Case(Step.SEAL):
        r.go(m, Step.ALARM)
        for area, partition in AREAS.items():
            if partition.digest_words:
                with m.If((r.area == area) & (r.place >= partition.words) & digest.done):
                    second = r.place != partition.words
                    m.d.sync += [
                        r.target.eq(partition.base + r.place),
                        r.word.eq(Mux(second, digest.digest[32:], digest.digest[:32]))]
                    r.go(m, Step.STORE)
    with m.Case(Step.ERASE):
        r.wipe(m)
        m.d.comb += digest.clear.eq(1)
        with m.If(may_erase(r)):
            m.d.comb += [request.valid.eq(1), request.payload.write.eq(1),
                         request.payload.address.eq(SECRET.base + r.place),
                         request.payload.word.eq(Const((1 << WORD_BITS) - 1, WORD_BITS))]
            with m.If(r.place >= SECRET.end - SECRET.base):
                m.d.comb += request.valid.eq(0)
                r.go(m, Step.ALARM)
            with m.Elif(request.ready):
                r.go(m, Step.ERASED)
        with m.Else():
            r.go(m, Step.ALARM)
    with m.Case(Step.ERASED):
        with m.If(port.valid):
            m.d.sync += r.place.eq(r.place + 1)
            r.go(m, Step.ERASE)
            # Whether it worked is seen by reading it all again.
            with m.If((r.place == SECRET.end - SECRET.base - 1) & r.untampered):
                m.d.sync += [r.area.eq(Area.SECRET), r.task.eq(Task.BOOT)]
                r.go(m, Step.BEGIN)
        with m.Elif(request.ready):
            r.go(m, Step.ALARM)


def _judge_test(m: Module, r: Registers, result: stream.Interface) -> None:
    """Begin what software may do in state ``TEST``, instead of a refusal."""
    command = r.command
    public_locked = Signal()
    m.d.comb += public_locked.eq(
        (r.status[Area.IDENTITY] == Status.LOCKED) & (r.status[Area.CONFIGURATION] == Status.LOCKED)
        & (r.status[Area.SECRET] == Status.OPEN) & (r.free[Area.SECRET] == Flag.YES))

    def begin(task: Task, step: Step) -> None:
        m.d.sync += [result.valid.eq(0), r.task.eq(task), r.place.eq(0)]
        r.go(m, step)

    for area, partition in ((Area.IDENTITY, IDENTITY), (Area.CONFIGURATION, CONFIGURATION)):
        status = r.status[area]
        with m.If((status == Status.OPEN) & (r.free[area] == Flag.YES)):
            with m.If((command.kind == Command.PROGRAM)
                      & _within(command.address, partition.base, partition.digest_base)):
                m.d.sync += [r.target.eq(command.address), r.word.eq(command.data)]
                begin(Task.COMMAND, Step.STORE)
            with m.If((command.kind == Command.LOCK) & (command.address == partition.base)):
                r.fill(m, 0)
                m.d.sync += [status.eq(Status.DAMAGED), r.free[area].eq(Flag.NO),
                             r.area.eq(area), r.shares.eq(0)]
                begin(Task.LOCK, Step.BEGIN)
    with m.If(public_locked & (command.kind == Command.SHARE) & (r.shares != SECRET.words)):
        # Each word has its place, so that doing it twice does no more than once.
        with m.Switch(r.shares):
            for number in range(SECRET.words):
                with m.Case(number):
                    m.d.sync += r.block.word_select(number, len(r.word)).eq(command.data)
        m.d.sync += [result.valid.eq(0), command.eq(command)]
        r.go(m, Step.SHARED)
    with m.If(public_locked & (command.kind == Command.PROVISION) & (r.shares == SECRET.words)):
        # From here on there is a secret: no door is open before the next reset.
        m.d.sync += [r.status[Area.SECRET].eq(Status.DAMAGED), r.free[Area.SECRET].eq(Flag.NO),
                     r.area.eq(Area.SECRET)]
        begin(Task.PROVISION, Step.DRAW)


def _stored(m: Module, r: Registers, digest: Digest, finish: Callable[..., None]) -> None:
    """Continue after a word was programmed; no case: the alarm."""
    r.go(m, Step.ALARM)
    with m.If(r.task == Task.COMMAND):
        finish(Result.DONE)
        with m.If(r.target < LIFE_CYCLE.end):
            finish(Result.DONE, Step.SPENT)
    for area, partition in AREAS.items():
        if not partition.digest_words:
            continue
        provision = area is Area.SECRET
        task = Task.PROVISION if provision else Task.LOCK
        with m.If((r.area == area) & (r.task == task) & (r.target >= LIFE_CYCLE.end)):
            m.d.sync += r.place.eq(r.place + 1)
            if provision:
                with m.If(r.place < partition.words - 1):
                    r.go(m, Step.DRAW)
                with m.If(r.place == partition.words - 1):
                    r.go(m, Step.DIGEST)
            with m.If(r.place == partition.words):
                r.go(m, Step.SEAL)
            with m.If(r.place == partition.words + 1):
                m.d.comb += digest.clear.eq(1)
                m.d.sync += r.status[area].eq(Status.LOCKED)
                r.fill(m, 0)
                if provision:
                    m.d.sync += [r.target.eq(PROVISIONED_MARK),
                                 r.word.eq(MARKS[PROVISIONED_MARK])]
                    r.go(m, Step.STORE)
                else:
                    finish(Result.DONE)
    with m.If((r.task == Task.PROVISION) & (r.target == PROVISIONED_MARK)):
        finish(Result.DONE, Step.SPENT)
