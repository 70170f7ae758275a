"""What a configuration may use, and how fast it must be: a TOML file with a table for each.

For example::

    [tiny.full]  # configuration and mode
    luts = 20_000
    registers = 9_000
    block_rams = 4
    fmax_mhz = 50.0
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .usage import NAMES, Usage

if TYPE_CHECKING:
    from .implementation import Implementation

__all__ = ["Budget", "BudgetError", "load_budget"]

_FMAX = "fmax_mhz"


class BudgetError(ValueError):
    """The file holds no such budget; the message names file and value."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of one configuration in one mode.

    Attributes
    ----------
    limits:
        The most of each part of a ``Usage``, as mapped; what is not there has no limit.
    fmax_mhz:
        The least median in MHz of the slowest clock, None if there is none.
    """

    limits: dict[str, int]
    fmax_mhz: float | None

    def check(self, result: Implementation) -> list[str]:
        """Return a line for every limit, those that are broken marked with ``OVER BUDGET``.

        The frequency is left out of a result without placements.
        """
        return [text + ": OVER BUDGET" * broken for text, broken in self._compared(result)]

    def holds(self, result: Implementation) -> bool:
        """Return whether no limit is broken."""
        return not any(broken for _, broken in self._compared(result))

    def _compared(self, result: Implementation) -> Iterator[tuple[str, bool]]:
        """Yield each limit beside what was found, and whether it is broken."""
        used = result.mapped.as_dict()
        for name, limit in self.limits.items():
            yield f"{NAMES[name]}: {used[name]:,}, at most {limit:,}", used[name] > limit
        if self.fmax_mhz is not None and result.slowest_mhz is not None:
            yield (f"Fmax: {result.slowest_mhz:.1f} MHz, at least {self.fmax_mhz:g} MHz",
                   result.slowest_mhz < self.fmax_mhz)


def load_budget(path: Path, config: str, mode: str) -> Budget:
    """Read the budget of a configuration in a mode.

    Raises
    ------
    BudgetError
        If the file is no TOML, has no table for them, or one with other values.
    OSError
        If it cannot be read.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BudgetError(f"{path}: no TOML: {error}") from None
    modes = values.get(config)
    table = modes.get(mode) if isinstance(modes, dict) else None
    if not isinstance(table, dict):
        raise BudgetError(f"{path}: there is no table [{config}.{mode}]")
    allowed = (*Usage().as_dict(), _FMAX)
    for name, value in table.items():
        if name not in allowed:
            raise BudgetError(f"{path}: {config}.{mode}.{name} is no limit; there are "
                              f"{', '.join(allowed)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BudgetError(f"{path}: {config}.{mode}.{name} = {value!r} is no number")
    return Budget(limits={name: value for name, value in table.items() if name != _FMAX},
                  fmax_mhz=table.get(_FMAX))
