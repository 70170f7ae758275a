"""What a register is: frozen descriptions, from which hardware, C header and documents are made.

Standard library only: a driver can use the description without Amaranth.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Access", "Block", "DescriptionError", "Field", "Register", "names_of", "read_field"]

REGISTER_BITS = 32
REGISTER_BYTES = REGISTER_BITS // 8


class DescriptionError(ValueError):
    """A description contradicts itself; the message names the register."""


class Access(enum.Enum):
    """What software can do to a field, and who keeps its value."""

    CONSTANT = "constant"
    """Reads as the reset value."""
    READ = "read only"
    """Reads as the hardware says; writes are ignored."""
    STORED = "read and write"
    """Kept by the register."""
    LOCKABLE = "read and write until locked"
    """Kept by the register; writes are ignored once the register's ``SET_ONCE`` field is 1."""
    SET_ONCE = "write 1 to set, until reset"
    """Kept by the register; 0 again by reset only."""
    HIDDEN = "write only"
    """Kept by the register until the hardware forgets it, which wins over a write; reads as 0."""
    CLEARED = "write 1 to clear"
    """Set by the hardware, bit by bit; setting wins over clearing."""
    COMMAND = "write 1 to start"
    """Writing 1 starts something; reads as 1 while it goes on."""
    TAKEN = "read only, reading takes it"
    """As ``READ``; a read of the register also tells the hardware to move on."""
    WINDOW = "read only, from a table"
    """As ``READ``; all such fields come from one table beside the registers."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Adjacent bits of a register.

    Parameters
    ----------
    name:
        Lower-case name, unique in its register.
    bits:
        Width.
    low:
        Position of the lowest bit.
    access:
        What software can do to it.
    text:
        One sentence or more for the documents.
    reset:
        Value after reset, and of a constant.
    values:
        Names of values, for fields that hold a choice.
    """

    name: str
    bits: int
    low: int
    access: Access
    text: str
    reset: int = 0
    values: tuple[tuple[str, int], ...] = ()

    @property
    def mask(self) -> int:
        """The field's bits in its register."""
        return (1 << self.bits) - 1 << self.low


def names_of(choice: type[enum.Enum]) -> tuple[tuple[str, int], ...]:
    """Return the names of a choice's values, for :class:`Field`."""
    return tuple((each.name.lower(), each.value) for each in choice)


def read_field(name: str, bits: int, low: int, text: str,
               values: tuple[tuple[str, int], ...] = ()) -> Field:
    """Return a field that software only reads."""
    return Field(name=name, bits=bits, low=low, access=Access.READ, text=text, values=values)


@dataclass(frozen=True, kw_only=True)
class Register:
    """32 bits at an offset.

    Parameters
    ----------
    name:
        Lower-case name, unique in its block.
    offset:
        Byte offset, a multiple of 4.
    text:
        What it is for.
    fields:
        From bit 0 up; bits between them read as 0 and ignore writes.
    """

    name: str
    offset: int
    text: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        if self.offset % REGISTER_BYTES or self.offset < 0:
            raise DescriptionError(f"{self.name}: offset {self.offset:#x} is no multiple of 4")
        free = 0
        for field in self.fields:
            if field.low < free or field.bits < 1 or field.low + field.bits > REGISTER_BITS:
                raise DescriptionError(
                    f"{self.name}.{field.name}: bits {field.low} to "
                    f"{field.low + field.bits - 1} overlap another field or leave the register")
            free = field.low + field.bits
            if not 0 <= field.reset < 1 << field.bits:
                raise DescriptionError(
                    f"{self.name}.{field.name}: reset value {field.reset:#x} does not fit "
                    f"{field.bits} bits")
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise DescriptionError(f"{self.name}: two fields have one name")
        locks = [field for field in self.fields if field.access is Access.SET_ONCE]
        if any(field.access is Access.LOCKABLE for field in self.fields) and len(locks) != 1:
            raise DescriptionError(f"{self.name}: a lockable field needs one lock beside it")

    def field(self, name: str) -> Field:
        """Return the field called `name`; KeyError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"register {self.name} has no field {name!r}")

    @property
    def reset(self) -> int:
        """Value after reset, as far as registers keep it."""
        return sum(field.reset << field.low for field in self.fields)

    @property
    def taken(self) -> bool:
        """Whether a read has an effect."""
        return any(field.access is Access.TAKEN for field in self.fields)


@dataclass(frozen=True, kw_only=True)
class Block:
    """All registers behind one AXI4-Lite port.

    Parameters
    ----------
    name:
        Lower-case name, the prefix in the C header.
    address_bits:
        Width of the byte addresses.
    registers:
        In order of their offsets.
    """

    name: str
    address_bits: int
    registers: tuple[Register, ...]

    def __post_init__(self) -> None:
        free = 0
        for register in self.registers:
            if register.offset < free:
                raise DescriptionError(
                    f"{register.name}: offset {register.offset:#x} is taken or out of order")
            free = register.offset + REGISTER_BYTES
        if free > 1 << self.address_bits:
            raise DescriptionError(f"{self.name}: {self.address_bits} address bits do not reach "
                                   f"{free - REGISTER_BYTES:#x}")
        names = [register.name for register in self.registers]
        if len(set(names)) != len(names):
            raise DescriptionError(f"{self.name}: two registers have one name")

    def __iter__(self) -> Iterator[Register]:
        return iter(self.registers)

    def register(self, name: str) -> Register:
        """Return the register called `name`; KeyError if there is none."""
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(f"{self.name} has no register {name!r}")
