"""Ciphers, placed and routed alone: what the defaults of the `ecp5` preset rest on.

One block per cycle if pipelined; the round keys' memories count.
"""

from collections.abc import Iterator

from casemate.aes.cipher import Direction, create_cipher
from casemate.config import CipherConfig, SBox, preset
from casemate_sim.figures import Figure
from casemate_sim.synthesis.flow import design_of
from casemate_sim.synthesis.pins import output_bits
from fpga_common import BIG, Measure, core_luts, figure_config

KEYS = 8
CANDIDATES = {
    "block_ram_1": CipherConfig(sbox=SBox.BLOCK_RAM),
    "block_ram_2": CipherConfig(sbox=SBox.BLOCK_RAM, registers_per_round=2),
    "ring_table_3": CipherConfig(pipelined=False, units=3),
    "logic_2": CipherConfig(sbox=SBox.LOGIC, registers_per_round=2),
    "logic_1": CipherConfig(sbox=SBox.LOGIC),
    "table_2": CipherConfig(sbox=SBox.TABLE, registers_per_round=2),
    "table_1": CipherConfig(sbox=SBox.TABLE),
}


def figures(measure: Measure) -> Iterator[Figure]:
    """Measure each candidate in both directions."""
    for name, construction in CANDIDATES.items():
        for direction in Direction:
            cipher = create_cipher(construction, aes_bits=128, direction=direction, keys=KEYS,
                                   tag=8)
            label = f"{name}_{direction.name.lower()}"
            result = measure(design_of(cipher, f"cipher_{label}"), BIG)
            fmax = result.slowest_mhz
            if fmax is None:
                raise RuntimeError(f"{label}: {result.failure}")
            config = figure_config(result) | {"aes_bits": 128, "keys": KEYS,
                                              "latency": cipher.latency}
            prefix = f"fpga.cipher.{name}.{direction.name.lower()}"
            yield Figure(name=f"{prefix}.fmax_mhz", value=fmax, unit="MHz", config=config)
            yield Figure(name=f"{prefix}.luts", unit="LUT4", config=config,
                         value=core_luts(result, output_bits(cipher)))
            yield Figure(name=f"{prefix}.latency_ns", unit="ns", config=config,
                         value=round(1000 * cipher.latency / fmax, 1))
            if direction is Direction.DECRYPT and construction.pipelined:
                yield from read_figures(name, cipher.latency, fmax, config)


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
