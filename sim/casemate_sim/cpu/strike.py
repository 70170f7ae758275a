"""An attack of the adversary on the DRAM of a program that runs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from casemate.config import LINE_BYTES, EngineConfig

from casemate_sim.adversary.attack import Attack
from casemate_sim.adversary.flips import FLIPS
from casemate_sim.adversary.moves import MOVES
from casemate_sim.adversary.scene import Scene
from casemate_sim.cpu.program import Program

if TYPE_CHECKING:
    from casemate_sim.native.model import NativeModel

__all__ = ["STRIKES", "Strike", "target_of"]

STRIKES: dict[str, type[Attack]] = {
    attack.name: attack for attack in (*FLIPS, *MOVES) if not attack.reboots}
"""Attacks that change the content of DRAM at one moment; those on the bus need a simulation whose
every access passes through Python, see `adversary`."""

WORKING_SET = "working_set"
"""Name that the shipped programs give to the data they use most."""


class _NativeDram:
    """The DRAM of a native simulation, as attacks see it."""

    def __init__(self, model: NativeModel) -> None:
        self._model = model

    def read_line(self, address: int) -> bytes:
        """Return 64 bytes."""
        return self._model.read_memory(address, LINE_BYTES)

    def write_line(self, address: int, content: bytes) -> None:
        """Replace 64 bytes."""
        self._model.write_memory(address, content)

    def addresses(self) -> list[int]:
        """Return the addresses of all lines of the pages that were ever written."""
        return [address + offset for address, page in self._model.pages()
                for offset in range(0, len(page), LINE_BYTES)]


@dataclass(kw_only=True)
class Strike:
    """An attack, and when it strikes.

    Parameters
    ----------
    attack:
        Its name, one of `STRIKES`.
    cycle:
        Cycle of the program in which it strikes; it has looked at DRAM in the middle of the time
        before, and replays what it saw then.
    first, size:
        Bytes among which its target line is drawn: address of the first one, and how many.
    seed:
        Of everything that is drawn.
    """

    attack: str
    cycle: int
    first: int
    size: int
    seed: int = 0
    _done: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.attack not in STRIKES:
            raise ValueError(f"no attack on a running program is called {self.attack!r}; there are "
                             f"{', '.join(STRIKES)}")
        if self.cycle < 2:
            raise ValueError(f"an attack strikes in cycle 2 or later, not {self.cycle}")

    def on(self, model: NativeModel, config: EngineConfig) -> Callable[[int], int | None]:
        """Begin; return what is to be called in cycle 0 and then when it says, None for never."""
        rng, dram = random.Random(f"strike {self.attack} {self.seed}"), _NativeDram(model)
        lines = range((self.first - config.data_base) // LINE_BYTES,
                      (self.first + self.size - 1 - config.data_base) // LINE_BYTES + 1)
        scene = Scene.draw(rng, config, target=rng.choice(lines))
        attack = STRIKES[self.attack](scene, rng)
        self._done = {}

        def act(cycle: int) -> int | None:
            if cycle == 0:
                attack.begin(dram)
                return self.cycle // 2
            if cycle < self.cycle:
                attack.observe(dram)
                return self.cycle
            attack.strike(dram)
            self._done = {"address": scene.line_address(scene.target), "cycle": cycle,
                          "parameters": attack.parameters}
            return None

        return act

    def as_dict(self) -> dict[str, object] | None:
        """Return what was done; None if the program ended before."""
        return {"attack": self.attack, **self._done} if self._done else None


def target_of(program: Program, where: str | None, config: EngineConfig) -> tuple[int, int]:
    """Return first address and size in bytes of what an attack aims at.

    Parameters
    ----------
    program:
        The program.
    where:
        A symbol of it or an address; `WORKING_SET` if None.
    config:
        The engine's configuration, with the program's data window.

    Raises
    ------
    ValueError
        If there is no such symbol, or the address lies outside the memory.
    """
    name = where or WORKING_SET
    if name in program.symbols:
        return program.symbols[name]
    try:
        address = int(name, 0)
    except ValueError:
        known = ", ".join(sorted(program.symbols)) or "none"
        raise ValueError(f"{program.name} has no symbol {name!r}: give a symbol or an address; "
                         f"its symbols are {known}") from None
    if not 0 <= address - config.data_base < config.data_bytes:
        raise ValueError(f"address {address:#x} lies outside the memory, which ends at "
                         f"{config.data_base + config.data_bytes:#x}")
    return address // LINE_BYTES * LINE_BYTES, LINE_BYTES
