"""No beat of an authenticated line leaves before its tag was checked: for all time.

Two proofs that meet at the verdict. ``Verifier`` passes a line only under a final, granted answer
of its leaf, with the tag that the leaf has, and without an error of DRAM. ``ReadReturn`` lets
nothing of a line out before it was passed. GMAC is abstracted: a MAC is anything, and comes at any
time behind the line's rows and its pad.
"""

import pytest
from amaranth import Cat, Const, Module, Mux, ResetSignal, Signal
from amaranth.hdl import Assert, Assume, Cover, Elaboratable
from casemate.config import LeafShape
from casemate.engine.read_return import ReadReturn
from casemate.engine.verifier import Verifier
from casemate.metadata.interface import Outcome
from casemate_sim.formal import assert_formal
from metadata_control import SMALLEST, anything

CONFIG = SMALLEST.replace(leaf=LeafShape(version_bits=2, tag_bits=4))
"""Two reads and two writes in flight, lines of four rows; tags of four bits."""

ROWS = CONFIG.rows_per_line


class VerdictSpec(Elaboratable):
    """A line passes only if its leaf grants it and has its tag."""

    def __init__(self, watched):
        self.watched = watched

    def elaborate(self, platform):
        m = Module()
        m.submodules.verifier = verifier = Verifier(CONFIG)
        gmac, answer, verdict = verifier.gmac, verifier.answer, verifier.verdict
        m.d.comb += Assume(~ResetSignal())
        anything(m, verifier.row.valid, verifier.row.payload, answer.valid, answer.payload,
                 verifier.encrypt, verifier.confirm, verifier.pad.valid, verifier.pad.payload,
                 gmac.request.ready, gmac.row.ready, gmac.o.valid, gmac.o.payload)
        ids = 2**CONFIG.entry_id_bits
        mac = gmac.o.payload
        for number in range(ids):
            # What the neighbours keep to, of each line.
            rows, padded, made = Signal(range(ROWS + 1)), Signal(), Signal()
            hinted, final, granted, tag = Signal(), Signal(), Signal(), Signal(
                CONFIG.leaf.tag_bits)
            error, matches = Signal(), Signal()
            row_here = verifier.row.valid & (verifier.row.payload.entry == number)
            answer_here = answer.valid & (answer.payload.id == number)
            pad_here = verifier.pad.valid & (verifier.pad.payload.entry == number)
            mac_here = gmac.o.valid & (mac.entry == number)
            confirmed = (verifier.confirm[number] if number < CONFIG.read_entries else Const(0))
            over = verdict.valid & (verdict.id == number)
            m.d.comb += [
                # Rows in order, as many as a line has; a DRAM's EXOKAY was made OKAY.
                Assume(~row_here | ((verifier.row.payload.row == rows)
                                    & (verifier.row.payload.tag != 1))),
                # One answer; or a hint, and one that confirms it or takes it back.
                Assume(~answer_here | ~(final | confirmed)),
                Assume(~answer_here | Mux(hinted, answer.payload.hinted & ~answer.payload.hint & (
                    answer.payload.outcome != Outcome.GRANTED), ~answer.payload.hinted)),
                Assume(~(answer_here & answer.payload.hint)
                       | (answer.payload.outcome == Outcome.GRANTED)),
                Assume(~confirmed | (hinted & ~final)),
                Assume(~pad_here | (~padded & (hinted | final | answer_here))),
                # A MAC behind rows and pad; its tag is that of the last row.
                Assume(~mac_here | ((rows == ROWS) & padded & ~made)),
                Assume(~mac_here | (mac.tag == gathered(m, number, verifier))),
            ]
            with m.If(over):
                m.d.sync += [signal.eq(0) for signal in (
                    rows, padded, made, hinted, final, granted, tag, error, matches)]
            with m.If(row_here & verifier.row.ready):
                m.d.sync += [rows.eq(rows + 1), error.eq(error | verifier.row.payload.tag[1])]
            with m.If(pad_here & verifier.pad.ready):
                m.d.sync += padded.eq(1)
            with m.If(answer_here):
                m.d.sync += [
                    hinted.eq(answer.payload.hint), final.eq(~answer.payload.hint),
                    granted.eq((answer.payload.outcome == Outcome.GRANTED)
                               & answer.payload.line_valid),
                    tag.eq(answer.payload.tag)]
            with m.If(confirmed):
                m.d.sync += final.eq(1)
            seen = Signal(CONFIG.leaf.tag_bits)
            with m.If(mac_here):
                m.d.sync += [made.eq(1), seen.eq(mac.mac)]
            if number == self.watched:
                m.d.comb += [
                    Assert(~over | (made & final)),
                    Assert(~(over & verdict.passed) | (granted & (tag == seen) & ~error)),
                    Cover(over & verdict.passed),
                ]
        return m


def gathered(m, number, verifier):
    """Return the tag with which GMAC took a line's last row."""
    kept = Signal(2, name=f"gathered_{number}")
    row = verifier.gmac.row
    with m.If(row.valid & row.ready & row.payload.last & (row.payload.entry == number)):
        m.d.sync += kept.eq(row.payload.tag)
    return kept


@pytest.mark.parametrize("watched", [0, pytest.param(2, marks=pytest.mark.verify)])
def test_a_line_passes_only_with_the_tag_of_its_leaf(watched):
    assert_formal(VerdictSpec(watched), mode="prove", name=f"verdict-{watched}")


class ReleaseSpec(Elaboratable):
    """Bit 0 of a row says that it belongs to the watched entry's line, which is authenticated."""

    def __init__(self, watched):
        self.watched = watched

    def elaborate(self, platform):
        m = Module()
        m.submodules.reads = reads = ReadReturn(CONFIG)
        n, verdict, row = CONFIG.read_entries, reads.verdict, reads.row
        m.d.comb += Assume(~ResetSignal())
        anything(m, reads.take, reads.take_index, reads.chunk, row, reads.row_valid, verdict.valid,
                 verdict.id, verdict.passed, verdict.response, verdict.dropped, reads.lock,
                 reads.o.ready)
        used, authenticates = Signal(n), Signal(n)
        judged, dropped = Signal(n), Signal(n)
        marked = Cat(used & authenticates)[self.watched]
        m.d.comb += [
            Assume(~reads.take | ((reads.take_index < n)
                                  & ~used.bit_select(reads.take_index, 1))),
            Assume(~reads.row_valid | (row.id < n)),
            Assume(~reads.row_valid | (row.data[0] == ((row.id == self.watched) & marked))),
            Assume(~verdict.valid | (used & authenticates & ~judged).bit_select(verdict.id, 1)),
            Assume(~verdict.valid | ~verdict.id[-1]),
            Assume(~(verdict.passed & verdict.dropped)),
        ]
        slot, passed = Signal(range(CONFIG.domain_slots)), Signal()
        for number in range(n):
            rows = Signal(range(ROWS + 1), name=f"rows_{number}")
            taken = reads.take & (reads.take_index == number)
            row_here = reads.row_valid & (row.id == number)
            here = verdict.valid & (verdict.id == number)
            m.d.comb += [
                Assume(~row_here | (used[number] & ~dropped[number] & (rows == row.row))),
                Assume(~(here & verdict.dropped) | ((rows == 0) & ~row_here)),
            ]
            with m.If(taken):
                m.d.sync += [
                    used[number].eq(1), judged[number].eq(0), dropped[number].eq(0),
                    authenticates[number].eq(reads.chunk.authenticate & ~reads.chunk.refused),
                    # No row comes of a chunk that is refused.
                    rows.eq(Mux(reads.chunk.refused, ROWS, 0))]
            with m.Elif(reads.release[number]):
                m.d.sync += used[number].eq(0)
            with m.If(row_here):
                m.d.sync += rows.eq(rows + 1)
            with m.If(here):
                m.d.sync += [judged[number].eq(1), dropped[number].eq(verdict.dropped)]
            if number == self.watched:
                with m.If(taken):
                    m.d.sync += [passed.eq(0), slot.eq(reads.chunk.slot)]
                with m.Elif(here):
                    m.d.sync += passed.eq(verdict.passed)
        # A beat is loaded into the output register when that is free.
        loaded, allowed = Signal(), Signal()
        m.d.sync += [
            loaded.eq(reads.o.ready | ~reads.o.valid),
            allowed.eq(passed & ~reads.lock.bit_select(slot, 1)),
        ]
        out = loaded & reads.o.valid & reads.o.payload.data[0]
        m.d.comb += [Assert(~out | allowed), Cover(out)]
        return m


@pytest.mark.parametrize("watched", [0, pytest.param(1, marks=pytest.mark.verify)])
def test_nothing_of_a_line_leaves_before_it_has_passed(watched):
    assert_formal(ReleaseSpec(watched), mode="prove", name=f"release-{watched}")


@pytest.mark.parametrize("spec", [VerdictSpec, ReleaseSpec])
def test_lines_pass_and_leave_within_the_proofs(spec):
    assert_formal(spec(0), mode="cover", depth=12, name=f"{spec.__name__}-reached")
