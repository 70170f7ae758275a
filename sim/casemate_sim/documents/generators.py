"""The generators by name, and those that need the configuration only."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable, Sequence

from casemate.config import (
    PRESETS,
    CipherConfig,
    EngineConfig,
    FuseConfig,
    KeyManagerConfig,
    LeafShape,
    Region,
    preset,
)

from casemate_sim.dram.timing import PRESETS as TIMINGS
from casemate_sim.dram.timing import DramTiming

from . import (
    board,
    ciphers,
    figures,
    fuses,
    hardware,
    mutants,
    packages,
    paths,
    programs,
    rules,
    situations,
    sweeps,
    testplan,
    tests,
)
from .markdown import parameter_texts, size, table

__all__ = ["GENERATORS", "generate"]


def _value(name: str, value: object) -> str:
    """Return a parameter's value as it is written in TOML, or in words."""
    if dataclasses.is_dataclass(value):
        return "see below"
    if value is None:
        return "behind the region before it" if name in ("leaf_base", "node_bases") else "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | enum.StrEnum):
        return f'`"{value}"`'
    return f"`{value}`"


def _default(field: dataclasses.Field) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    assert field.default_factory is not dataclasses.MISSING
    return field.default_factory()


def _parameters(kind: type) -> str:
    texts = parameter_texts(kind)
    return table(("parameter", "default", "meaning"), (
        (f"`{field.name}`", _value(field.name, _default(field)), texts[field.name])
        for field in dataclasses.fields(kind)))


def configuration(what: str = "engine") -> str:
    """Return the parameters of the engine or one of its parts, or of the player, as a table."""
    from casemate_sim.player_config import PlayerConfig

    kinds = {"engine": EngineConfig, "cipher": CipherConfig, "leaf": LeafShape,
             "keys": KeyManagerConfig, "fuses": FuseConfig, "player": PlayerConfig}
    if what not in kinds:
        raise ValueError(f"there is no configuration of {what!r}; there are {', '.join(kinds)}")
    return _parameters(kinds[what])


def _cipher(config: CipherConfig) -> str:
    if config.units > 1:
        kind = f"ring of {config.units} round units"
    elif not config.pipelined:
        kind = f"iterative, {config.rounds_per_stage} round per cycle"
    elif config.registers_per_round == 2:
        kind = "pipelined, 2 registers per round"
    else:
        kind = f"pipelined, {config.rounds_per_stage} round per register"
    return f"{kind}, S-box `{config.sbox}`"


def _tweak_cipher(config: EngineConfig) -> str:
    if config.tree is not None and config.tree.shared_cipher:
        return "the encrypting one of the data"
    return _cipher(config.tweak_cipher)


def presets() -> str:
    """Return parameters and derived values of every preset."""
    rows: list[tuple[str, Callable[[EngineConfig], object]]] = [
        ("data window", lambda c: size(c.data_bytes)),
        ("data bus", lambda c: f"{c.data_bits} bits"),
        ("address", lambda c: f"{c.address_bits} bits"),
        ("host IDs", lambda c: f"{c.id_bits} bits"),
        ("DRAM-side IDs", lambda c: f"{c.memory_id_bits} bits"),
        ("key size", lambda c: f"AES-{c.aes_bits}"),
        ("data cipher", lambda c: _cipher(c.data_cipher)),
        ("tweak cipher", _tweak_cipher),
        ("ciphers of each direction", lambda c: c.lanes),
        ("register in front of DRAM requests", lambda c: "yes" if c.register_requests else "no"),
        ("domain slots", lambda c: c.domain_slots),
        ("lines being read", lambda c: c.read_entries),
        ("lines being written", lambda c: c.write_entries),
        ("write bursts outstanding", lambda c: c.write_bursts),
        ("beats of a line", lambda c: c.beats_per_line),
        ("integrity tree", lambda c: "in modes that need it" if c.tree is None else "always"),
        ("digest", lambda c: f"`{c.digest}`"),
    ]
    return _by_preset(rows)


def _by_preset(rows: list[tuple[str, Callable[[EngineConfig], object]]]) -> str:
    return table(("", *(f"`{name}`" for name in PRESETS)), (
        (name, *(value(config) for config in PRESETS.values())) for name, value in rows))


def memory_map(name: str) -> str:
    """Return the memory map of a preset."""
    config = preset(name)
    digits = max(10, (config.address_bits + 3) // 4)
    return table(("region", "from", "to", "size"), (
        (region.name, f"`{region.base:#0{digits + 2}x}`", f"`{region.end - 1:#0{digits + 2}x}`",
         size(region.size)) for region in config.regions))


def storage() -> str:
    """Return what leaves and nodes of every preset take of DRAM, and the root on the die."""
    def share(config: EngineConfig, regions: Sequence[Region]) -> str:
        return f"{sum(region.size for region in regions) / config.data_bytes:.1%}"

    rows: list[tuple[str, Callable[[EngineConfig], object]]] = [
        ("data", lambda c: size(c.data_bytes)),
        ("leaves, of the data", lambda c: share(c, c.regions[1:2])),
        ("nodes, of the data", lambda c: share(c, c.regions[2:])),
        ("leaves and nodes, of the data", lambda c: share(c, c.regions[1:])),
        ("levels in DRAM, leaves included", lambda c: len(c.regions) - 1),
        ("root on the die", lambda c: f"{c.root_counters} counters of {c.counter_bits} bits"),
    ]
    return _by_preset(rows)


def attacks() -> str:
    """Return the attacks and their expected outcomes."""
    from casemate_sim.adversary.catalogue import expectation_table

    return expectation_table()


def registers(what: str = "map") -> str:
    """Return the map of the registers, or all their fields."""
    from casemate_sim.registers import register_tables

    return register_tables(what)


def dram_timings() -> str:
    """Return every DRAM timing preset, in cycles of the memory controller."""
    texts = parameter_texts(DramTiming)
    fields = [field.name for field in dataclasses.fields(DramTiming) if field.name != "name"]
    return table(("parameter", *(f"`{name}`" for name in TIMINGS), "meaning"), (
        (f"`{name}`", *(_plain(getattr(timing, name)) for timing in TIMINGS.values()),
         texts.get(name, "")) for name in fields))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


GENERATORS: dict[str, Callable[..., str]] = {
    "configuration": configuration,
    "presets": presets,
    "memory-map": memory_map,
    "storage": storage,
    "dram-timings": dram_timings,
    "fuses": fuses.fuses,
    "modules": hardware.modules,
    "latencies": hardware.latencies,
    "ciphers": ciphers.ciphers,
    "authentication": ciphers.authentication,
    "vectors": ciphers.vectors,
    "ports": hardware.ports,
    "benches": figures.benches,
    "evidence": figures.evidence,
    "mutants": mutants.mutants,
    "packages": packages.packages,
    "paths": paths.paths,
    "programs": programs.programs,
    "program-costs": programs.costs,
    "attacks": attacks,
    "board": board.board,
    "registers": registers,
    "rules": rules.rules,
    "situations": situations.situations,
    "sweep": sweeps.sweep,
    "testplan": testplan.testplan,
    "tests": tests.tests,
}
"""What prints a block, by the name that stands in the block's command."""


def generate(arguments: Sequence[str]) -> str:
    """Return what a generator makes.

    Parameters
    ----------
    arguments:
        Its name and its arguments.

    Raises
    ------
    ValueError
        If there is no such generator, or its arguments are wrong.
    """
    name, *values = arguments
    if name not in GENERATORS:
        raise ValueError(f"no generator is called {name!r}; there are "
                         f"{', '.join(sorted(GENERATORS))}")
    try:
        inspect.signature(GENERATORS[name]).bind(*values)
    except TypeError as error:
        raise ValueError(f"generator {name}: {error}") from error
    return GENERATORS[name](*values)
