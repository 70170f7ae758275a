"""Automatic mutations of the metadata unit's netlist, each of which its tests should notice.

``python tests/mutation/netlist.py`` lets yosys choose places in tree, cache and check logic
(``mutate -list``), breaks one after another in the Verilog (an inverted bit, a constant, a wrong
bit), and runs the random traffic and tampering of ``tests/unit/metadata`` against each. Ciphers and
GHASH are left out: they have tests, proofs and mutants of their own. Outcomes are written after
each mutant, so that Ctrl-C loses nothing.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from casemate.metadata.interface import Failure, Outcome
from casemate_sim.component import NativeComponent
from casemate_sim.files import whole_file
from casemate_sim.toolchain import YOSYS, ToolError
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "metadata"))
import metadata_environment
from metadata_environment import CONFIGURATIONS, DOMAINS, Bench, Environment

NAME = "two_levels"
MODULES = ("directory", "table", "walk", "write_back", "pins", "steps", "accesses", "contents",
           "checker", "finished", "sweeper", "root")
SCENARIOS = 16
"""How many a mutant must survive."""

REPORT = Path("build/mutation_netlist.json")


def yosys(*commands: str) -> None:
    """Run commands in one Yosys, in a process of its own: its errors end the process."""
    with tempfile.TemporaryDirectory() as folder:
        script, log = Path(folder) / "script.ys", Path(folder) / "log.txt"
        script.write_text("\n".join(commands) + "\n")
        result = subprocess.run([*YOSYS, "-ql", str(log), str(script)], check=False,
                                capture_output=True, text=True)
        if result.returncode:
            raise ToolError(f"yosys failed: {log.read_text()[-500:]}{result.stderr}")


def prepare(verilog: Path, design: Path) -> list[str]:
    """Write Verilog as RTLIL, in which every cell has its name for good; return modules to mutate.

    Their memories lose the zeros that they begin with, and have all the same: what an initial value
    hangs on cannot be mutated.
    """
    modules = [module for module in re.findall(r"^module \\?(\S+?) ?\(", verilog.read_text(),
                                               re.MULTILINE)
               if re.search(rf"\.({'|'.join(MODULES)})(_\d+)*$", module) and "gmac" not in module]
    yosys(f"read_verilog {verilog}", "proc", "opt -purge",
          *(f"delete \\{module}/t:$meminit*" for module in modules), f"write_rtlil {design}")
    return modules


def choose(design: Path, modules: list[str], count: int, seed: int) -> list[str]:
    """Return Yosys's commands for `count` mutations of modules."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "list.txt"
        yosys(f"read_rtlil {design}", "select " + " ".join(f"\\{module}" for module in modules),
              f"mutate -list {count} -seed {seed} -o {chosen}")
        return chosen.read_text().splitlines()


def mutated(design: Path, command: str) -> str:
    """Return the Verilog of a design that is broken as Yosys's command says."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "target.v"
        yosys(f"read_rtlil {design}", command, f"write_verilog -noattr {target}")
        return target.read_text()


def scenarios(seed: int) -> None:
    """Raise an AssertionError if the unit misbehaves in any of several scenarios."""
    for each in range(seed, seed + SCENARIOS):
        scenario(each)


def scenario(seed: int) -> None:
    """Raise an AssertionError if the unit misbehaves, after a reset in whatever state it was."""
    environment = Environment(NAME, seed, latency=(2, 20))
    rng = random.Random(seed)
    granules = rng.choice((8, 32, environment.config.leaves))
    if seed % 2:
        environment.age()
    for _ in range(2):
        environment.traffic(1500, rate=rng.choice((0.2, 0.5, 0.9)), granules=granules,
                            writes=rng.choice((0.3, 0.6)), claims=rng.choice((0.5, 0.9)))
        environment.drain_accesses()  # no claim may come behind the reclaiming of its granule
        first = rng.randrange(granules)
        environment.reclaim(first, rng.randint(1, granules - first), traffic=100)
    environment.drain_accesses()
    environment.flush(40_000)
    environment.audit()
    environment.traffic(300, rate=0.5)
    environment.drain_accesses()
    environment.flush(40_000, invalidate=True)
    environment.audit()
    tamper(environment)
    environment.traffic(rng.randrange(100), rate=0.9)  # reset may come in the middle of it


def tamper(environment: Environment) -> None:
    """Change a bit of a leaf, then of a node above it, in DRAM; let a stranger ask.

    A walk that is on its way while the cache is emptied fills it again: it is waited for.
    """
    for _ in range(200):
        environment.step()
    environment.flush(40_000, invalidate=True)
    environment.expect_failures = True
    leaf = environment.rng.choice(sorted(environment.owners))
    bases = environment.bases()
    for address in (bases[0] + 64 * leaf, bases[1] + 64 * (leaf // 8)):
        before = environment.dram.read(address)
        place = environment.rng.randrange(512)
        environment.dram.content[address] = (
            int.from_bytes(before, "little") ^ 1 << place).to_bytes(64, "little")
        environment.failures.clear()
        environment.access(0, 4 * leaf, environment.owners[leaf])
        environment.drain_accesses(3000)
        assert environment.answers[-1][2] is Outcome.FAILED
        assert [each[2] for each in environment.failures] == [address]
        assert environment.failures[0][0] is Failure.MAC
        environment.dram.content[address] = before
        for _ in range(200):
            environment.step()
        environment.flush(40_000, invalidate=True)
    environment.access(1, 4 * leaf, next(
        domain for domain in DOMAINS if domain != environment.owners[leaf]))
    environment.drain_accesses(3000)
    assert environment.answers[-1][2] is Outcome.DENIED
    environment.expect_failures = False


def run(design: Path, command: str, seed: int) -> tuple[str, str]:
    """Return what became of a mutant, and how it was noticed."""
    native = NativeComponent(Bench(CONFIGURATIONS[NAME]),
                             transform=lambda _: mutated(design, command))
    metadata_environment.built = lambda _: native
    try:
        scenarios(seed)
    except (AssertionError, KeyError, IndexError, ValueError) as error:
        text = str(error).splitlines()
        return "killed", text[0][:100] if text else type(error).__name__
    return "survived", ""


def main(
    count: Annotated[int, typer.Option(min=1, help="How many mutations.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the choice and of the traffic.")] = 1,
    report: Annotated[Path, typer.Option(help="File of outcomes.")] = REPORT,
) -> None:
    """Mutate the metadata unit's netlist and see whether its tests notice."""
    console = Console()
    texts: list[str] = []
    native = NativeComponent(Bench(CONFIGURATIONS[NAME]),
                             transform=lambda text: texts.append(text) or text)
    metadata_environment.built = lambda _: native
    scenarios(seed)
    outcomes = []
    report.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        verilog, design = Path(folder) / "unit.v", Path(folder) / "unit.il"
        verilog.write_text(texts[0])
        commands = choose(design, prepare(verilog, design), count, seed)
        try:
            for command in track(commands, "mutants", console=console):
                started = time.monotonic()
                result, reason = run(design, command, seed)
                outcomes.append({"mutation": command, "result": result, "reason": reason,
                                 "seconds": round(time.monotonic() - started, 1)})
                with whole_file(report) as file:
                    file.write(json.dumps(outcomes, indent=1).encode() + b"\n")
        except KeyboardInterrupt:
            console.print(f"stopped; {len(outcomes)} outcomes are in {report}")
    killed = sum(each["result"] == "killed" for each in outcomes)
    for each in outcomes:
        if each["result"] == "survived":
            console.print(f"survived: {each['mutation']}")
    console.print(f"{killed} of {len(outcomes)} mutants were noticed; see {report}")


if __name__ == "__main__":
    typer.run(main)
