"""Save files that group a waveform's interesting signals, for GTKWave and for Surfer.

The groups are patterns; which signals a model has is read from the waveform itself, so that a save
file never names a signal that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from vcd.gtkw import GTKWSave

__all__ = ["GROUPS", "read_signals", "write_save_files"]

_ROOT = "casemate_simulation"

_CHANNELS = {
    "write address": ("awvalid", "awready", "awid", "awaddr"),
    "write data": ("wvalid", "wready", "wlast", "wdata"),
    "write response": ("bvalid", "bready", "bid", "bresp"),
    "read address": ("arvalid", "arready", "arid", "araddr"),
    "read data": ("rvalid", "rready", "rid", "rlast", "rresp", "rdata"),
}

GROUPS: dict[str, tuple[str, ...]] = {
    "clock": (rf"{_ROOT}\.(clk|rst|run|done)",),
    **{f"host AXI, {name}": tuple(rf"{_ROOT}\.player\.bus__{leaf}" for leaf in leaves)
       for name, leaves in _CHANNELS.items()},
    **{f"DRAM AXI, {name}": tuple(rf"{_ROOT}\.dram\.bus__{leaf}" for leaf in leaves)
       for name, leaves in _CHANNELS.items()},
    "core": (rf"{_ROOT}\.player\.core\.(waiting|reached|allowed|stalled_\w+|instructions|due)",
             rf"{_ROOT}\.player\.(reads|writes)\.in_flight"),
    "DRAM controller": (
        rf"{_ROOT}\.dram\.scheduler\.(writing|(reads|writes)\.level)",
        rf"{_ROOT}\.dram\.scheduler\.banks\.(open|busy|refreshing|row|column|column__\w+|"
        r"row__\w+)"),
    "transaction tables": (
        rf"{_ROOT}\.engine\.core\.(read_table|write_table)\.(free|busy|used|valid|state\w*|"
        r"waiting|\w+__valid|\w+__ready)",),
    "ciphers": (
        rf"{_ROOT}\.engine\.core\.(encrypt[^.]*|decrypt[^.]*|tweaks)\.(i__valid|i__ready|"
        r"o__valid|tweak__valid)",),
    "metadata": (
        rf"{_ROOT}\.engine\.metadata\.data_path__(access|answer|close)__(valid|ready|payload)",
        rf"{_ROOT}\.engine\.metadata\.(ready|idle|busy|locked|statistics|failure__\w+)",
        rf"{_ROOT}\.engine\.door__(write|index|value)"),
    "alerts": (rf"{_ROOT}\.engine\.(alert_integrity|alert_fatal|irq)",),
}
"""Group name to patterns of full signal names, without bit ranges."""


def read_signals(wave: Path) -> list[tuple[str, int]]:
    """Return the full name and the width of each signal in the header of a VCD file."""
    scopes: list[str] = []
    found = []
    with wave.open(errors="replace") as file:
        for line in file:
            words = line.split()
            if not words:
                continue
            if words[0] == "$scope":
                scopes.append(words[2])
            elif words[0] == "$upscope":
                scopes.pop()
            elif words[0] == "$var":
                found.append((".".join((*scopes, words[4])), int(words[2])))
            elif words[0] == "$enddefinitions":
                break
    return found


def _grouped(signals: Iterable[tuple[str, int]]) -> dict[str, list[tuple[str, int]]]:
    """Sort signals into groups, in the order of the patterns."""
    signals = sorted(signals)
    result = {}
    for group, patterns in GROUPS.items():
        members = []
        for pattern in patterns:
            expression = re.compile(rf"(?:TOP\.)?{pattern}")
            members += [signal for signal in signals if expression.fullmatch(signal[0])]
        if members:
            result[group] = list(dict.fromkeys(members))
    return result


def write_save_files(wave: Path) -> list[Path]:
    """Write ``.gtkw`` (GTKWave) and ``.sucl`` (Surfer commands) beside a VCD file.

    Parameters
    ----------
    wave:
        The waveform, complete. For an FST file, whose header is compressed, nothing is written.

    Returns
    -------
    The files written.
    """
    if wave.suffix.lower() != ".vcd":
        return []
    groups = _grouped(read_signals(wave))
    gtkwave, surfer = wave.with_suffix(".gtkw"), wave.with_suffix(".sucl")
    with gtkwave.open("w") as file:
        save = GTKWSave(file)
        save.dumpfile(str(wave.resolve()))
        save.treeopen("TOP.")
        for group, members in groups.items():
            with save.group(group, closed=group.startswith(("DRAM AXI", "core"))):
                for name, width in members:
                    # GTKWave names a vector with its range
                    suffix = f"[{width - 1}:0]" if width > 1 else ""
                    save.trace(name + suffix, datafmt="hex")
    lines = [f"load_file {wave.resolve()}"]
    for group, members in groups.items():
        lines.append(f"divider_add {group}")
        lines += [f"variable_add {name}" for name, _ in members]
    surfer.write_text("\n".join((*lines, "zoom_fit", "")))
    return [gtkwave, surfer]
