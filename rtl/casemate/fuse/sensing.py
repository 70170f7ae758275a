"""States of the controller that read the fuses and decide what they allow."""

from amaranth import Const, Module, Mux, Signal, Value

from .codes import MARKS, Flag, LifeCycle, Status
from .digest import Digest
from .map import LIFE_CYCLE, PROVISIONED_MARK
from .port import OtpPort
from .registers import AREAS, Area, Registers, Step, Task, one_of
from .secded import encode

__all__ = ["sensing_states"]

_FOLLOWING = {Area.LIFE_CYCLE: Area.IDENTITY, Area.IDENTITY: Area.CONFIGURATION,
              Area.CONFIGURATION: Area.SECRET, Area.SECRET: Area.LIFE_CYCLE_AGAIN}
_MARKED = (LifeCycle.TEST, LifeCycle.PROVISIONED, LifeCycle.PRODUCTION, LifeCycle.RETURN,
           LifeCycle.SCRAP)
_LIFE_CYCLE_AREAS = (Area.LIFE_CYCLE, Area.LIFE_CYCLE_AGAIN)


def sensing_states(m: Module, r: Registers, port: OtpPort, digest: Digest) -> None:
    """Write the states from ``BEGIN`` to ``COMMIT``, inside a switch over ``r.step``.

    Partitions are read in the order of ``Area``, word by word, and their digests computed: all of
    them after reset, the public ones when they are checked again.
    """
    complete: Value = Const(0)  # every word of the partition was read
    for area, partition in AREAS.items():
        complete = complete | ((r.area == area)
                               & (r.place == partition.end - partition.base))

    with m.Case(Step.BEGIN):
        m.d.sync += [r.place.eq(0), r.ended.eq(0), r.walk.eq(LifeCycle.BLANK), r.stored.eq(0),
                     r.blank.eq(1), r.erased.eq(1), r.intact.eq(1)]
        # After reset, the root key waits in the block while the life cycle is read again.
        with m.If((r.area != Area.LIFE_CYCLE_AGAIN) | (r.task != Task.BOOT)):
            r.fill(m, 0)
        r.go(m, Step.READ)
    with m.Case(Step.READ):
        m.d.comb += port.request.valid.eq(1)
        for area, partition in AREAS.items():
            with m.If(r.area == area):
                m.d.comb += port.request.payload.address.eq(partition.base + r.place)
        with m.If(port.request.ready):
            r.go(m, Step.WAIT)
    with m.Case(Step.WAIT):
        with m.If(port.valid):
            m.d.sync += r.place.eq(r.place + 1)
            r.go(m, Step.READ)
            with m.If(one_of(r.area, *_LIFE_CYCLE_AREAS)):
                _take_mark(m, r, port)
            with m.Else():
                _take_word(m, r, port)
        # The port is idle, and has not answered.
        with m.Elif(port.request.ready):
            r.go(m, Step.ALARM)
    with m.Case(Step.DIGEST):
        m.d.comb += digest.start.eq(1)
        r.go(m, Step.HASH)
    with m.Case(Step.HASH):
        with m.If(digest.done):
            r.go(m, Step.ALARM)
            with m.If(one_of(r.task, Task.BOOT, Task.CHECK)):
                r.go(m, Step.COMPARE)
            with m.If(one_of(r.task, Task.LOCK, Task.PROVISION)):
                r.go(m, Step.SEAL)
        with m.Elif(~digest.busy):
            r.go(m, Step.ALARM)
    with m.Case(Step.COMPARE):
        r.go(m, Step.ALARM)
        with m.If(complete & digest.done):
            _judge_partition(m, r, digest)
    with m.Case(Step.NEXT):
        m.d.comb += digest.clear.eq(1)
        r.go(m, Step.ALARM)
        with m.If(complete):
            _choose_next(m, r)
    with m.Case(Step.COMMIT):
        m.d.sync += r.stored.eq(0)
        _commit(m, r)


def _take_mark(m: Module, r: Registers, port: OtpPort) -> None:
    """Walk on by one mark: it is there, or blank like all behind it; the last may follow any.

    The first that is not there may be torn, in both readings: what is left when power was lost
    while it was programmed. A torn mark is remembered, and otherwise taken as blank.
    """
    response = port.response
    present, torn, remembered, known = Signal(), Signal(), Signal(), Signal()
    m.d.comb += [
        remembered.eq((r.torn == Flag.YES) & (r.target == r.place)),
        known.eq(Mux(r.area == Area.LIFE_CYCLE, r.torn == Flag.NO, remembered)
                 & (r.task == Task.BOOT))]
    m.d.sync += r.ended.eq(r.ended | response.blank | torn)
    with m.Switch(r.place):
        for place, (mark, state) in enumerate(zip(MARKS, _MARKED, strict=True)):
            last = place == LIFE_CYCLE.words - 1
            with m.Case(place):
                m.d.comb += [
                    present.eq(response.data == mark),
                    torn.eq(~response.blank & ~present & ~(
                        response.raw & ~encode(Const(mark, len(response.data)))).any())]
                if last:
                    r.go(m, Step.NEXT)
                with m.If(torn & known & (last | ~r.ended)):
                    m.d.sync += [r.torn.eq(Flag.YES), r.target.eq(place), r.word.eq(mark)]
                with m.Elif(present & ~remembered & (r.torn == Flag.NO if last else ~r.ended)):
                    m.d.sync += r.walk.eq(state)
                with m.Elif(~response.blank | remembered):
                    r.go(m, Step.ALARM)
        with m.Default():
            r.go(m, Step.ALARM)


def _take_word(m: Module, r: Registers, port: OtpPort) -> None:
    """Keep a word of data or of the digest."""
    response = port.response
    m.d.sync += [r.blank.eq(r.blank & response.blank), r.erased.eq(r.erased & response.erased),
                 r.intact.eq(r.intact & ~response.bad)]
    for area, partition in AREAS.items():
        if area in _LIFE_CYCLE_AREAS:
            continue
        with m.If(r.area == area):
            with m.If(r.place < partition.words):
                r.shift(m, response.data)
            with m.Else():
                m.d.sync += r.stored.eq(r.stored[len(response.data):] | response.data
                                        << len(response.data))
            last = Mux(r.task == Task.LOCK, partition.words, partition.end - partition.base) - 1
            with m.If(r.place == last):
                r.go(m, Step.DIGEST)
            with m.If(r.place >= partition.end - partition.base):
                r.go(m, Step.ALARM)
    # A secret that is being erased is damaged, and that is no reason to stop.
    with m.If(response.bad & (r.area != Area.SECRET)):
        r.go(m, Step.ALARM)


def _judge_partition(m: Module, r: Registers, digest: Digest) -> None:
    """Compare the digests and set the partition's status; no case: the alarm."""
    match = r.intact & (r.stored != 0) & (r.stored == digest.digest)
    for area, held in ((Area.IDENTITY, r.identity), (Area.CONFIGURATION, r.configuration)):
        found = r.block[-len(held):]
        with m.If(r.area == area):
            with m.If((r.task == Task.BOOT) & match):
                m.d.sync += [r.status[area].eq(Status.LOCKED), held.eq(found)]
                r.go(m, Step.NEXT)
            with m.If((r.task == Task.BOOT) & (r.stored == 0)):
                m.d.sync += [r.status[area].eq(Status.OPEN), r.free[area].eq(Flag.YES)]
                r.go(m, Step.NEXT)
            with m.If((r.task == Task.CHECK) & match & (held == found)):
                r.go(m, Step.NEXT)
    with m.If((r.area == Area.SECRET) & (r.task == Task.BOOT)):
        status, free = r.status[Area.SECRET], r.free[Area.SECRET]
        r.go(m, Step.NEXT)
        with m.If(match & ~r.blank & ~r.erased):
            m.d.sync += status.eq(Status.LOCKED)
        with m.Else():
            r.fill(m, 0)
            m.d.sync += status.eq(Status.DAMAGED)
            with m.If(r.blank & ~r.erased):
                m.d.sync += [status.eq(Status.OPEN), free.eq(Flag.YES)]
            with m.If(r.erased & ~r.blank):
                m.d.sync += [status.eq(Status.ERASED), free.eq(Flag.YES)]


def _choose_next(m: Module, r: Registers) -> None:
    """Go to the next partition, or decide; no case: the alarm."""
    for area, following in _FOLLOWING.items():
        with m.If((r.area == area) & (r.task == Task.BOOT)):
            m.d.sync += r.area.eq(following)
            if area is Area.LIFE_CYCLE:
                m.d.sync += r.life.eq(r.walk)
            r.go(m, Step.BEGIN)
    with m.If(r.task == Task.CHECK):
        with m.If(r.area == Area.IDENTITY):
            m.d.sync += r.area.eq(Area.CONFIGURATION)
            r.go(m, Step.BEGIN)
        with m.If(r.area == Area.CONFIGURATION):
            m.d.sync += r.area.eq(Area.LIFE_CYCLE_AGAIN)
            r.go(m, Step.BEGIN)
    with m.If((r.area == Area.LIFE_CYCLE_AGAIN) & (r.walk == r.life)):
        with m.If(r.task == Task.BOOT):
            r.go(m, Step.COMMIT)
        with m.If((r.task == Task.CHECK) & (r.running == Flag.YES)):
            r.go(m, Step.RUN)


def _commit(m: Module, r: Registers) -> None:
    """Open what state of life and partitions allow together; no case: the alarm."""
    public = (r.status[Area.IDENTITY], r.status[Area.CONFIGURATION])
    secret = r.status[Area.SECRET]
    known, locked, untouched = Signal(), Signal(), Signal()
    absent, erase, start = Signal(), Signal(), Signal()
    torn, provisioned = Signal(), Signal()
    m.d.comb += [
        known.eq(one_of(public[0], Status.OPEN, Status.LOCKED)
                 & one_of(public[1], Status.OPEN, Status.LOCKED)),
        locked.eq((public[0] == Status.LOCKED) & (public[1] == Status.LOCKED)
                  & (secret == Status.LOCKED)),
        untouched.eq((public[0] == Status.OPEN) & (public[1] == Status.OPEN)
                     & (secret == Status.OPEN)),
        absent.eq(known & r.absent),
        torn.eq(r.torn == Flag.YES),
        provisioned.eq((r.life == LifeCycle.TEST) & torn & (r.target == PROVISIONED_MARK)),
        erase.eq(known & one_of(secret, Status.LOCKED, Status.DAMAGED)),
    ]
    r.go(m, Step.ALARM)
    with m.If((r.area == Area.LIFE_CYCLE_AGAIN) & (r.task == Task.BOOT)
              & (r.running == Flag.NO) & (r.walk == r.life)):
        with m.Switch(r.life):
            with m.Case(LifeCycle.BLANK):
                m.d.comb += start.eq(untouched)
            with m.Case(LifeCycle.TEST, LifeCycle.RETURN, LifeCycle.SCRAP):
                # The secret was complete before power was lost in the mark that says so.
                m.d.comb += start.eq(Mux(provisioned, locked, absent))
                # A debugger gets in only when the secret is gone.
                with m.If(erase & ~r.retried & ~provisioned):
                    r.fill(m, 0)
                    m.d.sync += [r.retried.eq(1), r.place.eq(0)]
                    r.go(m, Step.ERASE)
            with m.Case(LifeCycle.PROVISIONED, LifeCycle.PRODUCTION):
                m.d.comb += start.eq(locked)
                with m.If(locked):
                    m.d.sync += r.offer.eq(Flag.YES)
    with m.If(start):
        m.d.sync += r.running.eq(Flag.YES)
        r.go(m, Step.RUN)
        with m.If(torn):
            r.fill(m, 0)
            m.d.sync += r.task.eq(Task.FINISH)
            r.go(m, Step.STORE)
