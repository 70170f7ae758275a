"""Registers of the fuses: what they say, and commands that change them."""

from typing import Any

from amaranth import Module, Signal

from ..alert.layouts import Policy
from ..fuse.codes import LifeCycle
from ..fuse.map import WORDS
from ..fuse.registers import Command, Result
from .commands import choose_command
from .description import Access, Field, Register, names_of, read_field

__all__ = ["FUSES_OFFSET", "connect_fuses", "fuse_registers"]

FUSES_OFFSET = 0x100
"""Byte offset of the first of them."""

_COMMANDS = {
    Command.PROGRAM: "Program `fuse_data` at `fuse_address`, a word of data of identity or "
    "configuration.",
    Command.LOCK: "Compute and program the digest of the partition that begins at `fuse_address`.",
    Command.SHARE: "Hand over `fuse_data`, the next word of the licensee's share of the root key.",
    Command.PROVISION: "Make the root key from both shares, lock it, enter `provisioned`. Until "
    "reset everything is closed.",
    Command.MOVE: "Program the mark with the number `fuse_address`: enter the next state of life. "
    "Until reset everything is closed.",
}


def fuse_registers() -> tuple[Register, ...]:
    """Return the registers, in order of their offsets; none of them shows a secret."""
    state = (
        read_field("ready", 1, 0, "All checks of the fuses have passed."),
        read_field("alert", 1, 1, "The fuses raised the alarm."),
        read_field("entropy_tested", 1, 2, "The entropy source passed its start-up tests."),
        read_field("entropy_alert", 1, 3, "A health test of the entropy source has failed."),
        read_field("key_refused", 1, 4, "The fuses ask for larger keys than the engine has."),
        read_field("debug", 1, 5, "Level of the pin `debug_enable`."),
        read_field("weakest_policy", 2, 8, "What an integrity error locks at least, whatever "
                   "`policy` says.", names_of(Policy)),
        read_field("life_cycle", 13, 16, "State of life; `scrap` until `ready`.",
                   names_of(LifeCycle)))
    words = [*(f"device_{n}" for n in range(4)), "serial_0", "serial_1", "key_size", "policy",
             "debug", "product"]
    offset = FUSES_OFFSET
    registers = [Register(name="fuse_state", offset=offset, text="Fuses and entropy.",
                          fields=state)]
    for name in words:
        offset += 4
        registers.append(Register(
            name=f"fuse_{name}", offset=offset, text="A word of identity or configuration; zero "
            "until `ready`, and while its partition is open.",
            fields=(read_field("word", 32, 0, "The word."),)))
    registers += [
        Register(name="fuse_address", offset=offset + 4, text="What a command is about.", fields=(
            Field(name="address", bits=(WORDS - 1).bit_length(), low=0, access=Access.STORED,
                  text="Number of the word or of the mark."),)),
        Register(name="fuse_data", offset=offset + 8, text="Data of a command.", fields=(
            Field(name="data", bits=32, low=0, access=Access.HIDDEN,
                  text="Forgotten when a command is taken, and with an alarm."),)),
        Register(name="fuse_command", offset=offset + 12,
                 text="Commands that change the fuses; a write with one bit set, when none goes "
                 "on.", fields=tuple(
            Field(name=command.name.lower(), bits=1, low=command.value, access=Access.COMMAND,
                  text=text) for command, text in _COMMANDS.items())),
        Register(name="fuse_result", offset=offset + 16, text="How the last command ended.",
                 fields=(
            read_field("result", 2, 0, "`refused` means that nothing has changed; `failed`, that a "
                       "word does not hold what was to be programmed.", names_of(Result)),)),
    ]
    return tuple(registers)


def connect_fuses(m: Module, registers: Any, csr: Any) -> None:
    """Connect the registers with the ports ``fuse_*`` of the component that holds them."""
    sent, result, command = csr.fuse_command, csr.fuse_result, registers.fuse_command
    busy = Signal()
    current, start = choose_command(m, command, Command, busy)
    taken = sent.valid & sent.ready
    with m.If(sent.ready):
        m.d.sync += sent.valid.eq(0)
    m.d.comb += [
        result.ready.eq(1),
        sent.payload.kind.eq(current), sent.payload.data.eq(registers.fuse_data.data),
        sent.payload.address.eq(registers.fuse_address.address),
        registers.fuse_data.data_forget.eq(taken | csr.fuse_state.alert),
    ]
    with m.If(result.valid):
        m.d.sync += [busy.eq(0), registers.fuse_result.result.eq(result.payload)]
    with m.If(start):
        m.d.sync += [sent.valid.eq(1), busy.eq(1)]
    state = registers.fuse_state
    for name in ("ready", "alert", "entropy_tested", "entropy_alert", "key_refused",
                 "weakest_policy", "life_cycle"):
        m.d.comb += getattr(state, name).eq(csr.fuse_state[name])
    m.d.comb += state.debug.eq(csr.debug)
    for index in range(4):
        m.d.comb += getattr(registers, f"fuse_device_{index}").word.eq(
            csr.fuse_identity.device.word_select(index, 32))
    for index in range(2):
        m.d.comb += getattr(registers, f"fuse_serial_{index}").word.eq(
            csr.fuse_identity.serial.word_select(index, 32))
    for name in ("key_size", "policy", "debug", "product"):
        m.d.comb += getattr(registers, f"fuse_{name}").word.eq(csr.fuse_configuration[name])
