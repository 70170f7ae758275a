"""All attacks by name, and the table of what is expected of them."""

from __future__ import annotations

from .attack import MODES, Attack
from .bus import BUS
from .flips import FLIPS
from .moves import MOVES
from .observers import OBSERVERS

__all__ = ["ATTACKS", "expectation_table", "find"]

ATTACKS: dict[str, type[Attack]] = {
    attack.name: attack for attack in (*FLIPS, *MOVES, *BUS, *OBSERVERS)}
"""All attacks by name."""


def find(name: str) -> type[Attack]:
    """Return the attack called `name`.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those that exist.
    """
    if name not in ATTACKS:
        raise ValueError(f"no attack is called {name!r}; there are {', '.join(ATTACKS)}")
    return ATTACKS[name]


def expectation_table() -> str:
    """Return every attack with its description and its expected outcome in each mode."""
    from casemate_sim.documents.markdown import table

    return table(("attack", "what happens", *(f"`{mode}`" for mode in MODES)), (
        (f"`{name}`", attack.description,
         *(attack.expected[mode].value for mode in MODES)) for name, attack in ATTACKS.items()))
