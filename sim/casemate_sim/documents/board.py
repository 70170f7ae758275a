"""Tables of the board: its frames, addresses, registers, and the boards that there are."""

from __future__ import annotations

from collections.abc import Callable

from .markdown import table

__all__ = ["board"]


def _boards() -> str:
    from casemate_sim.board.platforms import BOARDS

    return table(("name", "board", "LEDs, button, serial line"), (
        (f"`{name}`", kind.title, kind.text) for name, kind in BOARDS.items()))


def _frames() -> str:
    from casemate_sim.board.frames import frame_tables

    return frame_tables()


def _addresses() -> str:
    from casemate_sim.board.registers import address_table

    return address_table()


def _map() -> str:
    from casemate_sim.board.config import BoardConfig
    from casemate_sim.board.registers import block
    from casemate_sim.registers import map_table

    return map_table(block(BoardConfig()))


def _fields() -> str:
    from casemate_sim.board.config import BoardConfig
    from casemate_sim.board.registers import block
    from casemate_sim.registers import field_table

    return field_table(block(BoardConfig()))


_TABLES: dict[str, Callable[[], str]] = {
    "boards": _boards, "frames": _frames, "addresses": _addresses, "map": _map,
    "fields": _fields}


def board(what: str) -> str:
    """Return a table of the board; see ``_TABLES`` for their names."""
    if what not in _TABLES:
        raise ValueError(f"there is no table {what!r} of the board; there are "
                         f"{', '.join(_TABLES)}")
    return _TABLES[what]()
