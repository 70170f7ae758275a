"""Block diagram of the engine: ``python docs/figures/block_diagram.py``."""

from __future__ import annotations

import sys

from drawing import Drawing, store


def block_diagram() -> str:
    """Return the picture."""
    d = Drawing(960, 500, "Block diagram of the engine")
    d.add('<rect x="96" y="10" width="768" height="480" rx="8" class="group"/>')
    d.box(10, 80, 62, 390, "host", "host", "AXI4")
    d.box(888, 80, 62, 390, "dram", "DRAM", "AXI4")
    d.box(110, 80, 96, 390, "engine", "host port", "admits,", "splits into", "chunks")
    d.box(754, 80, 96, 390, "engine", "memory port", "whole lines")
    d.box(110, 22, 96, 42, "engine", "domain slots")
    d.box(484, 22, 130, 42, "engine", "key loader", "round keys")
    d.box(270, 80, 160, 46, "engine", "read table", "hazards, requests")
    d.box(270, 168, 160, 46, "engine", "read return", "line buffer, R order")
    d.box(484, 168, 130, 46, "engine", "XTS decrypt", "a row per cycle")
    d.box(654, 168, 76, 46, "engine", "row router")
    d.box(484, 246, 130, 46, "engine", "tweak cipher", "a line per cycle")
    d.box(232, 332, 100, 46, "engine", "write", "collector")
    d.box(358, 332, 100, 46, "engine", "write buffer", "lines, strobes")
    d.box(484, 332, 130, 46, "engine", "XTS encrypt", "a row per cycle")
    d.box(640, 332, 90, 46, "engine", "write sender", "output buffer")
    d.box(232, 424, 100, 46, "engine", "write bursts", "B order")
    d.box(358, 424, 256, 46, "engine", "write table", "order of each line, fills")
    # Host and DRAM.
    for y, word, towards_host in ((103, "AR", False), (191, "R", True), (300, "AW", False),
                                  (355, "W", False), (447, "B", True)):
        for left, right in ((72, 110), (850, 888)):
            ends = ((right, y), (left, y)) if towards_host else ((left, y), (right, y))
            d.arrow(*ends)
            d.text((left + right) / 2, y - 5, word, "small")
    # Reads.
    d.arrow((158, 64), (158, 80))
    d.arrow((206, 103), (270, 103))
    d.arrow((430, 103), (754, 103))
    d.text(592, 98, "lines to fetch", "small")
    d.arrow((754, 191), (730, 191))
    d.arrow((654, 191), (614, 191), both=True)
    d.arrow((692, 168), (692, 146), (350, 146), (350, 168))
    d.text(450, 141, "rows for the host", "small")
    d.arrow((270, 191), (206, 191))
    d.arrow((549, 64), (549, 168))
    # Tweaks.
    d.arrow((206, 269), (484, 269))
    d.text(345, 264, "line numbers, as soon as they are known", "small")
    d.arrow((549, 246), (549, 214))
    d.arrow((549, 292), (549, 332))
    # Writes.
    d.arrow((692, 214), (692, 312), (408, 312), (408, 332))
    d.text(628, 307, "rows of fills", "small")
    d.arrow((206, 355), (232, 355))
    d.arrow((332, 355), (358, 355))
    d.arrow((458, 355), (484, 355))
    d.arrow((614, 355), (640, 355))
    d.arrow((408, 378), (408, 396), (685, 396), (685, 378))
    d.text(549, 391, "plain lines", "small")
    d.arrow((730, 355), (754, 355))
    d.arrow((282, 378), (282, 410), (376, 410), (376, 424))
    d.text(330, 406, "collected", "small")
    d.arrow((754, 447), (614, 447))
    d.text(684, 442, "written", "small")
    d.arrow((358, 447), (332, 447))
    d.arrow((232, 447), (206, 447))
    d.arrow((600, 424), (600, 410), (742, 410), (742, 120), (754, 120))
    d.text(672, 421, "fills", "small")
    return d.svg()


if __name__ == "__main__":
    sys.exit(store({"block_diagram.svg": block_diagram()}))
