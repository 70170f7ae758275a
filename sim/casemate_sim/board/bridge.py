"""From frames on the serial line to accesses, and back."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from casemate_sim.board.access import AccessSignature
from casemate_sim.board.frames import (
    ADDRESS_BYTES,
    CHECK,
    CHECK_BYTES,
    MAXIMUM_WORDS,
    WORD_BYTES,
    Command,
)

__all__ = ["Bridge"]

_BYTE = 8


class _Step(enum.Enum):
    COMMAND = 0
    COUNT = 1
    ADDRESS = 2
    DATA = 3
    CHECK = 4
    DECIDE = 5
    BEGIN = 6
    ACCESS = 7
    SEND_WORD = 8
    SEND_ERRORS = 9
    SEND_CHECK = 10


class Bridge(wiring.Component):
    """Carries out one frame after another; see ``frames`` for what they are.

    Nothing is done before a frame's check was found right. Bytes that come while an answer is on
    its way are not taken.

    Members
    -------
    i: In(stream.Signature(8)), o: Out(stream.Signature(8))
        Bytes from and to the serial line.
    access: Out(AccessSignature())
        The accesses.
    """

    i: stream.Interface
    o: stream.Interface
    access: wiring.PureInterface

    def __init__(self):
        super().__init__({"i": In(stream.Signature(_BYTE)), "o": Out(stream.Signature(_BYTE)),
                          "access": Out(AccessSignature())})

    def elaborate(self, platform: object) -> Module:
        """Build one state machine for both directions: they never work at the same time."""
        m = Module()
        m.submodules.check = check = CHECK.create()
        m.submodules.words = words = memory.Memory(
            shape=WORD_BYTES * _BYTE, depth=MAXIMUM_WORDS, init=[])
        stored, fetched = words.write_port(), words.read_port()
        step, access = Signal(_Step), self.access
        command = Signal(_BYTE)
        last, word = Signal(range(MAXIMUM_WORDS)), Signal(range(MAXIMUM_WORDS))
        place = Signal(range(WORD_BYTES))  # byte of an address, a word or a check
        shift = Signal(WORD_BYTES * _BYTE)
        address = Signal(ADDRESS_BYTES * _BYTE)
        errors = Signal(range(MAXIMUM_WORDS + 1))
        writes = command == Command.WRITE
        taken, sent = Signal(), Signal()
        following = Cat(shift[_BYTE:], self.i.payload)
        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready), sent.eq(self.o.valid & self.o.ready),
            check.data.eq(Mux(self.o.valid, self.o.payload, self.i.payload)),
            check.valid.eq((taken | sent) & (step != _Step.SEND_CHECK)),
            check.start.eq((step == _Step.COMMAND) | ((step == _Step.BEGIN) & sent)),
            stored.addr.eq(word), stored.data.eq(following), fetched.addr.eq(word),
            access.write.eq(writes), access.value.eq(fetched.data),
            access.address.eq(address + word * WORD_BYTES),
            self.i.ready.eq(0),
        ]

        def count_to(limit: int, then: _Step) -> None:
            m.d.sync += place.eq(place + 1)
            with m.If(place == limit - 1):
                m.d.sync += [place.eq(0), step.eq(then)]

        def send(byte: Value | int) -> None:
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(byte)]

        with m.Switch(step):
            with m.Case(_Step.COMMAND):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [word.eq(0), place.eq(0), errors.eq(0), command.eq(self.i.payload)]
                with m.If(taken & ((self.i.payload == Command.READ)
                                   | (self.i.payload == Command.WRITE))):
                    m.d.sync += step.eq(_Step.COUNT)
            with m.Case(_Step.COUNT):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += [last.eq(self.i.payload), step.eq(_Step.ADDRESS)]
                    with m.If(self.i.payload >= MAXIMUM_WORDS):
                        m.d.sync += [command.eq(Command.REFUSED), step.eq(_Step.BEGIN)]
            with m.Case(_Step.ADDRESS):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += address.eq(Cat(address[_BYTE:], self.i.payload))
                    count_to(ADDRESS_BYTES, _Step.CHECK)
                    with m.If(writes & (place == ADDRESS_BYTES - 1)):
                        m.d.sync += step.eq(_Step.DATA)
            with m.Case(_Step.DATA):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += [shift.eq(following), place.eq(place + 1)]
                    with m.If(place == WORD_BYTES - 1):
                        m.d.comb += stored.en.eq(1)
                        m.d.sync += [place.eq(0), word.eq(word + 1)]
                        with m.If(word == last):
                            m.d.sync += [word.eq(0), step.eq(_Step.CHECK)]
            with m.Case(_Step.CHECK):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    count_to(CHECK_BYTES, _Step.DECIDE)
            with m.Case(_Step.DECIDE):
                with m.If(~check.match_detected):
                    m.d.sync += [command.eq(Command.REFUSED), step.eq(_Step.BEGIN)]
                with m.Elif(writes):
                    m.d.sync += step.eq(_Step.ACCESS)
                with m.Else():
                    m.d.sync += step.eq(_Step.BEGIN)
            with m.Case(_Step.BEGIN):
                send(command)
                with m.If(sent):
                    m.d.sync += step.eq(_Step.ACCESS)
                    with m.If(command == Command.REFUSED):
                        m.d.sync += step.eq(_Step.SEND_CHECK)
                    with m.Elif(writes):
                        m.d.sync += step.eq(_Step.SEND_ERRORS)
            with m.Case(_Step.ACCESS):
                # Of a write, the word is fetched in the cycle before.
                settled = Signal()
                m.d.sync += settled.eq(~access.done)
                m.d.comb += access.valid.eq(settled)
                with m.If(access.done):
                    m.d.sync += [errors.eq(errors + access.error),
                                 shift.eq(Mux(access.error, 0, access.result))]
                    with m.If(~writes):
                        m.d.sync += step.eq(_Step.SEND_WORD)
                    with m.Else():
                        m.d.sync += word.eq(word + 1)
                        with m.If(word == last):
                            m.d.sync += step.eq(_Step.BEGIN)
            with m.Case(_Step.SEND_WORD):
                send(shift[:_BYTE])
                with m.If(sent):
                    m.d.sync += [shift.eq(shift >> _BYTE), place.eq(place + 1)]
                    with m.If(place == WORD_BYTES - 1):
                        m.d.sync += [place.eq(0), word.eq(word + 1), step.eq(_Step.ACCESS)]
                        with m.If(word == last):
                            m.d.sync += step.eq(_Step.SEND_ERRORS)
            with m.Case(_Step.SEND_ERRORS):
                send(errors)
                with m.If(sent):
                    m.d.sync += step.eq(_Step.SEND_CHECK)
            with m.Case(_Step.SEND_CHECK):
                send(Mux(place == 0, check.crc[_BYTE:], check.crc[:_BYTE]))
                with m.If(sent):
                    count_to(CHECK_BYTES, _Step.COMMAND)
        return m
