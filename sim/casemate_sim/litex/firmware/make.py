"""Builds the example's program: ``python -m casemate_sim.litex.firmware.make``.

Needs a RISC-V compiler (Debian: ``apt install gcc-riscv64-unknown-elf``). The result is part of the
sources, so that whoever builds or simulates the SoC needs none. What it was built from is noted
beside it, and a test compares.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from casemate_sim.files import whole_file
from casemate_sim.litex.firmware import FIRMWARE
from casemate_sim.litex.simulation import simulated_soc
from casemate_sim.litex.soc import DOMAIN, example_config
from casemate_sim.package.headers import memory_header
from casemate_sim.registers import RegisterMap, header
from casemate_sim.toolchain import find_tool

__all__ = ["NOTE", "build", "headers", "inputs", "soc_header"]

NOTE = FIRMWARE.with_suffix(".json")
"""SHA-256 of what the program was built from and of what came out; the compiler's version."""

_HERE = Path(__file__).parent
_SOURCES = ("start.S", "board.c", "main.c")
_FLAGS = ("-march=rv32im_zicsr_zifencei", "-mabi=ilp32", "-Os", "-ffreestanding", "-nostdlib",
          "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-Wall", "-Wextra", "-Werror",
          "-Wno-main", "-Wl,--build-id=none", "-T", "link.ld")


def soc_header(soc: Any) -> str:
    """Return the C header of a SoC that was finalized: its regions, CSRs and interrupt."""
    from litex.soc.integration.export import get_csr_json

    known = json.loads(get_csr_json(soc.csr_regions, soc.constants, soc.mem_regions))
    identity = RegisterMap(example_config())["id"].reset
    return "\n".join([
        "/* Addresses of the example SoC. Generated. */", "#ifndef SOC_H", "#define SOC_H", "",
        *(f"#define MEM_{name.upper()}_BASE {region['base']:#010x}u"
          for name, region in sorted(known["memories"].items())),
        *(f"#define CSR_{name.upper()} {register['addr']:#010x}u"
          for name, register in sorted(known["csr_registers"].items())
          if name.startswith(("uart_", "sdram_", "casemate_"))),
        f"#define IRQ_CASEMATE {soc.irq.locs['casemate']}", f"#define DOMAIN_OF_CPU {DOMAIN}u",
        f"#define CASEMATE_ID_EXPECTED {identity:#010x}u", "", "#endif", ""])


def headers() -> dict[str, str]:
    """Return the generated headers: of engine, memory map and SoC."""
    config = example_config()
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.bin"
        empty.write_bytes(bytes(4))
        soc = simulated_soc(Path(folder), firmware=empty)
        soc.finalize()
    return {"soc.h": soc_header(soc), "casemate_registers.h": header(config),
            "casemate_memory.h": memory_header(config)}


def _used(text: str, words: set[str]) -> str:
    """Return the definitions of a header that the program uses, under whole or shortened names."""
    def is_used(name: str) -> bool:
        short = name.removeprefix("CASEMATE_").removesuffix("_MASK").removesuffix("_SHIFT")
        return bool({name, short} & words)

    return "\n".join(line for line in text.splitlines()
                     if line.startswith("#define ") and is_used(line.split()[1]))


def inputs() -> dict[str, str]:
    """Return the SHA-256 of what the program is built from, by file; of headers, what it uses."""
    sources = {name: (_HERE / name).read_text() for name in (*_SOURCES, "board.h", "link.ld")}
    words = set(re.findall(r"\w+", "".join(sources.values())))
    texts = sources | {name: _used(text, words) for name, text in headers().items()}
    return {name: sha256(text.encode()).hexdigest() for name, text in sorted(texts.items())}


def build() -> None:
    """Compile; write program and note."""
    compiler = find_tool("riscv64-unknown-elf-gcc")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in headers().items():
            (Path(folder) / name).write_text(text)
        program = Path(folder) / "firmware.elf"
        subprocess.run([compiler, *_FLAGS, "-I", folder, *_SOURCES, "-lgcc", "-o", program],
                       cwd=_HERE, check=True)
        raw = Path(folder) / "firmware.bin"
        subprocess.run([find_tool("riscv64-unknown-elf-objcopy"), "-O", "binary", program, raw],
                       check=True)
        content = raw.read_bytes()
    content += bytes(-len(content) % 4)
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True,
                             check=True).stdout.splitlines()[0]
    with whole_file(FIRMWARE) as file:
        file.write(content)
    with whole_file(NOTE) as file:
        file.write(json.dumps({"compiler": version, "bytes": len(content),
                               "sha256": sha256(content).hexdigest(), "inputs": inputs()},
                              indent=1).encode() + b"\n")


if __name__ == "__main__":
    build()
