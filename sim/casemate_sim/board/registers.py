"""The board's own registers and its address map: the one description of them."""

from __future__ import annotations

from casemate import __version__
from casemate.config import DOMAIN_BITS
from casemate.csr.description import Access, Block, Field, Register, read_field
from casemate.csr.registers import ADDRESS_BITS as ENGINE_ADDRESS_BITS

from casemate_sim.board.access import ADDRESS_BITS
from casemate_sim.board.config import BoardConfig, Entropy
from casemate_sim.board.line_port import WORDS_PER_LINE
from casemate_sim.board.memory import memory_bytes
from casemate_sim.documents.markdown import table
from casemate_sim.player.layouts import LATENCY_BITS
from casemate_sim.player.player import COUNTERS, HISTOGRAMS

__all__ = ["HISTOGRAM_BASE", "LINE_BASE", "MAGIC", "MEMORY_BASE", "RECORD_BYTES", "TRACE_BASE",
           "TRACE_RECORDS", "address_table", "block"]

REGISTER_BASE = 1 << ENGINE_ADDRESS_BITS
LINE_BASE = 0x2000
TRACE_BASE, HISTOGRAM_BASE, MEMORY_BASE = 0x4000, 0x8000, 0x80000

RECORD_BYTES = 16
"""Bytes of a record of the trace: line, distance, flags, and a word that is not used."""

TRACE_RECORDS = (HISTOGRAM_BASE - TRACE_BASE) // RECORD_BYTES
"""Records that the board's trace memory holds."""

MAGIC = 0x43534D42
"""ASCII `CSMB`, the first letter in the highest byte."""


def _stored(name: str, bits: int, low: int, text: str, reset: int = 0) -> Field:
    return Field(name=name, bits=bits, low=low, access=Access.STORED, text=text, reset=reset)


def _command(name: str, low: int, text: str) -> Field:
    return Field(name=name, bits=1, low=low, access=Access.COMMAND, text=text)


def _constant(name: str, bits: int, low: int, value: int, text: str,
              values: tuple[tuple[str, int], ...] = ()) -> Field:
    return Field(name=name, bits=bits, low=low, access=Access.CONSTANT, text=text, reset=value,
                 values=values)


def _counters(offset: int) -> tuple[Register, ...]:
    registers = []
    for name, field in COUNTERS:
        for part, low, bits in (("low", 0, 32), ("high", 32, field.width - 32)):
            registers.append(Register(
                name=f"{name}_{part}", offset=offset + 4 * len(registers),
                text="Of the last run.", fields=(read_field(
                    "count", bits, 0, f"Bits {low + bits - 1} to {low} of `{name}`."),)))
    return tuple(registers)


def block(config: BoardConfig) -> Block:
    """Return the board's registers."""
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    base = REGISTER_BASE
    return Block(name="board", address_bits=ADDRESS_BITS, registers=(
        Register(name="board_id", offset=base, text="Tells that this is a board of Casemate.",
                 fields=(_constant("magic", 32, 0, MAGIC, "ASCII `CSMB`."),)),
        Register(name="board_version", offset=base + 0x04, text="Version of the hardware.", fields=(
            _constant("patch", 8, 0, patch, "Patch."), _constant("minor", 8, 8, minor, "Minor."),
            _constant("major", 8, 16, major, "Major."))),
        Register(name="clock", offset=base + 0x08, text="Clock of everything.", fields=(
            _constant("hertz", 32, 0, config.clock_hertz, "Its frequency."),)),
        Register(name="entropy", offset=base + 0x0C, text="Where entropy comes from.", fields=(
            _constant("source", 1, 0, config.entropy.value, "A seeded source is predictable: of "
                      "simulations only.", tuple((each.name.lower(), each.value)
                                                 for each in Entropy)),)),
        Register(name="memory", offset=base + 0x10, text="The memory behind the engine.", fields=(
            _constant("bytes", 32, 0, memory_bytes(config.engine), "Its size."),)),
        Register(name="state", offset=base + 0x14, text="What the LEDs show.", fields=(
            read_field("booting", 1, 0, "Keys or root are not there yet, or there is no root key."),
            read_field("protected", 1, 1, "Accesses are possible, and all is well."),
            read_field("tampered", 1, 2, "The engine raised an alert, or is locked."),
            read_field("debug_enable", 1, 3, "Level of the engine's pin."),
            read_field("irq", 1, 4, "Level of the engine's pin."))),
        Register(name="control", offset=base + 0x18, text="Reset and case.", fields=(
            _command("reset", 0, "Reset the engine and all that is on its buses; memory and fuses "
                     "keep what they hold. The trace, settings and this register stay."),
            _stored("tamper", 1, 1, "Level of the engine's pin, or what a button does."))),
        Register(name="cycles", offset=base + 0x1C, text="Clock cycles since the configuration of "
                 "the FPGA.", fields=(read_field("count", 32, 0, "Modulo 2**32."),)),
        Register(name="line", offset=base + 0x20, text="The line that is accessed.", fields=(
            _stored("number", 32, 0, "Its number in the data window."),)),
        Register(name="line_owner", offset=base + 0x24, text="On whose behalf.", fields=(
            _stored("domain", DOMAIN_BITS, 0, "Domain."),
            _stored("claim", 1, 16, "Of a write: claim the granule."))),
        Register(name="line_command", offset=base + 0x28, text="One access, with one bit set, when "
                 "no run is going on.", fields=(
            _command("read", 0, "Read the line into the buffer."),
            _command("write", 1, "Write it from the buffer."))),
        Register(name="line_response", offset=base + 0x2C, text="What became of it.", fields=(
            read_field("response", 2, 0, "RRESP or BRESP."),)),
        Register(name="player", offset=base + 0x30, text="The trace player.", fields=(
            _command("start", 0, "Play the trace from its first record on; counts begin at 0."),)),
        Register(name="trace", offset=base + 0x34, text="The trace.", fields=(
            _stored("records", TRACE_RECORDS.bit_length(), 0, "How many of its records to "
                    "play."),)),
        Register(name="player_limits", offset=base + 0x38, text="Settings of the player.", fields=(
            _stored("reads", 7, 0, "Most reads in flight, 1 to 64.", 4),
            _stored("writes", 7, 8, "Most writes in flight, 1 to 64.", 4),
            _stored("id_mask", 4, 16, "Number of IDs less one: 0, 1, 3, 7 or 15.", 3))),
        Register(name="player_core", offset=base + 0x3C, text="Its core.", fields=(
            _stored("rate", 10, 0, "Instructions per cycle in 1/256.", 256),
            _stored("window", 20, 12, "Most instructions past the oldest outstanding read.", 64))),
        Register(name="player_owner", offset=base + 0x40, text="On whose behalf it plays.", fields=(
            _stored("domain", DOMAIN_BITS, 0, "Domain."),
            _stored("claim", 1, 16, "Writes claim their granules."))),
        *_counters(base + 0x80),
    ))


def address_table() -> str:
    """Return the address map as Markdown."""
    bins = 1 << LATENCY_BITS
    return table(("from", "to", "content"), (
        (f"`{start:#07x}`", f"`{end - 1:#07x}`", text) for start, end, text in (
            (0, REGISTER_BASE, "the engine's registers, see [registers](registers.md)"),
            (REGISTER_BASE, LINE_BASE, "the board's registers"),
            (LINE_BASE, LINE_BASE + 4 * WORDS_PER_LINE, "buffer of a line; not while it is used"),
            (TRACE_BASE, HISTOGRAM_BASE, f"the trace, write only: {TRACE_RECORDS} records of four "
             "words: line number; instructions since the record before; bit 0 writes, bit 1 waits "
             "for the read before; not used"),
            (HISTOGRAM_BASE, HISTOGRAM_BASE + 4 * bins * len(HISTOGRAMS),
             f"latency histograms of {bins} bins, read only, between runs: "
             f"{', '.join(f'`{name}`' for name in HISTOGRAMS)}; they count from the configuration "
             "of the FPGA on"),
            (MEMORY_BASE, 1 << ADDRESS_BITS, "the memory as somebody with a probe on its bus sees "
             "and changes it, as far as it goes"))))
