"""The parts of AES are proven equal to their definitions in FIPS 197 (``fips_197``)."""

import fips_197 as fips
import pytest
from amaranth import Const, Elaboratable, Module, Mux, Signal
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert
from casemate.aes.round import mix_columns, shift_rows
from casemate.aes.sbox import SubBytes
from casemate.config import SBox
from casemate_sim.component import NativeComponent
from casemate_sim.formal import ProofError, assert_formal
from fips_197 import SBOX, affine


def product(m, a, b):
    """Multiply two bytes: section 4.2."""
    total, power = Const(0, 8), a
    for bit in range(8):
        total = total ^ Mux(b[bit], power, 0)
        following = Signal(8)
        m.d.comb += following.eq((power << 1)[:8] ^ Mux(power[7], 0x1B, 0))
        power = following
    return total


class SBoxSpec(Elaboratable):
    """SubBytes of x is `affine` of what multiplies with x to 1; the inverse undoes it.

    The inverse of x is a free value of which only that product is known, so no table is involved.
    """

    def __init__(self, construction, *, inverse, wrong=False):
        self.sub = SubBytes(construction, inverse=inverse)
        self.inverse = inverse
        self.wrong = wrong

    def elaborate(self, platform):
        m = Module()
        m.submodules.sub = sub = self.sub
        x, reciprocal = AnySeq(128), AnySeq(128)
        expected = Signal(128)
        for byte in range(16):
            a, b = x.word_select(byte, 8), reciprocal.word_select(byte, 8)
            known = (product(m, a, b) == 1) | ((a == 0) & (b == 0))
            y = affine(b) ^ (b == 0x2A if self.wrong else 0)
            source, result = (y, a) if self.inverse else (a, y)
            m.d.comb += sub.i.word_select(byte, 8).eq(source)
            good = Signal()
            late = sub.latency
            for signal, value in ((good, known), (expected.word_select(byte, 8), result)):
                m.d["sync" if late else "comb"] += signal.eq(value)
            m.d.comb += Assert(~good | (sub.o.word_select(byte, 8)
                                        == expected.word_select(byte, 8)))
        return m


# The tables are checked exhaustively below; their proofs take longer.
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("construction", "mode", "engine"), [
    (SBox.LOGIC, "bmc", "smtbmc yices"),
    pytest.param(SBox.TABLE, "prove", "abc pdr", marks=pytest.mark.verify),
    pytest.param(SBox.BLOCK_RAM, "prove", "abc pdr", marks=pytest.mark.verify),
])
def test_every_construction_of_the_sbox_is_proven(construction, mode, engine, inverse):
    assert_formal(SBoxSpec(construction, inverse=inverse), mode=mode, engine=engine, depth=2)


def test_one_wrong_value_of_the_sbox_would_be_found():
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(SBoxSpec(SBox.LOGIC, inverse=False, wrong=True), depth=2)


@pytest.mark.parametrize("construction", SBox)
def test_the_constructions_agree_on_all_256_bytes_in_all_16_places(construction):
    """The same in simulation, against one table that is computed byte by byte."""
    assert SBOX[0x53] == 0xED  # the example of section 5.1.1
    forward, backward = (NativeComponent(SubBytes(construction, inverse=inverse))
                         for inverse in (False, True))
    checked = 0
    for value in range(256):
        word = bytes((value + 17 * place) % 256 for place in range(16))
        wanted = bytes(SBOX[byte] for byte in word)
        for native, given, expected in ((forward, word, wanted), (backward, wanted, word)):
            outputs = native.run([{"i": int.from_bytes(given, "little")}] * 2)
            assert outputs[-1]["o"].to_bytes(16, "little") == expected
            checked += 16
    assert checked == 2 * 256 * 16


class LinearSpec(Elaboratable):
    """ShiftRows and MixColumns by sections 5.1.2 and 5.1.3; the inverses undo them."""

    def elaborate(self, platform):
        m = Module()
        state = AnySeq(128)
        shifted, mixed = shift_rows(state), mix_columns(m, state)
        m.d.comb += [
            Assert(shifted == fips.shift(state, inverse=False)),
            Assert(mixed == fips.mix(m, state, inverse=False)),
            Assert(shift_rows(shifted, inverse=True) == state),
            Assert(mix_columns(m, mixed, inverse=True) == state),
        ]
        return m


def test_the_linear_steps_are_proven():
    assert_formal(LinearSpec(), depth=1, engine="smtbmc z3")
