"""The example SoC in Verilator: CPU, engine, LiteDRAM and a model of the SDRAM, cycle by cycle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from litedram.phy.model import SDRAMPHYModel, get_sdram_phy_settings
from litex.build.generic_platform import Pins, Subsignal
from litex.build.io import CRG
from litex.build.sim import SimPlatform

from casemate_sim.build import COMPILE_FLAGS, cached, digest_of, verilate

from .firmware import FIRMWARE
from .soc import ExampleSoC, demonstration_fuses, sdram_module
from .verilog import without_comments

__all__ = ["CLOCK_HZ", "SEED", "SimulationFailed", "build", "run", "simulated_soc"]

CLOCK_HZ = 50_000_000
"""What the SoC believes its clock to be."""

SEED = 1
"""Of the entropy."""

_TOP = "casemate_soc"
_DATA_BITS = 16  # of the SDRAM
_HARNESS = Path(__file__).parent / "harness.cpp"


class SimulationFailed(RuntimeError):
    """The program did not come to its end; the message has what it printed last."""


def _platform() -> SimPlatform:
    return SimPlatform("SIM", [
        ("sys_clk", 0, Pins(1)),
        ("serial", 0, Subsignal("source_valid", Pins(1)), Subsignal("source_ready", Pins(1)),
         Subsignal("source_data", Pins(8)), Subsignal("sink_valid", Pins(1)),
         Subsignal("sink_ready", Pins(1)), Subsignal("sink_data", Pins(8)))])


def simulated_soc(folder: Path, *, fuses: Sequence[int] | None = None, seed: int = SEED,
                  firmware: Path = FIRMWARE) -> ExampleSoC:
    """Return the SoC; `folder` takes Verilog that is made for it."""
    platform = _platform()
    phy = SDRAMPHYModel(sdram_module(CLOCK_HZ),
                        get_sdram_phy_settings("SDR", _DATA_BITS, CLOCK_HZ))
    return ExampleSoC(
        platform, clock_hz=CLOCK_HZ, crg=CRG(platform.request("sys_clk")), phy=phy,
        fuses=demonstration_fuses() if fuses is None else fuses, seed=seed, folder=folder,
        firmware=firmware, uart_name="sim")


def build(work: Path, *, seed: int = SEED) -> Path:
    """Return the simulation as a program, building it if need be.

    Parameters
    ----------
    work:
        Takes the generated Verilog, and what the memories hold in the beginning.
    seed:
        Of the entropy.
    """
    soc = simulated_soc(work, seed=seed)
    soc.finalize()
    output: Any = soc.platform.get_verilog(soc, name=_TOP)
    top = work / f"{_TOP}.v"
    top.write_text(without_comments(output.main_source))
    for name, content in output.data_files.items():
        (work / name).write_text(content)
    sources = [top, *(Path(path) for path, *_ in soc.platform.sources)]

    def compile_all(folder: Path) -> None:
        # A short program: what optimising saves while it runs is less than what it costs before.
        verilate(sources, top=_TOP, output=folder / "soc", cpp_sources=[_HARNESS], shared=False,
                 cpp_flags=("-O0", *COMPILE_FLAGS[1:]),
                 options=("--x-initial", "fast", "--x-assign", "fast", "--noassert"))
        shutil.rmtree(folder / "verilated")

    return cached("litex-soc", digest_of(files=[*sources, _HARNESS]), compile_all) / "soc"


def run(program: Path, work: Path, *, cycles: int = 20_000_000,
        heard: Callable[[str], None] = lambda line: None) -> tuple[list[str], int]:
    """Run the SoC until its program ends; return the lines it printed, and the cycles it took.

    Parameters
    ----------
    program, work:
        What ``build`` returned, and the folder that it was given.
    cycles:
        When to give up.
    heard:
        Called with each line, as it comes.

    Raises
    ------
    SimulationFailed
        If it did not end.
    """
    lines = []
    with subprocess.Popen([program, str(cycles)], cwd=work, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                lines.append(line.strip())
                heard(lines[-1])
            took = process.stderr.read().split()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        last = lines[-1] if lines else "nothing was printed"
        raise SimulationFailed(f"the program did not end within {cycles:,} cycles: {last}")
    return lines, int(took[-1])
