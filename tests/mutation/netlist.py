"""Automatic mutations of the metadata unit's netlist, each of which its tests should notice.

``python tests/mutation/netlist.py`` lets yosys choose places in tree, cache and check logic
(``mutate -list``), breaks one after another in the Verilog (an inverted bit, a constant, a wrong
bit), and runs the random traffic and tampering of ``tests/unit/metadata`` against each. Ciphers and
GHASH are left out: they have tests, proofs and mutants of their own. Outcomes are written after
each mutant, so that Ctrl-C loses nothing.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from casemate.metadata.interface import Failure, Outcome
from casemate_sim.component import NativeComponent
from casemate_sim.files import whole_file
from pyosys import libyosys
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "metadata"))
import metadata_environment
from metadata_environment import CONFIGURATIONS, DOMAINS, Bench, Environment

NAME = "two_levels"
MODULES = ("directory", "table", "walk", "write_back", "pins", "steps", "accesses", "contents",
           "checker", "finished", "sweeper", "root")
REPORT = Path("build/mutation_netlist.json")


def yosys(script: list[str]) -> None:
    """Run commands in one yosys design, quietly."""
    design = libyosys.Design()
    for command in script:
        libyosys.Pass.call(design, f"tee -q {command}")


def choose(verilog: Path, count: int, seed: int) -> list[str]:
    """Return yosys' commands for `count` mutations of the modules under test."""
    text = verilog.read_text()
    modules = [module for module in re.findall(r"^module \\?(\S+?) ?\(", text, re.MULTILINE)
               if re.search(rf"\.({'|'.join(MODULES)})(_\d+)*$", module)
               and "gmac" not in module]
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "list.txt"
        yosys([f"read_verilog {verilog}", "proc", "select " + " ".join(
            f"\\{module}" if not module.startswith("\\") else module for module in modules),
            f"mutate -list {count} -seed {seed} -o {chosen}"])
        return chosen.read_text().splitlines()


def mutated(command: str) -> Callable[[str], str]:
    """Return a function that breaks Verilog as yosys' command says."""
    def transform(text: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "source.v", Path(folder) / "target.v"
            source.write_text(text)
            yosys([f"read_verilog {source}", "proc", command, f"write_verilog -noattr {target}"])
            return target.read_text()
    return transform


def scenario(seed: int) -> None:
    """Raise an AssertionError if the unit misbehaves."""
    environment = Environment(NAME, seed, latency=(2, 20))
    environment.traffic(1500, rate=0.5)
    environment.drain_accesses()
    environment.flush(40_000)
    environment.audit()
    assert environment.statistics["evicted"], "nothing left the cache"
    environment.traffic(300, rate=0.5)
    environment.drain_accesses()
    environment.flush(40_000, invalidate=True)
    environment.audit()
    environment.expect_failures = True
    leaf = sorted(environment.owners)[0]
    bases = environment.bases()
    for address in (bases[0] + 64 * leaf, bases[1] + 64 * (leaf // 8)):
        before = environment.dram.read(address)
        environment.dram.content[address] = bytes([before[0] ^ 1]) + before[1:]
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


def run(command: str, seed: int) -> tuple[str, str]:
    """Return what became of a mutant, and how it was noticed."""
    native = NativeComponent(Bench(CONFIGURATIONS[NAME]), transform=mutated(command))
    metadata_environment.built = lambda _: native
    try:
        scenario(seed)
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
    scenario(seed)
    with tempfile.TemporaryDirectory() as folder:
        verilog = Path(folder) / "unit.v"
        verilog.write_text(texts[0])
        commands = choose(verilog, count, seed)
    outcomes = []
    report.parent.mkdir(parents=True, exist_ok=True)
    try:
        for command in track(commands, "mutants", console=console):
            started = time.monotonic()
            result, reason = run(command, seed)
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
