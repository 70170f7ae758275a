"""Timing diagrams of the engine, from a simulation: ``python docs/figures/timing.py``.

With ``--check`` nothing is written; the exit code is 1 if a picture would change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from casemate.config import preset
from drawing import Bus, Level, Span, store, timing_diagram
from scenario import MEMORY_LATENCY, Recording, encrypted, run

PLAIN_LINE, XTS_LINE, PARTIAL_LINE = 3, 5, 7
CLEAR = {line: bytes((64 * line + i) % 256 for i in range(64))
         for line in (PLAIN_LINE, XTS_LINE, PARTIAL_LINE)}
PATCH = b"new text" + b"?" * 8
MERGED = PATCH[:8] + CLEAR[PARTIAL_LINE][8:]


def _names() -> dict[int, str]:
    """Names of the 16-byte blocks that may appear: P clear, C encrypted, N encrypted anew."""
    names = {int.from_bytes(PATCH, "little"): "new"}
    for letter, line in (
            ("P", CLEAR[PLAIN_LINE]), ("P", CLEAR[XTS_LINE]),
            ("C", encrypted(XTS_LINE, CLEAR[XTS_LINE])),
            ("C", encrypted(PARTIAL_LINE, CLEAR[PARTIAL_LINE])),
            ("N", encrypted(PARTIAL_LINE, MERGED))):
        for i in range(4):
            # A block that did not change keeps its name: XTS encrypts it to the same bytes.
            names.setdefault(int.from_bytes(line[16 * i:16 * i + 16], "little"), f"{letter}{i}")
    return names


NAMES = _names()


class Rows:
    """Makes the rows of a diagram from a recording."""

    def __init__(self, recording: Recording):
        self._cycles = recording.cycles

    def level(self, label: str, name: str, kind: str = "host") -> Level:
        """Return a row with the value of a bit."""
        return Level(label, lambda cycle: self._cycles[cycle][name], kind)

    def bus(self, label: str, valid: str, word: str | Callable[[dict[str, int]], str],
            kind: str = "host") -> Bus:
        """Return a row with a word while a bit is set: a signal's block, or a function's result."""
        def value(cycle: int) -> str | None:
            now = self._cycles[cycle]
            if not now[valid]:
                return None
            return NAMES[now[word]] if isinstance(word, str) else word(now)

        return Bus(label, value, kind)


def diagrams() -> dict[str, str]:
    """Return the pictures by file name."""
    config = preset("latency")
    content = {PLAIN_LINE: CLEAR[PLAIN_LINE]} | {
        line: encrypted(line, CLEAR[line]) for line in (XTS_LINE, PARTIAL_LINE)}
    recording = run(config, content, PATCH)
    rows = Rows(recording)
    read = [
        rows.level("s_axi_arvalid", "s_axi__arvalid"),
        rows.level("m_axi_arvalid", "m_axi__arvalid", "dram"),
        rows.bus("m_axi_rdata", "m_axi__rvalid", "m_axi__rdata", "dram"),
        rows.bus("s_axi_rdata", "s_axi__rvalid", "s_axi__rdata"),
    ]
    tweak = rows.bus("tweak known", "core.tweaks.valid", lambda _: "T", "engine")
    start = recording.first("key__valid")
    end = recording.first("slot__valid", start, skip=1) + 2
    result = {"keys_and_slots.svg": timing_diagram(
        "The keys of a domain and the settings of two slots", [
            rows.level("key_valid", "key__valid"),
            rows.bus("key_name", "key__valid",
                     lambda now: f"K{1 + (now['key__payload'] >> 3 & 3)}"),
            rows.level("key_ready", "key__ready", "engine"),
            rows.level("idle", "idle", "engine"),
            rows.level("slot_valid", "slot__valid"),
            rows.bus("slot_slot", "slot__valid", lambda now: str(now["slot__payload"] & 7)),
        ], range(start, end))}
    start = 0
    for name, title, shown in (
            ("idle_read_plain", "A read of one line in the mode plain on an idle system", read),
            ("idle_read_xts", "A read of one line in the mode xts on an idle system",
             [*read[:2], tweak, *read[2:]])):
        start = recording.first("s_axi__arvalid", start)
        answer = recording.first("s_axi__rvalid", start)
        end = recording.first("s_axi__rlast", answer) + 2
        wire = start + MEMORY_LATENCY
        result[f"{name}.svg"] = timing_diagram(title, shown, range(start, end), spans=[
            Span(start, wire, f"the memory's {MEMORY_LATENCY}"),
            Span(wire, answer, f"added: {answer - wire}")],
            marks=[(wire, "first beat over a bare wire")])
        start = end
    start = recording.first("s_axi__awvalid", start)
    end = recording.first("s_axi__bvalid", start) + 2
    result["partial_write_xts.svg"] = timing_diagram(
        "A write of 8 bytes in the mode xts on an idle system", [
            rows.level("s_axi_awvalid", "s_axi__awvalid"),
            rows.bus("s_axi_wdata", "s_axi__wvalid", "s_axi__wdata"),
            rows.level("m_axi_arvalid", "m_axi__arvalid", "dram"),
            tweak,
            rows.bus("m_axi_rdata", "m_axi__rvalid", "m_axi__rdata", "dram"),
            rows.level("m_axi_awvalid", "m_axi__awvalid", "dram"),
            rows.bus("m_axi_wdata", "m_axi__wvalid", "m_axi__wdata", "dram"),
            rows.level("m_axi_bvalid", "m_axi__bvalid", "dram"),
            rows.level("s_axi_bvalid", "s_axi__bvalid"),
        ], range(start, end), spans=[
            Span(first, last, f"{last - first}: {text}") for first, last, text in (
                (start, recording.first("m_axi__arvalid", start), "to the fill"),
                (recording.first("m_axi__rvalid", start),
                 recording.first("m_axi__wvalid", start), "decrypt, merge, encrypt"),
                (recording.first("m_axi__bvalid", start),
                 recording.first("s_axi__bvalid", start), "to the answer"))])
    return result


if __name__ == "__main__":
    sys.exit(store(diagrams()))
