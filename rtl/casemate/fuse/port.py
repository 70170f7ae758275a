"""The one way to the macro: one word read and corrected, or programmed and read back."""

from amaranth import Module, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from .codes import codewords
from .map import WORDS
from .otp import OtpSignature
from .secded import DATA_BITS, WORD_BITS, Decoder

__all__ = ["OtpPort", "request_layout", "response_layout"]


def request_layout() -> data.StructLayout:
    """Layout of a request: read the word at ``address``, or program the ones of ``word`` there."""
    return data.StructLayout({"write": 1, "address": range(WORDS), "word": WORD_BITS})


def response_layout() -> data.StructLayout:
    """Layout of a response: what ``Decoder`` says of the word that was read.

    ``raw``: the word as it is stored. ``failed``: after programming, the word does not hold what
    was asked for.
    """
    return data.StructLayout({
        "raw": WORD_BITS, "data": DATA_BITS, "corrected": 1, "bad": 1, "blank": 1, "erased": 1,
        "failed": 1})


class _Step(enum.Enum, shape=13):
    IDLE, READ, WAIT, PROGRAM, BUSY, FAULT = codewords(6, 13)


class OtpPort(wiring.Component):
    """Does one request at a time; a response lasts one cycle and leaves nothing behind.

    Latency from request to response: 2 cycles more than the macro's for a read; for programming
    both of the macro's, and 4 cycles.

    Parameters
    ----------
    patience_bits:
        The macro has ``2 ** patience_bits - 1`` cycles for an answer.

    Members
    -------
    request: In(stream.Signature(request_layout()))
    valid: Out(1), response: Out(response_layout())
        Pulse; without it the response is zero.
    fault: Out(1)
        Until reset: an answer came unasked or not in time, or a state that is none. No more
        requests are taken.
    otp: Out(OtpSignature())
    """

    request: stream.Interface

    def __init__(self, *, patience_bits: int = 16):
        self._patience_bits = patience_bits
        self.step = Signal(_Step, init=_Step.IDLE)
        super().__init__({
            "request": In(stream.Signature(request_layout())),
            "valid": Out(1), "response": Out(response_layout()), "fault": Out(1),
            "otp": Out(OtpSignature()),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = Decoder()
        otp, step = self.otp, self.step
        held = Signal(request_layout())
        failed = Signal()
        raw = Signal(WORD_BITS)
        arrived = Signal()
        waited = Signal(self._patience_bits)
        m.d.comb += [
            self.request.ready.eq(step == _Step.IDLE),
            otp.address.eq(held.address), otp.program_data.eq(held.word),
            otp.read.eq(step == _Step.READ), otp.program.eq(step == _Step.PROGRAM),
            decoder.word.eq(raw), self.valid.eq(arrived),
            self.fault.eq(step == _Step.FAULT),
        ]
        with m.If(arrived):
            m.d.comb += [
                self.response.raw.eq(raw), self.response.data.eq(decoder.data),
                self.response.corrected.eq(decoder.corrected), self.response.bad.eq(decoder.bad),
                self.response.blank.eq(decoder.blank), self.response.erased.eq(decoder.erased),
                self.response.failed.eq(failed),
            ]
        m.d.sync += [arrived.eq(0), raw.eq(0), waited.eq(0)]

        with m.Switch(step):
            with m.Case(_Step.IDLE):
                with m.If(self.request.valid):
                    m.d.sync += [held.eq(self.request.payload), failed.eq(0), step.eq(_Step.READ)]
                    with m.If(self.request.payload.write):
                        m.d.sync += step.eq(_Step.PROGRAM)
            with m.Case(_Step.READ):
                m.d.sync += step.eq(_Step.WAIT)
            with m.Case(_Step.WAIT):
                m.d.sync += waited.eq(waited + 1)
                with m.If(otp.valid):
                    m.d.sync += [arrived.eq(1), raw.eq(otp.data), held.eq(0), step.eq(_Step.IDLE),
                                 failed.eq(failed | (held.word & ~otp.data).any())]
            with m.Case(_Step.PROGRAM):
                m.d.sync += step.eq(_Step.BUSY)
            with m.Case(_Step.BUSY):
                m.d.sync += waited.eq(waited + 1)
                with m.If(otp.done):
                    m.d.sync += [failed.eq(otp.error), step.eq(_Step.READ)]
            with m.Default():
                m.d.sync += [step.eq(_Step.FAULT), held.eq(0)]
        unasked = (otp.valid & (step != _Step.WAIT)) | (otp.done & (step != _Step.BUSY))
        with m.If(unasked | waited.all()):
            m.d.sync += [step.eq(_Step.FAULT), held.eq(0)]
        return m
