"""The XTS data path beside AES cores of others, in the same flow: throughput for the area.

Area is that of the core without the shift registers at its pins, as mapped. Ours hold the round
keys of eight keys and the tweaks of 32 lines; the others hold one key.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from casemate.aes.cipher import Direction
from casemate.config import preset
from casemate.modes.xts import XtsCipher
from casemate_sim.figures import Figure
from casemate_sim.synthesis.flow import Design, design_of
from casemate_sim.synthesis.pins import output_bits
from casemate_sim.synthesis.report import verdict
from fpga_common import BIG, Measure, core_luts, figure_config
from peers import PEERS, FetchError, peer_design
from rich.console import Console

_ENGINE = preset("ecp5")
_BLOCK_BITS = 128


def _own() -> Iterator[tuple[str, Design, int, int]]:
    for direction in Direction:
        path = XtsCipher(_ENGINE.data_cipher, aes_bits=128, direction=direction, lanes=1,
                         keys=_ENGINE.domain_slots, entries=_ENGINE.read_entries, tag=8)
        name = f"casemate_xts_{direction.name.lower()}"
        yield name, design_of(path, name), output_bits(path), path.interval


def _peers(mirrors: Path | None) -> Iterator[tuple[str, Design, int, int | None]]:
    for name, peer in PEERS.items():
        mirror = None if mirrors is None else mirrors / name
        try:
            yield (name, peer_design(peer, mirror), sum(peer.outputs.values()),
                   peer.cycles_per_block)
        except FetchError as error:
            Console(stderr=True).print(f"not measured: {error}", style="yellow", markup=False)


def figures(measure: Measure, mirrors: Path | None) -> Iterator[Figure]:
    """Measure our data path, and every peer whose source can be fetched.

    The slower of our two directions stands for the data path beside the best of the peers.
    """
    own = list(_own())
    rates: dict[str, Figure] = {}
    for name, design, outputs, interval in (*own, *_peers(mirrors)):
        result = measure(design, BIG)
        if result.slowest_mhz is None:
            raise RuntimeError(f"{name}: {verdict(result)}")
        luts = core_luts(result, outputs)
        details = figure_config(result) | {"cycles_per_block": interval}
        yield Figure(name=f"fpga.path.{name}.luts", value=luts, unit="LUT4", config=details)
        yield Figure(name=f"fpga.path.{name}.fmax_mhz", value=result.slowest_mhz, unit="MHz",
                     config=details)
        if interval is not None:
            rates[name] = Figure(
                name=f"fpga.path.{name}.gbit_per_s_per_kilolut", unit="Gbit/s", config=details,
                value=round(_BLOCK_BITS * result.slowest_mhz / interval / luts, 3))
            yield rates[name]
    slower = min((rates.pop(name) for name, *_ in own), key=lambda rate: rate.value)
    best_peer = max((rate.value for rate in rates.values()), default=None)
    yield replace(slower, name="fpga.ecp5_85f_6.gbit_per_s_per_klut",
                  target=None if best_peer is None else f">= {best_peer:g}")
