"""The engine's registers: the one description that everything else about them is made from."""

from __future__ import annotations

from .. import __version__
from ..alert.layouts import LogKind, Policy
from ..config import DOMAIN_BITS, EngineConfig
from ..key_manager.layouts import KeyCommand, KeyResult, KeyState
from .description import Access, Block, Field, Register, names_of, read_field
from .fuses import fuse_registers

__all__ = ["ADDRESS_BITS", "INTERRUPTS", "LOG_DEPTH", "STATISTICS", "STATISTICS_OFFSET",
           "block"]

ADDRESS_BITS = 12
"""Width of the byte addresses."""

LOG_DEPTH = 16
"""Entries of the error log."""

STATISTICS = (
    ("cache_accesses", "Look-ups of a line's leaf."),
    ("cache_hits", "Those that found the leaf in the metadata cache."),
    ("evictions", "Changed leaves and nodes written back to make room or by a command."),
    ("nodes_fetched", "Leaves and nodes read from DRAM."),
    ("nodes_written", "Leaves and nodes written to DRAM."),
    ("lines_read", "Data lines read from DRAM."),
    ("lines_written", "Data lines written to DRAM."),
)
"""Names and meanings of the counters."""

STATISTICS_OFFSET = 0x80
"""Byte offset of the first counter: a power of two that holds all of them."""

INTERRUPTS = (
    ("integrity_error", "A line did not match its tag, or a leaf or node its MAC."),
    ("access_error", "A domain was refused what it does not own."),
    ("bus_error", "DRAM answered an access to a leaf or node with an error."),
    ("fatal_error", "A version or counter is used up, or a change of the tree was lost."),
    ("sweep_done", "A flush or invalidation has ended."),
    ("log_overflow", "The error log lost an entry."),
    ("reclaim_done", "A range of granules was gone through."),
)
"""Interrupts from bit 0 up, with their meanings."""


def _constants(low: int, *fields: tuple[str, int, int, str]) -> tuple[Field, ...]:
    """Return constants side by side: name, width, value, text."""
    result = []
    for name, bits, value, text in fields:
        result.append(Field(name=name, bits=bits, low=low, access=Access.CONSTANT, text=text,
                            reset=value))
        low += bits
    return tuple(result)


def _identity(config: EngineConfig) -> tuple[Register, ...]:
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    tree = config.tree
    return (
        Register(name="id", offset=0x00, text="Tells that this is Casemate.", fields=_constants(
            0, ("magic", 32, 0x43534D54, "ASCII `CSMT`, the first letter in the highest byte."))),
        Register(name="version", offset=0x04, text="Version of the hardware.", fields=_constants(
            0, ("patch", 8, patch, "Patch."), ("minor", 8, minor, "Minor."),
            ("major", 8, major, "Major."))),
        Register(name="digest", offset=0x08, text="Names the configuration.", fields=_constants(
            0, ("digest", 32, int(config.digest[:8], 16),
                "First 8 digits of the configuration's digest."))),
        Register(name="tree_config", offset=0x0C,
                 text="The integrity tree; zero without one.", fields=_constants(
            0, ("levels", 8, config.levels if tree else 0,
                "Levels that DRAM stores, the leaves included."),
            ("ways", 8, tree.cache_ways if tree else 0, "Ways of the metadata cache."),
            ("sets", 16, tree.cache_sets if tree else 0, "Sets of the metadata cache."))),
        Register(name="engine_config", offset=0x10, text="The engine.", fields=_constants(
            0, ("data_bytes_log2", 8, config.data_bytes.bit_length() - 1,
                "Size of the data window: its logarithm to base 2."),
            ("slots", 8, config.domain_slots, "Domain slots."),
            ("aes_bits", 16, config.aes_bits, "Size of the keys in bits."))),
    )


def _control() -> tuple[Register, ...]:
    return (
        Register(name="status", offset=0x14, text="What the engine is doing.", fields=(
            read_field("idle", 1, 0, "Nothing is in flight."),
            read_field("ready", 1, 1, "The root was cleared after reset: accesses are possible."),
            read_field("sweeping", 1, 2, "A flush or invalidation is going on."),
            read_field("engine_locked", 1, 3, "The whole engine is locked until reset."),
            read_field("slot_locked", 1, 4, "A domain slot is locked until reset."),
            read_field("alert_integrity", 1, 5, "Level of the pin."),
            read_field("alert_fatal", 1, 6, "Level of the pin."))),
        Register(name="policy", offset=0x18, text="What an integrity error locks.", fields=(
            Field(name="failure", bits=2, low=0, access=Access.LOCKABLE, reset=0,
                  text="Of all domains; each may have one that locks more. A failed leaf or node "
                  "locks the engine under both locking policies. The value 3 counts as 0.",
                  values=names_of(Policy)),
            Field(name="lock", bits=1, low=31, access=Access.SET_ONCE,
                  text="The policy cannot be changed any more."))),
        Register(name="command", offset=0x1C,
                 text="Sweeps over the metadata cache. Ignored while one goes on.", fields=(
            Field(name="flush", bits=1, low=0, access=Access.COMMAND,
                  text="Write every changed leaf and node back to DRAM."),
            Field(name="invalidate", bits=1, low=1, access=Access.COMMAND,
                  text="The same, and empty the cache. Wins over `flush`."))),
        Register(name="locked_slots_low", offset=0x20, text="Locked domain slots.", fields=(
            Field(name="slots", bits=32, low=0, access=Access.READ, text="Slots 0 to 31."),)),
        Register(name="locked_slots_high", offset=0x24, text="Locked domain slots.", fields=(
            Field(name="slots", bits=32, low=0, access=Access.READ, text="Slots 32 to 63."),)),
        Register(name="interrupt_state", offset=0x28, text="Interrupts that happened.",
                 fields=tuple(
            Field(name=name, bits=1, low=index, access=Access.CLEARED, text=text)
            for index, (name, text) in enumerate(INTERRUPTS))),
        Register(name="interrupt_enable", offset=0x2C,
                 text="Which of them raise `irq`.", fields=tuple(
            Field(name=name, bits=1, low=index, access=Access.STORED,
                  text="The interrupt of this name.")
            for index, (name, _) in enumerate(INTERRUPTS))),
    )


def _log() -> tuple[Register, ...]:
    def taken(name: str, bits: int, low: int, text: str,
              values: tuple[tuple[str, int], ...] = ()) -> Field:
        return Field(name=name, bits=bits, low=low, access=Access.TAKEN, text=text, values=values)

    return (
        Register(name="error_entry", offset=0x30,
                 text="Takes the oldest entry off the error log; zero if there is none.", fields=(
            taken("kind", 3, 0, "What failed: an access that is not allowed, a line's tag, a "
                  "version used up, a leaf's or node's MAC, DRAM with a leaf or node, a counter "
                  "used up.", names_of(LogKind)),
            taken("write", 1, 3, "Of a line: it was being written."),
            taken("level", 4, 4, "Of a leaf (0) or node: its level."),
            taken("slot", 6, 8, "Of a line: the slot of its domain."),
            taken("domain", DOMAIN_BITS, 16, "Of a line: the domain."))),
        Register(name="error_address_low", offset=0x34,
                 text="Address of the entry that was taken last.", fields=(
            Field(name="address", bits=32, low=0, access=Access.READ, text="Bits 0 to 31."),)),
        Register(name="error_address_high", offset=0x38,
                 text="Address of the entry that was taken last.", fields=(
            Field(name="address", bits=32, low=0, access=Access.READ, text="Bits 32 to 63."),)),
        Register(name="error_count", offset=0x3C, text="State of the error log.", fields=(
            Field(name="count", bits=8, low=0, access=Access.READ,
                  text=f"Entries, at most {LOG_DEPTH}."),
            Field(name="lost", bits=1, low=31, access=Access.CLEARED,
                  text="Entries were lost because the log was full; the older ones are kept."))),
    )


def _statistics() -> tuple[Register, ...]:
    return (Register(
        name="statistics", offset=0x40,
        text="Counters of 64 bits. Reads of the counters wait until a command is done.", fields=(
            Field(name="snapshot", bits=1, low=0, access=Access.COMMAND,
                  text="Take all counters at one moment; the registers show what was taken."),
            Field(name="clear", bits=1, low=1, access=Access.COMMAND,
                  text="Set all counters to zero; with `snapshot`, in the same moment behind "
                  "it, so that no event is lost."))),)


def _counters() -> tuple[Register, ...]:
    registers = []
    for index, (name, text) in enumerate(STATISTICS):
        for word, part in enumerate(("low", "high")):
            registers.append(Register(
                name=f"{name}_{part}", offset=STATISTICS_OFFSET + 8 * index + 4 * word, text=text,
                fields=(Field(name="count", bits=32, low=0, access=Access.WINDOW,
                              text=f"Bits {32 * word} to {32 * word + 31}."),)))
    return tuple(registers)


def _reclaim() -> tuple[Register, ...]:
    def halves(name: str, low: int, text: str) -> tuple[Register, ...]:
        return tuple(
            Register(name=f"{name}_{part}", offset=low + 4 * word, text=text, fields=(
                Field(name=name.removeprefix("reclaim_"), bits=32, low=0, access=Access.STORED,
                      text=f"Bits {32 * word} to {32 * word + 31}."),))
            for word, part in enumerate(("low", "high")))

    return (
        *halves("reclaim_first", 0x60, "First granule of a range to be reclaimed: its address in "
                "the data window, divided by 256."),
        *halves("reclaim_count", 0x68, "Granules of the range. What lies beyond the data window "
                "is cut off."),
        Register(name="reclaim", offset=0x70,
                 text="Takes the range back from its owners.", fields=(
            Field(name="start", bits=1, low=0, access=Access.COMMAND,
                  text="Each granule of the range gets owner 0 and no valid line; its versions "
                  "stay. Ignored while a range is gone through."),
            Field(name="failed", bits=1, low=1, access=Access.READ,
                  text="Of the last range, a granule could not be taken back: its leaf does not "
                  "verify, or the engine was locked meanwhile."))),
    )


def _keys() -> tuple[Register, ...]:
    texts = {
        KeyCommand.CREATE: "Create the domain, in the given mode, with the given policy.",
        KeyCommand.REKEY: "Give the domain new keys, when nothing of it is in flight any more. "
        "What it has written is lost.",
        KeyCommand.DESTROY: "Destroy the domain: erase its keys for ever.",
        KeyCommand.QUERY: "Show what is known of the domain.",
    }
    return (
        Register(name="key_state", offset=0x48, text="The key manager.", fields=(
            read_field("state", 2, 0, "Ready means that domains can be created and used; erased, "
                       "that all keys are gone until reset.", names_of(KeyState)),)),
        Register(name="boot_cycles", offset=0x4C, text="Duration of the boot.", fields=(
            read_field("cycles", 32, 0, "Cycles from reset until accesses were possible; counts "
                       "until then."),)),
        Register(name="domain", offset=0x50, text="The domain that a command is about.", fields=(
            Field(name="domain", bits=DOMAIN_BITS, low=0, access=Access.STORED,
                  text="Its ID. 0 can have no mode that authenticates."),
            Field(name="encrypt", bits=1, low=16, access=Access.STORED,
                  text="Its mode, when it is created: its lines are encrypted."),
            Field(name="authenticate", bits=1, low=17, access=Access.STORED,
                  text="They are authenticated."),
            Field(name="policy", bits=2, low=18, access=Access.STORED,
                  text="When it is created: what an integrity error of its lines locks, if the "
                  "register `policy` does not lock more. The value 3 counts as 0.",
                  values=names_of(Policy)))),
        Register(name="domain_command", offset=0x54,
                 text="Commands about the domain; a write with one bit set, when none goes on.",
                 fields=tuple(
            Field(name=command.name.lower(), bits=1, low=command.value, access=Access.COMMAND,
                  text=texts[command]) for command in KeyCommand)),
        Register(name="domain_outcome", offset=0x58,
                 text="What became of the last command, and the domain as it was then.", fields=(
            read_field("result", 3, 0, "Anything but `done` means that nothing was changed.",
                       names_of(KeyResult)),
            read_field("created", 1, 8, "There is such a domain."),
            read_field("encrypt", 1, 9, "Its mode: it is encrypted."),
            read_field("authenticate", 1, 10, "It is authenticated."),
            read_field("resident", 1, 11, "Its keys are in a slot."),
            read_field("policy", 2, 12, "Its policy.", names_of(Policy)))),
        Register(name="domain_generation", offset=0x5C,
                 text="How often the domain's ID got new keys since reset.", fields=(
            read_field("generation", 32, 0, "0 for the first keys after reset."),)),
    )


def block(config: EngineConfig) -> Block:
    """Return the registers of an engine."""
    keys = _keys() if config.keys is not None else ()
    fuses = fuse_registers() if config.keys is not None and config.keys.fuses is not None else ()
    return Block(name="casemate", address_bits=ADDRESS_BITS,
                 registers=(*_identity(config), *_control(), *_log(), *_statistics(), *keys,
                            *_reclaim(), *_counters(), *fuses))
