"""The register file: hardware made from a description."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..axi.lite import LITE_DATA_BITS, RegisterBusSignature
from .description import Access, Block, Field, Register

__all__ = ["RegisterFile"]

_KEPT = (Access.STORED, Access.LOCKABLE, Access.SET_ONCE, Access.CLEARED, Access.HIDDEN)


def _members(register: Register) -> dict[str, wiring.Member]:
    members: dict[str, wiring.Member] = {}
    for field in register.fields:
        if field.access in _KEPT:
            members[field.name] = Out(field.bits, init=field.reset)
        if field.access is Access.CLEARED:
            members[f"{field.name}_set"] = In(field.bits)
        if field.access is Access.HIDDEN:
            members[f"{field.name}_forget"] = In(1)
        if field.access in (Access.READ, Access.TAKEN):
            members[field.name] = In(field.bits)
        if field.access is Access.COMMAND:
            members[f"{field.name}_start"] = Out(field.bits)
            members[f"{field.name}_busy"] = In(field.bits)
    if register.taken:
        members["taken"] = Out(1)
    return members


class RegisterFile(wiring.Component):
    """Answers in the cycle of the access; what a write changes follows in the next cycle.

    Parameters
    ----------
    block:
        The registers.

    Members
    -------
    bus: In(RegisterBusSignature(block.address_bits))
    window: In(32), window_wait: In(1)
        What a register of the window reads as, and whether it must wait; may follow
        ``bus.address`` combinationally.
    registers: Out(Signature)
        A member for each register, with members for its fields. A kept field is an output with its
        name, a read one an input. ``NAME_set`` sets bits of a field that software clears;
        ``NAME_forget`` zeroes one that software only writes.
        ``NAME_start`` is high in the cycle of the write that starts a command, not while
        ``NAME_busy``, which it reads as. ``taken`` is high in the cycle of a read that takes.
    """

    def __init__(self, block: Block):
        self._block = block
        super().__init__({
            "bus": In(RegisterBusSignature(block.address_bits)),
            "window": In(LITE_DATA_BITS), "window_wait": In(1),
            "registers": Out(wiring.Signature({
                register.name: Out(wiring.Signature(_members(register)))
                for register in block if _members(register)})),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.Switch(self.bus.address):
            for register in self._block:
                with m.Case(register.offset // 4):
                    m.d.comb += self.bus.known.eq(1)
                    self._access(m, register)
        for register in self._block:
            for field in register.fields:
                if field.access is Access.CLEARED:
                    ports = getattr(self.registers, register.name)
                    # Behind the access, so that setting wins.
                    for bit in range(field.bits):
                        with m.If(getattr(ports, f"{field.name}_set")[bit]):
                            m.d.sync += getattr(ports, field.name)[bit].eq(1)
                if field.access is Access.HIDDEN:
                    ports = getattr(self.registers, register.name)
                    with m.If(getattr(ports, f"{field.name}_forget")):
                        m.d.sync += getattr(ports, field.name).eq(0)
        return m

    def _access(self, m: Module, register: Register) -> None:
        """Read, and write, one register."""
        ports: Any = getattr(self.registers, register.name, None)
        for field in register.fields:
            part = slice(field.low, field.low + field.bits)
            read_data = self.bus.read_data[part]
            data, mask = self.bus.write_data[part], self.bus.write_mask[part]
            if field.access is Access.CONSTANT:
                m.d.comb += read_data.eq(field.reset)
            elif field.access is Access.WINDOW:
                m.d.comb += [
                    read_data.eq(self.window[part]), self.bus.wait.eq(self.window_wait)]
            elif field.access is Access.COMMAND:
                busy = getattr(ports, f"{field.name}_busy")
                m.d.comb += read_data.eq(busy)
                with m.If(self.bus.write):
                    m.d.comb += getattr(ports, f"{field.name}_start").eq(data & mask & ~busy)
            else:
                value = getattr(ports, field.name)
                if field.access is not Access.HIDDEN:
                    m.d.comb += read_data.eq(value)
                if field.access in _KEPT:
                    self._keep(m, register, field, value, data, mask)
        if register.taken:
            m.d.comb += ports.taken.eq(self.bus.read)

    def _keep(self, m: Module, register: Register, field: Field, value: Signal, data: Signal,
              mask: Signal) -> None:
        """Write a field that the register keeps."""
        allowed = self.bus.write
        if field.access is Access.LOCKABLE:
            for other in register.fields:
                if other.access is Access.SET_ONCE:
                    lock = getattr(getattr(self.registers, register.name), other.name)
                    allowed &= ~lock.any()
        with m.If(allowed):
            if field.access is Access.CLEARED:
                m.d.sync += value.eq(value & ~(data & mask))
            elif field.access is Access.SET_ONCE:
                m.d.sync += value.eq(value | (data & mask))
            else:
                m.d.sync += value.eq((value & ~mask) | (data & mask))
