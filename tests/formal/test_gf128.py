"""The multiplications in GF(2^128) are proven equal to their definitions, for all operands.

A multiplier of 128 by 128 bits is beyond a SAT solver once its structure differs from that of the
definition. But every wire of this one is a sum of inputs and of products of one bit of a and one of
b: so each gate of the synthesised netlist is evaluated algebraically, which gives the exact
polynomial of each output bit, and those are compared with the definition.
"""

import json
import tempfile
from pathlib import Path

import pytest
from amaranth import Cat, Const, Elaboratable, Module, Mux, Signal
from amaranth.asserts import AnySeq
from amaranth.back import rtlil
from amaranth.hdl import Assert
from casemate.modes.gf128 import Multiplier, mirror, multiply_add_digit
from casemate.modes.xts import multiply_by_alpha
from casemate_sim.formal import ProofError, assert_formal
from pyosys import libyosys


def gates_of(elaboratable, ports):
    """Synthesise to single-bit gates; return ports and cells of the flat netlist."""
    text = rtlil.convert(elaboratable, ports={name: (port, None) for name, port in ports.items()})
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "top.il", Path(folder) / "top.json"
        source.write_text(text)
        design = libyosys.Design()
        for command in (f"read_rtlil {source}", "hierarchy -top top", "proc",
                        "flatten -noscopeinfo", "opt_clean", "simplemap", "clean",
                        f"write_json {target}"):
            libyosys.run_pass(f"tee -q {command}", design)
        module = json.loads(target.read_text())["modules"]["top"]
    bits = {name: port["bits"] for name, port in module["ports"].items()}
    return bits, list(module["cells"].values())


def multiplier_gates(stages):
    m = Module()
    m.submodules.multiplier = multiplier = Multiplier(stages=stages, tag=0)
    a, b, o = Signal(128), Signal(128), Signal(128)
    m.d.comb += [multiplier.i.payload.a.eq(a), multiplier.i.payload.b.eq(b),
                 o.eq(multiplier.o.payload.product)]
    return gates_of(m, {"a": a, "b": b, "o": o})


def digit_gates(width):
    m = Module()
    total, a, b, o = Signal(128), Signal(128), Signal(width), Signal(128)
    m.d.comb += o.eq(multiply_add_digit(m, total, a, b))
    return gates_of(m, {"total": total, "a": a, "b": b, "o": o})


class NotBilinear(Exception):
    """A gate does what no sum of inputs and of products a_i b_j can express."""


class Polynomials:
    """Evaluates a netlist: each bit becomes a polynomial over GF(2), a pair of numbers.

    The first has bit i for a_i, bit 128 + i for b_i, bit 256 + i for bit i of `total`; the second
    has bit 128 i + j for a_i b_j. Registers pass their input on: a pipeline without feedback
    computes what its gates do.
    """

    def __init__(self, ports, cells):
        self.known = {"0": (0, 0)}
        for place, name in enumerate(("a", "b", "total")):
            for index, bit in enumerate(ports.get(name, ())):
                self.known[bit] = (1 << 128 * place + index, 0)
        self.drivers = {cell["connections"]["Y" if "Y" in cell["connections"] else "Q"][0]: cell
                        for cell in cells}

    @staticmethod
    def multiply(x, y):
        (x, of_x), (y, of_y) = (x, y) if x[0] < 1 << 128 else (y, x)
        if of_x or of_y or x >> 128 or y & (1 << 128) - 1 or y >> 256:
            raise NotBilinear("a product that is not of one bit of a and one of b")
        return 0, sum(y >> 128 << 128 * i for i in range(128) if x >> i & 1)

    def of(self, bit):
        """Evaluate one bit, and whatever it depends on, without recursion."""
        stack = [bit]
        while stack:
            top = stack[-1]
            if top in self.known:
                stack.pop()
                continue
            cell = self.drivers[top]
            inputs = [cell["connections"][pin][0] for pin in "ABD" if pin in cell["connections"]]
            missing = [source for source in inputs if source not in self.known]
            if missing:
                stack += missing
                continue
            values = [self.known[source] for source in inputs]
            match cell["type"]:
                case "$_XOR_":
                    (x, of_x), (y, of_y) = values
                    self.known[top] = x ^ y, of_x ^ of_y
                case "$_AND_":
                    self.known[top] = self.multiply(*values)
                case "$_DFF_P_":
                    self.known[top], = values
                case other:
                    raise NotBilinear(f"a gate of type {other}")
        return self.known[bit]


def definition(width, *, total):
    """Each bit of ``a b``, b of some bits, and of ``total x^width`` if wanted.

    x^(i+j) is reduced modulo x^128 + x^7 + x^2 + x + 1.
    """
    powers, power = [], 1
    for _ in range(128 + width):
        powers.append([power >> bit & 1 for bit in range(128)])
        power = power << 1 ^ (1 << 128 | 0x87 if power >> 127 else 0)
    return [(
        sum(powers[i + width][bit] << 256 + i for i in range(128)) if total else 0,
        sum(powers[i + j][bit] << 128 * i + j for i in range(128) for j in range(width)),
    ) for bit in range(128)]


def wrong_bits(ports, cells):
    polynomials = Polynomials(ports, cells)
    wanted = definition(len(ports["b"]), total="total" in ports)
    return [place for place, (bit, terms) in enumerate(zip(ports["o"], wanted, strict=True))
            if polynomials.of(bit) != terms]


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_the_multiplier_is_proven_for_all_operands(stages):
    assert wrong_bits(*multiplier_gates(stages)) == []


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_the_digit_serial_multiplier_is_proven_for_all_operands(width):
    """A step of Horner's rule; the powers of H are computed with it."""
    assert wrong_bits(*digit_gates(width)) == []


@pytest.mark.parametrize("kind", ["$_XOR_", "$_AND_"])
def test_one_wrong_gate_would_be_found(kind):
    ports, cells = multiplier_gates(1)
    polynomials = Polynomials(ports, cells)
    polynomials.of(ports["o"][64])
    # A gate that the output depends on, whatever Yosys calls it, and with an input to lose.
    cell = next(cell for bit in polynomials.known if (cell := polynomials.drivers.get(bit))
                and cell["type"] == kind
                and polynomials.known[cell["connections"]["B"][0]] != (0, 0))
    cell["connections"]["B"] = ["0"]
    assert wrong_bits(ports, cells)


def test_a_gate_that_is_not_bilinear_would_be_found():
    ports, cells = digit_gates(8)
    next(cell for cell in cells if cell["type"] == "$_XOR_")["type"] = "$_OR_"
    with pytest.raises(NotBilinear):
        wrong_bits(ports, cells)


class MirrorSpec(Elaboratable):
    """The coefficient of x^k is bit k of the block as it is printed: byte 0 first, its top bit."""

    def elaborate(self, platform):
        m = Module()
        block = AnySeq(128)
        printed = Cat(block.word_select(byte, 8)[::-1] for byte in range(16))
        m.d.comb += [Assert(mirror(block) == printed), Assert(mirror(mirror(block)) == block)]
        return m


def test_the_order_of_bits_is_the_standards():
    assert_formal(MirrorSpec(), depth=1)


class AlphaSpec(Elaboratable):
    """IEEE 1619 section 5.2: bytes are doubled with carry; 135 is added to byte 0 on overflow."""

    def __init__(self, *, overflow=135):
        self.overflow = overflow

    def elaborate(self, platform):
        m = Module()
        tweak = AnySeq(128)
        m.d.comb += Assert(multiply_by_alpha(tweak, 0) == tweak)
        for power in range(120):
            before = Signal(128)
            m.d.comb += before.eq(multiply_by_alpha(tweak, power))
            byte = [before.word_select(k, 8) for k in range(16)]
            doubled = [(byte[0] << 1)[:8] ^ Mux(byte[15] >= 128, self.overflow, 0)]
            doubled += [(byte[k] << 1)[:8] ^ Cat(byte[k - 1] >= 128, Const(0, 7))
                        for k in range(1, 16)]
            m.d.comb += Assert(multiply_by_alpha(tweak, power + 1) == Cat(doubled))
        return m


def test_multiplication_by_alpha_is_proven_for_every_power():
    assert_formal(AlphaSpec(), depth=1, engine="smtbmc z3")


def test_a_wrong_constant_of_alpha_would_be_found():
    with pytest.raises(ProofError, match="assertion fails"):
        assert_formal(AlphaSpec(overflow=134), depth=1, engine="smtbmc z3")
