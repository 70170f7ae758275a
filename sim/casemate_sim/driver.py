"""Driver of an engine: the same calls against a simulation and a board.

What differs is the transport, which reads and writes registers of 32 bits by their offset. The
offsets come from the description that the hardware is made from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from casemate.alert.layouts import LogKind, Policy
from casemate.config import LINE_BYTES, EngineConfig
from casemate.key_manager.layouts import KeyCommand, KeyResult, KeyState

from casemate_sim.registers import RegisterMap

__all__ = ["Casemate", "CommandError", "Domain", "DriverError", "LogEntry", "Transport"]

_PATIENCE = 100_000


class DriverError(Exception):
    """The engine is not what the driver expects, or does not answer in time."""


class CommandError(DriverError):
    """A command about a domain was not carried out.

    Attributes
    ----------
    result:
        Why.
    """

    def __init__(self, command: KeyCommand, domain: int, result: KeyResult) -> None:
        super().__init__(f"{command.name.lower()} of domain {domain}: {result.name.lower()}")
        self.result = result


class Transport(Protocol):
    """Access to the registers: AXI4-Lite, a serial line, a memory map."""

    def read32(self, offset: int) -> int:
        """Return the register at a byte offset; DriverError if the bus answers with an error."""
        ...

    def write32(self, offset: int, value: int) -> None:
        """Write the register at a byte offset; DriverError if the bus answers with an error."""
        ...


@dataclass(frozen=True)
class Domain:
    """What the key manager knows of a domain."""

    domain: int
    encrypt: bool
    authenticate: bool
    policy: Policy
    generation: int
    resident: bool

    @property
    def mode(self) -> str:
        """``plain``, ``xts``, ``integrity`` or ``full``."""
        return {(False, False): "plain", (True, False): "xts", (False, True): "integrity",
                (True, True): "full"}[self.encrypt, self.authenticate]


@dataclass(frozen=True)
class LogEntry:
    """An entry of the error log; of leaves and nodes ``domain``, ``slot``, ``write`` are 0."""

    kind: LogKind
    address: int
    domain: int
    slot: int
    write: bool
    level: int


class Casemate:
    """One engine with a tree.

    Parameters
    ----------
    transport:
        How its registers are reached.
    config:
        What it was built from; compared with the identification registers.
    patience:
        Reads of a register until something that should happen is given up.

    Raises
    ------
    DriverError
        If there is no such engine.

    Attributes
    ----------
    config:
        What it was built from.
    registers:
        Its registers, by name.
    """

    def __init__(self, transport: Transport, config: EngineConfig, *,
                 patience: int = _PATIENCE) -> None:
        self._transport = transport
        self._patience = patience
        self.config = config
        self.registers = RegisterMap(config)
        for name in ("id", "digest", "tree_config", "engine_config"):
            expected, found = self.registers[name].reset, self._read32(name)
            if found != expected:
                raise DriverError(f"register {name} is {found:#010x}; this configuration's is "
                                  f"{expected:#010x}")

    def _read32(self, name: str) -> int:
        return self._transport.read32(self.registers.offset(name))

    def read(self, name: str) -> dict[str, int]:
        """Return the fields of a register."""
        return self.registers.unpack(name, self._read32(name))

    def write(self, name: str, **fields: int) -> None:
        """Write a register; fields that are not given become 0."""
        self._transport.write32(self.registers.offset(name),
                                self.registers.pack(name, **fields))

    def wait(self, name: str, what: str, **fields: int) -> None:
        """Read a register until its fields have these values; DriverError if they never do."""
        for _ in range(self._patience):
            found = self.read(name)
            if all(found[field] == value for field, value in fields.items()):
                return
        raise DriverError(f"{what} is not over after {self._patience} looks at register {name}")

    # -- the engine --------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Version of the hardware."""
        found = self.read("version")
        return f"{found['major']}.{found['minor']}.{found['patch']}"

    @property
    def status(self) -> dict[str, int]:
        """Fields of the register ``status``."""
        return self.read("status")

    @property
    def locked_slots(self) -> int:
        """A bit for each domain slot that is locked until reset."""
        return self._read32("locked_slots_low") | self._read32("locked_slots_high") << 32

    @property
    def policy(self) -> Policy:
        """What an integrity error locks at least: what software set, or more by the fuses."""
        value = self.read("policy")["failure"]
        if value not in [each.value for each in Policy]:
            return Policy.LOCK_ENGINE
        if self.config.keys is not None and self.config.keys.fuses is not None:
            value = min(value, self.read("fuse_state")["weakest_policy"])
        return Policy(value)

    def set_policy(self, policy: Policy, *, lock: bool = False) -> None:
        """Set the policy; with `lock` for good.

        Raises
        ------
        DriverError
            If it was locked before, or the fuses ask for more.
        """
        self.write("policy", failure=policy.value, lock=lock)
        if self.policy is not policy:
            raise DriverError(f"the policy is locked: {self.policy.name.lower()}, by a write or "
                              "by the fuses")

    def flush(self) -> None:
        """Write every changed leaf and node to DRAM, and wait until it is done."""
        self.write("command", flush=1)
        self.wait("command", "the flush", flush=0)

    def invalidate(self) -> None:
        """Flush, and empty the metadata cache."""
        self.write("command", invalidate=1)
        self.wait("command", "the invalidation", invalidate=0)

    def reclaim(self, address: int, length: int) -> None:
        """Take granules back from their owners, and wait until it is done.

        Nobody owns them afterwards, no line of them is valid, their versions stay. `address` is
        the data window's first byte or later; what lies beyond its last is cut off.

        Raises
        ------
        ValueError
            If `address` or `length` cuts a granule.
        DriverError
            If a granule could not be taken back: DRAM was tampered with, or the engine is locked.
            The others were.
        """
        size = LINE_BYTES * self.config.leaf.lines
        offset = address - self.config.data_base
        if offset < 0 or length < 0 or offset % size or length % size:
            raise ValueError(f"{length:#x} bytes at {address:#x} are no whole granules of {size} "
                             f"bytes from {self.config.data_base:#x} on")
        for name, value in (("first", offset // size), ("count", length // size)):
            self.write(f"reclaim_{name}_low", **{name: value & 0xFFFF_FFFF})
            self.write(f"reclaim_{name}_high", **{name: value >> 32})
        self.write("reclaim", start=1)
        self.wait("reclaim", "the reclaiming", start=0)
        if self.read("reclaim")["failed"]:
            raise DriverError(f"not every granule from {address:#x} on could be taken back")

    def errors(self) -> Iterator[LogEntry]:
        """Take the entries of the error log, the oldest first."""
        while (entry := self.read("error_entry"))["kind"] != LogKind.NONE.value:
            address = self._read32("error_address_low") | self._read32("error_address_high") << 32
            yield LogEntry(LogKind(entry["kind"]), address, entry["domain"], entry["slot"],
                           bool(entry["write"]), entry["level"])

    def statistics(self, *, clear: bool = False) -> dict[str, int]:
        """Return all counters of one moment; with `clear` they count from that moment on."""
        self.write("statistics", snapshot=1, clear=clear)
        return {name: self._read32(f"{name}_low") | self._read32(f"{name}_high") << 32
                for name in self.registers.statistics}

    # -- keys and domains --------------------------------------------------------------------

    @property
    def key_state(self) -> KeyState:
        """State of the key manager."""
        return KeyState(self.read("key_state")["state"])

    def wait_for_boot(self) -> int:
        """Wait until accesses are possible; return the cycles from reset until then."""
        self.wait("key_state", "the boot", state=KeyState.READY.value)
        self.wait("status", "the boot", ready=1)
        return self._read32("boot_cycles")

    def create(self, domain: int, *, encrypt: bool = True, authenticate: bool = True,
               policy: Policy = Policy.REPORT_ONLY) -> Domain:
        """Create a domain; CommandError if that is not possible.

        Its integrity errors lock what `policy` says, or what :meth:`set_policy` said, whichever is
        more; the default adds nothing to the latter.
        """
        return self._command(KeyCommand.CREATE, domain, encrypt=encrypt,
                             authenticate=authenticate, policy=policy.value)

    def rekey(self, domain: int) -> Domain:
        """Give a domain new keys: what it has written is lost; CommandError if there is none.

        What it has written must be reclaimed before it is read again, or reading it is an
        integrity error.
        """
        return self._command(KeyCommand.REKEY, domain)

    def destroy(self, domain: int) -> None:
        """Erase a domain's keys for ever; CommandError if there is no such domain."""
        self._command(KeyCommand.DESTROY, domain)

    def query(self, domain: int) -> Domain:
        """Return what is known of a domain; CommandError if there is none."""
        return self._command(KeyCommand.QUERY, domain)

    def _command(self, command: KeyCommand, domain: int, **given: int) -> Domain:
        self.write("domain", domain=domain, **given)
        self.write("domain_command", **{command.name.lower(): 1})
        self.wait("domain_command", f"{command.name.lower()} of domain {domain}",
                    **{each.name.lower(): 0 for each in KeyCommand})
        found = self.read("domain_outcome")
        result = KeyResult(found["result"])
        if result is not KeyResult.DONE:
            raise CommandError(command, domain, result)
        return Domain(domain, bool(found["encrypt"]), bool(found["authenticate"]),
                      Policy(found["policy"]), self.read("domain_generation")["generation"],
                      bool(found["resident"]))
