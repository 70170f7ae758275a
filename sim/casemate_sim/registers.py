"""Registers by name: for drivers, and as tables for the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from casemate.config import EngineConfig, FuseConfig, KeyManagerConfig, TreeConfig, preset
from casemate.csr.description import Access, Block, Register
from casemate.csr.header import c_header
from casemate.csr.registers import STATISTICS, block

from casemate_sim.documents.markdown import table

__all__ = ["BlockMap", "RegisterMap", "field_table", "header", "map_table",
           "register_tables"]


class BlockMap(Mapping[str, Register]):
    """Registers by name, with the fields of a value.

    Parameters
    ----------
    block:
        The registers.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self._registers = {register.name: register for register in block}

    def __getitem__(self, name: str) -> Register:
        return self._registers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._registers)

    def __len__(self) -> int:
        return len(self._registers)

    def offset(self, name: str) -> int:
        """Return the byte offset of a register."""
        return self[name].offset

    def pack(self, name: str, **fields: int) -> int:
        """Return a register's value with `fields`; the others are 0.

        Raises
        ------
        KeyError
            If the register has no such field.
        ValueError
            If a value does not fit its field.
        """
        value = 0
        for field_name, number in fields.items():
            field = self[name].field(field_name)
            if not 0 <= number < 1 << field.bits:
                raise ValueError(f"{name}.{field_name} = {number:#x} does not fit "
                                 f"{field.bits} bits")
            value |= number << field.low
        return value

    def unpack(self, name: str, value: int) -> dict[str, int]:
        """Return the fields of a register's value."""
        return {field.name: (value & field.mask) >> field.low for field in self[name].fields}


class RegisterMap(BlockMap):
    """The engine's registers by name.

    Parameters
    ----------
    config:
        The engine's configuration.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(block(config))

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of the counters; each is in the registers ``NAME_low`` and ``NAME_high``."""
        return tuple(name for name, _ in STATISTICS)


def header(config: EngineConfig) -> str:
    """Return the C header of an engine's registers."""
    return c_header(block(config))


def _bits(low: int, bits: int) -> str:
    return str(low) if bits == 1 else f"{low + bits - 1}..{low}"


def _text(text: str, values: tuple[tuple[str, int], ...]) -> str:
    if not values:
        return text
    return f"{text} " + ", ".join(f"{number}: `{name}`" for name, number in values) + "."


def _reset(access: Access, reset: int) -> str:
    kept = (Access.STORED, Access.LOCKABLE, Access.SET_ONCE, Access.CLEARED)
    return f"`{reset:#x}`" if access in kept else ""


def register_tables(what: str = "map") -> str:
    """Return the map of the registers (`what` is ``map``), or all ``fields``, as Markdown."""
    keys = KeyManagerConfig(fuses=FuseConfig())
    registers = block(preset("latency").replace(tree=TreeConfig(), keys=keys))
    if what == "map":
        return map_table(registers)
    if what != "fields":
        raise ValueError(f"there is no table {what!r} of the registers; there are map, fields")
    return field_table(registers)


def map_table(registers: Block) -> str:
    """Return offsets and contents of registers as Markdown."""
    return table(("offset", "register", "content"), (
        (f"`{register.offset:#05x}`", f"`{register.name}`", register.text)
        for register in registers))


def field_table(registers: Block) -> str:
    """Return all fields of registers as Markdown."""
    return table(("register", "bits", "field", "access", "reset", "meaning"), (
        (f"`{register.name}`", _bits(field.low, field.bits), f"`{field.name}`", field.access.value,
         _reset(field.access, field.reset), _text(field.text, field.values))
        for register in registers for field in register.fields))
