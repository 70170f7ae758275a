"""Signals are found where the source defines them."""

import inspect
from pathlib import Path

from amaranth.back import rtlil
from casemate_sim.synthesis.pins import ShiftedPins
from casemate_sim.synthesis.sources import SourceLines, without_sources
from small_designs import Adder, Outer


def line_of(kind, text):
    lines, first = inspect.getsourcelines(kind)
    return first + next(number for number, line in enumerate(lines) if text in line)


def test_lines_of_signals_in_a_hierarchy():
    sources = SourceLines(rtlil.convert(ShiftedPins(Outer()), name="top"))
    file = Path(inspect.getsourcefile(Adder)).name
    assert sources.line("engine", "mixed").endswith(f"{file}:{line_of(Outer, 'mixed = ')}")
    assert sources.line("engine.adder", "total").endswith(f"{file}:{line_of(Adder, 'total = ')}")
    assert sources.line("", "folded").startswith("casemate_sim/synthesis/pins.py:")


def test_unknown_signals_have_no_line():
    sources = SourceLines(rtlil.convert(ShiftedPins(Outer()), name="top"))
    assert sources.line("engine.adder", "no_such_signal") is None
    assert sources.line("engine.no_such_part", "total") is None


def test_a_design_without_sources_does_not_know_lines():
    text = rtlil.convert(ShiftedPins(Outer()), name="top")
    plain = without_sources(text)
    assert "src" in text
    assert "src" not in plain
    assert plain == rtlil.convert(ShiftedPins(Outer()), name="top", emit_src=False)
