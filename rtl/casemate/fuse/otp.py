"""The fuse macro's pins, and a stand-in for simulation and FPGA."""

from collections.abc import Sequence

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .map import WORDS
from .secded import WORD_BITS

__all__ = ["OtpArray", "OtpSignature"]


class OtpSignature(wiring.Signature):
    """Pins of a one-time-programmable macro of 39-bit words, as the controller sees them.

    One request at a time. A bit that was programmed is a one for ever. When it answers must not
    depend on the data: software sees how long a command takes, and words of the secret are among
    what is programmed.

    Members
    -------
    ready: In(1)
        The macro has power and takes requests; it answers none from before a reset.
    read: Out(1)
        Pulse: the word at ``address`` is wanted.
    valid: In(1), data: In(39)
        Pulse: the word that was wanted, one cycle after ``read`` or later.
    program: Out(1)
        Pulse: the ones of ``program_data`` are to be programmed at ``address``.
    busy: In(1)
        A word is being programmed; ``address`` and ``program_data`` stay.
    done: In(1), error: In(1)
        Pulse: programming has ended; ``error`` with it: not all bits are as wanted.
    address: Out(range(WORDS)), program_data: Out(39)
    """

    def __init__(self):
        super().__init__({
            "ready": In(1), "read": Out(1), "address": Out(range(WORDS)), "valid": In(1),
            "data": In(WORD_BITS), "program": Out(1), "program_data": Out(WORD_BITS),
            "busy": In(1), "done": In(1), "error": In(1),
        })


class OtpArray(wiring.Component):
    """A stand-in for the macro: bits only go from 0 to 1, one after another, as in real ones.

    A reset in the middle of programming leaves the word as far as it got; it does not clear the
    array. Reading takes 1 cycle; programming takes ``bit_cycles`` for each of the 39 bits, be they
    programmed or not, and 3 more.

    Parameters
    ----------
    image:
        Words at the beginning; blank behind its end.
    bit_cycles:
        Cycles that programming a bit takes.

    Members
    -------
    otp: In(OtpSignature())
    fail: In(1)
        Simulation only: the bit whose turn it is stays as it is, and ``error`` says so at the end
        if it was to be programmed.
    load: In(1), load_address: In(range(WORDS)), load_data: In(39)
        Simulation only: a word is replaced.
    written: Out(1), written_address: Out(range(WORDS)), written_data: Out(39)
        Simulation only: what becomes of a word at the end of the cycle.
    """

    def __init__(self, image: Sequence[int] = (), *, bit_cycles: int = 1):
        if len(image) > WORDS or any(word >> WORD_BITS for word in image):
            raise ValueError(f"an image has at most {WORDS} words of {WORD_BITS} bits")
        if bit_cycles < 1:
            raise ValueError(f"bit_cycles = {bit_cycles} is not possible: 1 or more")
        self._image = image
        self._bit_cycles = bit_cycles
        super().__init__({
            "otp": In(OtpSignature()), "fail": In(1), "load": In(1),
            "load_address": In(range(WORDS)), "load_data": In(WORD_BITS), "written": Out(1),
            "written_address": Out(range(WORDS)), "written_data": Out(WORD_BITS),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = array = Memory(shape=WORD_BITS, depth=WORDS, init=self._image)
        read, write = array.read_port(), array.write_port()
        otp = self.otp
        looked = Signal()
        wanted = Signal(WORD_BITS)
        turn = Signal(WORD_BITS)  # one bit: the one that is programmed now, if it is wanted
        word = Signal(WORD_BITS)  # what the array holds of them
        fetched = Signal()
        place = Signal(range(WORDS))
        cycles = Signal(range(self._bit_cycles))
        after = Signal(WORD_BITS)

        m.d.comb += [
            otp.ready.eq(1), read.en.eq(otp.read | otp.program), read.addr.eq(otp.address),
            otp.data.eq(read.data), otp.valid.eq(looked),
            after.eq(word | (wanted & turn)),
            write.addr.eq(place), write.data.eq(after),
            self.written.eq(write.en), self.written_address.eq(write.addr),
            self.written_data.eq(write.data),
        ]
        m.d.sync += [looked.eq(otp.read), otp.done.eq(0)]
        with m.If(otp.program & ~otp.busy):
            m.d.sync += [otp.busy.eq(1), fetched.eq(0), wanted.eq(otp.program_data), turn.eq(1),
                         place.eq(otp.address), otp.error.eq(0), cycles.eq(0)]
        with m.Elif(otp.busy & ~fetched):
            m.d.sync += [fetched.eq(1), word.eq(read.data)]
        with m.Elif(otp.busy & (turn == 0)):
            m.d.sync += [otp.busy.eq(0), otp.done.eq(1), word.eq(0), wanted.eq(0)]
        with m.Elif(otp.busy):
            m.d.sync += cycles.eq(cycles + 1)
            with m.If(cycles == self._bit_cycles - 1):
                m.d.sync += [cycles.eq(0), turn.eq(turn << 1)]
                with m.If(self.fail):
                    m.d.sync += otp.error.eq(otp.error | (wanted & turn).any())
                with m.Else():
                    m.d.comb += write.en.eq(1)
                    m.d.sync += word.eq(after)
        with m.If(self.load):
            m.d.comb += [write.en.eq(1), write.addr.eq(self.load_address),
                         write.data.eq(self.load_data)]
        return m
