"""The key manager: boots, gives domains their keys, and takes them away."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..aes.signature import RoundKeyWrite
from ..config import DOMAIN_BITS, EngineConfig
from ..domain.slots import LookupSignature
from ..engine.keys import KeyLoader
from ..entropy.words import ENTROPY_BITS
from .domain_table import DomainTable
from .eraser import Eraser
from .filler import Filler
from .kdf import GENERATION_BITS, Kdf
from .layouts import (
    KeyCommand,
    KeyResult,
    KeyState,
    command_layout,
    domain_layout,
    outcome_layout,
)
from .nonce import NonceCollector
from .root_cipher import ROOT_KEY_BITS
from .slot_table import SlotTable

__all__ = ["BOOT_COUNTER_BITS", "KeyManager"]

BOOT_COUNTER_BITS = 32
"""Width of the counter of boot cycles."""

_SETTLE_CYCLES = 8  # from a line's verdict to the lock that it may cause, and some more


class _After(enum.Enum, shape=2):
    """What follows an erasure."""

    RETRY = 0
    """What was interrupted."""
    REPLY = 1
    """The answer to the command."""
    LOCK = 2
    """Nothing more: the slot is locked."""


class KeyManager(wiring.Component):
    """Keeps the root key, the table of domains and the slots.

    It does one thing at a time: an erasure because of a lock goes first, then commands, then
    look-ups that miss. A destruction and a lock interrupt whatever else is going on, which begins
    again behind them. ``docs/keys.md`` counts the cycles.

    Parameters
    ----------
    config:
        The engine's configuration, with ``keys``.
    kdf, comparator:
        For tests and proofs: what derives keys, and what compares K1 with K2.

    Members
    -------
    root_key: In(stream.Signature(256)), entropy: In(stream.Signature(32))
        Taken once. Byte i of the key is bits 8i to 8i+7. The entropy has passed its health tests.
    command: In(stream.Signature(command_layout()))
        Commands; transferred when they are done.
    outcome: Out(outcome_layout())
        Of the last command, from the cycle behind its transfer on.
    read, write: In(LookupSignature(config))
        Look-ups of the data path.
    data_key, tweak_key, tag_key: Out(RoundKeyWrite(domain_slots)), node_key: Out(RoundKeyWrite(1))
        To the ciphers.
    in_use: In(domain_slots), loading: In(1)
        From ``Core``.
    locked: In(domain_slots), lock_all: In(1), tamper: In(1)
        Slots that are locked until reset; the whole engine is; somebody opens the case. The keys
        are erased: of the slots, or all of them.
    lock: Out(domain_slots)
        Slots whose lines in flight must be dropped, because their keys are gone.
    alert: Out(1)
        A pulse: all keys are erased, because of ``tamper`` or because K2 equals K1.
    state: Out(KeyState)
    engine_ready: In(1)
        Everything else is ready too: the boot is over.
    boot_cycles: Out(32)
        Cycles from reset until then.
    idle: Out(1)
        No key is being derived, expanded or erased.
    """

    root_key: stream.Interface
    entropy: stream.Interface
    command: stream.Interface

    def __init__(self, config: EngineConfig, *, kdf: wiring.Component | None = None,
                 comparator: wiring.Component | None = None):
        assert config.keys is not None
        self._config, self._domains = config, config.keys.domains
        self.kdf, self._comparator = kdf or Kdf(aes_bits=config.aes_bits), comparator
        slots = config.domain_slots
        super().__init__({
            "root_key": In(stream.Signature(ROOT_KEY_BITS)),
            "entropy": In(stream.Signature(ENTROPY_BITS)),
            "command": In(stream.Signature(command_layout())), "outcome": Out(outcome_layout()),
            "read": In(LookupSignature(config)), "write": In(LookupSignature(config)),
            **{f"{name}_key": Out(RoundKeyWrite(slots)) for name in ("data", "tweak", "tag")},
            "node_key": Out(RoundKeyWrite(1)),
            "in_use": In(slots), "loading": In(1),
            "locked": In(slots), "lock_all": In(1), "tamper": In(1), "lock": Out(slots),
            "alert": Out(1), "state": Out(KeyState), "engine_ready": In(1),
            "boot_cycles": Out(BOOT_COUNTER_BITS), "idle": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, slots = self._config, self._config.domain_slots
        m.submodules.kdf = kdf = self.kdf
        m.submodules.nonce = nonce = NonceCollector()
        m.submodules.domains = domains = DomainTable(self._domains)
        m.submodules.slots = table = SlotTable(config)
        m.submodules.filler = filler = Filler(config, comparator=self._comparator)
        m.submodules.expansion = expansion = KeyLoader(config)
        m.submodules.eraser = eraser = Eraser(config)
        connect(m, flipped(self.entropy), nonce.i)
        connect(m, nonce.o, kdf.nonce)
        connect(m, filler.request, kdf.user.request)
        connect(m, kdf.user.key, filler.derived)
        connect(m, filler.key, expansion.i)
        connect(m, flipped(self.read), table.read)
        connect(m, flipped(self.write), table.write)
        for name in ("data", "tweak", "tag", "node"):
            connect(m, getattr(expansion, name), getattr(eraser, name))
            connect(m, getattr(eraser, f"to_{name}"), flipped(getattr(self, f"{name}_key")))

        self._dead, self._dying = Signal(), Signal()  # all keys are to be erased, and were
        self._slot = Signal(range(slots))
        self._full = Signal()  # the slot belonged to a domain, and its keys are still there
        self._domain = Signal(DOMAIN_BITS)
        self._missing, self._channel = Signal(), Signal()  # what is done is a look-up; whose
        self._draining, self._erased = Signal(slots), Signal(slots)
        self._settle = Signal(range(_SETTLE_CYCLES))
        self._after, self._urgent, self._result = Signal(_After), Signal(), Signal(KeyResult)
        self._to_erase = Signal(slots)
        self._next = Signal(domain_layout())
        self._equal = Signal()
        slot_in_use = self.in_use.bit_select(self._slot, 1)
        m.d.comb += [
            kdf.root_key.valid.eq(self.root_key.valid & ~self._dead),
            kdf.root_key.payload.eq(self.root_key.payload),
            self.root_key.ready.eq(kdf.root_key.ready & ~self._dead),
            self._dying.eq(self.lock_all | self.tamper | self._equal),
            self.alert.eq((self.tamper | self._equal) & ~self._dead),
            self._to_erase.eq(self.locked & ~self._erased),
            self._urgent.eq(self._dead | self._to_erase.any() | (
                self._missing & self.command.valid
                & (self.command.payload.command == KeyCommand.DESTROY))),
            table.in_use.eq(self.in_use), table.locked.eq(self.locked | self._draining),
            table.refuse_all.eq(self._dead), table.slot.eq(self._slot),
            table.find.eq(self._domain), domains.domain.eq(self._domain),
            domains.value.eq(self._next),
            table.setting.domain.eq(self._domain),
            table.setting.encrypt.eq(domains.entry.encrypt),
            table.setting.authenticate.eq(domains.entry.authenticate),
            filler.i.payload.slot.eq(self._slot), filler.i.payload.domain.eq(self._domain),
            filler.i.payload.generation.eq(domains.entry.generation),
            eraser.i.payload.slot.eq(self._slot),
            self.lock.eq(self._draining | self._dead.replicate(slots)),
        ]
        with m.If(self._dying):
            m.d.sync += self._dead.eq(1)
        m.d.sync += self._draining.eq(self._draining & self.in_use)
        booting = Signal(init=1)
        with m.If(booting):
            m.d.sync += [self.boot_cycles.eq(self.boot_cycles + 1), booting.eq(
                ~(self.engine_ready & (self.state == KeyState.READY)) & ~self._dead)]

        with m.FSM():
            self._boot(m, kdf, domains, filler, expansion)
            self._choose(m, table)
            self._command(m, domains, table, slot_in_use)
            self._fill(m, domains, table, filler, expansion, slot_in_use)
            self._erase(m, filler, expansion, eraser, kdf)
        with m.If(self._dead):
            m.d.comb += self.state.eq(KeyState.ERASED)
        with m.Elif(self._booted):
            m.d.comb += self.state.eq(KeyState.READY)
        return m

    def _boot(self, m: Module, kdf: wiring.Component, domains: DomainTable, filler: Filler,
              expansion: KeyLoader) -> None:
        """Wait for the root key and the nonce; derive the engine's key."""
        self._booted = Signal()
        with m.State("BOOT"):
            self._answer(m, KeyResult.BOOTING)
            with m.If(self._dead):
                m.next = "WIPE"
            with m.Elif(kdf.user.ready & domains.ready):
                m.next = "BOOT FILL"
        with m.State("BOOT FILL"):
            self._answer(m, KeyResult.BOOTING)
            m.d.comb += [filler.i.valid.eq(1), filler.i.payload.engine.eq(1)]
            with m.If(filler.i.ready):
                m.next = "BOOT LOAD"
            with m.If(self._dead):
                m.next = "WIPE"
        with m.State("BOOT LOAD"):
            self._answer(m, KeyResult.BOOTING)
            with m.If(self._dead):
                m.next = "WIPE"
            with m.Elif(expansion.idle):
                m.d.sync += self._booted.eq(1)
                m.next = "IDLE"

    def _answer(self, m: Module, result: KeyResult) -> None:
        """Answer commands at once, without doing anything."""
        m.d.comb += self.command.ready.eq(1)
        with m.If(self.command.valid):
            m.d.sync += [self.outcome.as_value().eq(0), self.outcome.result.eq(result)]

    def _choose(self, m: Module, table: SlotTable) -> None:
        """Choose what to do, and look up its domain."""
        with m.State("IDLE"):
            m.d.comb += self.idle.eq(~self._dead & ~self._to_erase.any() & ~self.command.valid
                                     & ~table.missing.any())
            channel = Signal()
            # Reads and writes in turn.
            m.d.comb += channel.eq(Mux(table.missing.all(), ~self._channel, table.missing[1]))
            m.d.sync += self._settle.eq(0)
            with m.If(self._dead):
                m.next = "WIPE"
            with m.Elif(self._to_erase.any()):
                for slot in reversed(range(len(self._to_erase))):
                    with m.If(self._to_erase[slot]):
                        m.d.sync += self._slot.eq(slot)
                m.d.sync += self._after.eq(_After.LOCK)
                m.next = "ERASE"
            with m.Elif(self.command.valid):
                m.d.sync += [self._domain.eq(self.command.payload.domain), self._missing.eq(0)]
                m.next = "LOOK"
            with m.Elif(table.missing.any()):
                m.d.sync += [
                    self._domain.eq(Mux(channel, table.missing_domain[1],
                                        table.missing_domain[0])),
                    self._missing.eq(1), self._channel.eq(channel)]
                m.next = "LOOK"
        with m.State("LOOK"):
            m.next = "LOOK AGAIN"
        with m.State("LOOK AGAIN"):
            m.next = "COMMAND"
            with m.If(self._missing):
                m.next = "MISS"

    def _command(self, m: Module, domains: DomainTable, table: SlotTable,
                 slot_in_use: Value) -> None:
        """Carry out a command."""
        command, entry, changed = self.command.payload, domains.entry, self._next
        generation = Signal(GENERATION_BITS)
        no_more = generation == 2**GENERATION_BITS - 1
        m.d.comb += [changed.eq(entry), generation.eq(entry.generation + 1)]
        with m.State("COMMAND"):
            m.d.sync += [self._slot.eq(table.found_slot), self._full.eq(1),
                         self._result.eq(KeyResult.DONE), self._after.eq(_After.REPLY)]
            m.next = "REPLY"
            with m.If(~domains.possible):
                m.d.sync += self._result.eq(KeyResult.REFUSED)
            with m.Elif(command.command == KeyCommand.CREATE):
                m.d.comb += [changed.created.eq(1), changed.encrypt.eq(command.encrypt),
                             changed.authenticate.eq(command.authenticate)]
                with m.If(entry.created):
                    m.d.sync += self._result.eq(KeyResult.EXISTS)
                with m.Elif(command.authenticate & (self._domain == 0)):
                    m.d.sync += self._result.eq(KeyResult.REFUSED)  # owner 0 is nobody
                with m.Elif(entry.generation == 2**GENERATION_BITS - 1):
                    m.d.sync += self._result.eq(KeyResult.EXHAUSTED)
                with m.Else():
                    m.d.comb += domains.write.eq(1)
            with m.Elif(~entry.created):
                m.d.sync += self._result.eq(KeyResult.UNKNOWN)
            with m.Elif(command.command == KeyCommand.DESTROY):
                m.d.comb += [changed.as_value().eq(0), changed.generation.eq(generation),
                             domains.write.eq(1)]
                with m.If(table.found):
                    m.next = "CLOSE"
            with m.Elif(command.command == KeyCommand.REKEY):
                m.d.comb += changed.generation.eq(generation)
                with m.If(no_more):
                    m.d.sync += self._result.eq(KeyResult.EXHAUSTED)
                with m.Elif(table.found & self.locked.bit_select(table.found_slot, 1)):
                    m.d.sync += self._result.eq(KeyResult.LOCKED)
                with m.Elif(table.found):
                    m.next = "REKEY"
                with m.Else():
                    m.d.comb += domains.write.eq(1)
        with m.State("CLOSE"):  # of a domain that is destroyed: what is in flight is dropped
            m.d.comb += table.close.eq(1)
            m.d.sync += self._draining.bit_select(self._slot, 1).eq(1)
            m.next = "ERASE"
        with m.State("REKEY"):  # wait for what is in flight
            m.d.comb += [table.close.eq(1), changed.generation.eq(generation)]
            m.d.sync += self._settle.eq(self._settle + 1)
            with m.If(self._urgent):
                m.d.comb += [table.close.eq(0), table.reopen.eq(1)]
                m.next = "IDLE"
            with m.Elif(slot_in_use):
                m.d.sync += self._settle.eq(1)
            with m.Elif(self._settle == _SETTLE_CYCLES - 1):
                m.d.comb += domains.write.eq(1)
                m.next = "ERASE"
        with m.State("REPLY"):
            m.d.comb += self.command.ready.eq(1)
            m.d.sync += [self.outcome.result.eq(self._result), self.outcome.entry.eq(entry),
                         self.outcome.resident.eq(table.found)]
            m.next = "IDLE"

    def _fill(self, m: Module, domains: DomainTable, table: SlotTable, filler: Filler,
              expansion: KeyLoader, slot_in_use: Value) -> None:
        """Give a domain that was looked up a slot."""
        with m.State("MISS"):
            m.d.sync += [self._slot.eq(table.victim), self._full.eq(table.victim_full),
                         self._settle.eq(0)]
            m.next = "DRAIN"
            with m.If(~domains.entry.created | ~table.some):
                m.d.comb += table.refuse.bit_select(self._channel, 1).eq(1)
                m.next = "IDLE"
        with m.State("DRAIN"):
            m.d.comb += table.close.eq(1)
            m.d.sync += self._settle.eq(self._settle + 1)
            with m.If(self._urgent):
                m.d.comb += [table.close.eq(0), table.reopen.eq(self._full)]
                m.next = "IDLE"
            with m.Elif(slot_in_use):
                m.d.sync += self._settle.eq(1)
                with m.If(table.some_idle):  # better than to wait
                    m.d.comb += [table.close.eq(0), table.reopen.eq(self._full)]
                    m.next = "MISS"
            with m.Elif(self._settle == _SETTLE_CYCLES - 1):
                m.next = "FILL"
        with m.State("FILL"):
            m.d.comb += filler.i.valid.eq(1)
            with m.If(filler.i.ready):
                m.d.comb += self._equal.eq(filler.equal)
                m.next = "LOAD"
            with m.If(self._urgent | filler.i.ready & filler.equal):
                m.next = "STOP"
        with m.State("LOAD"):
            with m.If(self._urgent):
                m.next = "STOP"
            with m.Elif(expansion.idle & ~self.loading):
                m.d.comb += table.set.eq(1)
                m.next = "IDLE"
        with m.State("STOP"):
            m.d.comb += filler.stop.eq(1)
            m.d.sync += self._after.eq(_After.RETRY)
            with m.If(filler.stopped & expansion.idle):
                m.next = "ERASE"

    def _erase(self, m: Module, filler: Filler, expansion: KeyLoader, eraser: Eraser,
               kdf: wiring.Component) -> None:
        """Erase a slot, or everything."""
        with m.State("ERASE"):
            m.d.comb += eraser.i.valid.eq(1)
            with m.If(eraser.i.ready):
                m.next = "ERASED"
                with m.If(self._after == _After.RETRY):
                    m.next = "IDLE"
        with m.State("ERASED"):
            with m.If(~self.loading):
                m.next = "IDLE"
                with m.If(self._after == _After.LOCK):
                    m.d.sync += self._erased.bit_select(self._slot, 1).eq(1)
                with m.Else():
                    m.next = "REPLY"
        with m.State("WIPE"):
            self._answer(m, KeyResult.LOCKED)
            m.d.comb += filler.stop.eq(1)
            m.d.sync += self._slot.eq(0)
            with m.If(filler.stopped & expansion.idle):
                m.next = "WIPE SLOTS"
        with m.State("WIPE SLOTS"):
            self._answer(m, KeyResult.LOCKED)
            m.d.comb += [eraser.i.valid.eq(1), eraser.i.payload.engine.eq(1)]
            with m.If(eraser.i.ready):
                m.d.sync += self._slot.eq(self._slot + 1)
                with m.If(self._slot == self._config.domain_slots - 1):
                    m.next = "WIPE ROOT"
        with m.State("WIPE ROOT"):
            self._answer(m, KeyResult.LOCKED)
            m.d.comb += [kdf.user.erase.eq(1), self.idle.eq(kdf.user.idle & ~self.loading)]
