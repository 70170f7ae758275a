"""The engines that the system tests build."""

from casemate.config import MIB, PRESETS, CipherConfig, TreeConfig

NARROW = PRESETS["latency"].replace(
    name="narrow", data_bits=64, data_bytes=16 * MIB, data_base=48 * MIB, id_bits=2,
    domain_slots=4, read_entries=16,
    data_cipher=CipherConfig(pipelined=False, rounds_per_stage=2),
    tweak_cipher=CipherConfig(pipelined=False))
"""A bus narrower than an AES block, a window that does not begin at 0, two rounds per cycle."""

WIDE = PRESETS["server"].replace(
    name="wide", domain_slots=16, read_entries=32, write_entries=32, write_bursts=32,
    data_cipher=CipherConfig(pipelined=False, rounds_per_stage=2),
    tweak_cipher=CipherConfig(pipelined=False))
"""The preset `server`, 512 bits and AES-256, with tables and ciphers that are built quickly."""

LEAST = PRESETS["tiny"].replace(
    name="least", data_bits=256, address_bits=32, id_bits=2, read_entries=2, write_entries=2,
    write_bursts=2)
"""The smallest tables that there can be, on a bus of half a line."""

_ITERATIVE = CipherConfig(pipelined=False)

TREE = PRESETS["tiny"].replace(
    name="tree", root_counters=8, domain_slots=4, read_entries=8, tree=TreeConfig(
        cache_sets=1, cache_ways=2, walks=1, write_backs=1, pad_cipher=_ITERATIVE))
"""An integrity tree of three levels with the least that it needs: one set of two ways."""

TREES = {TREE.name: TREE}

CONFIGS = {config.name: config for config in (*PRESETS.values(), NARROW, WIDE, LEAST)
           if config.tree is None}
LARGE = ("server", "wide", "latency", "narrow", "least")
"""Those that `make test` leaves to `make verify`."""
