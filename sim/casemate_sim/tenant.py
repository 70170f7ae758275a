"""The one domain of a native simulation: its keys, its slot, and what its memory holds at first."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from casemate.config import EngineConfig

from casemate_sim.model.keys import KEY_NAMES, derive_key
from casemate_sim.modes import AUTHENTICATED, encrypts

if TYPE_CHECKING:
    from casemate_sim.native.model import NativeModel

__all__ = ["DOMAIN", "SimulationSecrets", "keys_of_seed", "open_domain", "secrets_of_seed"]

DOMAIN = 1
"""Domain ID of a simulation's traffic; it has slot 0."""


@dataclass(frozen=True)
class SimulationSecrets:
    """Root key and boot nonce of a simulation; every other key follows from them."""

    root_key: bytes
    boot_nonce: bytes


def secrets_of_seed(seed: int) -> SimulationSecrets:
    """Return the secrets of a simulation with `seed`."""
    source = random.Random(f"casemate secrets {seed}")
    return SimulationSecrets(source.randbytes(32), source.randbytes(16))


def keys_of_seed(seed: int, config: EngineConfig) -> dict[str, bytes]:
    """Return K1 to K4 of the domain in a simulation with `seed`, by name."""
    secrets = secrets_of_seed(seed)
    return {name: derive_key(
        secrets.root_key, secrets.boot_nonce, name, 0 if name == "K4" else DOMAIN, 0,
        config.aes_bits) for name in KEY_NAMES}


def open_domain(model: NativeModel, config: EngineConfig, mode: str,
                keys: Mapping[str, bytes]) -> None:
    """Load the domain's keys and give it its slot; wait for an engine with a tree to be ready.

    Parameters
    ----------
    model:
        A simulation just out of reset, with an engine.
    config:
        Its configuration.
    mode:
        Any mode but ``"bare"``.
    keys:
        K1 to K4 by name.

    Raises
    ------
    SimulationError
        If the engine does not take them.
    """
    from casemate_sim.native.control import Control

    authenticate = mode in AUTHENTICATED
    for index, name in enumerate(KEY_NAMES if authenticate else ("K1", "K2")):
        model.load_key(0, index, keys[name])
    model.wait_idle()
    model.set_slot(0, DOMAIN, encrypt=encrypts(mode), authenticate=authenticate)
    if authenticate:
        Control(model, config).wait_ready()
