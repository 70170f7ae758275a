"""Compares the tag of every authenticated line that comes from DRAM with the one in its leaf."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..axi.signature import Response
from ..config import EngineConfig
from ..metadata.interface import Outcome, answer_layout
from ..modes.gmac import GmacPort
from ..streams import Picker
from .bundles import Verdict
from .layouts import cipher_row_layout
from .preparation import pad_request_layout

__all__ = ["Verifier", "line_check_port"]


def line_check_port(config: EngineConfig) -> GmacPort:
    """Port to the unit that makes the tags of lines from DRAM; a tag is the line's response."""
    return GmacPort(lanes=config.lanes, keys=config.domain_slots,
                    entries=2**config.entry_id_bits, tag=2)


class Verifier(wiring.Component):
    """One row per cycle, rows of several lines in any mixture, each line's rows in order.

    Every line whose rows come here gets a verdict when its rows, its answer and its pad are there:
    latency that of ``Gmac`` plus 2 cycles from the last row. A line that need not be verified (it
    is not valid, or its access was refused) takes the same way, so that nothing is left of it when
    its entry is free. Rows do not wait for the answer.

    A verdict that rests on a hint waits until the hint is confirmed or taken back.

    A line is passed if the access was granted, the line is valid, DRAM reported no error and the
    tag agrees. DRAM's first error is the response of the whole line.

    Members
    -------
    row: In(stream.Signature(cipher_row_layout(config)))
        Rows as they lie in DRAM; the tag is the row's RRESP, the key the slot.
    answer: In(stream.Signature(answer_layout(config), always_ready=True)), encrypt: In(1)
        What the metadata say of the line; with it, whether its rows are decrypted.
    confirm: In(read_entries)
        Reads whose hint was right.
    pad: In(stream.Signature(pad_request_layout(2 ** entry_id_bits, domain_slots)))
        Comes with or after the answer, for every line whose rows come here.
    verdict: Out(Verdict(config))
    gmac: Out(line_check_port(config))
        Who makes the tags.
    """

    row: stream.Interface
    answer: stream.Interface
    pad: stream.Interface
    gmac: wiring.PureInterface

    def __init__(self, config: EngineConfig):
        self._config = config
        keys, entries = config.domain_slots, 2**config.entry_id_bits
        super().__init__({
            "row": In(stream.Signature(cipher_row_layout(config))),
            "answer": In(stream.Signature(answer_layout(config), always_ready=True)),
            "encrypt": In(1), "confirm": In(config.read_entries),
            "pad": In(stream.Signature(pad_request_layout(entries, keys))),
            "verdict": Out(Verdict(config)),
            "gmac": Out(line_check_port(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, gmac = self._config, self.gmac
        entries, rows = 2**config.entry_id_bits, config.rows_per_line
        wiring.connect(m, wiring.flipped(self.pad), wiring.flipped(gmac.request))

        # The first error of a line's rows goes with its last row.
        row, given = self.row.payload, gmac.row.payload
        error = Signal(2)
        m.d.comb += [
            gmac.row.valid.eq(self.row.valid), self.row.ready.eq(gmac.row.ready),
            given.data.eq(row.data), given.row.eq(row.row), given.key.eq(row.key),
            given.entry.eq(row.entry), given.first.eq(row.row == 0),
            given.last.eq(row.row == rows - 1), given.tag.eq(error), error.eq(row.tag),
        ]
        if rows > 1:
            m.submodules.errors = errors = Memory(shape=2, depth=entries, init=[])
            write, read = errors.write_port(), errors.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.row.valid & self.row.ready), write.addr.eq(row.entry),
                write.data.eq(error), read.addr.eq(row.entry),
            ]
            with m.If((row.row != 0) & read.data.any()):
                m.d.comb += error.eq(read.data)

        # What the tag must be, or what the line is answered without looking at it.
        expected = data.StructLayout({
            "tag": config.leaf.tag_bits, "check": 1, "response": 2, "dropped": 1})
        m.submodules.expected = memory = Memory(shape=expected, depth=entries, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        answer, granted = self.answer.payload, Signal()
        m.d.comb += [
            granted.eq(answer.outcome == Outcome.GRANTED),
            write.en.eq(self.answer.valid), write.addr.eq(answer.id),
            write.data.tag.eq(answer.tag), write.data.check.eq(granted & answer.line_valid),
            write.data.response.eq(Mux(
                granted, Response.OKAY.value,
                Mux(answer.outcome == Outcome.BUS_ERROR, answer.response,
                    Response.SLVERR.value))),
            write.data.dropped.eq(self.encrypt & ~write.data.check & ~answer.hinted),
        ]

        # A MAC goes on if its line's answer is final; otherwise it is kept until then.
        result = data.StructLayout({
            "tag": config.leaf.tag_bits, "error": 2, "id": config.entry_id_bits})
        made, kept, chosen = Signal(result), Signal(result), Signal(result)
        mac, final, waiting = gmac.o.payload, Signal(entries), Signal(entries)
        at_once, late = Signal(), Signal()
        m.submodules.kept = keep = Memory(shape=result, depth=entries, init=[])
        keep_write, keep_read = keep.write_port(), keep.read_port(domain="comb")
        m.submodules.choice = choice = Picker(entries)
        m.d.comb += [
            made.tag.eq(mac.mac), made.error.eq(mac.tag), made.id.eq(mac.entry),
            at_once.eq(gmac.o.valid & final.bit_select(mac.entry, 1)),
            keep_write.en.eq(gmac.o.valid & ~at_once), keep_write.addr.eq(mac.entry),
            keep_write.data.eq(made),
            choice.requests.eq(waiting & final), choice.o.ready.eq(~at_once),
            late.eq(choice.o.valid & ~at_once),
            keep_read.addr.eq(choice.o.payload), kept.eq(keep_read.data),
            chosen.eq(Mux(at_once, made, kept)), read.addr.eq(chosen.id),
        ]
        kept_now = Mux(keep_write.en, 1 << mac.entry, 0)
        answered = Mux(self.answer.valid, 1 << answer.id, 0)
        m.d.sync += [
            waiting.eq((waiting | kept_now) & ~Mux(late, 1 << choice.o.payload, 0)),
            final.eq(Mux(answer.hint, final & ~answered, final | answered) | self.confirm),
        ]

        held = Signal(result, reset_less=True)
        held_expected = Signal(expected, reset_less=True)
        held_valid = Signal()
        m.d.sync += [
            held_valid.eq(at_once | late), held.eq(chosen), held_expected.eq(read.data)]

        verdict, failed = self.verdict, Signal()
        m.d.comb += failed.eq(held.tag != held_expected.tag)
        m.d.sync += [
            verdict.valid.eq(held_valid), verdict.id.eq(held.id),
            verdict.passed.eq(held_expected.check & ~held.error[1] & ~failed),
            verdict.tampered.eq(held_expected.check & ~held.error[1] & failed),
            verdict.dropped.eq(held_expected.dropped),
            verdict.response.eq(Mux(
                held_expected.check,
                Mux(held.error[1], held.error,
                    Mux(failed, Response.SLVERR.value, Response.OKAY.value)),
                held_expected.response)),
        ]
        return m
