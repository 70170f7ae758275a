"""What a simulation can have between player and DRAM, and with which configuration."""

from __future__ import annotations

import dataclasses

from casemate.config import EngineConfig, FuseConfig, KeyManagerConfig, TreeConfig

__all__ = ["AUTHENTICATED", "MODES", "config_of_mode", "encrypts", "with_fuses",
           "with_tree"]

MODES = ("bare", "plain", "xts", "integrity", "full")
"""Nothing, or the engine in one of its modes; each does more than the one before."""

AUTHENTICATED = ("integrity", "full")
"""Modes that need the integrity tree."""


def encrypts(mode: str) -> bool:
    """Return whether what lies in DRAM is encrypted in a mode."""
    return mode in ("xts", "full")


def with_tree(config: EngineConfig) -> EngineConfig:
    """Return a configuration with an integrity tree: its own, or one that fits the data path.

    Raises
    ------
    ConfigError
        If the configuration leaves no room for a tree.
    """
    if config.tree is not None:
        return config
    cipher = config.data_cipher
    if cipher.pipelined:
        # A write keeps its entry while its leaf is looked up and its line sealed.
        return config.replace(
            write_entries=max(32, config.write_entries), write_bursts=max(32, config.write_bursts),
            tree=TreeConfig(write_backs=8, pad_cipher=cipher))
    return config.replace(tree=TreeConfig(
        cache_sets=4, cache_ways=2, walks=1, write_backs=1, pad_cipher=cipher,
        multiplier_stages=0, shared_gmac=True, shared_cipher=config.may_share_cipher))


def with_fuses(config: EngineConfig) -> EngineConfig:
    """Return a configuration with tree, key manager and fuses: its own, or small ones.

    Raises
    ------
    ConfigError
        If the configuration leaves no room for a tree.
    """
    if config.keys is not None and config.keys.fuses is not None:
        return config
    keys = config.keys or KeyManagerConfig(domains=64)
    return with_tree(config).replace(
        name=f"{config.name}_fuses", keys=dataclasses.replace(keys, fuses=FuseConfig()))


def config_of_mode(config: EngineConfig, mode: str) -> EngineConfig:
    """Return the configuration that a mode is simulated with: with a tree if it needs one.

    Raises
    ------
    ConfigError
        If it leaves no room for a tree.
    """
    return with_tree(config) if mode in AUTHENTICATED else config
