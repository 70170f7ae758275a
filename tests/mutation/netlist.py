"""Automatic mutations of the metadata unit's netlist, each of which its tests should notice.

``python tests/mutation/netlist.py`` lets yosys choose places in tree, cache and check logic
(``mutate -list``), breaks one after another in the Verilog (an inverted bit, a constant, a wrong
bit), and runs random traffic, tampering and errors of DRAM in the environment of
``tests/unit/metadata`` against each. Ciphers and
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
           "storage", "checker", "finished", "sweeper", "root")
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
    trouble(environment)
    environment.traffic(rng.randrange(100), rate=0.9)  # reset may come in the middle of it
    if seed % 3 == 0:
        lose(environment)


def settle(environment: Environment) -> None:
    """Empty the cache; a walk on its way meanwhile would fill it again, so it is waited for."""
    for _ in range(200):
        environment.step()
    environment.flush(40_000, invalidate=True)


def trouble(environment: Environment) -> None:
    """Change a bit of two leaves, then of the nodes above them; let DRAM fail there.

    Both are asked for at once, so that every walk meets it. In the end a stranger asks.
    """
    dram, rng = environment.dram, environment.rng
    settle(environment)
    environment.expect_failures = True
    first = rng.choice(sorted(environment.owners))
    leaves = (first, rng.choice([leaf for leaf in sorted(environment.owners)
                                 if leaf // 8 != first // 8] or [first]))
    for level, base in enumerate(environment.bases()):
        bad = sorted({base + 64 * (leaf // 8**level) for leaf in leaves})
        before = {address: dram.read(address) for address in bad}
        place = rng.randrange(512)
        for address in bad:
            dram.content[address] = (int.from_bytes(before[address], "little")
                                     ^ 1 << place).to_bytes(64, "little")
        ask(environment, leaves, Outcome.FAILED, Failure.MAC, bad)
        dram.content |= before
        settle(environment)
        response = rng.choice((2, 3))
        dram.read_response = lambda address, bad=bad, response=response: (
            response if address in bad else 0)
        ask(environment, leaves, Outcome.BUS_ERROR, Failure.BUS_ERROR, bad)
        dram.read_response = lambda _: 0
        settle(environment)
        assert environment.responses == {response}
    environment.access(1, 4 * first, next(
        domain for domain in DOMAINS if domain != environment.owners[first]))
    environment.drain_accesses(3000)
    assert environment.answers[-1][2] is Outcome.DENIED
    environment.expect_failures = False


def ask(environment: Environment, leaves: tuple[int, ...], outcome: Outcome, failure: Failure,
        addresses: list[int]) -> None:
    """Read a line of each leaf; each read must end so, each address be told once."""
    environment.failures.clear()
    environment.responses.clear()
    for entry, leaf in enumerate(leaves):
        environment.access(entry, 4 * leaf, environment.owners[leaf])
    environment.drain_accesses(3000)
    assert [each[2] for each in environment.answers[-len(leaves):]] == [outcome] * len(leaves)
    for _ in range(300):
        environment.step()
    assert sorted(each[2] for each in environment.failures) == addresses
    assert {each[0] for each in environment.failures} == {failure}
    assert not any(each[3] for each in environment.failures), "nothing was lost"


def lose(environment: Environment) -> None:
    """DRAM does not take a changed leaf: that is fatal, and everything is refused."""
    environment.drain_accesses()
    settle(environment)
    leaf = environment.rng.choice(sorted(environment.owners))
    address = environment.bases()[0] + 64 * leaf
    environment.expect_failures = True
    environment.failures.clear()
    environment.dram.write_response = lambda each: 2 if each == address else 0
    environment.access(0, 4 * leaf, environment.owners[leaf], write=True)
    environment.drain_accesses(3000)
    environment.step(flush=1)
    for _ in range(1000):
        environment.step()
    assert environment.failures == [(Failure.BUS_ERROR, 0, address, True)]
    environment.access(0, 4 * leaf, environment.owners[leaf])
    environment.drain_accesses(3000)
    assert environment.answers[-1][2] is Outcome.FAILED


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
