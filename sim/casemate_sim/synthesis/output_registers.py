"""Registers behind block RAM, moved into it: Yosys does not use the output registers of ``DP16KD``.

A register of the fabric behind a block RAM waits for the slow output, and for a wire to where there
is room. The RAM's own has neither, and costs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

__all__ = ["use_output_registers"]

# A register that only delays: always enabled, never reset, 0 at first.
_PLAIN = {"CEMUX": "1 ", "CLKMUX": "CLK", "REGSET": "RESET"}
_WHOLE_ROWS = 36  # both ports in one


def use_output_registers(top: dict[str, Any]) -> int:
    """Move registers into the block RAMs of a netlist; return how many.

    That of an output port is used if each of its bits leads to one plain register with its clock,
    and nowhere else. The netlist does the same in every cycle.

    Parameters
    ----------
    top:
        A module of Yosys's JSON with cells of an ECP5, which is changed.
    """
    cells: dict[str, Any] = top["cells"]
    readers: dict[int, list[str | None]] = defaultdict(list)  # inputs of registers have names
    for name, cell in cells.items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] == "input":
                for bit in bits:
                    readers[bit].append(name if pin == "DI" else None)
    for port in top["ports"].values():
        for bit in port["bits"]:
            readers[bit].append(None)

    moved = set()  # the RAMs' outputs
    for ram in [cell for cell in cells.values() if cell["type"] == "DP16KD"]:
        for port in "AB":
            used = {pin: readers[bit] for pin, bit in _outputs(ram, port) if readers[bit]}
            if not used or any(len(found) != 1 or not _only_delays(cells.get(found[0]), ram, port)
                               for found in used.values()):
                continue
            ram["parameters"][f"REGMODE_{port}"] = "OUTREG"
            for pin, (name,) in used.items():
                moved.update(ram["connections"][pin])
                ram["connections"][pin] = cells.pop(name)["connections"]["Q"]
    # What the RAM's output was called is nowhere any more.
    for net in top["netnames"].values():
        net["bits"] = ["x" if bit in moved else bit for bit in net["bits"]]
    return len(moved)


def _outputs(ram: dict[str, Any], port: str) -> Iterator[tuple[str, int]]:
    """Yield the output pins of a port, and their bits, if its register may be used."""
    pins, settings = ram["connections"], ram["parameters"]
    if (pins[f"OCE{port}"] == ["1"] and pins[f"RST{port}"] == ["0"]
            and settings[f"REGMODE_{port}"] == "NOREG"
            and int(settings[f"DATA_WIDTH_{port}"], 2) != _WHOLE_ROWS):
        for pin, bits in pins.items():
            if pin.startswith(f"DO{port}") and bits:
                yield pin, bits[0]


def _only_delays(cell: dict[str, Any] | None, ram: dict[str, Any], port: str) -> bool:
    """Return whether a cell, if it is one, is a plain register with the clock of a port."""
    return (cell is not None and cell["type"] == "TRELLIS_FF"
            and cell["connections"]["LSR"] == ["0"]
            and cell["connections"]["CLK"] == ram["connections"][f"CLK{port}"]
            and all(cell["parameters"][key] == value for key, value in _PLAIN.items()))
